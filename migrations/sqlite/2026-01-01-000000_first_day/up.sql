-- Instants are Unix microseconds, business dates yyyymmdd, amounts fen, digests lower-case hex.
-- INT holds 32 bits and INTEGER 64, as on PostgreSQL. The triggers at the end keep the append-only tables so.

-- people
CREATE TABLE audit (
    id INTEGER NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    before_json TEXT,
    after_json TEXT,
    request_id TEXT NOT NULL,
    ip TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_object ON audit (object, id);

CREATE TABLE platform_merchant (
    id INTEGER NOT NULL PRIMARY KEY,
    sp_mchid TEXT NOT NULL UNIQUE,
    sp_appid TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE credential (
    id INTEGER NOT NULL PRIMARY KEY,
    platform_merchant_id INTEGER NOT NULL REFERENCES platform_merchant (id),
    serial TEXT NOT NULL,
    public_key_pem TEXT NOT NULL,
    apiv3_key_wrapped BLOB NOT NULL,
    answer_mode TEXT NOT NULL CHECK (answer_mode IN ('cert', 'pubkey')),
    created_at INTEGER NOT NULL,
    revoked_at INTEGER,
    UNIQUE (platform_merchant_id, serial)
) STRICT;

CREATE TABLE request_nonce (
    credential_id INTEGER NOT NULL REFERENCES credential (id),
    nonce TEXT NOT NULL,
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (credential_id, nonce)
) STRICT, WITHOUT ROWID;
CREATE INDEX request_nonce_by_time ON request_nonce (seen_at);

CREATE TABLE platform_key (
    id INTEGER NOT NULL PRIMARY KEY,
    purpose TEXT NOT NULL CHECK (purpose IN ('wechat', 'files')),
    serial TEXT NOT NULL UNIQUE,
    certificate_pem TEXT NOT NULL,
    public_key_id TEXT NOT NULL,
    public_key_pem TEXT NOT NULL,
    private_key_wrapped BLOB NOT NULL,
    active_from INTEGER NOT NULL,
    retired_at INTEGER
) STRICT;
CREATE UNIQUE INDEX platform_key_in_use ON platform_key (purpose) WHERE retired_at IS NULL;

-- institutions
CREATE TABLE institution (
    id INTEGER NOT NULL PRIMARY KEY,
    code TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    platform_code TEXT NOT NULL,
    order_prefix TEXT NOT NULL,
    channel_base_url TEXT NOT NULL,
    channel_sp_mchid TEXT NOT NULL,
    channel_sp_appid TEXT NOT NULL,
    channel_merchant_serial TEXT NOT NULL,
    channel_private_key_wrapped BLOB NOT NULL,
    channel_apiv3_key_wrapped BLOB NOT NULL,
    channel_answer_serial TEXT NOT NULL,
    channel_answer_key_pem TEXT NOT NULL,
    file_public_key_pem TEXT NOT NULL,
    result_encoding TEXT NOT NULL CHECK (result_encoding IN ('ASCII', 'GB18030')),
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE exchanged_file (
    id INTEGER NOT NULL PRIMARY KEY,
    institution_id INTEGER NOT NULL REFERENCES institution (id),
    direction TEXT NOT NULL CHECK (direction IN ('IN', 'OUT')),
    kind TEXT NOT NULL CHECK (kind IN ('SPL', 'STL', 'BIL', 'APR', 'RET', 'WXBILL')),
    name TEXT NOT NULL,
    business_date INT NOT NULL,
    seq INT NOT NULL,
    sha256 TEXT NOT NULL CHECK (length(sha256) = 64),
    size INTEGER NOT NULL,
    orders INTEGER NOT NULL,
    lines INTEGER NOT NULL,
    total INTEGER NOT NULL,
    previous_sha256 TEXT CHECK (length(previous_sha256) = 64),
    approvals_sha256 TEXT CHECK (length(approvals_sha256) = 64),
    created_at INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    UNIQUE (institution_id, name)
) STRICT;
CREATE INDEX exchanged_file_by_day ON exchanged_file (institution_id, business_date, kind, seq);
CREATE INDEX exchanged_file_by_kind ON exchanged_file (institution_id, kind, id);
CREATE UNIQUE INDEX exchanged_file_one_successor ON exchanged_file (institution_id, kind, previous_sha256)
    WHERE direction = 'OUT';
CREATE INDEX exchanged_file_by_digest ON exchanged_file (sha256);

CREATE TABLE file_result (
    id INTEGER NOT NULL PRIMARY KEY,
    file_id INTEGER NOT NULL REFERENCES exchanged_file (id),
    ret_file_id INTEGER NOT NULL UNIQUE REFERENCES exchanged_file (id),
    stage TEXT NOT NULL CHECK (stage IN ('FIRST', 'FINAL')),
    seq INT NOT NULL,
    code TEXT NOT NULL,
    lines INTEGER NOT NULL,
    success_total INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    imported_at INTEGER NOT NULL,
    UNIQUE (file_id, stage, seq)
) STRICT;

CREATE TABLE result_line (
    id INTEGER NOT NULL PRIMARY KEY,
    file_result_id INTEGER NOT NULL REFERENCES file_result (id),
    n INT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('S', 'F', 'P', 'B')),
    amount INTEGER NOT NULL,
    inst_serial TEXT NOT NULL,
    path TEXT NOT NULL,
    done_at TEXT NOT NULL,
    err_code TEXT NOT NULL,
    err_msg TEXT NOT NULL,
    UNIQUE (file_result_id, n)
) STRICT;

CREATE TABLE approvals_bundle (
    id INTEGER NOT NULL PRIMARY KEY,
    institution_id INTEGER NOT NULL REFERENCES institution (id),
    file_id INTEGER NOT NULL UNIQUE REFERENCES exchanged_file (id),
    sha256 TEXT NOT NULL CHECK (length(sha256) = 64),
    seq INT NOT NULL,
    issued_at INTEGER NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (institution_id, sha256)
) STRICT;
CREATE INDEX approvals_bundle_by_time ON approvals_bundle (institution_id, issued_at, id);

-- merchants
CREATE TABLE sub_merchant (
    id INTEGER NOT NULL PRIMARY KEY,
    merchant TEXT NOT NULL UNIQUE,
    platform_merchant_id INTEGER NOT NULL REFERENCES platform_merchant (id),
    institution_id INTEGER NOT NULL REFERENCES institution (id),
    inst_merchant_no TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sub_merchant_by_institution ON sub_merchant (institution_id, merchant);

CREATE TABLE receiver (
    id INTEGER NOT NULL PRIMARY KEY,
    institution_id INTEGER NOT NULL REFERENCES institution (id),
    receiver TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    UNIQUE (institution_id, receiver)
) STRICT;

CREATE TABLE app_user (
    id INTEGER NOT NULL PRIMARY KEY,
    login TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('ADMIN', 'CHECKER', 'MERCHANT', 'INST_MAKER', 'INST_CHECKER')),
    institution_id INTEGER REFERENCES institution (id),
    sub_merchant_id INTEGER REFERENCES sub_merchant (id),
    password_hash TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    disabled_at INTEGER,
    CHECK ((institution_id IS NOT NULL) = (role IN ('INST_MAKER', 'INST_CHECKER'))),
    CHECK ((sub_merchant_id IS NOT NULL) = (role IN ('MERCHANT')))
) STRICT;

CREATE TABLE session (
    token_sha256 TEXT NOT NULL PRIMARY KEY CHECK (length(token_sha256) = 64),
    user_id INTEGER NOT NULL REFERENCES app_user (id),
    created_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ip TEXT NOT NULL,
    user_agent TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_by_user ON session (user_id);
CREATE INDEX session_by_end ON session (expires_at);

-- rules
CREATE TABLE rule_version (
    id INTEGER NOT NULL PRIMARY KEY,
    institution_id INTEGER NOT NULL REFERENCES institution (id),
    rule TEXT NOT NULL,
    version INT NOT NULL,
    digest TEXT NOT NULL CHECK (length(digest) = 64),
    canonical TEXT NOT NULL,
    approved_at INTEGER NOT NULL,
    UNIQUE (institution_id, rule, version),
    UNIQUE (institution_id, digest)
) STRICT;

-- orders
CREATE TABLE pay_order (
    id INTEGER NOT NULL PRIMARY KEY,
    order_no TEXT NOT NULL UNIQUE,
    platform_merchant_id INTEGER NOT NULL REFERENCES platform_merchant (id),
    out_trade_no TEXT NOT NULL,
    content_sha256 TEXT NOT NULL CHECK (length(content_sha256) = 64),
    sub_merchant_id INTEGER NOT NULL REFERENCES sub_merchant (id),
    institution_id INTEGER NOT NULL REFERENCES institution (id),
    credential_id INTEGER NOT NULL REFERENCES credential (id),
    channel TEXT NOT NULL,
    product TEXT NOT NULL,
    tags TEXT NOT NULL,
    parties TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0),
    description TEXT NOT NULL,
    attach TEXT NOT NULL,
    notify_url TEXT NOT NULL,
    time_expire INTEGER,
    created_at INTEGER NOT NULL,
    UNIQUE (platform_merchant_id, out_trade_no)
) STRICT;
CREATE INDEX pay_order_by_time ON pay_order (created_at, id);
CREATE INDEX pay_order_by_institution ON pay_order (institution_id, created_at, id);
CREATE INDEX pay_order_by_sub_merchant ON pay_order (sub_merchant_id, created_at, id);

CREATE TABLE order_event (
    id INTEGER NOT NULL PRIMARY KEY,
    order_id INTEGER NOT NULL REFERENCES pay_order (id),
    at INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (
        kind IN ('CREATED', 'PAYING', 'UNKNOWN', 'CLOSED', 'QUERIED', 'AMOUNT_DIFFERS', 'LATE_PAYMENT')
    ),
    detail TEXT NOT NULL,
    raw_business_date INT,
    raw_sha256 TEXT CHECK (length(raw_sha256) = 64)
) STRICT;
CREATE INDEX order_event_by_order ON order_event (order_id, id);
CREATE INDEX order_event_by_kind ON order_event (kind, at);

CREATE TABLE raw_message (
    business_date INT NOT NULL,
    sha256 TEXT NOT NULL CHECK (length(sha256) = 64),
    institution_id INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('NOTIFICATION', 'QUERY_ANSWER')),
    received_at INTEGER NOT NULL,
    headers TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (business_date, sha256)
) STRICT;

CREATE TABLE payment_key (
    inst_order_no TEXT NOT NULL PRIMARY KEY,
    order_id INTEGER NOT NULL UNIQUE REFERENCES pay_order (id),
    business_date INT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE payment (
    business_date INT NOT NULL,
    order_id INTEGER NOT NULL,
    inst_order_no TEXT NOT NULL,
    institution_id INTEGER NOT NULL,
    sub_merchant_id INTEGER NOT NULL,
    platform_merchant_id INTEGER NOT NULL,
    channel TEXT NOT NULL,
    product TEXT NOT NULL,
    paid INTEGER NOT NULL CHECK (paid > 0),
    paid_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    preview_rule TEXT,
    preview_digest TEXT CHECK (length(preview_digest) = 64),
    raw_business_date INT NOT NULL,
    raw_sha256 TEXT NOT NULL CHECK (length(raw_sha256) = 64),
    PRIMARY KEY (business_date, order_id)
) STRICT;
CREATE INDEX payment_by_institution ON payment (business_date, institution_id, paid_at, inst_order_no);
CREATE INDEX payment_by_sub_merchant ON payment (business_date, sub_merchant_id, paid_at, inst_order_no);

-- A signed payment of an order that we do not know.
CREATE TABLE orphan_payment (
    inst_order_no TEXT NOT NULL PRIMARY KEY,
    institution_id INTEGER NOT NULL REFERENCES institution (id),
    order_no TEXT NOT NULL,
    paid INTEGER NOT NULL,
    paid_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    raw_business_date INT NOT NULL,
    raw_sha256 TEXT NOT NULL CHECK (length(raw_sha256) = 64)
) STRICT;
CREATE INDEX orphan_payment_by_institution ON orphan_payment (institution_id, paid_at);

CREATE TABLE outbox (
    id INTEGER NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('MERCHANT_NOTIFY')),
    order_id INTEGER NOT NULL REFERENCES pay_order (id),
    event_id TEXT NOT NULL UNIQUE,
    url TEXT NOT NULL,
    body BLOB NOT NULL,
    credential_id INTEGER NOT NULL REFERENCES credential (id),
    created_at INTEGER NOT NULL,
    attempts INT NOT NULL,
    next_at INTEGER NOT NULL,
    done_at INTEGER,
    given_up_at INTEGER,
    last_error TEXT
) STRICT;
CREATE INDEX outbox_due ON outbox (next_at, id) WHERE done_at IS NULL AND given_up_at IS NULL;
CREATE INDEX outbox_by_order ON outbox (order_id, id);

-- reconciliation
CREATE TABLE bill (
    id INTEGER NOT NULL PRIMARY KEY,
    institution_id INTEGER NOT NULL REFERENCES institution (id),
    business_date INT NOT NULL,
    file_id INTEGER NOT NULL UNIQUE REFERENCES exchanged_file (id),
    sha256 TEXT NOT NULL CHECK (length(sha256) = 64),
    orders INTEGER NOT NULL,
    total_paid INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL
) STRICT;
CREATE INDEX bill_by_day ON bill (institution_id, business_date, id);

CREATE TABLE difference (
    id INTEGER NOT NULL PRIMARY KEY,
    institution_id INTEGER NOT NULL REFERENCES institution (id),
    business_date INT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('LONG', 'SHORT', 'AMOUNT', 'FACTS')),
    inst_order_no TEXT NOT NULL,
    order_no TEXT NOT NULL,
    ours TEXT,
    theirs TEXT,
    found_at INTEGER NOT NULL,
    UNIQUE (institution_id, business_date, kind, inst_order_no)
) STRICT;
CREATE INDEX difference_by_institution ON difference (institution_id, id);
CREATE INDEX difference_by_order ON difference (order_no);

