-- Organisations own projects. What a member may do is said by project; an organisation only keeps them together.

CREATE TABLE organisations (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    -- Who may add projects besides the administrators of those that are there; null once that account is gone.
    founded_by uuid REFERENCES users (id) ON DELETE SET NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT organisations_name_length CHECK (char_length(name) BETWEEN 1 AND 200)
);
COMMENT ON TABLE organisations IS 'Keeps projects together.';
CREATE INDEX organisations_founded_by ON organisations (founded_by, created_at);

ALTER TABLE projects ADD COLUMN organisation_id uuid REFERENCES organisations (id);

-- The oldest organisation that somebody founded, made on first need.
CREATE FUNCTION organisation_founded_by(founder uuid) RETURNS uuid
LANGUAGE plpgsql AS $$
DECLARE
    found uuid;
BEGIN
    -- Two first projects at once must not found two.
    PERFORM pg_advisory_xact_lock(hashtextextended('organisation of ' || founder, 0));
    SELECT id INTO found FROM organisations WHERE founded_by = founder ORDER BY created_at, id LIMIT 1;
    IF found IS NULL THEN
        INSERT INTO organisations (id, name, founded_by)
        SELECT gen_random_uuid(), name, id FROM users WHERE id = founder
        RETURNING id INTO found;
    END IF;
    RETURN found;
END
$$;

UPDATE projects SET organisation_id = organisation_founded_by(created_by);

-- Whoever names none (a process of the version before, too) gets the maker's own.
CREATE FUNCTION give_project_an_organisation() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.organisation_id := organisation_founded_by(NEW.created_by);
    RETURN NEW;
END
$$;
CREATE TRIGGER projects_organisation BEFORE INSERT ON projects
    FOR EACH ROW WHEN (NEW.organisation_id IS NULL) EXECUTE FUNCTION give_project_an_organisation();

ALTER TABLE projects ALTER COLUMN organisation_id SET NOT NULL;
CREATE INDEX projects_organisation ON projects (organisation_id);
