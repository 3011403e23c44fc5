-- What people decide about results. Found matches and exceptions stay as they were found; beside them stands what
-- became of them, and every decision that made it so.

-- A record of a match that was rejected or taken apart: open again.
ALTER TYPE exception_kind ADD VALUE 'released';

CREATE TYPE match_state AS ENUM (
    'as_found',     -- nobody has decided; a confirmed match stands, a suggested one waits
    'accepted',     -- a suggested match that somebody confirmed
    'rejected',     -- a suggested match that somebody refused: its records are open
    'unmatched'     -- a match that stood and was taken apart: its records are open
);
CREATE TYPE exception_state AS ENUM (
    'open',
    'matched',      -- by hand
    'written_off',  -- accepted as it is, for a reason
    'withdrawn'     -- a released record whose match stands again
);
CREATE TYPE hand_match_state AS ENUM (
    'proposed',     -- waits for a second person
    'standing',
    'undone',
    'refused'       -- by the second person, or taken back before that
);
CREATE TYPE review_action AS ENUM (
    'accept', 'reject', 'unmatch', 'match', 'write_off', 'comment', 'assign', 'set_due', 'set_reason', 'undo'
);
CREATE TYPE review_subject AS ENUM ('match', 'exception', 'hand_match');
CREATE TYPE review_verdict AS ENUM ('approved', 'refused', 'withdrawn');

-- Constant defaults: no table is rewritten.
ALTER TABLE matches
    ADD COLUMN state match_state NOT NULL DEFAULT 'as_found',
    -- One more with every change by a person: what If-Match is for elsewhere.
    ADD COLUMN version integer NOT NULL DEFAULT 0,
    ADD COLUMN assignee uuid,
    ADD COLUMN due_on date,
    ADD COLUMN reason_code text COLLATE "C",
    ADD COLUMN comments integer NOT NULL DEFAULT 0,
    -- The decision that waits for a second person. Nobody else decides meanwhile.
    ADD COLUMN pending uuid,
    -- The decision that brought it into its state.
    ADD COLUMN decided uuid,
    ADD CONSTRAINT matches_state_decided CHECK (state = 'as_found' OR decided IS NOT NULL),
    ADD CONSTRAINT matches_only_suggestions_accepted CHECK (state NOT IN ('accepted', 'rejected') OR tier = 'suggested');
ALTER TABLE exceptions
    ADD COLUMN state exception_state NOT NULL DEFAULT 'open',
    ADD COLUMN version integer NOT NULL DEFAULT 0,
    ADD COLUMN assignee uuid,
    ADD COLUMN due_on date,
    ADD COLUMN reason_code text COLLATE "C",
    ADD COLUMN comments integer NOT NULL DEFAULT 0,
    ADD COLUMN pending uuid,
    ADD COLUMN decided uuid,
    -- The one match by hand it is in: being one column, never two.
    ADD COLUMN hand_match integer,
    -- The match that its record was in.
    ADD COLUMN released_from integer,
    ADD CONSTRAINT exceptions_state_decided CHECK (state = 'open' OR decided IS NOT NULL),
    ADD CONSTRAINT exceptions_matched_in_one CHECK ((state = 'matched') = (hand_match IS NOT NULL)),
    ADD CONSTRAINT exceptions_withdrawn_was_released CHECK (state <> 'withdrawn' OR released_from IS NOT NULL);

-- A record is one exception at most. What stands in for it again is withdrawn. Also finds the exception of a record.
CREATE UNIQUE INDEX exceptions_record_once
    ON exceptions (job_id, side, ((record->>'row')::integer)) WHERE state <> 'withdrawn';