-- splits
-- What a repeated cut must use again.
CREATE TABLE day_cut (
    institution_id INTEGER NOT NULL REFERENCES institution (id),
    business_date INT NOT NULL,
    seq INT NOT NULL,
    bill_id INTEGER NOT NULL REFERENCES bill (id),
    approvals_sha256 TEXT NOT NULL CHECK (length(approvals_sha256) = 64),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (institution_id, business_date, seq)
) STRICT;

CREATE TABLE split_order (
    business_date INT NOT NULL,
    file_id INTEGER NOT NULL,
    n INT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('O', 'X')),
    reason TEXT,
    order_no TEXT NOT NULL,
    inst_order_no TEXT NOT NULL,
    institution_id INTEGER NOT NULL,
    sub_merchant_id INTEGER,
    merchant TEXT NOT NULL,
    channel TEXT NOT NULL,
    product TEXT NOT NULL,
    tags TEXT NOT NULL,
    parties TEXT NOT NULL,
    paid_at INTEGER NOT NULL,
    paid INTEGER NOT NULL,
    fee INTEGER NOT NULL,
    subsidy INTEGER NOT NULL,
    rule TEXT,
    version INT,
    rule_digest TEXT CHECK (length(rule_digest) = 64),
    preview_digest TEXT CHECK (length(preview_digest) = 64),
    lines INT NOT NULL,
    PRIMARY KEY (business_date, file_id, n),
    CHECK ((reason IS NOT NULL) = (kind IN ('X')))
) STRICT;
CREATE INDEX split_order_unsplit ON split_order (business_date, file_id, n) WHERE reason IS NOT NULL;

