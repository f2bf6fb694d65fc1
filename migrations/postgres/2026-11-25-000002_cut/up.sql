-- The cut at size: the bill's orders as rows, split rows by day and institution in partitions that are loaded without
-- index and then attached, and no key that every order pays for.

-- Makes a table without index for one day of one institution, to be filled and attached in the same transaction.
-- Gives its name; nothing where the day is attached already: its later rows are plain inserts into the parent.
CREATE FUNCTION stage_partition(parent text, business_date integer, institution_id bigint) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    part text;
BEGIN
    IF parent IS NULL OR parent NOT IN ('bill_order', 'split_order', 'split_line') THEN
        RAISE EXCEPTION '% is not loaded by day', parent;
    END IF;
    IF business_date IS NULL OR business_date NOT BETWEEN 1 AND 99991231
        OR institution_id IS NULL OR institution_id NOT BETWEEN 1 AND 9223372036854775806 THEN
        RAISE EXCEPTION 'no business day % of an institution %', business_date, institution_id;
    END IF;
    part := format('%s_%s_%s', parent, business_date, institution_id);
    IF to_regclass(format('public.%I', part)) IS NOT NULL THEN
        RETURN NULL;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', part, parent);
    -- Asked of each row as it comes, so that attaching need not read them all again.
    EXECUTE format('ALTER TABLE %I ADD CONSTRAINT of_one_day CHECK (business_date = %s AND institution_id = %s)',
        part, business_date, institution_id);
    EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
        part || '_no_truncate', part);
    EXECUTE format('GRANT INSERT ON %I TO %I', part, session_user);
    RETURN part;
END
$$;

-- Gives a staged table the parent's key and indexes and makes it the parent's partition of that day and institution.
CREATE FUNCTION attach_partition(parent text, business_date integer, institution_id bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET maintenance_work_mem = '256MB' AS $$
DECLARE
    part text;
BEGIN
    IF parent IS NULL OR parent NOT IN ('bill_order', 'split_order', 'split_line') THEN
        RAISE EXCEPTION '% is not loaded by day', parent;
    END IF;
    IF business_date IS NULL OR business_date NOT BETWEEN 1 AND 99991231
        OR institution_id IS NULL OR institution_id NOT BETWEEN 1 AND 9223372036854775806 THEN
        RAISE EXCEPTION 'no business day % of an institution %', business_date, institution_id;
    END IF;
    part := format('%s_%s_%s', parent, business_date, institution_id);
    IF EXISTS (SELECT FROM pg_class WHERE oid = format('public.%I', part)::regclass AND relispartition) THEN
        RAISE EXCEPTION '% is attached already', part;
    END IF;
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s, %s) TO (%s, %s)',
        parent, part, business_date, institution_id, business_date, institution_id + 1);
    EXECUTE format('ALTER TABLE %I DROP CONSTRAINT of_one_day', part);
    IF session_user <> current_user THEN
        EXECUTE format('REVOKE INSERT ON %I FROM %I', part, session_user);
    END IF;
    -- A plan made before the day's first statistics would sort the whole day for every page of it.
    IF parent = 'bill_order' THEN
        EXECUTE format('ANALYZE %I', part);
    END IF;
END
$$;