CREATE INDEX exceptions_open ON exceptions (job_id, ordinal) WHERE state = 'open';
CREATE INDEX exceptions_open_amount ON exceptions (job_id, abs(amount) DESC, ordinal) WHERE state = 'open';
-- These exist for what was touched only.
CREATE INDEX exceptions_settled ON exceptions (job_id, state, ordinal) WHERE state <> 'open';
CREATE INDEX exceptions_assigned ON exceptions (assignee, job_id, ordinal) WHERE assignee IS NOT NULL;
CREATE INDEX exceptions_released ON exceptions (job_id, released_from) WHERE released_from IS NOT NULL;
CREATE INDEX exceptions_hand_match ON exceptions (job_id, hand_match) WHERE hand_match IS NOT NULL;
CREATE INDEX matches_to_review ON matches (job_id, ordinal) WHERE tier = 'suggested' AND state = 'as_found';
CREATE INDEX matches_decided ON matches (job_id, state, ordinal) WHERE state <> 'as_found';
CREATE INDEX matches_assigned ON matches (assignee, job_id, ordinal) WHERE assignee IS NOT NULL;

-- Why something was written off, or matched though it differs. A project has its own list.
CREATE TABLE review_reasons (
    project_id uuid NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    code text COLLATE "C" NOT NULL,
    label text NOT NULL,
    -- One that was used stays in the list, and is offered no more.
    is_active boolean NOT NULL DEFAULT true,
    PRIMARY KEY (project_id, code),
    CONSTRAINT review_reasons_code_form CHECK (code ~ '^[a-z][a-z0-9_]{0,39}$'),
    CONSTRAINT review_reasons_label_length CHECK (char_length(label) BETWEEN 1 AND 200)
);
COMMENT ON TABLE review_reasons IS 'The reason codes of a project.';
CREATE FUNCTION offer_review_reasons() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO review_reasons (project_id, code, label)
    SELECT NEW.id, code, label FROM (VALUES
        ('rounding', 'Rounding'), ('fee', 'Fee or charge'), ('exchange_rate', 'Exchange rate'),
        ('timing', 'Comes in another period'), ('duplicate', 'Booked twice'), ('other', 'Other')
    ) AS offered (code, label);
    RETURN NULL;
END
$$;
CREATE TRIGGER projects_offer_review_reasons AFTER INSERT ON projects
    FOR EACH ROW EXECUTE FUNCTION offer_review_reasons();
INSERT INTO review_reasons (project_id, code, label)
SELECT id, code, label FROM projects CROSS JOIN (VALUES
    ('rounding', 'Rounding'), ('fee', 'Fee or charge'), ('exchange_rate', 'Exchange rate'),
    ('timing', 'Comes in another period'), ('duplicate', 'Booked twice'), ('other', 'Other')
) AS offered (code, label);

CREATE TABLE four_eyes_limits (
    project_id uuid NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    currency text COLLATE "C" NOT NULL,
    -- Minor units. What is larger takes a second person.
    amount bigint NOT NULL,
    PRIMARY KEY (project_id, currency),
    CONSTRAINT four_eyes_limits_currency_form CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT four_eyes_limits_amount_range CHECK (amount >= 0)
);
COMMENT ON TABLE four_eyes_limits IS 'Above which amount one person is not enough. No row: no limit.';

CREATE TABLE review_decisions (
    id uuid PRIMARY KEY,
    job_id uuid NOT NULL REFERENCES reconciliations (job_id) ON DELETE CASCADE,
    project_id uuid NOT NULL REFERENCES projects (id),
    action review_action NOT NULL,
    -- Whole filters may be decided at once.
    items integer NOT NULL,
    is_bulk boolean NOT NULL,
    subject review_subject NOT NULL,
    -- The assignee or day it asks for, as text; null takes one away.
    value text,
    reason_code text COLLATE "C",
    comment text,
    -- Above a limit: takes effect with an approval only.
    needs_approval boolean NOT NULL,
    -- The decision it takes back.
    undoes uuid REFERENCES review_decisions (id) ON DELETE CASCADE,
    decided_by uuid NOT NULL REFERENCES users (id),
    decided_at timestamptz NOT NULL DEFAULT now(),
    request_id text,
    UNIQUE (id, decided_by),
    FOREIGN KEY (project_id, reason_code) REFERENCES review_reasons (project_id, code),
    CONSTRAINT review_decisions_comment_length CHECK (char_length(comment) BETWEEN 1 AND 2000),
    CONSTRAINT review_decisions_undo CHECK ((action = 'undo') = (undoes IS NOT NULL)),
    CONSTRAINT review_decisions_items_range CHECK (items BETWEEN 1 AND 100000)
);
COMMENT ON TABLE review_decisions IS 'Who decided what, and when. Only ever added to.';
CREATE INDEX review_decisions_job ON review_decisions (job_id, id DESC);
CREATE INDEX review_decisions_project ON review_decisions (project_id, id DESC);
CREATE INDEX review_decisions_undoes ON review_decisions (undoes) WHERE undoes IS NOT NULL;

