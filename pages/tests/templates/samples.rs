//! An API that has one of everything. Names try to be markup.

use axum::extract::Request;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::{Value, json};

pub const AT: &str = "2026-01-31T12:30:15.250Z";
pub const LATER: &str = "2026-02-01T12:30:15.250Z";
pub const EVIL: &str = "<evil a=\"b\" c='d'>&";

pub fn api() -> Router {
    Router::new().fallback(answer)
}

async fn answer(request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let known = match *request.method() {
        Method::GET => get(&path, request.uri().query().unwrap_or_default()),
        Method::POST => post(&path),
        _ => None,
    };
    match known {
        Some(value) => Json(value).into_response(),
        None => {
            let problem = json!({
                "type": "urn:counterfoil:problem:not_found", "title": "Not found", "status": 404,
                "detail": "There is no such thing, or it is not yours to see",
            });
            let content_type = [(header::CONTENT_TYPE, "application/problem+json")];
            (StatusCode::NOT_FOUND, content_type, problem.to_string()).into_response()
        }
    }
}

pub fn items(items: Value) -> Option<Value> {
    Some(json!({"items": items, "next": "/api/x?limit=1&after=more"}))
}

fn post(path: &str) -> Option<Value> {
    Some(match path {
        "/api/auth/second-factor" => {
            json!({"secret": "ABCDEFGH", "address": "otpauth://totp/x?secret=ABCDEFGH"})
        }
        "/api/auth/second-factor/confirm" => json!({"recovery_codes": ["aaaa-bbbb-cccc-dddd"]}),
        "/api/jobs/bulk" => json!({"matched": 1, "changed": 0, "is_complete": true}),
        "/api/files/a/dry-run" | "/api/files/b/dry-run" => json!({
            "lines": 2, "whole": true, "records": 1, "rejected": 1,
            "reasons": [{"column": "Amount", "reason": "is not an amount", "lines": 1, "first_line": 3}],
            "rows": [typed_row()],
        }),
        "/api/reconciliation/sample" => json!({
            "left_records": 2, "right_records": 2, "is_whole": true, "left_matched": 1, "right_matched": 1,
            "matches": 1, "suggested": 0, "exceptions_by_kind": {"missing_left": 1}, "passes": [pass()],
            "dropped_passes": [EVIL], "elapsed_ms": 3,
        }),
        "/api/reconciliation/jobs/done/review/bulk/preview" => json!({
            "count": 1, "is_too_much": false, "sums": [{"currency": "EUR", "count": 1, "amount": "70.00"}],
            "matches": [], "exceptions": [exception()], "token": "t",
        }),
        _ => return crate::backups::post(path),
    })
}

