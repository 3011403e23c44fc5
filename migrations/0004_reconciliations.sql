-- What a reconciliation was asked and what it answered.

CREATE TABLE reconciliations (
    job_id uuid PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    project_id uuid NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name text NOT NULL,
    left_source_id uuid NOT NULL REFERENCES data_sources (id),
    right_source_id uuid NOT NULL REFERENCES data_sources (id),
    -- The rule set as it was at submission: later changes to a preset do not change old results.
    rules jsonb NOT NULL,
    -- All null until the job has completed; then all set, in the transaction that wrote the results.
    left_records bigint,
    right_records bigint,
    left_matched bigint,
    right_matched bigint,
    matches bigint,
    suggested bigint,
    exceptions bigint,
    left_rejected bigint,
    right_rejected bigint,
    -- One element per currency: counts, totals, matched, unmatched, difference, residual (decimal strings).
    balance jsonb,
    exceptions_by_kind jsonb,
    passes jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    completed_at timestamptz,
    CONSTRAINT reconciliations_name_length CHECK (char_length(name) BETWEEN 1 AND 200),
    CONSTRAINT reconciliations_two_sides CHECK (left_source_id <> right_source_id),
    CONSTRAINT reconciliations_summary_whole CHECK (
        num_nulls(left_records, right_records, left_matched, right_matched, matches, suggested, exceptions,
                  left_rejected, right_rejected, balance, exceptions_by_kind, passes, completed_at) IN (0, 13)
    ),
    -- Every record ends in exactly one match or one exception.
    CONSTRAINT reconciliations_every_record_once CHECK (
        left_matched + right_matched + exceptions = left_records + right_records
    )
);
CREATE INDEX reconciliations_project ON reconciliations (project_id, job_id DESC);
CREATE INDEX reconciliations_left_source ON reconciliations (left_source_id);
CREATE INDEX reconciliations_right_source ON reconciliations (right_source_id);

CREATE TYPE record_side AS ENUM ('left', 'right');
CREATE TYPE match_tier AS ENUM ('confirmed', 'suggested');
CREATE TYPE exception_kind AS ENUM (
    'missing_left', 'missing_right', 'amount_differs', 'date_differs', 'currency_differs', 'duplicate', 'ambiguous'
);

-- Results are written once, in the order they are read (best first), and carry that order as `ordinal`: a page
-- is one range of the primary key. They are partitioned by the month in which the job's id was made, so that
-- retention drops whole partitions; deleting one job is one contiguous range of each.
CREATE TABLE matches (
    job_id uuid NOT NULL,
    ordinal integer NOT NULL,
    -- Millionths, 0 to 1000000: never rises with the ordinal, so a minimum confidence is a prefix.
    confidence integer NOT NULL,
    tier match_tier NOT NULL,
    pass smallint NOT NULL,
    currency text NOT NULL,
    -- Left sum minus right sum, minor units.
    difference bigint NOT NULL,
    -- The records as they were read: [{row, line, id, date, amount, fields}].
    left_records jsonb NOT NULL,
    right_records jsonb NOT NULL,
    reasons jsonb NOT NULL,
    PRIMARY KEY (job_id, ordinal),
    CONSTRAINT matches_confidence_range CHECK (confidence BETWEEN 0 AND 1000000)
) PARTITION BY RANGE (job_id);

CREATE TABLE exceptions (
    job_id uuid NOT NULL,
    ordinal integer NOT NULL,
    kind exception_kind NOT NULL,
    side record_side NOT NULL,
    currency text NOT NULL,
    amount bigint NOT NULL,
    record jsonb NOT NULL,
    says text NOT NULL,
    candidates jsonb NOT NULL,
    candidates_found integer NOT NULL,
    PRIMARY KEY (job_id, ordinal)
) PARTITION BY RANGE (job_id);
CREATE INDEX exceptions_kind ON exceptions (job_id, kind, ordinal);

CREATE TABLE rejected_lines (
    job_id uuid NOT NULL,
    ordinal integer NOT NULL,
    side record_side NOT NULL,
    line bigint NOT NULL,
    column_name text,
    reason text NOT NULL,
    excerpt text NOT NULL,
    PRIMARY KEY (job_id, ordinal)
) PARTITION BY RANGE (job_id);

-- Catches what no monthly partition covers (a clock far off): not lost, and not dropped by retention either.
CREATE TABLE matches_default PARTITION OF matches DEFAULT;
CREATE TABLE exceptions_default PARTITION OF exceptions DEFAULT;
CREATE TABLE rejected_lines_default PARTITION OF rejected_lines DEFAULT;

-- The smallest UUIDv7 of a moment.
CREATE FUNCTION first_id_at(at timestamptz) RETURNS uuid
LANGUAGE sql STABLE STRICT
RETURN (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid;

-- Makes the partitions of the month that holds `at`, once; safe to call again and from several processes.
CREATE FUNCTION ensure_result_partitions(at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    month_start timestamptz := date_trunc('month', at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
    month_end timestamptz := (date_trunc('month', at AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC';
    parent text;
    child text;
    early boolean;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('ensure_result_partitions'));
    FOREACH parent IN ARRAY ARRAY['matches', 'exceptions', 'rejected_lines'] LOOP
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
        END IF;
    END LOOP;
END
$$;

SELECT ensure_result_partitions(now() + m * interval '1 month') FROM generate_series(0, 2) AS m;