CREATE TABLE review_changes (
    decision_id uuid NOT NULL REFERENCES review_decisions (id) ON DELETE CASCADE,
    job_id uuid NOT NULL,
    subject review_subject NOT NULL,
    ordinal integer NOT NULL,
    before jsonb NOT NULL,
    after jsonb NOT NULL,
    PRIMARY KEY (decision_id, subject, ordinal)
);
COMMENT ON TABLE review_changes IS 'What a decision changes, item by item.';
CREATE INDEX review_changes_item ON review_changes (job_id, subject, ordinal, decision_id);

CREATE TABLE review_verdicts (
    decision_id uuid PRIMARY KEY,
    decided_by uuid NOT NULL,
    verdict review_verdict NOT NULL,
    judged_by uuid NOT NULL REFERENCES users (id),
    judged_at timestamptz NOT NULL DEFAULT now(),
    reason text,
    FOREIGN KEY (decision_id, decided_by) REFERENCES review_decisions (id, decided_by) ON DELETE CASCADE,
    -- Four eyes: the second person is another one. Only the first one takes back what they proposed.
    CONSTRAINT review_verdicts_another_person CHECK ((verdict = 'withdrawn') = (judged_by = decided_by)),
    CONSTRAINT review_verdicts_refused_for_a_reason CHECK (verdict <> 'refused' OR reason IS NOT NULL),
    CONSTRAINT review_verdicts_reason_length CHECK (char_length(reason) BETWEEN 1 AND 2000)
);
COMMENT ON TABLE review_verdicts IS 'The second word on a decision above a limit.';

-- The list of what waits, which a query over all decisions would have to search for.
CREATE TABLE review_waiting (
    decision_id uuid PRIMARY KEY REFERENCES review_decisions (id) ON DELETE CASCADE,
    project_id uuid NOT NULL,
    job_id uuid NOT NULL
);
COMMENT ON TABLE review_waiting IS 'Decisions that wait for a second person.';
CREATE INDEX review_waiting_project ON review_waiting (project_id, decision_id);
CREATE INDEX review_waiting_job ON review_waiting (job_id, decision_id);

CREATE TABLE hand_matches (
    job_id uuid NOT NULL REFERENCES reconciliations (job_id) ON DELETE CASCADE,
    -- From 0 within its run.
    ordinal integer NOT NULL,
    project_id uuid NOT NULL,
    state hand_match_state NOT NULL,
    version integer NOT NULL DEFAULT 0,
    currency text NOT NULL,
    -- Exceptions of the run, and their records as they were.
    left_ordinals integer[] NOT NULL,
    right_ordinals integer[] NOT NULL,
    left_records jsonb NOT NULL,
    right_records jsonb NOT NULL,
    left_sum bigint NOT NULL,
    right_sum bigint NOT NULL,
    -- The sides write the same money with opposite signs.
    flip_sign boolean NOT NULL,
    difference bigint NOT NULL,
    reason_code text COLLATE "C",
    comments integer NOT NULL DEFAULT 0,
    pending uuid,
    decided uuid NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (job_id, ordinal),
    FOREIGN KEY (project_id, reason_code) REFERENCES review_reasons (project_id, code),
    CONSTRAINT hand_matches_difference CHECK (
        difference = left_sum - CASE WHEN flip_sign THEN -right_sum ELSE right_sum END),
    CONSTRAINT hand_matches_difference_has_a_reason CHECK (difference = 0 OR reason_code IS NOT NULL),
    CONSTRAINT hand_matches_two_records CHECK (cardinality(left_ordinals) + cardinality(right_ordinals) >= 2)
);
COMMENT ON TABLE hand_matches IS 'Matches that people made of open records.';