fn get(path: &str, query: &str) -> Option<Value> {
    let of_project = path.strip_prefix("/api/projects/one");
    if let Some(below) = of_project {
        return match below {
            "" => Some(project()),
            "/schedules" => items(json!([schedule()])),
            "/members" => items(json!([
                {"user_id": "u1", "email": "jane@example.org", "name": EVIL, "role": "admin", "created_at": AT},
            ])),
            "/invitations" => Some(json!({"items": [
                {"id": "i1", "role": "viewer", "email": EVIL, "created_at": AT, "expires_at": LATER},
            ]})),
            "/api-keys" => Some(json!({"items": [{
                "id": "k1", "name": EVIL, "role": "operator", "prefix": "cfk_abcdefgh", "user_id": "u1",
                "created_at": AT, "expires_at": LATER, "last_used_at": null,
            }]})),
            "/review/reasons" => Some(json!({"items": [{"code": "fee", "label": EVIL, "is_active": true}]})),
            "/review/limits" => Some(json!({"items": [{"currency": "EUR", "amount": "10000.00"}]})),
            "/webhooks" => crate::notifications::get("/api/webhooks"),
            "/review/waiting" => items(json!([decision("proposed", "u2"), decision("proposed", "u1")])),
            "/audit" => items(json!([audit()])),
            _ => None,
        };
    }
    match path {
        "/api/auth/me" => Some(json!({
            "id": "u1", "email": "jane@example.org", "name": EVIL, "is_platform_admin": true,
            "has_second_factor": true, "created_at": AT,
        })),
        "/api/auth/sessions" => Some(json!({"items": [{
            "id": "s1", "is_current": true, "created_at": AT, "last_used_at": AT, "expires_at": LATER,
            "ip": "192.0.2.1", "user_agent": EVIL,
        }]})),
        "/api/projects" => items(json!([project()])),
        "/api/analytics/dashboard" => Some(json!({
            "period_days": 30, "jobs_by_state": {"completed": 1}, "records": 4, "matched_records": 2,
            "matched_share": 0.5, "matches": 1, "exceptions": 2, "exceptions_by_kind": {"missing_left": 2},
            "rejected_lines": 1, "repeated_runs": 2, "recent": [run_line()],
        })),
        "/api/audit" => items(json!([audit()])),
        "/api/users" => items(json!([
            {
                "id": "u2", "email": EVIL, "name": EVIL, "is_platform_admin": false, "has_second_factor": false,
                "created_at": AT, "last_seen_at": null, "disabled_at": AT, "must_change_password": false,
            },
            {
                "id": "u1", "email": "jane@example.org", "name": EVIL, "is_platform_admin": true,
                "has_second_factor": true, "created_at": AT, "last_seen_at": AT, "disabled_at": null,
                "must_change_password": true,
            },
        ])),
        "/api/workers" => Some(json!({"items": [{
            "name": "worker-1", "version": "1.0", "state": "live", "kinds": ["reconciliation"], "slots": 4,
            "running": 1, "job_ids": ["job"], "started_at": AT, "heartbeat_at": AT, "drain_asked_at": AT,
            "drain_asked_by": EVIL,
        }]})),
        "/api/queues" => items(json!([{
            "name": "reconciliation", "available": 1, "scheduled": 0, "running": 1, "oldest_age_s": 90.0,
            "pause": {"reason": "month end", "paused_by": EVIL, "paused_at": AT},
        }])),
        "/api/limits" => items(json!([
            {"scope": "kind", "name": EVIL, "jobs_max": 3, "updated_at": AT, "updated_by": EVIL},
        ])),
        "/api/jobs" => items(json!([job_line()])),
        "/api/jobs/counts" => Some(json!({
            "counted_up_to": 1000, "scheduled": 0, "available": 1, "running": 1, "completed": 1, "cancelled": 0,
            "dead": 1,
        })),
        "/api/jobs/dead/groups" => items(json!([{
            "fingerprint": "f", "kind": "reconciliation", "jobs": 1, "newest_id": "job",
            "error": "the <ledger> is gone", "oldest_created_at": AT, "newest_created_at": AT,
        }])),
        "/api/jobs/job" => Some(job()),
        "/api/files" => items(json!([{"id": "a", "name": EVIL, "size_bytes": 12_345, "created_at": AT}])),
        "/api/files/a/preview" | "/api/files/b/preview" => Some(preview()),
        "/api/data-sources" => items(json!([source()])),
        "/api/data-sources/a" | "/api/data-sources/b" => Some(source()),
        "/api/reconciliation/presets" => Some(json!({"items": [
            {"name": "bank", "title": EVIL, "text": "version = 1\n\n[[pass]]\nname = \"a\"\n"},
        ]})),
        "/api/reconciliation/jobs" => items(json!([run_line()])),
        "/api/reconciliation/jobs/done" => Some(run("completed")),
        "/api/reconciliation/jobs/running" => Some(run("running")),
        "/api/schedules" => items(json!([schedule()])),
        "/api/schedules/nightly" => Some(schedule()),
        "/api/schedules/preview" | "/api/schedules/nightly/next" => {
            Some(json!({"items": [{"due_at": LATER, "local": "2026-02-01T13:30:15+01:00"}]}))
        }
        "/api/schedules/nightly/ticks" => items(json!([
            {"due_at": AT, "outcome": "fired", "job_id": "job", "reason": null,
             "took": {"left": {"file_name": EVIL}, "right": {"file_name": "ledger.csv"}}},
            {"due_at": AT, "outcome": "failed", "job_id": null, "reason": EVIL},
        ])),
        _ => match path.strip_prefix("/api/reconciliation/jobs/done") {
            Some(below) => of_run(below, query),
            None => crate::backups::get(path).or_else(|| crate::notifications::get(path)),
        },
    }
}

