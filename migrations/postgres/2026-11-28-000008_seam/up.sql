-- An order's events tell reasons with what they are about, no sentences: those are made for each reader. What was told in
-- words before stands as OTHER, in those words. Reasons are the program's words, one more of them costs no migration.
ALTER TABLE order_event DISABLE TRIGGER order_event_no_change;
ALTER TABLE order_event ADD COLUMN reason TEXT COLLATE "C";
ALTER TABLE order_event ADD COLUMN code TEXT COLLATE "C";
ALTER TABLE order_event ADD COLUMN words TEXT COLLATE "C";
ALTER TABLE order_event ADD COLUMN amount BIGINT;
ALTER TABLE order_event ADD COLUMN code_url TEXT COLLATE "C";
UPDATE order_event SET code_url = detail WHERE kind = 'PAYING';
UPDATE order_event SET reason = 'OTHER', words = detail WHERE kind NOT IN ('CREATED', 'PAYING');
ALTER TABLE order_event DROP COLUMN detail;
ALTER TABLE order_event ADD CHECK ((reason IS NULL) = (kind IN ('CREATED', 'PAYING')));
ALTER TABLE order_event ADD CHECK ((code_url IS NULL) = (kind NOT IN ('PAYING')));
ALTER TABLE order_event ENABLE TRIGGER order_event_no_change;

-- What goes out says what it is about and is rendered when it is delivered. Every note so far was about a paid order.
ALTER TABLE outbox ADD COLUMN subject TEXT COLLATE "C" NOT NULL DEFAULT 'ORDER_PAID' CHECK (subject IN ('ORDER_PAID'));
ALTER TABLE outbox ALTER COLUMN subject DROP DEFAULT;
ALTER TABLE outbox DROP COLUMN kind;
ALTER TABLE outbox DROP COLUMN body;
ALTER TABLE outbox RENAME COLUMN order_id TO subject_id;
ALTER INDEX outbox_by_order RENAME TO outbox_by_subject;
