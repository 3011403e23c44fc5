-- People who come by an OpenID provider: which of its subjects is which account, and log-ins under way.

CREATE TABLE identities (
    -- The provider, exactly as it names itself.
    issuer text NOT NULL,
    -- Of this provider, and never given to anybody else by it.
    subject text NOT NULL,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    PRIMARY KEY (issuer, subject),
    CONSTRAINT identities_issuer_length CHECK (char_length(issuer) BETWEEN 1 AND 500),
    CONSTRAINT identities_subject_length CHECK (char_length(subject) BETWEEN 1 AND 255)
);
COMMENT ON TABLE identities IS 'Whom an OpenID provider means by a subject.';
CREATE INDEX identities_user ON identities (user_id);                                   -- gone with their account

-- A crash costs the log-ins of that minute.
CREATE UNLOGGED TABLE provider_logins (
    -- Digest of what the provider hands back.
    state bytea PRIMARY KEY,
    -- Digest of what only the browser has that began it.
    browser bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT provider_logins_state_length CHECK (octet_length(state) = 32),
    CONSTRAINT provider_logins_browser_length CHECK (octet_length(browser) = 32)
);
COMMENT ON TABLE provider_logins IS 'Log-ins by a provider that have begun; gone once finished, whatever came of it.';
CREATE INDEX provider_logins_expires_at ON provider_logins (expires_at);                -- pruner
