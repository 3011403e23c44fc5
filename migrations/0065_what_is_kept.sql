-- People, projects and statistics are kept by API processes for a while (api/src/cache): whatever changes them tells so,
-- with the transaction, so that what was read before it is known from what was read after. Over the channel of changed
-- rights: processes of the version before take what they do not know for a change of everything.
--
-- Rare changes only, as in 0031: a run tells once, as it completes. What changes with each step of a job is not kept.

CREATE FUNCTION tell_kept_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed jsonb;
BEGIN
    IF TG_OP = 'DELETE' THEN
        changed := to_jsonb(OLD);
    ELSE
        changed := to_jsonb(NEW);
    END IF;
    PERFORM pg_notify('counterfoil_access',
                      format('%s %s %s', TG_ARGV[0], changed ->> TG_ARGV[1], pg_current_xact_id()));
    RETURN NULL;
END
$$;
CREATE TRIGGER users_tell_kept_changed AFTER UPDATE ON users
    FOR EACH ROW WHEN (OLD.email <> NEW.email OR OLD.name <> NEW.name)
    EXECUTE FUNCTION tell_kept_changed('person', 'id');
CREATE TRIGGER users_tell_kept_gone AFTER DELETE ON users
    FOR EACH ROW EXECUTE FUNCTION tell_kept_changed('person', 'id');
CREATE TRIGGER second_factors_tell_kept_changed AFTER UPDATE ON second_factors
    FOR EACH ROW WHEN ((OLD.confirmed_at IS NULL) <> (NEW.confirmed_at IS NULL))
    EXECUTE FUNCTION tell_kept_changed('person', 'user_id');
CREATE TRIGGER second_factors_tell_kept_gone AFTER DELETE ON second_factors
    FOR EACH ROW EXECUTE FUNCTION tell_kept_changed('person', 'user_id');
CREATE TRIGGER projects_tell_kept_changed AFTER UPDATE OR DELETE ON projects
    FOR EACH ROW EXECUTE FUNCTION tell_kept_changed('project', 'id');

-- Without the row as JSON, which for a run is large.
CREATE FUNCTION tell_statistics_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('counterfoil_access', format('statistics %s %s', OLD.project_id, pg_current_xact_id()));
    RETURN NULL;
END
$$;
CREATE TRIGGER reconciliations_tell_statistics_changed AFTER UPDATE ON reconciliations
    FOR EACH ROW WHEN (OLD.completed_at IS NOT NULL OR NEW.completed_at IS NOT NULL)
    EXECUTE FUNCTION tell_statistics_changed();
CREATE TRIGGER reconciliations_tell_statistics_gone AFTER DELETE ON reconciliations
    FOR EACH ROW WHEN (OLD.completed_at IS NOT NULL) EXECUTE FUNCTION tell_statistics_changed();