fn of_run(below: &str, query: &str) -> Option<Value> {
    match below {
        "/results" => items(json!([found()])),
        "/exceptions" => items(json!([found_exception()])),
        "/rules" => Some(json!({"rules": {"version": 1, "pass": []}})),
        "/chain" => Some(json!({"items": [chain_run("before", 1), chain_run("done", 2)]})),
        "/rejected-lines" => items(json!([
            {"side": "left", "line": 3, "column": "Amount", "reason": "is not an amount", "excerpt": EVIL},
        ])),
        "/review" => Some(json!({
            "balance": [{
                "side": "left", "currency": "EUR", "total": "170.00", "matched": "100.00",
                "matched_by_hand": "0.00", "written_off": "0.00", "open": "70.00", "already_matched": "0.00",
                "residual": "0.00", "open_records": 1, "by_hand_records": 0, "written_off_records": 0,
            }],
            "by_kind": [{"kind": "missing_right", "state": "open", "currency": "EUR", "count": 1, "amount": "70.00"}],
            "by_assignee": [{"user_id": "u2", "name": EVIL, "count": 1}],
            "by_age": [{"days_from": 0, "days_through": 7, "count": 1}, {"days_from": 91, "days_through": null, "count": 0}],
            "waiting": 1, "suggested_open": 2, "suggested": 3,
        })),
        "/review/matches" if query.contains("suggested") => items(json!([reviewed("as_found")])),
        "/review/matches/1" => Some(reviewed("accepted")),
        "/review/exceptions" => items(json!([exception()])),
        "/review/exceptions/1" => Some(json!({"item": exception(), "places": [
            {"candidate": 0, "record": 0, "number": 2, "state": "open", "version": 0},
        ]})),
        "/review/hand-matches" => items(json!([{
            "number": 1, "state": "standing", "version": 1, "currency": "EUR", "left_amount": "70.00",
            "right_amount": "69.00", "difference": "1.00", "flip_sign": false, "reason_code": "fee", "comments": 0,
            "waiting": null, "made_at": AT, "left_numbers": [1], "right_numbers": [2], "left": [record("L1")],
            "right": [record("R1")],
        }])),
        "/review/decisions" => items(json!([decision("effective", "u1"), decision("proposed", "u2")])),
        _ => None,
    }
}

fn project() -> Value {
    json!({"id": "one", "name": EVIL, "role": "admin", "created_at": AT})
}

fn record(id: &str) -> Value {
    json!({
        "id": id, "line": 2, "date": "2026-01-30", "amount": "70.00",
        "fields": {"description": format!("{EVIL} {id}"), "reference": "INV-1"},
        "first_seen": {"run": 1, "on": "2026-01-30"},
    })
}

fn reasons() -> Value {
    json!([{"field": "amount", "says": EVIL, "weight": 0.4}, {"field": "date", "says": "late", "weight": -0.1}])
}

fn found() -> Value {
    json!({
        "id": "m_1", "confidence": 0.87, "tier": "suggested", "pass": EVIL, "currency": "EUR",
        "left_amount": "70.00", "right_amount": "69.00", "difference": "1.00", "left": [record("L1")],
        "right": [record("R1")], "reasons": reasons(),
        "open_remainder": {"side": "left", "record_id": EVIL, "amount": "1.00"},
    })
}

