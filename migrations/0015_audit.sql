-- Who did what: one chain of records for each tenant, written in the transaction of the change itself.

CREATE TABLE audit_heads (
    -- A project's id; zeros: what belongs to none.
    tenant uuid PRIMARY KEY,
    seq bigint NOT NULL,
    hash bytea NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE audit_heads IS 'The end of each chain. Its lock puts the changes of a tenant in an order.';

CREATE TABLE audit_records (
    tenant uuid NOT NULL,
    -- From 1, without gaps.
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    action text COLLATE "C" NOT NULL,
    -- Null: nobody logged in, or the system.
    user_id uuid,
    subject_kind text COLLATE "C" NOT NULL,
    subject_id text COLLATE "C" NOT NULL,
    -- Everything, as canonical JSON: members sorted, nothing between them. What the columns beside it say as well.
    content text NOT NULL,
    previous_hash bytea NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (tenant, seq),
    CONSTRAINT audit_records_hash CHECK (hash = sha256(previous_hash || convert_to(content, 'UTF8'))),
    CONSTRAINT audit_records_previous_hash_length CHECK (octet_length(previous_hash) = 32)
);
COMMENT ON TABLE audit_records IS 'Changes, logins, denied access and exports. Never changed and never pruned.';
CREATE INDEX audit_records_user ON audit_records (tenant, user_id, seq DESC);
CREATE INDEX audit_records_action ON audit_records (tenant, action, seq DESC);
CREATE INDEX audit_records_subject ON audit_records (tenant, subject_kind, subject_id, seq DESC);
CREATE INDEX audit_records_at ON audit_records USING brin (at);

CREATE TABLE audit_checkpoints (
    tenant uuid NOT NULL,
    seq bigint NOT NULL,
    hash bytea NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    key_id text NOT NULL,
    -- Ed25519 over `counterfoil audit 1`, tenant, seq (8 bytes, big-endian) and hash.
    signature bytea NOT NULL,
    PRIMARY KEY (tenant, seq)
);
COMMENT ON TABLE audit_checkpoints IS 'Signed ends of chains: whoever can write the database still cannot rewrite what is before them.';

CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE restrict_violation USING CONSTRAINT = 'audit_append_only',
        MESSAGE = format('%s of %s is refused: the audit log is only ever added to', TG_OP, TG_TABLE_NAME);
END
$$;
CREATE TRIGGER audit_records_append_only BEFORE UPDATE OR DELETE ON audit_records
    FOR EACH ROW EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER audit_records_no_truncate BEFORE TRUNCATE ON audit_records
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER audit_checkpoints_append_only BEFORE UPDATE OR DELETE ON audit_checkpoints
    FOR EACH ROW EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER audit_checkpoints_no_truncate BEFORE TRUNCATE ON audit_checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER audit_heads_kept BEFORE DELETE ON audit_heads
    FOR EACH ROW EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER audit_heads_no_truncate BEFORE TRUNCATE ON audit_heads
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();

-- A record continues the chain, whoever writes it: the head names its predecessor.
CREATE FUNCTION chain_audit_record() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    head audit_heads;
BEGIN
    SELECT * INTO head FROM audit_heads WHERE tenant = NEW.tenant FOR UPDATE;
    IF NOT FOUND OR NEW.seq <> head.seq + 1 OR NEW.previous_hash <> head.hash THEN
        RAISE check_violation USING CONSTRAINT = 'audit_chain', MESSAGE = 'the record does not continue its chain';
    END IF;
    UPDATE audit_heads SET seq = NEW.seq, hash = NEW.hash WHERE tenant = NEW.tenant;
    RETURN NEW;
END
$$;
CREATE TRIGGER audit_records_chained BEFORE INSERT ON audit_records
    FOR EACH ROW EXECUTE FUNCTION chain_audit_record();
