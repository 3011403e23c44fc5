//! What each route that changes something is called in the audit log, `noun.verb`. Names are stable: people filter by
//! them.

use axum::http::Method;

/// Method, path and name. A test holds every changing route of the document against this list.
pub(super) const CHANGES: &[(&str, &str, &str)] = &[
    ("POST", "/api/auth/register", "account.register"),
    ("POST", "/api/auth/login", "account.log_in"),
    ("POST", "/api/auth/provider/finish", "account.log_in_by_provider"),
    ("POST", "/api/auth/logout", "session.end"),
    ("DELETE", "/api/auth/sessions/{id}", "session.end"),
    ("DELETE", "/api/auth/sessions", "session.end_others"),
    ("POST", "/api/auth/password", "account.change_password"),
    ("POST", "/api/auth/password-reset", "account.reset_password"),
    ("POST", "/api/auth/second-factor/confirm", "second_factor.confirm"),
    ("POST", "/api/auth/second-factor/remove", "second_factor.remove"),
    ("POST", "/api/auth/invitations/accept", "invitation.accept"),
    ("POST", "/api/users/{id}/disable", "user.disable"),
    ("POST", "/api/users/{id}/enable", "user.enable"),
    ("POST", "/api/users/{id}/require-password-change", "user.require_password_change"),
    ("POST", "/api/users/{id}/password-reset", "user.offer_password_reset"),
    ("POST", "/api/organisations", "organisation.found"),
    ("PUT", "/api/projects/{id}/members/{user_id}", "member.change"),
    ("DELETE", "/api/projects/{id}/members/{user_id}", "member.remove"),
    ("POST", "/api/projects/{id}/invitations", "invitation.create"),
    ("DELETE", "/api/projects/{id}/invitations/{invitation_id}", "invitation.withdraw"),
    ("POST", "/api/projects/{id}/api-keys", "api_key.create"),
    ("DELETE", "/api/projects/{id}/api-keys/{key_id}", "api_key.revoke"),
    ("POST", "/api/projects", "project.create"),
    ("POST", "/api/files/upload", "file.upload"),
    ("DELETE", "/api/files/{id}", "file.delete"),
    ("POST", "/api/data-sources", "data_source.create"),
    ("POST", "/api/reconciliation/jobs", "reconciliation.submit"),
    ("DELETE", "/api/reconciliation/jobs/{id}", "reconciliation.delete"),
    ("POST", "/api/reconciliation/jobs/{id}/cancel", "reconciliation.cancel"),
    ("POST", "/api/reconciliation/jobs/{id}/review/decisions", "review.decide"),
    ("POST", "/api/reconciliation/jobs/{id}/review/decisions/{decision}/verdict", "review.judge"),
    ("POST", "/api/reconciliation/jobs/{id}/review/bulk", "review.decide_in_bulk"),
    ("PUT", "/api/projects/{id}/review/reasons/{code}", "review.set_reason"),
    ("PUT", "/api/projects/{id}/review/limits/{currency}", "review.set_limit"),
    ("DELETE", "/api/projects/{id}/review/limits/{currency}", "review.remove_limit"),
    ("POST", "/api/batches", "batch.submit"),
    ("POST", "/api/batches/{id}/cancel", "batch.cancel"),
    ("POST", "/api/jobs/bulk", "job.act_in_bulk"),
    ("POST", "/api/jobs/{id}/cancel", "job.cancel"),
    ("POST", "/api/jobs/{id}/redrive", "job.redrive"),
    ("POST", "/api/jobs/{id}/retry-now", "job.retry_now"),
    ("POST", "/api/dead-letters/redrive", "dead_letters.redrive"),
    ("POST", "/api/dead-letters/purge", "dead_letters.purge"),
    ("POST", "/api/schedules", "schedule.create"),
    ("POST", "/api/projects/{id}/schedules", "schedule.create"),
    ("PATCH", "/api/schedules/{id}", "schedule.change"),
    ("DELETE", "/api/schedules/{id}", "schedule.remove"),
    ("POST", "/api/schedules/{id}/pause", "schedule.pause"),
    ("POST", "/api/schedules/{id}/resume", "schedule.resume"),
    ("POST", "/api/schedules/{id}/run", "schedule.run"),
    ("POST", "/api/notifications/test", "notification.test"),
    ("PUT", "/api/notifications/settings", "notification_settings.set"),
    ("POST", "/api/alerts/{id}/acknowledge", "alert.acknowledge"),
    ("POST", "/api/alerts/{id}/resolve", "alert.resolve"),
    ("DELETE", "/api/mail-bounces/{address}", "mail_bounce.clear"),
    ("POST", "/api/webhooks", "webhook.add"),
    ("POST", "/api/projects/{id}/webhooks", "webhook.add"),
    ("PATCH", "/api/webhooks/{id}", "webhook.change"),
    ("DELETE", "/api/webhooks/{id}", "webhook.remove"),
    ("POST", "/api/webhooks/{id}/secret", "webhook.change_secret"),
    ("POST", "/api/webhooks/{id}/enable", "webhook.enable"),
    ("POST", "/api/webhooks/{id}/test", "webhook.test"),
    ("POST", "/api/webhooks/{id}/resend", "webhook.resend"),
    ("POST", "/api/queues/{queue}/pause", "queue.pause"),
    ("POST", "/api/queues/{queue}/resume", "queue.resume"),
    ("POST", "/api/workers/{name}/drain", "worker.drain"),
    ("POST", "/api/workers/{name}/resume", "worker.resume"),
    ("POST", "/api/backups", "backup.create"),
    ("POST", "/api/backups/{id}/verify", "backup.verify"),
    ("PUT", "/api/backups/{id}/protection", "backup.protect"),
    ("POST", "/api/backups/alerts/{id}/acknowledge", "backup_alert.acknowledge"),
    ("POST", "/api/restores", "restore.create"),
    ("PUT", "/api/limits/{scope}/{name}", "limit.set"),
    ("DELETE", "/api/limits/{scope}/{name}", "limit.remove"),
];

