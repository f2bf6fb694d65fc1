-- The lines of an order stand with it, in one text: they are never looked for without it, and rows and keys of their own
-- cost more than all else of a cut. Amounts stand in the bill's row alone.
DROP TRIGGER split_order_no_update;
DROP TRIGGER split_order_no_delete;
DROP TRIGGER split_line_no_update;
DROP TRIGGER split_line_no_delete;
DROP INDEX split_order_by_paid_at;
DROP INDEX split_order_unsplit;
ALTER TABLE split_order RENAME TO old_split_order;
CREATE TABLE split_order (
    business_date INT NOT NULL,
    institution_id INTEGER NOT NULL,
    file_id INTEGER NOT NULL,
    n INT NOT NULL,
    bill_id INTEGER NOT NULL,
    paid_at INTEGER NOT NULL,
    inst_order_no TEXT NOT NULL,
    reason TEXT,
    rule_id INTEGER,
    lines TEXT NOT NULL,
    PRIMARY KEY (file_id, n, business_date, institution_id),
    CHECK ((reason IS NULL) = (rule_id IS NOT NULL)),
    CHECK (reason IS NULL OR lines = '')
) STRICT, WITHOUT ROWID;
INSERT INTO split_order
    SELECT o.business_date, o.institution_id, o.file_id, o.n, o.bill_id, o.paid_at, o.inst_order_no, o.reason, o.rule_id,
        COALESCE((SELECT group_concat(t, char(10)) FROM (
            SELECT l.path || '|' || l.role || '|' || l.receiver || '|' || l.amount AS t FROM split_line l
            WHERE l.file_id = o.file_id AND l.n = o.n AND l.business_date = o.business_date
                AND l.institution_id = o.institution_id
            ORDER BY l.idx)), '')
    FROM old_split_order o;
DROP TABLE old_split_order;
DROP TABLE split_line;
CREATE INDEX split_order_by_paid_at ON split_order (business_date, institution_id, paid_at);
CREATE INDEX split_order_unsplit ON split_order (business_date, institution_id, file_id, n) WHERE reason IS NOT NULL;
CREATE TRIGGER split_order_no_update BEFORE UPDATE ON split_order BEGIN SELECT RAISE(ABORT, 'split_order is append-only'); END;
CREATE TRIGGER split_order_no_delete BEFORE DELETE ON split_order BEGIN SELECT RAISE(ABORT, 'split_order is append-only'); END;