CREATE TABLE split_key (
    inst_order_no TEXT NOT NULL,
    file_id INTEGER NOT NULL,
    business_date INT NOT NULL,
    n INT NOT NULL,
    PRIMARY KEY (inst_order_no, file_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE split_line (
    business_date INT NOT NULL,
    file_id INTEGER NOT NULL,
    n INT NOT NULL,
    idx INT NOT NULL,
    path TEXT NOT NULL,
    role TEXT NOT NULL,
    receiver TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0),
    PRIMARY KEY (business_date, file_id, n, idx)
) STRICT, WITHOUT ROWID;

-- settlement
CREATE TABLE settlement_input (
    file_id INTEGER NOT NULL REFERENCES exchanged_file (id),
    name TEXT NOT NULL,
    sha256 TEXT NOT NULL CHECK (length(sha256) = 64),
    total INTEGER NOT NULL,
    PRIMARY KEY (file_id, name)
) STRICT;

CREATE TABLE settlement_line (
    file_id INTEGER NOT NULL REFERENCES exchanged_file (id),
    n INT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('S', 'C')),
    settlement_id TEXT,
    receiver TEXT NOT NULL,
    inst_receiver_no TEXT,
    role TEXT,
    splits INTEGER NOT NULL,
    returns INTEGER NOT NULL,
    debts INTEGER NOT NULL,
    carried_in INTEGER NOT NULL,
    requeued INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    order_count INTEGER NOT NULL,
    settle_date INT,
    reason TEXT,
    PRIMARY KEY (file_id, kind, n),
    CHECK ((settlement_id IS NOT NULL) = (kind IN ('S'))),
    CHECK ((reason IS NOT NULL) = (kind IN ('C')))
) STRICT;
CREATE INDEX settlement_line_by_receiver ON settlement_line (receiver, file_id);

