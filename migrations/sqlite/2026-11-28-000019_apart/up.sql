-- How a payment that was kept apart came to its end: taken after all, or put right by a person who says what was done.
-- One row at most: whoever comes second finds it.
CREATE TABLE orphan_end (
    inst_order_no TEXT NOT NULL,
    institution_id INTEGER NOT NULL,
    channel TEXT NOT NULL,
    how TEXT NOT NULL,
    words TEXT NOT NULL,
    actor TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (inst_order_no, institution_id, channel),
    FOREIGN KEY (inst_order_no, institution_id, channel)
        REFERENCES orphan_payment (inst_order_no, institution_id, channel)
) STRICT, WITHOUT ROWID;
CREATE INDEX orphan_end_by_time ON orphan_end (at);
CREATE TRIGGER orphan_end_no_update BEFORE UPDATE ON orphan_end BEGIN SELECT RAISE(ABORT, 'orphan_end is append-only'); END;
CREATE TRIGGER orphan_end_no_delete BEFORE DELETE ON orphan_end BEGIN SELECT RAISE(ABORT, 'orphan_end is append-only'); END;
