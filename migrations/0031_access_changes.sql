-- Who may do what is kept in the memory of API processes for a while (api/src/standings.rs): whatever changes it tells
-- them. Rare changes only: transactions that notify commit one after the other.

CREATE FUNCTION tell_access_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed jsonb;
BEGIN
    IF TG_OP = 'INSERT' THEN
        changed := to_jsonb(NEW);
    ELSE
        changed := to_jsonb(OLD);
    END IF;
    PERFORM pg_notify('counterfoil_access', changed ->> CASE TG_TABLE_NAME WHEN 'users' THEN 'id' ELSE 'user_id' END);
    RETURN NULL;
END
$$;
CREATE TRIGGER users_tell_access_changed AFTER UPDATE ON users
    FOR EACH ROW WHEN (OLD.is_platform_admin <> NEW.is_platform_admin) EXECUTE FUNCTION tell_access_changed();
CREATE TRIGGER users_tell_access_gone AFTER DELETE ON users
    FOR EACH ROW EXECUTE FUNCTION tell_access_changed();
CREATE TRIGGER sessions_tell_access_changed AFTER UPDATE ON sessions
    FOR EACH ROW WHEN (OLD.ended_at IS DISTINCT FROM NEW.ended_at) EXECUTE FUNCTION tell_access_changed();
CREATE TRIGGER sessions_tell_access_gone AFTER DELETE ON sessions
    FOR EACH ROW EXECUTE FUNCTION tell_access_changed();
CREATE TRIGGER api_keys_tell_access_changed AFTER UPDATE ON api_keys
    FOR EACH ROW WHEN (OLD.revoked_at IS DISTINCT FROM NEW.revoked_at OR OLD.role <> NEW.role
                       OR OLD.expires_at <> NEW.expires_at)
    EXECUTE FUNCTION tell_access_changed();
CREATE TRIGGER api_keys_tell_access_gone AFTER DELETE ON api_keys
    FOR EACH ROW EXECUTE FUNCTION tell_access_changed();
CREATE TRIGGER project_members_tell_access_changed AFTER INSERT OR UPDATE OR DELETE ON project_members
    FOR EACH ROW EXECUTE FUNCTION tell_access_changed();
