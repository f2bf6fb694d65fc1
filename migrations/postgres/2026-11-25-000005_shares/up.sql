-- The lines of an order stand with it, in one text: they are never looked for without it, and rows and keys of their own
-- cost more than all else of a cut. Amounts stand in the bill's row alone.
ALTER TABLE split_order DISABLE TRIGGER split_order_no_change;
ALTER TABLE split_order RENAME COLUMN lines TO line_count;
ALTER TABLE split_order ADD COLUMN lines TEXT COLLATE "C";
UPDATE split_order o SET lines = COALESCE((
    SELECT string_agg(concat_ws('|', l.path, l.role, l.receiver, l.amount), E'\n' ORDER BY l.idx) FROM split_line l
    WHERE l.business_date = o.business_date AND l.institution_id = o.institution_id
        AND l.file_id = o.file_id AND l.n = o.n), '');
ALTER TABLE split_order ALTER COLUMN lines SET NOT NULL;
ALTER TABLE split_order ADD CHECK (reason IS NULL OR lines = '');
ALTER TABLE split_order DROP COLUMN line_count;
ALTER TABLE split_order DROP COLUMN paid;
ALTER TABLE split_order DROP COLUMN fee;
ALTER TABLE split_order DROP COLUMN subsidy;
ALTER TABLE split_order ENABLE TRIGGER split_order_no_change;
DROP TABLE split_line;

-- As before, but for split_line.
CREATE OR REPLACE FUNCTION stage_partition(parent text, business_date integer, institution_id bigint) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    part text;
BEGIN
    IF parent IS NULL OR parent NOT IN ('bill_order', 'split_order') THEN
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
CREATE OR REPLACE FUNCTION attach_partition(parent text, business_date integer, institution_id bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET maintenance_work_mem = '256MB' AS $$
DECLARE
    part text;
BEGIN
    IF parent IS NULL OR parent NOT IN ('bill_order', 'split_order') THEN
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
