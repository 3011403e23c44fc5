//! Samples of backups and restores.

use crate::samples::{AT, EVIL, LATER, items, job};
use serde_json::{Value, json};

pub fn post(path: &str) -> Option<Value> {
    let policy = json!({"days": 1, "daily": 7, "weekly": 4, "monthly": 12, "yearly": 5});
    Some(match path {
        "/api/backups/retention/plan" => json!({
            "policy": policy, "configured": {"days": 90, "daily": 7, "weekly": 4, "monthly": 12, "yearly": 5},
            "kept": [{"id": "b1", "kind": "full", "taken_at": AT, "sealed_bytes": 9, "reasons": ["last_good", "odd"]}],
            "removed": [{"id": "b2", "kind": "full", "taken_at": AT, "sealed_bytes": 9, "reason": "expired"}],
            "kept_bytes": 9, "removed_bytes": 9,
        }),
        _ => return None,
    })
}

pub fn get(path: &str) -> Option<Value> {
    Some(match path {
        "/api/backups" => return items(json!([backup("committed"), backup("failed"), backup("removed")])),
        "/api/backups/b1" => {
            let mut detail = backup("committed");
            detail["manifest"] = manifest();
            detail["verification"] = json!({
                "objects": 3, "bytes": 9, "lost": [EVIL], "stores": {EVIL: {
                    "whole": 2, "missing": [EVIL], "damaged": [EVIL], "unknown": [EVIL], "healed": 1,
                }},
            });
            detail
        }
        "/api/backups/health" => json!({
            "score": 75, "last_backup_at": AT, "last_verified_at": AT, "backups": 4, "unverified": 1, "last_proven_restore_at": AT,
            "wal_complete_until": AT, "factors": [
                {"name": "recent_backup", "points": 30, "points_max": 30, "says": EVIL},
                {"name": "stores", "points": 5, "points_max": 20, "says": "one of two"},
            ],
            "kinds": [{
                "kind": "full", "last_backup_at": AT, "last_bytes": 1200, "last_s": 3.5, "usual_bytes": 1000.0,
                "failures": 2, "last_error": EVIL, "last_proven_restore_at": AT,
            }],
        }),
        "/api/backups/stores" => json!({"items": [{
            "name": EVIL, "kind": "s3", "is_reachable": false, "share_used": 0.9, "owed_objects": 3, "owed_bytes": 100,
            "objects": 5, "bytes": 1000, "error": EVIL, "checked_at": AT,
        }]}),
        "/api/backups/alerts" => {
            return items(json!([{
                "id": "a1", "kind": "backup_stale", "subject": "", "severity": "critical", "message": EVIL,
                "raised_at": AT, "seen_at": AT, "resolved_at": null, "acknowledged_at": null, "acknowledged_by": null,
            }]));
        }
        "/api/restores" => return items(json!([restore(true), restore(false)])),
        "/api/restores/merge" => restore(true),
        "/api/jobs/merge" => {
            let mut job = job();
            job["args"] = json!({
                "mode": {"mode": "merge", "backup_id": "b1", "tenants": ["one"], "policy": "overwrite"},
                "asked_by": EVIL, "dry_run": true,
            });
            job
        }
        _ => return None,
    })
}

fn backup(state: &str) -> Value {
    json!({
        "id": "b1", "kind": "full", "state": state, "project_id": "one", "group_id": null, "note": EVIL,
        "started_at": AT, "finished_at": LATER, "taken_at": AT, "rows": 10, "plain_bytes": 2000,
        "sealed_bytes": 1000, "counts": true, "error": EVIL, "is_protected": true, "verified_at": AT,
        "is_good": false, "removed_at": null, "copies": [
            {"store": EVIL, "state": "owed", "checked_at": AT}, {"store": "near", "state": "held", "checked_at": AT},
        ],
    })
}

fn manifest() -> Value {
    json!({
        "v": 1, "program_version": "1.0", "cluster": "c", "of": {
            "database": EVIL, "server_version": "15.1", "encoding": "UTF8", "migration": 20,
        },
        "tables": [{"figures": {"schema": "public", "table": EVIL, "rows": 10, "digest": "123"}, "columns": []}],
        "wal": {"timeline": 1, "start_lsn": "0/1", "end_lsn": "0/2", "segment_bytes": 1, "is_included": false},
        "streams": [{"name": EVIL, "plain_bytes": 2000, "sealed_bytes": 1000, "sha256": "00ff", "packs": [{}]}],
    })
}

fn restore(is_dry_run: bool) -> Value {
    json!({
        "id": "merge", "mode": "merge", "is_dry_run": is_dry_run, "state": "succeeded", "backup_id": "b1",
        "target": EVIL, "project_ids": ["one", "other"], "asked_by": EVIL, "started_at": AT, "finished_at": LATER,
        "progress": null, "error": null, "report": {
            "report": {
                "backup": "b1", "target": EVIL, "kept_as": null, "safety_backup": null, "rows": 1, "seconds": 2.5,
                "steps": [{"step": EVIL, "seconds": 1.0}],
                "checks": [{"name": EVIL, "is_ok": false, "detail": EVIL}],
            },
            "is_dry_run": is_dry_run, "safety_backups": ["b2"], "notes": [EVIL],
            "comparisons": [{
                "tenant": "one", "table": EVIL, "missing": 1, "equal": 2, "different": 3, "extra": 4, "changed": 1,
                "conflicts": [{"key": EVIL, "columns": [EVIL], "kept": "live"}], "added": [EVIL], "only_live": [EVIL],
            }],
        },
    })
}