-- Counts and sums of a run's exceptions, kept with every change: lists of a million are not counted for a page.
CREATE TABLE exception_totals (
    job_id uuid NOT NULL REFERENCES reconciliations (job_id) ON DELETE CASCADE,
    kind exception_kind NOT NULL,
    side record_side NOT NULL,
    currency text COLLATE "C" NOT NULL,
    state exception_state NOT NULL,
    -- Zeros: nobody.
    assignee uuid NOT NULL,
    record_date date NOT NULL,
    count bigint NOT NULL,
    amount numeric NOT NULL,
    PRIMARY KEY (job_id, state, kind, side, currency, assignee, record_date)
);
COMMENT ON TABLE exception_totals IS 'How many exceptions there are of each sort. Counted when a run is first reviewed.';

-- Counts a run's exceptions unless that was done. The caller holds the lock of the reconciliation.
CREATE FUNCTION count_exceptions(job uuid) RETURNS void LANGUAGE sql AS $$
    INSERT INTO exception_totals (job_id, kind, side, currency, state, assignee, record_date, count, amount)
    SELECT job, kind, side, currency, state,
           coalesce(assignee, '00000000-0000-0000-0000-000000000000'), (record->>'date')::date, count(*), sum(amount)
    FROM exceptions
    WHERE job_id = job AND NOT EXISTS (SELECT FROM exception_totals WHERE job_id = job)
    GROUP BY kind, side, currency, state, assignee, record->>'date'
$$;

CREATE FUNCTION book_exception_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO exception_totals AS t (job_id, kind, side, currency, state, assignee, record_date, count, amount)
    SELECT job_id, kind, side, currency, state,
           coalesce(assignee, '00000000-0000-0000-0000-000000000000'), (record->>'date')::date,
           sum(n), sum(n * amount)
    FROM (SELECT -1 AS n, * FROM old_rows UNION ALL SELECT 1, * FROM new_rows) AS changed
    GROUP BY job_id, kind, side, currency, state, assignee, record->>'date'
    HAVING sum(n) <> 0
    ON CONFLICT (job_id, state, kind, side, currency, assignee, record_date)
    DO UPDATE SET count = t.count + excluded.count, amount = t.amount + excluded.amount;
    RETURN NULL;
END
$$;
CREATE TRIGGER exceptions_changed AFTER UPDATE ON exceptions
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION book_exception_changes();

-- What a set of records is worth, minor units, in the currency of its match.
CREATE FUNCTION sum_of_records(records jsonb) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(sum(coalesce(r->'foreign'->>'converted', r->>'amount')::numeric), 0)
    FROM jsonb_array_elements(records) AS r
$$;
CREATE FUNCTION worth_of_match(left_records jsonb, right_records jsonb) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
    SELECT greatest(abs(sum_of_records(left_records)), abs(sum_of_records(right_records)))
$$;

CREATE FUNCTION is_above_four_eyes_limit(project uuid, in_currency text, worth numeric) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM four_eyes_limits
                   WHERE project_id = project AND currency = in_currency AND amount < abs(worth))
$$;

-- Nothing changes its state without a decision, and nothing above the limit without a second person, whoever asks.
CREATE FUNCTION check_review_effect(decision uuid, job uuid, in_currency text, worth numeric) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    d review_decisions;
BEGIN
    SELECT * INTO d FROM review_decisions WHERE id = decision AND job_id = job;
    IF NOT FOUND THEN
        RAISE check_violation USING CONSTRAINT = 'review_decided', MESSAGE = 'a result changes by a decision only';
    END IF;
    IF (d.needs_approval OR is_above_four_eyes_limit(d.project_id, in_currency, worth))
       AND NOT EXISTS (SELECT FROM review_verdicts WHERE decision_id = decision AND verdict = 'approved') THEN
        RAISE check_violation USING CONSTRAINT = 'review_four_eyes',
            MESSAGE = 'above the limit a decision takes effect by the word of a second person only';
    END IF;
