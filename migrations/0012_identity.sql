-- How people and machines prove who they are: sessions with rotating refresh tokens, invitations, API keys, second
-- factors, and what slows down guessing. Of everything that opens something only a digest is kept.

CREATE TYPE session_end AS ENUM ('logged_out', 'revoked', 'token_reused', 'password_changed');

CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    -- However often it is refreshed.
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    end_reason session_end,
    -- Where it began, for the person to recognise it.
    ip text,
    user_agent text,
    CONSTRAINT sessions_end_reason_iff_ended CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
    CONSTRAINT sessions_user_agent_length CHECK (char_length(user_agent) <= 300),
    CONSTRAINT sessions_ip_length CHECK (char_length(ip) <= 45)
);
COMMENT ON TABLE sessions IS 'Logins. Access tokens name theirs and end with it.';
CREATE INDEX sessions_user ON sessions (user_id, id DESC);
CREATE INDEX sessions_expires_at ON sessions (expires_at);                              -- pruner

-- All tokens of a session, used ones too: a used one that comes back was stolen, from whom nobody knows.
CREATE TABLE refresh_tokens (
    digest bytea PRIMARY KEY,
    session_id uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    CONSTRAINT refresh_tokens_digest_length CHECK (octet_length(digest) = 32)
);
CREATE INDEX refresh_tokens_session ON refresh_tokens (session_id);

CREATE TABLE invitations (
    id uuid PRIMARY KEY,
    digest bytea NOT NULL,
    -- What it opens: membership in a project, or the administration of the platform.
    project_id uuid REFERENCES projects (id) ON DELETE CASCADE,
    role project_role,
    makes_platform_admin boolean NOT NULL DEFAULT false,
    -- Whose it is; null: of whoever has it.
    email text,
    -- Null: made at a shell.
    created_by uuid REFERENCES users (id) ON DELETE SET NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    used_by uuid REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT invitations_digest_unique UNIQUE (digest),
    CONSTRAINT invitations_digest_length CHECK (octet_length(digest) = 32),
    CONSTRAINT invitations_role_iff_project CHECK ((project_id IS NULL) = (role IS NULL)),
    CONSTRAINT invitations_one_purpose CHECK (makes_platform_admin = (project_id IS NULL)),
    CONSTRAINT invitations_email_length CHECK (char_length(email) BETWEEN 3 AND 254)
);
COMMENT ON TABLE invitations IS 'One-time tokens: who has one may register, and gets what it opens.';
CREATE INDEX invitations_project ON invitations (project_id, id DESC) WHERE project_id IS NOT NULL;
CREATE INDEX invitations_expires_at ON invitations (expires_at);                        -- pruner

CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    project_id uuid NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    -- For whom it acts. It can never do more than this person may.
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name text NOT NULL,
    role project_role NOT NULL,
    -- The beginning, to recognise it by.
    prefix text NOT NULL,
    digest bytea NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    -- To the minute.
    last_used_at timestamptz,
    revoked_at timestamptz,
    CONSTRAINT api_keys_digest_unique UNIQUE (digest),
    CONSTRAINT api_keys_digest_length CHECK (octet_length(digest) = 32),
    CONSTRAINT api_keys_name_length CHECK (char_length(name) BETWEEN 1 AND 100),
    CONSTRAINT api_keys_prefix_length CHECK (char_length(prefix) BETWEEN 1 AND 20),
    -- No machine decides who is a member or has a key.
    CONSTRAINT api_keys_role_below_admin CHECK (role <> 'admin')
);
COMMENT ON TABLE api_keys IS 'Keys of machines: one project, one role, an end.';
CREATE INDEX api_keys_project ON api_keys (project_id, id DESC);

CREATE TABLE second_factors (
    user_id uuid PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    -- Sealed with the key of the installation (nonce, ciphertext, tag).
    secret bytea NOT NULL,
    created_at timestamptz NOT NULL,
    -- Counts from here on; before, it was never shown to work.
    confirmed_at timestamptz,
    -- The newest time step whose code was taken: none is taken twice.
    last_step bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE second_factors IS 'Time-based one-time passwords (RFC 6238).';

CREATE TABLE recovery_codes (
    user_id uuid NOT NULL REFERENCES second_factors (user_id) ON DELETE CASCADE,
    digest bytea NOT NULL,
    PRIMARY KEY (user_id, digest)
);
COMMENT ON TABLE recovery_codes IS 'Codes that stand in for a lost second factor. Gone once used.';

-- By digest of the address, whether or not it has an account: nobody can tell one from the other here.
CREATE TABLE login_failures (
    subject bytea PRIMARY KEY,
    -- In a row.
    failures integer NOT NULL,
    locked_until timestamptz,
    last_at timestamptz NOT NULL
);
COMMENT ON TABLE login_failures IS 'Failed logins since the last success, by address.';
CREATE INDEX login_failures_last_at ON login_failures (last_at);                        -- pruner

-- Losing it in a crash costs an hour''s counts.
CREATE UNLOGGED TABLE rate_limits (
    subject text PRIMARY KEY,
    -- When what was asked for is paid off (the theoretical arrival time of GCRA).
    paid_off_at timestamptz NOT NULL
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE rate_limits IS 'How much of their limit somebody has used, where no Redis counts.';
CREATE INDEX rate_limits_paid_off_at ON rate_limits (paid_off_at);                      -- pruner
