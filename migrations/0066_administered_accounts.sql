-- Accounts that administrators look after: shut, and with passwords that have to be changed.

ALTER TYPE session_end ADD VALUE 'account_disabled';

ALTER TABLE users
    -- Since then nobody logs in with it, and its API keys open nothing.
    ADD COLUMN disabled_at timestamptz,
    -- Whoever logs in next has to choose another password.
    ADD COLUMN must_change_password boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN users.disabled_at IS 'Since then nobody logs in with it, and its API keys open nothing.';
COMMENT ON COLUMN users.must_change_password IS 'Whoever logs in next has to choose another password.';
CREATE TRIGGER users_tell_access_disabled AFTER UPDATE ON users
    FOR EACH ROW WHEN ((OLD.disabled_at IS NULL) <> (NEW.disabled_at IS NULL)) EXECUTE FUNCTION tell_access_changed();

-- One for each account at most: a new one ends the one before. The role of tenants has no right to it.
CREATE TABLE password_resets (
    user_id uuid PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    digest bytea NOT NULL,
    -- Null: made at a shell.
    created_by uuid REFERENCES users (id) ON DELETE SET NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT password_resets_digest_unique UNIQUE (digest),
    CONSTRAINT password_resets_digest_length CHECK (octet_length(digest) = 32)
);
COMMENT ON TABLE password_resets IS 'One-time tokens with which somebody chooses a new password.';
