-- The records and reasons of a match as text, lists instead of objects. PostgreSQL takes apart and puts together every jsonb it
-- is given, which was two fifths of writing a match, and keeps the name of each member in each record: a million matches are
-- written in half the time, to half the disk. New rows have the text, older ones keep their jsonb; whoever reads takes
-- whichever is there. Nothing is rewritten: these are entries in the catalogue, and the checks are for rows to come.
ALTER TABLE matches
    -- Each [[row, line, id, date, amount, foreign, {fields}, first_seen], …]; what is null at the end may be left out.
    ADD COLUMN left_packed text,
    ADD COLUMN right_packed text,
    -- [[field, says, weight], …]
    ADD COLUMN reasons_packed text,
    ALTER COLUMN left_records DROP NOT NULL,
    ALTER COLUMN right_records DROP NOT NULL,
    ALTER COLUMN reasons DROP NOT NULL,
    ADD CONSTRAINT matches_whole CHECK (
        (left_packed IS NULL) = (left_records IS NOT NULL) AND (right_packed IS NULL) = (right_records IS NOT NULL)
        AND (reasons_packed IS NULL) = (reasons IS NOT NULL)) NOT VALID;

-- The records of one side of a match as objects, from whichever is there.
CREATE FUNCTION records_of(kept jsonb, packed text) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(kept, (
        SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
                   'row', r->0, 'line', r->1, 'id', r->2, 'date', r->3, 'amount', r->4, 'foreign', r->5, 'fields', r->6,
                   'first_seen', r->7)) ORDER BY n)
        FROM jsonb_array_elements(packed::jsonb) WITH ORDINALITY AS of_side (r, n)), '[]')
$$;
COMMENT ON FUNCTION records_of IS 'The records of one side of a match as objects.';

-- For as long as processes of a version before this one may read what is written (ops/runbooks/Rollout.md): a trigger that
-- is made by hand, with which rows are kept as before. Nothing has it by itself.
CREATE FUNCTION unpack_match() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.left_records := records_of(NEW.left_records, NEW.left_packed);
    NEW.right_records := records_of(NEW.right_records, NEW.right_packed);
    NEW.reasons := coalesce(NEW.reasons, (
        SELECT jsonb_agg(jsonb_build_object('field', r->0, 'says', r->1, 'weight', r->2) ORDER BY n)
        FROM jsonb_array_elements(NEW.reasons_packed::jsonb) WITH ORDINALITY AS of_match (r, n)), '[]');
    NEW.left_packed := NULL;
    NEW.right_packed := NULL;
    NEW.reasons_packed := NULL;
    RETURN NEW;
END
$$;

-- Of records in either form.
CREATE OR REPLACE FUNCTION sum_of_records(records jsonb) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(sum(coalesce(r->'foreign'->>'converted', r->>'amount', r->5->>'converted', r->>4)::numeric), 0)
    FROM jsonb_array_elements(records) AS r
$$;

CREATE OR REPLACE FUNCTION guard_match_state() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    left_side jsonb := records_of(NEW.left_records, NEW.left_packed);
    right_side jsonb := records_of(NEW.right_records, NEW.right_packed);
BEGIN
    IF NOT (OLD.state, NEW.state) IN (('as_found', 'accepted'), ('as_found', 'rejected'), ('as_found', 'unmatched'),
                                      ('accepted', 'unmatched'), ('accepted', 'as_found'), ('rejected', 'as_found'),
                                      ('unmatched', 'as_found'), ('unmatched', 'accepted')) THEN
        RAISE check_violation USING CONSTRAINT = 'matches_transition', MESSAGE = 'no such transition';
    END IF;
    IF NEW.decided IS NOT DISTINCT FROM OLD.decided THEN
        RAISE check_violation USING CONSTRAINT = 'review_decided', MESSAGE = 'a result changes by a decision only';
    END IF;
    PERFORM check_review_effect(NEW.decided, NEW.job_id, NEW.currency, worth_of_match(left_side, right_side),
                                left_side || right_side);
    RETURN NEW;
END
$$;

CREATE OR REPLACE FUNCTION check_released_records() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    expected integer := CASE WHEN NEW.state IN ('rejected', 'unmatched')
        THEN jsonb_array_length(coalesce(NEW.left_records, NEW.left_packed::jsonb))
           + jsonb_array_length(coalesce(NEW.right_records, NEW.right_packed::jsonb)) ELSE 0 END;
    found integer;
    now_state match_state;
BEGIN
    -- The row as it is at the end of the transaction: only that counts.
    SELECT state INTO now_state FROM matches WHERE job_id = NEW.job_id AND ordinal = NEW.ordinal;
    IF now_state IS DISTINCT FROM NEW.state THEN RETURN NULL; END IF;
    SELECT count(*) INTO found FROM exceptions
    WHERE job_id = NEW.job_id AND released_from = NEW.ordinal AND state <> 'withdrawn';
    IF found <> expected THEN
        RAISE check_violation USING CONSTRAINT = 'matches_records_in_one_place',
            MESSAGE = format('match %s has %s released records, not %s', NEW.ordinal, found, expected);
    END IF;
    RETURN NULL;
END
$$;
