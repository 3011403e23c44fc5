-- What is reconciled: uploaded files, and how to read records from them.

CREATE TABLE files (
    id uuid PRIMARY KEY,
    project_id uuid NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name text NOT NULL,
    size_bytes bigint NOT NULL,
    sha256 bytea NOT NULL,
    -- Where the object store keeps the bytes.
    object_key text NOT NULL,
    uploaded_by uuid NOT NULL REFERENCES users (id),
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT files_name_length CHECK (char_length(name) BETWEEN 1 AND 255),
    CONSTRAINT files_size_positive CHECK (size_bytes > 0),
    CONSTRAINT files_sha256_length CHECK (octet_length(sha256) = 32),
    CONSTRAINT files_object_key_unique UNIQUE (object_key)
);
COMMENT ON TABLE files IS 'Uploads, immutable once their row exists.';
CREATE INDEX files_project ON files (project_id, id DESC);

CREATE TABLE data_sources (
    id uuid PRIMARY KEY,
    project_id uuid NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    file_id uuid NOT NULL REFERENCES files (id),
    name text NOT NULL,
    -- Which column is what; see sources::Mapping.
    mapping jsonb NOT NULL,
    created_by uuid NOT NULL REFERENCES users (id),
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT data_sources_name_length CHECK (char_length(name) BETWEEN 1 AND 200)
);
COMMENT ON TABLE data_sources IS 'A file together with the mapping of its columns to record fields.';
CREATE INDEX data_sources_project ON data_sources (project_id, id DESC);
CREATE INDEX data_sources_file ON data_sources (file_id);
