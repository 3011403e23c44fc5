INSERT INTO users (id, email, name, password_hash)
VALUES ('00000000-0000-0000-0000-0000000000e1', 'ann@example.org', 'Ann', 'x'),
       ('00000000-0000-0000-0000-0000000000e2', 'bo@example.org', 'Bo ''quoted'' \ ü', 'x');
INSERT INTO projects (id, name, created_by)
VALUES ('00000000-0000-0000-0000-00000000000a', 'Acme', '00000000-0000-0000-0000-0000000000e1'),
       ('00000000-0000-0000-0000-00000000000b', 'Bolt', '00000000-0000-0000-0000-0000000000e2');
INSERT INTO project_members (project_id, user_id, role)
SELECT p.id, p.created_by, 'admin' FROM projects p;
INSERT INTO files (id, project_id, name, size_bytes, sha256, object_key, uploaded_by)
SELECT gen_random_uuid(), p.id, 'file ' || n, n, sha256(n::text::bytea), p.id || '/' || n, p.created_by
FROM projects p, generate_series(1, 10) AS n;
INSERT INTO data_sources (id, project_id, file_id, name, mapping, created_by)
SELECT gen_random_uuid(), f.project_id, f.id, 'source of ' || f.name, '{"a": [1, 2.50, null]}', f.uploaded_by
FROM files f;
INSERT INTO batches (id, project_id, name, jobs)
SELECT gen_random_uuid(), p.id, 'batch', 1 FROM projects p;
-- Ids as the product makes them: results are partitioned by their time.
CREATE FUNCTION pg_temp.new_id(n bigint) RETURNS uuid LANGUAGE sql AS $$
    SELECT (left(replace(first_id_at(now())::text, '-', ''), 12) || '7' || lpad(to_hex(n), 19, '0'))::uuid
$$;
INSERT INTO jobs (id, kind, queue, project_id, state, priority, args, attempts_max, finished_at, error, batch_id)
SELECT pg_temp.new_id(row_number() OVER ()), 'reconciliation', 'reconciliation', p.id,
       CASE WHEN n = 1 THEN 'dead' ELSE 'completed' END::job_state, 5, jsonb_build_object('n', n), 3, now(),
       CASE WHEN n = 1 THEN 'it broke at line 7' END, b.id
FROM projects p JOIN batches b ON b.project_id = p.id, generate_series(1, 20) AS n;
INSERT INTO attempts (job_id, fence, attempt, worker, finished_at, outcome)
SELECT id, 1, 1, 'w', now(), 'completed' FROM jobs;
INSERT INTO job_events (job_id, event, detail) SELECT id, 'phase', 'reading' FROM jobs;
INSERT INTO reconciliations (job_id, project_id, name, left_source_id, right_source_id, rules, left_records,
    right_records, left_matched, right_matched, matches, suggested, exceptions, left_rejected, right_rejected, balance,
    exceptions_by_kind, passes, completed_at)
SELECT j.id, j.project_id, 'run', s.ids[1], s.ids[2], '{}', 60, 50, 50, 50, 50, 0, 10, 1, 0,
    jsonb_build_array(jsonb_build_object('currency', 'EUR', 'left_total', '100.00', 'right_total', '90.00',
        'matched_difference', '0.00', 'left_unmatched', '10.00', 'right_unmatched', '0.00', 'right_flipped', '0.00',
        'residual', '0.00')),
    '{"missing_right": 10}', '[]', now()
FROM jobs j JOIN LATERAL (SELECT array_agg(id ORDER BY id) AS ids FROM data_sources d WHERE d.project_id = j.project_id) AS s
     ON true WHERE j.state = 'completed';
INSERT INTO matches (job_id, ordinal, confidence, tier, pass, currency, difference, left_records, right_records, reasons)
SELECT job_id, n, 1000000, 'confirmed', 0, 'EUR', 0, jsonb_build_array(jsonb_build_object('id', 'L' || n)), '[{"id": "R"}]', '[]'
FROM reconciliations, generate_series(1, 25) AS n;
-- The form that is written now; the one above is that of before migration 0090.
INSERT INTO matches (job_id, ordinal, confidence, tier, pass, currency, difference, left_packed, right_packed, reasons_packed)
SELECT job_id, n, 1000000, 'confirmed', 0, 'EUR', 0, format('[[%s,1,"L%s","2026-01-31",100]]', n, n),
       '[[1,1,"R","2026-01-31",100]]', '[]'