/// Questions that need a body, and what only keeps a session going or offers something.
pub(super) const ASKS_ONLY: &[(&str, &str)] = &[
    ("POST", "/api/auth/refresh"),
    ("POST", "/api/auth/provider/start"),
    ("POST", "/api/auth/second-factor"),
    ("POST", "/api/files/{id}/dry-run"),
    // What somebody has read is nobody else's business.
    ("POST", "/api/notifications/read"),
    ("POST", "/api/reconciliation/sample"),
    ("POST", "/api/reconciliation/jobs/{id}/review/bulk/preview"),
    ("POST", "/api/backups/retention/plan"),
];

/// Changes of what is not in the database: written once they are done.
pub(super) const ELSEWHERE: &[&str] = &["/api/dead-letters/redrive", "/api/dead-letters/purge"];

/// What a request may change, by its method and route; `None`: nothing.
pub(super) fn name_of(method: &Method, route: &str) -> Option<String> {
    if method.is_safe() || ASKS_ONLY.contains(&(method.as_str(), route)) {
        return None;
    }
    let known = CHANGES.iter().find(|(m, r, _)| *m == method.as_str() && *r == route);
    Some(known.map_or_else(|| format!("{method} {route}"), |(.., name)| (*name).to_owned()))
}

/// Whether an answer takes whole results or files out of the system.
pub(super) fn is_export(route: &str) -> bool {
    route.ends_with(".csv")
        || route.ends_with(".jsonl")
        || route.ends_with(".xlsx")
        || route.ends_with("/download")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_changing_route_has_a_name() {
        let document = serde_json::to_value(crate::openapi()).unwrap();
        let mut routes = vec![];
        for (path, item) in document["paths"].as_object().unwrap() {
            for method in item.as_object().unwrap().keys().map(|method| method.to_uppercase()) {
                routes.push((method, path.clone()));
            }
        }
        for (method, path) in &routes {
            let named = CHANGES.iter().any(|(m, p, _)| (*m, *p) == (method.as_str(), path.as_str()));
            let asks = method == "GET" || ASKS_ONLY.contains(&(method.as_str(), path.as_str()));
            assert!(named != asks, "{method} {path}: name it in CHANGES or in ASKS_ONLY");
        }
        for (method, path, _) in CHANGES {
            assert!(routes.contains(&((*method).into(), (*path).into())), "{method} {path} is gone");
        }
    }
}