-- Append-only. REPLACE is caught by the delete trigger because connections set recursive_triggers.
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER exchanged_file_no_update BEFORE UPDATE ON exchanged_file BEGIN SELECT RAISE(ABORT, 'exchanged_file is append-only'); END;
CREATE TRIGGER exchanged_file_no_delete BEFORE DELETE ON exchanged_file BEGIN SELECT RAISE(ABORT, 'exchanged_file is append-only'); END;
CREATE TRIGGER file_result_no_update BEFORE UPDATE ON file_result BEGIN SELECT RAISE(ABORT, 'file_result is append-only'); END;
CREATE TRIGGER file_result_no_delete BEFORE DELETE ON file_result BEGIN SELECT RAISE(ABORT, 'file_result is append-only'); END;
CREATE TRIGGER result_line_no_update BEFORE UPDATE ON result_line BEGIN SELECT RAISE(ABORT, 'result_line is append-only'); END;
CREATE TRIGGER result_line_no_delete BEFORE DELETE ON result_line BEGIN SELECT RAISE(ABORT, 'result_line is append-only'); END;
CREATE TRIGGER approvals_bundle_no_update BEFORE UPDATE ON approvals_bundle BEGIN SELECT RAISE(ABORT, 'approvals_bundle is append-only'); END;
CREATE TRIGGER approvals_bundle_no_delete BEFORE DELETE ON approvals_bundle BEGIN SELECT RAISE(ABORT, 'approvals_bundle is append-only'); END;
CREATE TRIGGER rule_version_no_update BEFORE UPDATE ON rule_version BEGIN SELECT RAISE(ABORT, 'rule_version is append-only'); END;
CREATE TRIGGER rule_version_no_delete BEFORE DELETE ON rule_version BEGIN SELECT RAISE(ABORT, 'rule_version is append-only'); END;
CREATE TRIGGER pay_order_no_update BEFORE UPDATE ON pay_order BEGIN SELECT RAISE(ABORT, 'pay_order is append-only'); END;
CREATE TRIGGER pay_order_no_delete BEFORE DELETE ON pay_order BEGIN SELECT RAISE(ABORT, 'pay_order is append-only'); END;
CREATE TRIGGER order_event_no_update BEFORE UPDATE ON order_event BEGIN SELECT RAISE(ABORT, 'order_event is append-only'); END;
CREATE TRIGGER order_event_no_delete BEFORE DELETE ON order_event BEGIN SELECT RAISE(ABORT, 'order_event is append-only'); END;
CREATE TRIGGER raw_message_no_update BEFORE UPDATE ON raw_message BEGIN SELECT RAISE(ABORT, 'raw_message is append-only'); END;
CREATE TRIGGER raw_message_no_delete BEFORE DELETE ON raw_message BEGIN SELECT RAISE(ABORT, 'raw_message is append-only'); END;
CREATE TRIGGER payment_key_no_update BEFORE UPDATE ON payment_key BEGIN SELECT RAISE(ABORT, 'payment_key is append-only'); END;
CREATE TRIGGER payment_key_no_delete BEFORE DELETE ON payment_key BEGIN SELECT RAISE(ABORT, 'payment_key is append-only'); END;
CREATE TRIGGER payment_no_update BEFORE UPDATE ON payment BEGIN SELECT RAISE(ABORT, 'payment is append-only'); END;
CREATE TRIGGER payment_no_delete BEFORE DELETE ON payment BEGIN SELECT RAISE(ABORT, 'payment is append-only'); END;
CREATE TRIGGER orphan_payment_no_update BEFORE UPDATE ON orphan_payment BEGIN SELECT RAISE(ABORT, 'orphan_payment is append-only'); END;
CREATE TRIGGER orphan_payment_no_delete BEFORE DELETE ON orphan_payment BEGIN SELECT RAISE(ABORT, 'orphan_payment is append-only'); END;
CREATE TRIGGER bill_no_update BEFORE UPDATE ON bill BEGIN SELECT RAISE(ABORT, 'bill is append-only'); END;
CREATE TRIGGER bill_no_delete BEFORE DELETE ON bill BEGIN SELECT RAISE(ABORT, 'bill is append-only'); END;
CREATE TRIGGER difference_no_update BEFORE UPDATE ON difference BEGIN SELECT RAISE(ABORT, 'difference is append-only'); END;
CREATE TRIGGER difference_no_delete BEFORE DELETE ON difference BEGIN SELECT RAISE(ABORT, 'difference is append-only'); END;
CREATE TRIGGER day_cut_no_update BEFORE UPDATE ON day_cut BEGIN SELECT RAISE(ABORT, 'day_cut is append-only'); END;
CREATE TRIGGER day_cut_no_delete BEFORE DELETE ON day_cut BEGIN SELECT RAISE(ABORT, 'day_cut is append-only'); END;
CREATE TRIGGER split_order_no_update BEFORE UPDATE ON split_order BEGIN SELECT RAISE(ABORT, 'split_order is append-only'); END;
CREATE TRIGGER split_order_no_delete BEFORE DELETE ON split_order BEGIN SELECT RAISE(ABORT, 'split_order is append-only'); END;
CREATE TRIGGER split_key_no_update BEFORE UPDATE ON split_key BEGIN SELECT RAISE(ABORT, 'split_key is append-only'); END;
CREATE TRIGGER split_key_no_delete BEFORE DELETE ON split_key BEGIN SELECT RAISE(ABORT, 'split_key is append-only'); END;
CREATE TRIGGER split_line_no_update BEFORE UPDATE ON split_line BEGIN SELECT RAISE(ABORT, 'split_line is append-only'); END;
CREATE TRIGGER split_line_no_delete BEFORE DELETE ON split_line BEGIN SELECT RAISE(ABORT, 'split_line is append-only'); END;
CREATE TRIGGER settlement_input_no_update BEFORE UPDATE ON settlement_input BEGIN SELECT RAISE(ABORT, 'settlement_input is append-only'); END;
CREATE TRIGGER settlement_input_no_delete BEFORE DELETE ON settlement_input BEGIN SELECT RAISE(ABORT, 'settlement_input is append-only'); END;
CREATE TRIGGER settlement_line_no_update BEFORE UPDATE ON settlement_line BEGIN SELECT RAISE(ABORT, 'settlement_line is append-only'); END;
CREATE TRIGGER settlement_line_no_delete BEFORE DELETE ON settlement_line BEGIN SELECT RAISE(ABORT, 'settlement_line is append-only'); END;
