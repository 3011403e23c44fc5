//! Samples of notifications and webhooks.

use crate::samples::{AT, EVIL, LATER, items};
use serde_json::{Value, json};

pub fn get(path: &str) -> Option<Value> {
    Some(match path {
        "/api/notifications" => json!({
            "unread": 1000, "next": "/api/notifications?after=more",
            "items": [notification("critical", Some("/jobs/x")), notification("info", None)],
        }),
        "/api/notifications/settings" => json!({
            "phone": EVIL, "time_zone": EVIL, "quiet_hours": {"from": "22:00", "to": "07:00"}, "digest_at": "08:00",
            "choices": [choice("inbox", true), choice("email", false), choice("sms", true)],
        }),
        "/api/webhooks" => {
            json!({"items": [webhook()], "known_events": ["job.dead", "reconciliation.finished"]})
        }
        "/api/webhooks/w1" => webhook(),
        "/api/webhooks/w1/deliveries" => {
            return items(json!([{
                "id": "d1", "notification_id": "n1", "event": EVIL, "state": "failed", "created_at": AT,
                "finished_at": LATER, "tries": [
                    {"number": 1, "at": AT, "status": null, "duration_ms": 9, "error": EVIL},
                    {"number": 2, "at": LATER, "status": 500, "duration_ms": 1200, "error": null},
                ],
            }]));
        }
        _ => return None,
    })
}

fn notification(severity: &str, link: Option<&str>) -> Value {
    json!({
        "id": "n1", "project_id": "one", "event": "job.dead", "severity": severity, "title": EVIL, "says": EVIL,
        "link": link, "created_at": AT, "read_at": link.is_none().then_some(AT),
    })
}

fn choice(channel: &str, is_default: bool) -> Value {
    json!({
        "event": "job.dead", "severity": "warning", "channel": channel, "mode": "hourly", "is_default": is_default,
        "default_mode": "at_once",
    })
}

fn webhook() -> Value {
    json!({
        "id": "w1", "project_id": "one", "url": EVIL, "description": EVIL, "events": ["job.dead"], "created_at": AT,
        "previous_secret_until": LATER, "failing_since": AT, "disabled_at": AT, "disabled_for": EVIL,
    })
}
