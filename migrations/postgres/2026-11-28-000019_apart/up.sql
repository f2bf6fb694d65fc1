-- How a payment that was kept apart came to its end: taken after all, or put right by a person who says what was done.
-- One row at most: whoever comes second finds it.
CREATE TABLE orphan_end (
    inst_order_no TEXT COLLATE "C" NOT NULL,
    institution_id BIGINT NOT NULL,
    channel TEXT COLLATE "C" NOT NULL,
    how TEXT COLLATE "C" NOT NULL,
    words TEXT COLLATE "C" NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (inst_order_no, institution_id, channel),
    FOREIGN KEY (inst_order_no, institution_id, channel)
        REFERENCES orphan_payment (inst_order_no, institution_id, channel)
);
CREATE INDEX orphan_end_by_time ON orphan_end (at);
CREATE TRIGGER orphan_end_no_change BEFORE UPDATE OR DELETE ON orphan_end FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER orphan_end_no_truncate BEFORE TRUNCATE ON orphan_end FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
