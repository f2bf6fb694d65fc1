-- An institution's channels are rows, every key has one purpose and versions, a merchant may be enrolled at more than one
-- institution, and a payment's number is its institution's and channel's own.

-- How an institution's channel is spoken to. `version` counts every change of the row and of its keys: a process that
-- holds the channel open looks at it before each use.
CREATE TABLE channel (
    id INTEGER NOT NULL PRIMARY KEY,
    institution_id INTEGER NOT NULL REFERENCES institution (id),
    channel TEXT NOT NULL CHECK (channel IN ('wechat', 'alipay')),
    language TEXT NOT NULL CHECK (language IN ('wechat_v3', 'alipay_openapi', 'alipay_v3')),
    base_url TEXT NOT NULL,
    sp_mchid TEXT NOT NULL,
    sp_appid TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (institution_id, channel)
) STRICT;

-- What we sign with and open messages with at a channel; a row a version. It opens from when it is made, signs from
-- valid_from on (not yet without it: the institution is told first), and counts until valid_to, if that is set.
CREATE TABLE channel_key (
    id INTEGER NOT NULL PRIMARY KEY,
    channel_id INTEGER NOT NULL REFERENCES channel (id),
    serial TEXT NOT NULL,
    private_key_wrapped BLOB NOT NULL,
    apiv3_key_wrapped BLOB NOT NULL,
    valid_from INTEGER,
    valid_to INTEGER
) STRICT;
CREATE UNIQUE INDEX channel_key_by_serial ON channel_key (channel_id, serial);

-- The institution's own keys, each for one purpose; a `channel` key signs the answers of one channel.
CREATE TABLE institution_key (
    id INTEGER NOT NULL PRIMARY KEY,
    institution_id INTEGER NOT NULL REFERENCES institution (id),
    purpose TEXT NOT NULL CHECK (purpose IN ('approvals', 'files', 'api', 'ssh', 'sealing', 'channel')),
    channel_id INTEGER REFERENCES channel (id),
    key_id TEXT NOT NULL,
    public_key_pem TEXT NOT NULL,
    valid_from INTEGER NOT NULL,
    valid_to INTEGER,
    UNIQUE (institution_id, purpose, key_id),
    CHECK ((channel_id IS NOT NULL) = (purpose = 'channel'))
) STRICT;

-- A merchant at an institution.
CREATE TABLE enrolment (
    id INTEGER NOT NULL PRIMARY KEY,
    sub_merchant_id INTEGER NOT NULL REFERENCES sub_merchant (id),
    institution_id INTEGER NOT NULL REFERENCES institution (id),
    inst_merchant_no TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (sub_merchant_id, institution_id)
) STRICT;
-- By it a payment finds its merchant: it is one merchant's.
CREATE UNIQUE INDEX enrolment_by_institution ON enrolment (institution_id, inst_merchant_no);

INSERT INTO channel (institution_id, channel, language, base_url, sp_mchid, sp_appid, version, created_at)
    SELECT id, 'wechat', 'wechat_v3', channel_base_url, channel_sp_mchid, channel_sp_appid, 1, created_at
    FROM institution ORDER BY id;
INSERT INTO channel_key (channel_id, serial, private_key_wrapped, apiv3_key_wrapped, valid_from, valid_to)
    SELECT c.id, i.channel_merchant_serial, i.channel_private_key_wrapped, i.channel_apiv3_key_wrapped, i.created_at, NULL
    FROM institution i JOIN channel c ON c.institution_id = i.id ORDER BY i.id;
-- The one key that signed bundles and files signs both from now on, as two keys.
INSERT INTO institution_key (institution_id, purpose, channel_id, key_id, public_key_pem, valid_from, valid_to)
    SELECT id, 'approvals', NULL, 'first', file_public_key_pem, created_at, NULL FROM institution
    UNION ALL SELECT id, 'files', NULL, 'first', file_public_key_pem, created_at, NULL FROM institution
    UNION ALL SELECT i.id, 'channel', c.id, i.channel_answer_serial, i.channel_answer_key_pem, i.created_at, NULL
    FROM institution i JOIN channel c ON c.institution_id = i.id ORDER BY 1, 2;
INSERT INTO enrolment (sub_merchant_id, institution_id, inst_merchant_no, created_at)
    SELECT id, institution_id, inst_merchant_no, created_at FROM sub_merchant ORDER BY id;