FROM reconciliations, generate_series(26, 50) AS n;
INSERT INTO exceptions (job_id, ordinal, kind, side, currency, amount, record, says, candidates, candidates_found)
SELECT job_id, n, 'missing_right', 'left', 'EUR', 100, '{}', 'missing', '[]', 0 FROM reconciliations, generate_series(1, 10) AS n;
INSERT INTO four_eyes_limits (project_id, currency, amount) SELECT id, 'EUR', 100000 FROM projects;
INSERT INTO four_eyes_past_limits (project_id, currency, amount) SELECT id, 'EUR', 50000 FROM projects;
-- One decision of each run: a match by hand that a second person refused, but for one in each project that waits.
INSERT INTO review_decisions (id, job_id, project_id, action, items, is_bulk, subject, needs_approval, decided_by)
SELECT gen_random_uuid(), r.job_id, r.project_id, 'match', 1, false, 'hand_match', true, p.created_by
FROM reconciliations r JOIN projects p ON p.id = r.project_id;
INSERT INTO review_changes (decision_id, job_id, subject, ordinal, before, after)
SELECT id, job_id, 'hand_match', 0, '{}', '{"state": "proposed"}' FROM review_decisions;
INSERT INTO review_waiting (decision_id, project_id, job_id)
SELECT DISTINCT ON (project_id) id, project_id, job_id FROM review_decisions ORDER BY project_id, job_id;
INSERT INTO review_verdicts (decision_id, decided_by, verdict, judged_by, reason)
SELECT d.id, d.decided_by, 'refused', u.id, 'no'
FROM review_decisions d JOIN users u ON u.id <> d.decided_by
WHERE d.id NOT IN (SELECT decision_id FROM review_waiting);
INSERT INTO hand_matches (job_id, ordinal, project_id, state, currency, left_ordinals, right_ordinals, left_records,
    right_records, left_sum, right_sum, flip_sign, difference, decided)
SELECT d.job_id, 0, d.project_id, CASE WHEN v.decision_id IS NULL THEN 'proposed' ELSE 'refused' END::hand_match_state,
       'EUR', '{1}', '{2}', '[]', '[]', 100, 100, false, 0, d.id
FROM review_decisions d LEFT JOIN review_verdicts v ON v.decision_id = d.id;
INSERT INTO rejected_lines (job_id, ordinal, side, line, reason, excerpt)
SELECT job_id, 1, 'left', 3, 'no amount', 'x;y' FROM reconciliations;
INSERT INTO matched_records (job_id, side, part, entries)
SELECT job_id, 'left', 0, decode(repeat('ab', 24), 'hex') FROM reconciliations;
INSERT INTO schedules (id, project_id, name, kind, args, priority, cron, time_zone, missed_runs)
SELECT gen_random_uuid(), id, 'nightly', 'clean_up', '{}', 5, '0 2 * * *', 'Europe/Berlin', 'once' FROM projects;
INSERT INTO schedule_ticks (schedule_id, due_at, outcome, reason) SELECT id, now(), 'failed', 'no' FROM schedules;
INSERT INTO concurrency_limits (scope, name, jobs_max, updated_by) SELECT 'project', id::text, 7, 'ann' FROM projects;
INSERT INTO outbox (job_id, queue, priority) SELECT id, queue, priority FROM jobs LIMIT 3;
INSERT INTO backup_stores (name, kind, position, is_reachable, owed_objects, owed_bytes, checked_at)
VALUES ('near', 'disk', 0, true, 0, 0, now());
INSERT INTO backup_alerts (id, kind, subject, severity, message)
VALUES (gen_random_uuid(), 'backup_stale', '', 'critical', 'there is no backup of everything');
INSERT INTO wal_archive (missing_segments) VALUES (0);
INSERT INTO backup_removals (locked, failed, complete_at) VALUES (0, 0, now());
