-- Whoever may set a limit could take it away, decide alone, and put it back. A limit therefore holds for every run that was
-- accepted while it stood: loosening it counts for later runs.
CREATE TABLE four_eyes_past_limits (
    project_id uuid NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    currency text COLLATE "C" NOT NULL,
    -- Minor units.
    amount bigint NOT NULL,
    until timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, currency, amount)
);
COMMENT ON TABLE four_eyes_past_limits IS 'Limits that were loosened or taken away, and until when each stood last.';
SELECT protect_rows('four_eyes_past_limits', 'project_id = (SELECT project_at_hand())');

CREATE FUNCTION keep_past_limit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- With its project a limit goes for good.
    IF EXISTS (SELECT FROM projects WHERE id = OLD.project_id) THEN
        INSERT INTO four_eyes_past_limits (project_id, currency, amount) VALUES (OLD.project_id, OLD.currency, OLD.amount)
        ON CONFLICT (project_id, currency, amount) DO UPDATE SET until = now();
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER four_eyes_limits_removed AFTER DELETE ON four_eyes_limits
    FOR EACH ROW EXECUTE FUNCTION keep_past_limit();
CREATE TRIGGER four_eyes_limits_loosened AFTER UPDATE ON four_eyes_limits
    FOR EACH ROW WHEN (NEW.amount > OLD.amount) EXECUTE FUNCTION keep_past_limit();

-- The limits that hold for a run.
CREATE FUNCTION four_eyes_limits_on(job uuid) RETURNS TABLE (currency text, amount bigint) LANGUAGE sql STABLE AS $$
    SELECT l.currency, l.amount FROM reconciliations r JOIN four_eyes_limits l ON l.project_id = r.project_id
    WHERE r.job_id = job
    UNION ALL
    SELECT l.currency, l.amount FROM reconciliations r
    JOIN four_eyes_past_limits l ON l.project_id = r.project_id AND l.until > r.created_at
    WHERE r.job_id = job
$$;

-- What is above a four-eyes limit is judged alike wherever it is asked: by the sum of a match, in the match's currency, and
-- by each of its records, in the record's own. A match of +1000 and -1000 moves money though its sum is nothing, and its
-- records are judged one by one when it is taken apart.
CREATE FUNCTION is_match_above_four_eyes_limit(job uuid, in_currency text, worth numeric, records jsonb)
RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM four_eyes_limits_on(job) AS l
        WHERE (l.currency = in_currency AND l.amount < abs(worth))
           OR EXISTS (SELECT FROM jsonb_array_elements(records) AS r
                      WHERE coalesce(r->'foreign'->>'currency', in_currency) = l.currency
                        AND l.amount < abs((r->>'amount')::numeric)))
$$;

CREATE FUNCTION check_review_effect(decision uuid, job uuid, in_currency text, worth numeric, records jsonb)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    d review_decisions;
BEGIN
    SELECT * INTO d FROM review_decisions WHERE id = decision AND job_id = job;
    IF NOT FOUND THEN
        RAISE check_violation USING CONSTRAINT = 'review_decided', MESSAGE = 'a result changes by a decision only';
    END IF;
    IF (d.needs_approval OR is_match_above_four_eyes_limit(job, in_currency, worth, records))
       AND NOT EXISTS (SELECT FROM review_verdicts WHERE decision_id = decision AND verdict = 'approved') THEN
        RAISE check_violation USING CONSTRAINT = 'review_four_eyes',
            MESSAGE = 'above the limit a decision takes effect by the word of a second person only';
    END IF;
END
$$;

-- For an exception, which is one record.
CREATE OR REPLACE FUNCTION check_review_effect(decision uuid, job uuid, in_currency text, worth numeric) RETURNS void
LANGUAGE sql AS $$
    SELECT check_review_effect(decision, job, in_currency, worth, '[]')
$$;

CREATE OR REPLACE FUNCTION guard_match_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT (OLD.state, NEW.state) IN (('as_found', 'accepted'), ('as_found', 'rejected'), ('as_found', 'unmatched'),
                                      ('accepted', 'unmatched'), ('accepted', 'as_found'), ('rejected', 'as_found'),
                                      ('unmatched', 'as_found'), ('unmatched', 'accepted')) THEN
        RAISE check_violation USING CONSTRAINT = 'matches_transition', MESSAGE = 'no such transition';
    END IF;
    IF NEW.decided IS NOT DISTINCT FROM OLD.decided THEN
        RAISE check_violation USING CONSTRAINT = 'review_decided', MESSAGE = 'a result changes by a decision only';
    END IF;
    PERFORM check_review_effect(NEW.decided, NEW.job_id, NEW.currency,
                                worth_of_match(NEW.left_records, NEW.right_records),
                                NEW.left_records || NEW.right_records);
    RETURN NEW;
END
$$;

CREATE OR REPLACE FUNCTION guard_hand_match_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NOT (OLD.state, NEW.state) IN (
        ('proposed', 'standing'), ('proposed', 'refused'), ('standing', 'undone'), ('undone', 'standing')) THEN
        RAISE check_violation USING CONSTRAINT = 'hand_matches_transition', MESSAGE = 'no such transition';
    END IF;
    IF NEW.state IN ('standing', 'undone') THEN
        PERFORM check_review_effect(NEW.decided, NEW.job_id, NEW.currency,
                                    greatest(abs(NEW.left_sum::numeric), abs(NEW.right_sum::numeric)),
                                    NEW.left_records || NEW.right_records);
    END IF;
    RETURN NEW;
END
$$;

DROP FUNCTION is_above_four_eyes_limit(uuid, text, numeric);
