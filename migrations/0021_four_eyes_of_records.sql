-- What is above a four-eyes limit is judged alike wherever it is asked: by the sum of a match, in the match's currency, and
-- by each of its records, in the record's own. A match of +1000 and -1000 moves money though its sum is nothing, and its
-- records are judged one by one when it is taken apart.
CREATE FUNCTION is_match_above_four_eyes_limit(project uuid, in_currency text, worth numeric, records jsonb)
RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM four_eyes_limits l
        WHERE l.project_id = project
          AND ((l.currency = in_currency AND l.amount < abs(worth))
               OR EXISTS (SELECT FROM jsonb_array_elements(records) AS r
                          WHERE coalesce(r->'foreign'->>'currency', in_currency) = l.currency
                            AND l.amount < abs((r->>'amount')::numeric))))
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
    IF (d.needs_approval OR is_match_above_four_eyes_limit(d.project_id, in_currency, worth, records))
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
