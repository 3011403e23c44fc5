-- Who may work with what: users, and the projects (tenants) everything else belongs to.

CREATE TABLE users (
    id uuid PRIMARY KEY,
    email text NOT NULL,
    name text NOT NULL,
    -- PHC string, argon2id.
    password_hash text NOT NULL,
    is_platform_admin boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT users_email_length CHECK (char_length(email) BETWEEN 3 AND 254),
    CONSTRAINT users_name_length CHECK (char_length(name) BETWEEN 1 AND 200)
);
COMMENT ON TABLE users IS 'People who may log in.';
-- One account per address, whatever its letter case.
CREATE UNIQUE INDEX users_email_unique ON users (lower(email));

CREATE TABLE projects (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    created_by uuid NOT NULL REFERENCES users (id),
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT projects_name_length CHECK (char_length(name) BETWEEN 1 AND 200)
);
COMMENT ON TABLE projects IS 'A tenant: files, data sources, jobs and results belong to exactly one.';

CREATE TYPE project_role AS ENUM ('viewer', 'operator', 'approver', 'admin');

CREATE TABLE project_members (
    project_id uuid NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role project_role NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, project_id)
);
CREATE INDEX project_members_project ON project_members (project_id);
