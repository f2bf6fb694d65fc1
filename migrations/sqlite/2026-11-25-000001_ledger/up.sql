-- The memo ledger: entries a commit batch or a file, chained per custody day. Amounts in fen, debits above zero.
-- business_date is the custody day; of_date the day that the money is of, which may be closed already.
CREATE TABLE ledger_entry (
    id INTEGER NOT NULL PRIMARY KEY,
    institution_id INTEGER NOT NULL,
    business_date INT NOT NULL,
    of_date INT NOT NULL,
    kind TEXT NOT NULL CHECK (
        kind IN ('PAID', 'BILLED', 'SPLIT', 'CLEARED', 'FROZEN', 'SETTLED', 'FAILED', 'BOUNCED')
    ),
    evidence TEXT NOT NULL,
    items INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX ledger_entry_by_day ON ledger_entry (institution_id, of_date, id);

CREATE TABLE posting (
    entry_id INTEGER NOT NULL,
    idx INT NOT NULL,
    account TEXT NOT NULL,
    party TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount <> 0),
    PRIMARY KEY (entry_id, idx)
) STRICT, WITHOUT ROWID;

-- The chain of a custody day's entries, made by the roll-up.
CREATE TABLE ledger_link (
    institution_id INTEGER NOT NULL,
    business_date INT NOT NULL,
    seq INTEGER NOT NULL,
    entry_id INTEGER NOT NULL UNIQUE,
    sha256 TEXT NOT NULL CHECK (length(sha256) = 64),
    PRIMARY KEY (institution_id, business_date, seq)
) STRICT, WITHOUT ROWID;

-- Sums of a custody day's chained entries; derived, kept by the roll-up alone.
CREATE TABLE ledger_day (
    institution_id INTEGER NOT NULL,
    business_date INT NOT NULL,
    account TEXT NOT NULL,
    party TEXT NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (institution_id, business_date, account, party)
) STRICT, WITHOUT ROWID;

-- All balances of an institution at the close of a custody day.
CREATE TABLE ledger_balance (
    institution_id INTEGER NOT NULL,
    business_date INT NOT NULL,
    account TEXT NOT NULL,
    party TEXT NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (institution_id, business_date, account, party)
) STRICT, WITHOUT ROWID;

-- States that a custody day has reached; a day without a row is open.
CREATE TABLE custody_day (
    institution_id INTEGER NOT NULL REFERENCES institution (id),
    business_date INT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('CUT', 'CLOSED')),
    evidence TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (institution_id, business_date, state)
) STRICT, WITHOUT ROWID;

-- Days that were cut or settled before the ledger began.
INSERT INTO custody_day (institution_id, business_date, state, evidence, at)
    SELECT institution_id, business_date, 'CUT', 'before the ledger', MIN(created_at) FROM day_cut
    GROUP BY institution_id, business_date;
INSERT INTO custody_day (institution_id, business_date, state, evidence, at)
    SELECT institution_id, business_date, 'CLOSED', 'before the ledger', MIN(created_at) FROM exchanged_file
    WHERE kind = 'STL' GROUP BY institution_id, business_date;

-- The entry that a payment was posted with; none of a payment from before the ledger.
ALTER TABLE payment ADD COLUMN entry_id INTEGER;

-- Orders and credentials are never deleted, and whoever inserts here has just read them: no foreign keys on the way of
-- every payment.
CREATE TABLE payment_key_new (
    inst_order_no TEXT NOT NULL PRIMARY KEY,
    order_id INTEGER NOT NULL UNIQUE,
    business_date INT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO payment_key_new SELECT * FROM payment_key;
DROP TABLE payment_key;
ALTER TABLE payment_key_new RENAME TO payment_key;

CREATE TABLE outbox_new (
    id INTEGER NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('MERCHANT_NOTIFY')),
    order_id INTEGER NOT NULL,
    event_id TEXT NOT NULL UNIQUE,
    url TEXT NOT NULL,
    body BLOB NOT NULL,
    credential_id INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    attempts INT NOT NULL,
    next_at INTEGER NOT NULL,
    done_at INTEGER,
    given_up_at INTEGER,
    last_error TEXT
) STRICT;
INSERT INTO outbox_new SELECT * FROM outbox;
DROP TABLE outbox;
ALTER TABLE outbox_new RENAME TO outbox;
CREATE INDEX outbox_due ON outbox (next_at, id) WHERE done_at IS NULL AND given_up_at IS NULL;
CREATE INDEX outbox_by_order ON outbox (order_id, id);

CREATE TRIGGER payment_key_no_update BEFORE UPDATE ON payment_key BEGIN SELECT RAISE(ABORT, 'payment_key is append-only'); END;
CREATE TRIGGER payment_key_no_delete BEFORE DELETE ON payment_key BEGIN SELECT RAISE(ABORT, 'payment_key is append-only'); END;
CREATE TRIGGER ledger_entry_no_update BEFORE UPDATE ON ledger_entry BEGIN SELECT RAISE(ABORT, 'ledger_entry is append-only'); END;
CREATE TRIGGER ledger_entry_no_delete BEFORE DELETE ON ledger_entry BEGIN SELECT RAISE(ABORT, 'ledger_entry is append-only'); END;
CREATE TRIGGER posting_no_update BEFORE UPDATE ON posting BEGIN SELECT RAISE(ABORT, 'posting is append-only'); END;
CREATE TRIGGER posting_no_delete BEFORE DELETE ON posting BEGIN SELECT RAISE(ABORT, 'posting is append-only'); END;
CREATE TRIGGER ledger_link_no_update BEFORE UPDATE ON ledger_link BEGIN SELECT RAISE(ABORT, 'ledger_link is append-only'); END;
CREATE TRIGGER ledger_link_no_delete BEFORE DELETE ON ledger_link BEGIN SELECT RAISE(ABORT, 'ledger_link is append-only'); END;
CREATE TRIGGER ledger_balance_no_update BEFORE UPDATE ON ledger_balance BEGIN SELECT RAISE(ABORT, 'ledger_balance is append-only'); END;
CREATE TRIGGER ledger_balance_no_delete BEFORE DELETE ON ledger_balance BEGIN SELECT RAISE(ABORT, 'ledger_balance is append-only'); END;
CREATE TRIGGER custody_day_no_update BEFORE UPDATE ON custody_day BEGIN SELECT RAISE(ABORT, 'custody_day is append-only'); END;
CREATE TRIGGER custody_day_no_delete BEFORE DELETE ON custody_day BEGIN SELECT RAISE(ABORT, 'custody_day is append-only'); END;
