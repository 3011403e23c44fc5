-- A reconciliation may continue an earlier one: its open items come along, and what the chain has matched stays
-- matched.

ALTER TYPE exception_kind ADD VALUE 'already_matched';

ALTER TABLE reconciliations
    -- The run whose open items were carried in. Null again once that one has passed its retention.
    ADD COLUMN continues uuid REFERENCES reconciliations (job_id) ON DELETE SET NULL,
    -- The first run of the chain; null for that one itself, which is alone until another continues it.
    ADD COLUMN chain_id uuid,
    -- From 1.
    ADD COLUMN chain_position integer NOT NULL DEFAULT 1,
    -- How the open items changed, and what the next run needs to know of them; see store::open_items. Set when the
    -- job completes; null in rows of versions before this one, which cannot be continued.
    ADD COLUMN open_items jsonb,
    ADD CONSTRAINT reconciliations_chain CHECK ((chain_position = 1) = (chain_id IS NULL));
CREATE INDEX reconciliations_continues ON reconciliations (continues) WHERE continues IS NOT NULL;
CREATE INDEX reconciliations_chain_position ON reconciliations (chain_id, chain_position) WHERE chain_id IS NOT NULL;

-- Records of suggested matches are open items, few among many matches.
CREATE INDEX matches_suggested ON matches (job_id, ordinal) WHERE tier = 'suggested';

-- The index by chain, side and record id: a few bytes for each record of a confirmed match, where a row with an
-- index of its own would cost more than the match. A hit is settled by looking at the match.
CREATE TABLE matched_records (
    job_id uuid NOT NULL,
    side record_side NOT NULL,
    part integer NOT NULL,
    -- Sorted: 8 bytes of the record id's SHA-256 and 4 of its match's ordinal, big-endian.
    entries bytea NOT NULL,
    PRIMARY KEY (job_id, side, part),
    CONSTRAINT matched_records_entries_whole CHECK (octet_length(entries) % 12 = 0)
) PARTITION BY RANGE (job_id);
-- Hashes do not compress: do not try.
ALTER TABLE matched_records ALTER COLUMN entries SET STORAGE EXTERNAL;
CREATE TABLE matched_records_default PARTITION OF matched_records DEFAULT;

-- As before, with one more table.
CREATE OR REPLACE FUNCTION ensure_result_partitions(at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
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
        END IF;
    END LOOP;
END
$$;

-- Every month that has results already.
SELECT ensure_result_partitions(to_date(right(child.relname, 7), 'YYYY_MM')::timestamp AT TIME ZONE 'UTC')
FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid
WHERE inhparent = 'matches'::regclass AND child.relname ~ '^matches_[0-9]{4}_[0-9]{2}$';