-- The key of a row that other rows name before it is written.
CREATE FUNCTION reserve_id(name text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF name IS NULL OR name NOT IN ('bill', 'exchanged_file') THEN
        RAISE EXCEPTION '% has no key to reserve', name;
    END IF;
    RETURN nextval(pg_get_serial_sequence(name, 'id'));
END
$$;
REVOKE EXECUTE ON FUNCTION stage_partition(text, integer, bigint) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION attach_partition(text, integer, bigint) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION reserve_id(text) FROM PUBLIC;

CREATE TABLE bill_order (
    business_date INTEGER NOT NULL,
    institution_id BIGINT NOT NULL,
    bill_id BIGINT NOT NULL,
    paid_at BIGINT NOT NULL,
    inst_order_no TEXT COLLATE "C" NOT NULL,
    order_no TEXT COLLATE "C" NOT NULL,
    merchant TEXT COLLATE "C" NOT NULL,
    channel TEXT COLLATE "C" NOT NULL,
    product TEXT COLLATE "C" NOT NULL,
    tags TEXT COLLATE "C" NOT NULL,
    parties TEXT COLLATE "C" NOT NULL,
    paid BIGINT NOT NULL,
    fee BIGINT NOT NULL,
    subsidy BIGINT NOT NULL,
    sub_merchant_id BIGINT,
    preview_digest TEXT COLLATE "C" CHECK (length(preview_digest) = 64),
    PRIMARY KEY (business_date, institution_id, bill_id, paid_at, inst_order_no)
) PARTITION BY RANGE (business_date, institution_id);
CREATE UNIQUE INDEX bill_order_by_inst_order_no ON bill_order (business_date, institution_id, bill_id, inst_order_no);
CREATE UNIQUE INDEX bill_order_by_order_no ON bill_order (business_date, institution_id, bill_id, order_no);

-- Which files a bill's orders came from: the channel's bill itself, and the institution's own that add to it.
CREATE TABLE bill_source (
    bill_id BIGINT NOT NULL REFERENCES bill (id),
    file_id BIGINT NOT NULL REFERENCES exchanged_file (id),
    PRIMARY KEY (bill_id, file_id)
);

-- 1 = the run that made this file had more orders to tell: the next run goes on where it stopped.
ALTER TABLE day_cut ADD COLUMN more INTEGER NOT NULL DEFAULT 0 CHECK (more BETWEEN 0 AND 1);

ALTER TABLE split_order RENAME TO old_split_order;
ALTER TABLE split_order_default RENAME TO old_split_order_default;
ALTER TABLE old_split_order RENAME CONSTRAINT split_order_pkey TO old_split_order_pkey;
ALTER TABLE split_line RENAME TO old_split_line;
ALTER TABLE split_line_default RENAME TO old_split_line_default;
ALTER TABLE old_split_line RENAME CONSTRAINT split_line_pkey TO old_split_line_pkey;
DROP INDEX split_order_unsplit;

-- What else an order says stands in its bill's row, which is also found by number: an index of numbers here would cost
-- more than all other keys.
CREATE TABLE split_order (
    business_date INTEGER NOT NULL,
    institution_id BIGINT NOT NULL,
    file_id BIGINT NOT NULL,
    n INTEGER NOT NULL,
    bill_id BIGINT NOT NULL,
    paid_at BIGINT NOT NULL,
    inst_order_no TEXT COLLATE "C" NOT NULL,
    paid BIGINT NOT NULL,
    fee BIGINT NOT NULL,
    subsidy BIGINT NOT NULL,
    reason TEXT COLLATE "C",
    rule_id BIGINT,
    lines INTEGER NOT NULL,
    PRIMARY KEY (file_id, n, business_date, institution_id),
    CHECK ((reason IS NULL) = (rule_id IS NOT NULL))
) PARTITION BY RANGE (business_date, institution_id);
CREATE INDEX split_order_by_paid_at ON split_order (business_date, institution_id, paid_at);
CREATE INDEX split_order_unsplit ON split_order (business_date, institution_id, file_id, n) WHERE reason IS NOT NULL;

CREATE TABLE split_line (
    business_date INTEGER NOT NULL,
    institution_id BIGINT NOT NULL,
    file_id BIGINT NOT NULL,
    n INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    path TEXT COLLATE "C" NOT NULL,
    role TEXT COLLATE "C" NOT NULL,
    receiver TEXT COLLATE "C" NOT NULL,
    amount BIGINT NOT NULL CHECK (amount > 0),
    PRIMARY KEY (file_id, n, idx, business_date, institution_id)
) PARTITION BY RANGE (business_date, institution_id);

CREATE TRIGGER bill_order_no_change BEFORE UPDATE OR DELETE ON bill_order FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER bill_order_no_truncate BEFORE TRUNCATE ON bill_order FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER bill_source_no_change BEFORE UPDATE OR DELETE ON bill_source FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER bill_source_no_truncate BEFORE TRUNCATE ON bill_source FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER split_order_no_change BEFORE UPDATE OR DELETE ON split_order FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER split_order_no_truncate BEFORE TRUNCATE ON split_order FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER split_line_no_change BEFORE UPDATE OR DELETE ON split_line FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER split_line_no_truncate BEFORE TRUNCATE ON split_line FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What was cut before. A bill that no file was made from has no rows: its orders are loaded when it is fetched again.
DO $$
DECLARE
    day record;
BEGIN
    FOR day IN SELECT DISTINCT business_date AS d, institution_id AS i FROM old_split_order LOOP
        PERFORM stage_partition('bill_order', day.d, day.i);
        PERFORM attach_partition('bill_order', day.d, day.i);
        PERFORM stage_partition('split_order', day.d, day.i);
        PERFORM attach_partition('split_order', day.d, day.i);
        PERFORM stage_partition('split_line', day.d, day.i);
        PERFORM attach_partition('split_line', day.d, day.i);
    END LOOP;
END
$$;
INSERT INTO bill_order
    SELECT DISTINCT ON (b.id, s.inst_order_no) s.business_date, s.institution_id, b.id, s.paid_at, s.inst_order_no,
        s.order_no, s.merchant, s.channel, s.product, s.tags, s.parties, s.paid, s.fee, s.subsidy, s.sub_merchant_id,
        s.preview_digest
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