fn found_exception() -> Value {
    json!({
        "id": "x_1", "kind": "missing_right", "side": "left", "currency": "EUR", "amount": "70.00",
        "record": record("L1"), "says": EVIL, "candidates_found": 3, "candidates": [
            {"side": "right", "currency": "EUR", "confidence": 0.4, "records": [record("R1")], "reasons": reasons()},
            {"side": "right", "currency": "EUR", "confidence": 0.3, "records": [record("R2"), record("R3")], "reasons": []},
        ],
    })
}

fn reviewed(state: &str) -> Value {
    json!({
        "number": 1, "state": state, "version": 0, "assignee": "u2", "due_on": "2026-01-31", "reason_code": "fee",
        "comments": 2, "waiting": null, "match": found(),
    })
}

fn exception() -> Value {
    json!({
        "number": 1, "state": "open", "version": 0, "assignee": "u1", "due_on": null, "reason_code": null,
        "comments": 0, "waiting": null, "hand_match": 1, "released_from": 1, "exception": found_exception(),
    })
}

fn decision(status: &str, by: &str) -> Value {
    json!({
        "id": "d1", "job_id": "done", "action": "accept", "subject": "match", "status": status, "items": 1,
        "is_bulk": by == "u2", "reason_code": "fee", "comment": EVIL, "undoes": null,
        "decided_by": {"id": by, "name": EVIL}, "decided_at": AT, "request_id": null,
        "judged": {"verdict": "approved", "by": {"id": "u3", "name": EVIL}, "at": AT, "reason": EVIL},
    })
}

fn audit() -> Value {
    json!({
        "number": 7, "at": AT, "action": "review.decide", "subject": {"kind": "decision", "id": EVIL},
        "by": {"user_id": "u1", "name": null, "ip": "192.0.2.1", "request_id": EVIL},
        "account": {"name": EVIL, "email": EVIL}, "before": null, "after": {"x": EVIL},
        "hash": "00ff",
    })
}

fn run_line() -> Value {
    json!({
        "id": "done", "name": "January", "state": "completed", "percent": null, "error": EVIL, "records": 4,
        "matched": 2, "matches": 1, "exceptions": 2, "created_at": AT, "finished_at": LATER,
    })
}

fn chain_run(id: &str, position: i64) -> Value {
    json!({
        "id": id, "name": EVIL, "position": position, "state": "completed", "left_source_id": "a",
        "right_source_id": "b", "created_at": AT, "records": 4, "matched": 2, "exceptions": 2,
    })
}

fn pass() -> Value {
    json!({"name": EVIL, "matches": 1, "left_records": 1, "right_records": 1, "gave_up": 1, "beyond_bound": 1})
}

fn run(state: &str) -> Value {
    let is_done = state == "completed";
    let money = |name: &str| (name.to_owned(), json!("1.00"));
    let mut balance: serde_json::Map<String, Value> = [
        "left_total",
        "right_total",
        "left_matched",
        "right_matched",
        "left_unmatched",
        "right_unmatched",
        "matched_difference",
        "right_flipped",
        "open_remainder_left",
        "open_remainder_right",
        "converted_out",
        "converted_in",
        "converted_difference",
        "difference",
    ]
    .into_iter()
    .map(money)
    .collect();
    balance.extend([
        ("currency".to_owned(), json!("EUR")),
        ("left_count".to_owned(), json!(2)),
        ("right_count".to_owned(), json!(2)),
        ("residual".to_owned(), json!("0.00")),
    ]);
    let summary = json!({
        "left_records": 2, "right_records": 2, "left_matched": 1, "right_matched": 1, "matches": 1, "suggested": 1,
        "exceptions": 2, "left_rejected": 1, "right_rejected": 0, "balance": [balance],
        "exceptions_by_kind": {"missing_right": 1, "missing_left": 1}, "passes": [pass()],
        "open_items": {"carried_in": 1, "resolved": 1, "persisting": 0, "new": 1},
    });
    json!({
        "id": if is_done { "done" } else { "running" }, "name": EVIL, "left_source_id": "a", "right_source_id": "b",
        "continues": "before", "chain_position": 2, "state": state, "attempt": 2, "attempts_max": 5,
        "progress": {"phase": "matching", "percent": 50.0, "rows_done": 2, "rows_total": 4}, "error": null,
        "created_at": AT, "due_at": AT, "cancel_requested_at": null,
        "finished_at": is_done.then_some(LATER), "summary": is_done.then_some(summary),
        "attempts": [attempt()],
    })
}

