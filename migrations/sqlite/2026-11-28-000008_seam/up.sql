-- An order's events tell reasons with what they are about, no sentences: those are made for each reader. What was told in
-- words before stands as OTHER, in those words. Reasons are the program's words, one more of them costs no migration.
DROP TRIGGER order_event_no_update;
DROP TRIGGER order_event_no_delete;
DROP INDEX order_event_by_order;
DROP INDEX order_event_by_kind;
ALTER TABLE order_event RENAME TO old_order_event;
CREATE TABLE order_event (
    id INTEGER NOT NULL PRIMARY KEY,
    order_id INTEGER NOT NULL REFERENCES pay_order (id),
    at INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (
        kind IN ('CREATED', 'PAYING', 'UNKNOWN', 'CLOSED', 'QUERIED', 'AMOUNT_DIFFERS', 'LATE_PAYMENT')
    ),
    raw_business_date INT,
    raw_sha256 TEXT CHECK (length(raw_sha256) = 64),
    reason TEXT,
    code TEXT,
    words TEXT,
    amount INTEGER,
    code_url TEXT,
    CHECK ((reason IS NULL) = (kind IN ('CREATED', 'PAYING'))),
    CHECK ((code_url IS NULL) = (kind NOT IN ('PAYING')))
) STRICT;
INSERT INTO order_event (id, order_id, at, kind, raw_business_date, raw_sha256, reason, words, code_url)
    SELECT id, order_id, at, kind, raw_business_date, raw_sha256,
        CASE WHEN kind NOT IN ('CREATED', 'PAYING') THEN 'OTHER' END,
        CASE WHEN kind NOT IN ('CREATED', 'PAYING') THEN detail END,
        CASE WHEN kind = 'PAYING' THEN detail END
    FROM old_order_event;
DROP TABLE old_order_event;
CREATE INDEX order_event_by_order ON order_event (order_id, id);
CREATE INDEX order_event_by_kind ON order_event (kind, order_id, at);
CREATE TRIGGER order_event_no_update BEFORE UPDATE ON order_event BEGIN SELECT RAISE(ABORT, 'order_event is append-only'); END;
CREATE TRIGGER order_event_no_delete BEFORE DELETE ON order_event BEGIN SELECT RAISE(ABORT, 'order_event is append-only'); END;

-- What goes out says what it is about and is rendered when it is delivered. Every note so far was about a paid order.
DROP INDEX outbox_due;
DROP INDEX outbox_by_order;
ALTER TABLE outbox RENAME TO old_outbox;
CREATE TABLE outbox (
    id INTEGER NOT NULL PRIMARY KEY,
    subject_id INTEGER NOT NULL,
    event_id TEXT NOT NULL UNIQUE,
    url TEXT NOT NULL,
    credential_id INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    attempts INT NOT NULL,
    next_at INTEGER NOT NULL,
    done_at INTEGER,
    given_up_at INTEGER,
    last_error TEXT,
    subject TEXT NOT NULL CHECK (subject IN ('ORDER_PAID'))
) STRICT;
INSERT INTO outbox
    SELECT id, order_id, event_id, url, credential_id, created_at, attempts, next_at, done_at, given_up_at, last_error,
        'ORDER_PAID'
    FROM old_outbox;
DROP TABLE old_outbox;
CREATE INDEX outbox_due ON outbox (next_at, id) WHERE done_at IS NULL AND given_up_at IS NULL;
CREATE INDEX outbox_by_subject ON outbox (subject_id, id);
