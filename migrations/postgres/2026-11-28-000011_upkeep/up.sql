-- Rows of work that ended long ago are forgotten, oldest first: they are found without reading the others.
CREATE INDEX task_ended ON task (ended_at, id) WHERE ended_at IS NOT NULL;

-- As before, and statistics for what files tell, too: a second cut of a day looked each order up by reading them all.
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
    -- A plan made before the day's first statistics would read the whole day for every page, or for every order, of it.
    EXECUTE format('ANALYZE %I', part);
END
$$;