fn attempt() -> Value {
    json!({
        "attempt": 1, "worker": EVIL, "started_at": AT, "finished_at": LATER, "outcome": "retried", "error": EVIL,
    })
}

fn job_line() -> Value {
    json!({
        "id": "job", "kind": "reconciliation", "state": "dead", "attempt": 5, "attempts_max": 5, "created_at": AT,
        "due_at": AT, "finished_at": LATER, "cancel_requested_at": null, "worker": EVIL, "percent": 12.5,
        "error": EVIL,
    })
}

pub fn job() -> Value {
    json!({
        "id": "job", "kind": "reconciliation", "queue": "reconciliation", "project_id": "one", "batch_id": null,
        "state": "dead", "priority": 5, "attempt": 5, "attempts_max": 5, "args": {"name": EVIL}, "result": null,
        "error": EVIL, "error_fingerprint": "f", "request_id": "r", "trace_id": "t", "worker": EVIL,
        "lease_expires_at": null, "created_at": AT, "due_at": AT, "cancel_requested_at": null, "finished_at": LATER,
        "attempts": [attempt()], "history": [
            {"at": AT, "event": "accepted", "worker": null, "detail": EVIL},
            {"at": LATER, "event": "dead", "worker": EVIL, "detail": null},
        ],
    })
}

fn typed_row() -> Value {
    json!({
        "line": 2, "id": EVIL, "date": "2026-01-30", "amount": "70.00", "currency": "EUR",
        "fields": {"description": EVIL},
    })
}

fn preview() -> Value {
    let guess = |is: &str| json!({"is": is, "confidence": 0.9});
    json!({
        "format": guess("csv"), "encoding": guess("utf-8"), "delimiter": guess(";"), "header_line": guess("1"),
        "decimal_mark": guess(","), "mapping": null, "rows": [typed_row()], "problems": [{"at": "id", "says": EVIL}],
        "columns": [
            {"name": EVIL, "role": "date", "confidence": 0.9, "date_formats": [guess("%d.%m.%Y")],
             "date_order_unclear": true, "examples": [EVIL]},
            {"name": "Amount", "role": "amount", "confidence": 0.9, "date_formats": [],
             "date_order_unclear": false, "examples": ["70,00"]},
        ],
    })
}

fn source() -> Value {
    json!({
        "id": "a", "file_id": "a", "name": EVIL, "created_at": AT,
        "mapping": {"format": "csv", "id": EVIL, "fields": {"description": EVIL}},
    })
}

fn schedule() -> Value {
    json!({
        "id": "nightly", "project_id": "one", "name": EVIL, "kind": "reconciliation",
        "args": {"left_source_id": "a", "right_source_id": "b", "name": EVIL, "left_file_name": EVIL}, "priority": 5, "cron": "30 2 * * *",
        "time_zone": "Europe/Berlin", "missed_runs": "once", "paused": false, "paused_at": null,
        "next_due_at": LATER, "next_due_local": null, "last_due_at": AT, "last_outcome": "fired", "shipped": false,
        "created_by": null, "created_at": AT, "updated_at": AT, "version": 3,
    })
}