ALTER TABLE institution DROP COLUMN channel_base_url;
ALTER TABLE institution DROP COLUMN channel_sp_mchid;
ALTER TABLE institution DROP COLUMN channel_sp_appid;
ALTER TABLE institution DROP COLUMN channel_merchant_serial;
ALTER TABLE institution DROP COLUMN channel_private_key_wrapped;
ALTER TABLE institution DROP COLUMN channel_apiv3_key_wrapped;
ALTER TABLE institution DROP COLUMN channel_answer_serial;
ALTER TABLE institution DROP COLUMN channel_answer_key_pem;
ALTER TABLE institution DROP COLUMN file_public_key_pem;
DROP INDEX sub_merchant_by_institution;
ALTER TABLE sub_merchant DROP COLUMN institution_id;
ALTER TABLE sub_merchant DROP COLUMN inst_merchant_no;

-- Our own keys: two of a purpose count while one takes the other's place. The number of its version keeps two processes
-- from making the same one.
DROP INDEX platform_key_in_use;
ALTER TABLE platform_key RENAME TO old_platform_key;
CREATE TABLE platform_key (
    id INTEGER NOT NULL PRIMARY KEY,
    purpose TEXT NOT NULL CHECK (purpose IN ('files', 'api', 'ssh-host', 'wechat', 'alipay')),
    serial TEXT NOT NULL UNIQUE,
    certificate_pem TEXT NOT NULL,
    public_key_id TEXT NOT NULL,
    public_key_pem TEXT NOT NULL,
    private_key_wrapped BLOB NOT NULL,
    valid_from INTEGER NOT NULL,
    valid_to INTEGER,
    version INTEGER NOT NULL,
    UNIQUE (purpose, version)
) STRICT;
INSERT INTO platform_key
    SELECT k.id, k.purpose, k.serial, k.certificate_pem, k.public_key_id, k.public_key_pem, k.private_key_wrapped,
        k.active_from, k.retired_at,
        (SELECT COUNT(*) FROM old_platform_key e WHERE e.purpose = k.purpose AND e.id <= k.id)
    FROM old_platform_key k;
DROP TABLE old_platform_key;

-- Two channels may give one number: it is looked for by itself, and unique within its channel.
DROP TRIGGER payment_key_no_update;
DROP TRIGGER payment_key_no_delete;
ALTER TABLE payment_key RENAME TO old_payment_key;
CREATE TABLE payment_key (
    inst_order_no TEXT NOT NULL,
    order_id INTEGER NOT NULL UNIQUE,
    business_date INT NOT NULL,
    institution_id INTEGER NOT NULL,
    channel TEXT NOT NULL,
    PRIMARY KEY (inst_order_no, institution_id, channel)
) STRICT, WITHOUT ROWID;
INSERT INTO payment_key
    SELECT k.inst_order_no, k.order_id, k.business_date, o.institution_id, o.channel
    FROM old_payment_key k JOIN pay_order o ON o.id = k.order_id;
DROP TABLE old_payment_key;
CREATE TRIGGER payment_key_no_update BEFORE UPDATE ON payment_key BEGIN SELECT RAISE(ABORT, 'payment_key is append-only'); END;
CREATE TRIGGER payment_key_no_delete BEFORE DELETE ON payment_key BEGIN SELECT RAISE(ABORT, 'payment_key is append-only'); END;

DROP TRIGGER orphan_payment_no_update;
DROP TRIGGER orphan_payment_no_delete;
DROP INDEX orphan_payment_by_institution;
ALTER TABLE orphan_payment RENAME TO old_orphan_payment;
CREATE TABLE orphan_payment (
    inst_order_no TEXT NOT NULL,
    institution_id INTEGER NOT NULL REFERENCES institution (id),
    order_no TEXT NOT NULL,
    paid INTEGER NOT NULL,
    paid_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    raw_business_date INT NOT NULL,
    raw_sha256 TEXT NOT NULL CHECK (length(raw_sha256) = 64),
    channel TEXT NOT NULL,
    PRIMARY KEY (inst_order_no, institution_id, channel)
) STRICT, WITHOUT ROWID;
INSERT INTO orphan_payment
    SELECT inst_order_no, institution_id, order_no, paid, paid_at, received_at, raw_business_date, raw_sha256, 'wechat'
    FROM old_orphan_payment;
DROP TABLE old_orphan_payment;
CREATE INDEX orphan_payment_by_institution ON orphan_payment (institution_id, paid_at);
CREATE TRIGGER orphan_payment_no_update BEFORE UPDATE ON orphan_payment BEGIN SELECT RAISE(ABORT, 'orphan_payment is append-only'); END;
CREATE TRIGGER orphan_payment_no_delete BEFORE DELETE ON orphan_payment BEGIN SELECT RAISE(ABORT, 'orphan_payment is append-only'); END;
