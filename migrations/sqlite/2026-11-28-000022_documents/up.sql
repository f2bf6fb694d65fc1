-- Which documents a day's evidence consists of: the one channel's own bill, or the institution's.
ALTER TABLE institution ADD COLUMN documents TEXT NOT NULL DEFAULT 'channel' CHECK (documents IN ('channel', 'bil'));

-- A channel's own document may say something else of a payment than the bill that is split.
CREATE TABLE difference_new (
    id INTEGER NOT NULL PRIMARY KEY,
    institution_id INTEGER NOT NULL REFERENCES institution (id),
    business_date INT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('LONG', 'SHORT', 'AMOUNT', 'FACTS', 'DOCUMENT')),
    inst_order_no TEXT NOT NULL,
    order_no TEXT NOT NULL,
    ours TEXT,
    theirs TEXT,
    found_at INTEGER NOT NULL,
    UNIQUE (institution_id, business_date, kind, inst_order_no)
) STRICT;
INSERT INTO difference_new SELECT * FROM difference;
DROP TABLE difference;
ALTER TABLE difference_new RENAME TO difference;
CREATE INDEX difference_by_institution ON difference (institution_id, id);
CREATE INDEX difference_by_order ON difference (order_no);
CREATE TRIGGER difference_no_update BEFORE UPDATE ON difference BEGIN SELECT RAISE(ABORT, 'difference is append-only'); END;
CREATE TRIGGER difference_no_delete BEFORE DELETE ON difference BEGIN SELECT RAISE(ABORT, 'difference is append-only'); END;
