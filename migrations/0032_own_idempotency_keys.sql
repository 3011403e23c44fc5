-- Answers that are kept for repeated requests are seen by whoever asked first, and by the system.

-- Set on a connection as it is handed out, like the project at hand (store::reach). Null: nobody is behind the work.
CREATE FUNCTION user_at_hand() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(current_setting('counterfoil.user_id', true), '')::uuid;

ALTER TABLE idempotency_keys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_user ON idempotency_keys TO counterfoil_app
    USING (user_id = (SELECT user_at_hand())) WITH CHECK (user_id = (SELECT user_at_hand()));
CREATE POLICY of_the_system ON idempotency_keys TO counterfoil_system USING (true) WITH CHECK (true);
