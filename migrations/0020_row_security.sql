-- Row security: what is done for a tenant runs as a role that owns nothing and sees the rows of one project. A query
-- without a tenant sees none. A table that later migrations add is closed to that role until they say whose its rows
-- are (`protect_rows`).

-- Roles belong to the whole cluster: another database of ours may have made them already, or be at it.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['counterfoil_app', 'counterfoil_system'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
        -- Superusers are members of everything.
        IF NOT pg_has_role(current_user, wanted, 'USAGE') THEN
            EXECUTE format('GRANT %I TO %I', wanted, current_user);
        END IF;
    END LOOP;
END
$$;

-- Set on a connection as it is handed out (store::reach). Null: no tenant, and nothing is anybody's.
CREATE FUNCTION project_at_hand() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(current_setting('counterfoil.project_id', true), '')::uuid;
-- The one job that the work at hand is about, if it is about one; of that project. Spares its rows a look at its run.
CREATE FUNCTION job_at_hand() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(current_setting('counterfoil.job_id', true), '')::uuid;

-- Closes a table: tenants get the rows for which `belongs` holds, the system gets all. Forced, so that it holds for the
-- owner too, who passes as a member of counterfoil_system.
CREATE FUNCTION protect_rows(protected regclass, belongs text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', protected);
    EXECUTE format('CREATE POLICY of_the_tenant ON %s TO counterfoil_app USING (%s) WITH CHECK (%s)',
                   protected, belongs, belongs);
    EXECUTE format('CREATE POLICY of_the_system ON %s TO counterfoil_system USING (true) WITH CHECK (true)', protected);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO counterfoil_app', protected);
END
$$;

-- Whatever says whose it is.
SELECT protect_rows(c.oid::regclass, 'project_id = (SELECT project_at_hand())')
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'project_id' AND NOT a.attisdropped
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY c.relname;
SELECT protect_rows('projects', 'id = (SELECT project_at_hand())');
SELECT protect_rows(of_tenant, 'tenant = (SELECT project_at_hand())')
FROM unnest(ARRAY['audit_heads', 'audit_records', 'audit_checkpoints']::regclass[]) AS of_tenant;

-- Whatever belongs to something that does. What is asked here is under row security itself.
SELECT protect_rows(of_run, format(
    'job_id = (SELECT job_at_hand()) OR EXISTS (SELECT FROM reconciliations r WHERE r.job_id = %s.job_id)', of_run))
FROM unnest(ARRAY['matches', 'exceptions', 'rejected_lines', 'matched_records', 'exception_totals', 'review_changes']
            ::regclass[]) AS of_run;
SELECT protect_rows(of_job, format(
    'job_id = (SELECT job_at_hand()) OR EXISTS (SELECT FROM jobs j WHERE j.id = %s.job_id)', of_job))
FROM unnest(ARRAY['attempts', 'job_events']::regclass[]) AS of_job;
SELECT protect_rows('review_verdicts',
    'EXISTS (SELECT FROM review_decisions d WHERE d.id = review_verdicts.decision_id)');
SELECT protect_rows('deliveries',
    'EXISTS (SELECT FROM notifications n WHERE n.id = deliveries.notification_id)');
SELECT protect_rows('webhook_attempts',
    'EXISTS (SELECT FROM deliveries d WHERE d.id = webhook_attempts.delivery_id)');
SELECT protect_rows('schedule_ticks',
    'EXISTS (SELECT FROM schedules s WHERE s.id = schedule_ticks.schedule_id)');

-- PostgreSQL refuses COPY into a table with row security, and results are many rows: they go straight into their
-- partition, where nothing can be read and each row must be of the job at hand, or of a run that can be seen.
CREATE FUNCTION partition_of(parent text, job uuid) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(to_regclass(format('%s_%s', parent, to_char(
        to_timestamp(('x' || left(replace(job::text, '-', ''), 12))::bit(48)::bigint / 1000.0) AT TIME ZONE 'UTC',
        'YYYY_MM'))), to_regclass(parent || '_default'))::text
$$;
CREATE FUNCTION refuse_foreign_result() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM reconciliations WHERE job_id = NEW.job_id) THEN
        RAISE insufficient_privilege USING MESSAGE = format('new row violates row security of %s', TG_TABLE_NAME);
    END IF;
    RETURN NULL;
END
$$;
DO $$
DECLARE
    parent text;
BEGIN
    FOREACH parent IN ARRAY ARRAY['matches', 'exceptions', 'rejected_lines', 'matched_records'] LOOP
        EXECUTE format(
            'CREATE TRIGGER %I AFTER INSERT ON %I FOR EACH ROW
             WHEN (current_user = ''counterfoil_app'' AND NEW.job_id IS DISTINCT FROM job_at_hand())
             EXECUTE FUNCTION refuse_foreign_result()', parent || '_of_the_tenant', parent);
    END LOOP;
END
$$;

-- Rights apart from `protect_rows`. Again after a restore that brought the rows without rights.
CREATE FUNCTION grant_rights() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    named text;
BEGIN
    -- Two at once would change the same rows of the catalogue.
    PERFORM pg_advisory_xact_lock(hashtext('grant_rights'));
    GRANT USAGE ON SCHEMA public TO counterfoil_app, counterfoil_system;
    GRANT ALL ON ALL TABLES IN SCHEMA public TO counterfoil_system;
    FOR named IN SELECT polrelid::regclass FROM pg_policy WHERE polname = 'of_the_tenant' LOOP
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO counterfoil_app', named);
    END LOOP;
    FOR named IN SELECT inhrelid::regclass FROM pg_inherits
                 WHERE inhparent IN ('matches'::regclass, 'exceptions'::regclass, 'rejected_lines'::regclass,
                                     'matched_records'::regclass) LOOP
        EXECUTE format('GRANT INSERT ON %s TO counterfoil_app', named);
    END LOOP;
    -- What is nobody's. Of people their names only: no password hash, session or second factor.
    GRANT SELECT (id, email, name, is_platform_admin, created_at) ON users TO counterfoil_app;
    GRANT SELECT ON organisations, queue_pauses, concurrency_limits, dispatch_marks, workers TO counterfoil_app;
    GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys TO counterfoil_app;
    GRANT INSERT ON job_ledger TO counterfoil_app;
    -- They run as their owner: nobody else's business.
    REVOKE EXECUTE ON FUNCTION ensure_result_partitions(timestamptz), drop_result_partition(text) FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION ensure_result_partitions(timestamptz), drop_result_partition(text) TO counterfoil_system;
    ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO counterfoil_system;
END
$$;

-- Partitions are made and dropped by whoever runs the scheduler, who need not own them.
CREATE OR REPLACE FUNCTION ensure_result_partitions(at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    month_start timestamptz := date_trunc('month', at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
    month_end timestamptz := (date_trunc('month', at AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC';
    parent text;
    child text;
    early boolean;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('ensure_result_partitions'));
    FOREACH parent IN ARRAY ARRAY['matches', 'exceptions', 'rejected_lines', 'matched_records'] LOOP
        child := format('%s_%s', parent, to_char(month_start AT TIME ZONE 'UTC', 'YYYY_MM'));
        IF to_regclass(child) IS NULL THEN
            -- Rows of this month that came before it (a clock far ahead) keep it in the default partition.
            EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE job_id >= %L AND job_id < %L)',
                           parent || '_default', first_id_at(month_start), first_id_at(month_end)) INTO early;
            IF early THEN
                RAISE WARNING '% has rows of % already', parent || '_default', child;
                CONTINUE;
            END IF;
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                           child, parent, first_id_at(month_start), first_id_at(month_end));
            EXECUTE format('GRANT INSERT ON %I TO counterfoil_app', child);
        END IF;
    END LOOP;
END
$$;
CREATE FUNCTION drop_result_partition(child text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF child !~ '^(matches|exceptions|rejected_lines|matched_records)_[0-9]{4}_[0-9]{2}$' THEN
        RAISE invalid_parameter_value USING MESSAGE = format('%s is no month of results', child);
    END IF;
    EXECUTE format('DROP TABLE IF EXISTS %I', child);
END
$$;

SELECT grant_rights();