END
$$;

CREATE FUNCTION guard_exception_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT (OLD.state, NEW.state) IN (('open', 'matched'), ('open', 'written_off'), ('open', 'withdrawn'),
                                      ('matched', 'open'), ('written_off', 'open')) THEN
        RAISE check_violation USING CONSTRAINT = 'exceptions_transition', MESSAGE = 'no such transition';
    END IF;
    IF NEW.decided IS NOT DISTINCT FROM OLD.decided THEN
        RAISE check_violation USING CONSTRAINT = 'review_decided', MESSAGE = 'a result changes by a decision only';
    END IF;
    PERFORM check_review_effect(NEW.decided, NEW.job_id, NEW.currency, NEW.amount);
    RETURN NEW;
END
$$;
CREATE TRIGGER exceptions_guard BEFORE UPDATE ON exceptions
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION guard_exception_state();

CREATE FUNCTION guard_match_state() RETURNS trigger LANGUAGE plpgsql AS $$
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
                                worth_of_match(NEW.left_records, NEW.right_records));
    RETURN NEW;
END
$$;
CREATE TRIGGER matches_guard BEFORE UPDATE ON matches
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION guard_match_state();

CREATE FUNCTION guard_hand_match_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NOT (OLD.state, NEW.state) IN (
        ('proposed', 'standing'), ('proposed', 'refused'), ('standing', 'undone'), ('undone', 'standing')) THEN
        RAISE check_violation USING CONSTRAINT = 'hand_matches_transition', MESSAGE = 'no such transition';
    END IF;
    IF NEW.state IN ('standing', 'undone') THEN
        PERFORM check_review_effect(NEW.decided, NEW.job_id, NEW.currency,
                                    greatest(abs(NEW.left_sum::numeric), abs(NEW.right_sum::numeric)));
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER hand_matches_guard_insert BEFORE INSERT ON hand_matches
    FOR EACH ROW EXECUTE FUNCTION guard_hand_match_state();
CREATE TRIGGER hand_matches_guard_update BEFORE UPDATE ON hand_matches
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION guard_hand_match_state();

-- Decisions go with the reconciliation they are about, and in no other way.
CREATE FUNCTION keep_review_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- One at a time: each table has other columns.
    IF TG_OP = 'DELETE' THEN
        IF TG_TABLE_NAME = 'review_decisions' THEN
            IF NOT EXISTS (SELECT FROM reconciliations WHERE job_id = OLD.job_id) THEN
                RETURN OLD;
            END IF;
        ELSIF NOT EXISTS (SELECT FROM review_decisions WHERE id = OLD.decision_id) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE restrict_violation USING CONSTRAINT = 'review_history_kept', MESSAGE = 'decisions are only ever added to';
END
$$;
CREATE TRIGGER review_decisions_kept BEFORE UPDATE OR DELETE ON review_decisions
    FOR EACH ROW EXECUTE FUNCTION keep_review_history();
CREATE TRIGGER review_changes_kept BEFORE UPDATE OR DELETE ON review_changes
    FOR EACH ROW EXECUTE FUNCTION keep_review_history();
CREATE TRIGGER review_verdicts_kept BEFORE UPDATE OR DELETE ON review_verdicts
    FOR EACH ROW EXECUTE FUNCTION keep_review_history();

-- A match that does not stand has each of its records open (or settled otherwise) exactly once; one that stands, none.
CREATE FUNCTION check_released_records() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    expected integer := CASE WHEN NEW.state IN ('rejected', 'unmatched')
        THEN jsonb_array_length(NEW.left_records) + jsonb_array_length(NEW.right_records) ELSE 0 END;
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
CREATE CONSTRAINT TRIGGER matches_released AFTER UPDATE ON matches DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION check_released_records();
