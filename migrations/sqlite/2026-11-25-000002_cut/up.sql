-- The cut at size: the bill's orders as rows, narrow split rows, and no key that every order pays for.
CREATE TABLE bill_order (
    business_date INT NOT NULL,
    institution_id INTEGER NOT NULL,
    bill_id INTEGER NOT NULL,
    paid_at INTEGER NOT NULL,
    inst_order_no TEXT NOT NULL,
    order_no TEXT NOT NULL,
    merchant TEXT NOT NULL,
    channel TEXT NOT NULL,
    product TEXT NOT NULL,
    tags TEXT NOT NULL,
    parties TEXT NOT NULL,
    paid INTEGER NOT NULL,
    fee INTEGER NOT NULL,
    subsidy INTEGER NOT NULL,
    sub_merchant_id INTEGER,
    preview_digest TEXT CHECK (length(preview_digest) = 64),
    PRIMARY KEY (business_date, institution_id, bill_id, paid_at, inst_order_no)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX bill_order_by_inst_order_no ON bill_order (business_date, institution_id, bill_id, inst_order_no);
CREATE UNIQUE INDEX bill_order_by_order_no ON bill_order (business_date, institution_id, bill_id, order_no);

-- Which files a bill's orders came from: the channel's bill itself, and the institution's own that add to it.
CREATE TABLE bill_source (
    bill_id INTEGER NOT NULL REFERENCES bill (id),
    file_id INTEGER NOT NULL REFERENCES exchanged_file (id),
    PRIMARY KEY (bill_id, file_id)
) STRICT;

-- 1 = the run that made this file had more orders to tell: the next run goes on where it stopped.
ALTER TABLE day_cut ADD COLUMN more INT NOT NULL DEFAULT 0 CHECK (more BETWEEN 0 AND 1);

DROP TRIGGER split_order_no_update;
DROP TRIGGER split_order_no_delete;
DROP TRIGGER split_key_no_update;
DROP TRIGGER split_key_no_delete;
DROP TRIGGER split_line_no_update;
DROP TRIGGER split_line_no_delete;
DROP INDEX split_order_unsplit;
ALTER TABLE split_order RENAME TO old_split_order;
ALTER TABLE split_line RENAME TO old_split_line;

-- What else an order says stands in its bill's row, which is also found by number: an index of numbers here would cost
-- more than all other keys.
CREATE TABLE split_order (
    business_date INT NOT NULL,
    institution_id INTEGER NOT NULL,
    file_id INTEGER NOT NULL,
    n INT NOT NULL,
    bill_id INTEGER NOT NULL,
    paid_at INTEGER NOT NULL,
    inst_order_no TEXT NOT NULL,
    paid INTEGER NOT NULL,
    fee INTEGER NOT NULL,
    subsidy INTEGER NOT NULL,
    reason TEXT,
    rule_id INTEGER,
    lines INT NOT NULL,
    PRIMARY KEY (file_id, n, business_date, institution_id),
    CHECK ((reason IS NULL) = (rule_id IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX split_order_by_paid_at ON split_order (business_date, institution_id, paid_at);
CREATE INDEX split_order_unsplit ON split_order (business_date, institution_id, file_id, n) WHERE reason IS NOT NULL;

CREATE TABLE split_line (
    business_date INT NOT NULL,
    institution_id INTEGER NOT NULL,
    file_id INTEGER NOT NULL,
    n INT NOT NULL,
    idx INT NOT NULL,
    path TEXT NOT NULL,
    role TEXT NOT NULL,
    receiver TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0),
    PRIMARY KEY (file_id, n, idx, business_date, institution_id)
) STRICT, WITHOUT ROWID;

-- What was cut before. A bill that no file was made from has no rows: its orders are loaded when it is fetched again.
INSERT OR IGNORE INTO bill_order
    SELECT s.business_date, s.institution_id, b.id, s.paid_at, s.inst_order_no, s.order_no, s.merchant, s.channel,
        s.product, s.tags, s.parties, s.paid, s.fee, s.subsidy, s.sub_merchant_id, s.preview_digest
    FROM bill b
    JOIN day_cut c ON c.institution_id = b.institution_id AND c.business_date = b.business_date AND c.bill_id <= b.id
    JOIN exchanged_file f ON f.institution_id = c.institution_id AND f.kind = 'SPL'
        AND f.business_date = c.business_date AND f.seq = c.seq
    JOIN old_split_order s ON s.business_date = f.business_date AND s.file_id = f.id
    ORDER BY b.id, s.inst_order_no, c.bill_id DESC, c.seq DESC;
INSERT INTO split_order
    SELECT s.business_date, s.institution_id, s.file_id, s.n, c.bill_id, s.paid_at, s.inst_order_no, s.paid, s.fee,
        s.subsidy, s.reason, r.id, s.lines
    FROM old_split_order s
    JOIN exchanged_file f ON f.id = s.file_id
    JOIN day_cut c ON c.institution_id = f.institution_id AND c.business_date = f.business_date AND c.seq = f.seq
    LEFT JOIN rule_version r ON r.institution_id = s.institution_id AND r.digest = s.rule_digest;
INSERT INTO split_line
    SELECT l.business_date, f.institution_id, l.file_id, l.n, l.idx, l.path, l.role, l.receiver, l.amount
    FROM old_split_line l JOIN exchanged_file f ON f.id = l.file_id;
DROP TABLE old_split_order;
DROP TABLE old_split_line;
DROP TABLE split_key;

CREATE TRIGGER bill_order_no_update BEFORE UPDATE ON bill_order BEGIN SELECT RAISE(ABORT, 'bill_order is append-only'); END;
CREATE TRIGGER bill_order_no_delete BEFORE DELETE ON bill_order BEGIN SELECT RAISE(ABORT, 'bill_order is append-only'); END;
CREATE TRIGGER bill_source_no_update BEFORE UPDATE ON bill_source BEGIN SELECT RAISE(ABORT, 'bill_source is append-only'); END;
CREATE TRIGGER bill_source_no_delete BEFORE DELETE ON bill_source BEGIN SELECT RAISE(ABORT, 'bill_source is append-only'); END;
CREATE TRIGGER split_order_no_update BEFORE UPDATE ON split_order BEGIN SELECT RAISE(ABORT, 'split_order is append-only'); END;
CREATE TRIGGER split_order_no_delete BEFORE DELETE ON split_order BEGIN SELECT RAISE(ABORT, 'split_order is append-only'); END;
CREATE TRIGGER split_line_no_update BEFORE UPDATE ON split_line BEGIN SELECT RAISE(ABORT, 'split_line is append-only'); END;
CREATE TRIGGER split_line_no_delete BEFORE DELETE ON split_line BEGIN SELECT RAISE(ABORT, 'split_line is append-only'); END;
