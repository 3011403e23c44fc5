//! What values may be, all keys at once.

use super::{Config, ConfigError, parse_network};

impl Config {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let mut wrong = vec![];
        let mut range = |key: &str, value: u64, min: u64, max: u64| {
            if !(min..=max).contains(&value) {
                wrong.push(format!("{key} is {value}, and must be {min} to {max}"));
            }
        };
        range("database.connections_max", self.database.connections_max.into(), 2, 1000);
        range("database.connections_idle_min", self.database.connections_idle_min.into(), 0, 1000);
        range("database.connection_idle_s", self.database.connection_idle_s, 1, 86_400);
        range("database.connection_lifetime_s", self.database.connection_lifetime_s, 1, 86_400);
        range("database.acquire_timeout_s", self.database.acquire_timeout_s, 1, 300);
        range("http.upload_bytes_max", self.http.upload_bytes_max, 1, i64::MAX as u64);
        range("http.project_files_max", self.http.project_files_max.into(), 1, 1_000_000);
        range("http.request_timeout_s", self.http.request_timeout_s, 1, 600);
        range("http.event_streams_max", self.http.event_streams_max as u64, 1, 100_000);
        range("http.idempotency_key_hours", self.http.idempotency_key_hours, 1, 8760);
        range("auth.session_idle_hours", self.auth.session_idle_hours.into(), 1, 8760);
        range("auth.session_days_max", self.auth.session_days_max.into(), 1, 3650);
        range("auth.lock_after_failures", self.auth.lock_after_failures.into(), 1, 1000);
        range("auth.lock_minutes_max", self.auth.lock_minutes_max.into(), 1, 1440);
        for (key, value) in self.rate_limits.all() {
            range(&format!("rate_limits.{key}"), value.into(), 0, 1_000_000);
        }
        range("auth.access_token_minutes", self.auth.access_token_minutes.max(0) as u64, 1, 1440);
        range("worker.concurrency", self.worker.concurrency as u64, 1, 1000);
        range("worker.lease_s", self.worker.lease_s, 2, 3600);
        range("worker.drain_s", self.worker.drain_s, 0, 3600);
        if let Some(mib) = self.worker.reconciliation_memory_mib {
            range("worker.reconciliation_memory_mib", mib, 128, 16_777_216);
        }
        range("backlog.jobs_max", self.backlog.jobs_max, 1, 1_000_000_000);
        range("backlog.project_jobs_max", self.backlog.project_jobs_max, 1, 1_000_000_000);
        range("backlog.lag_s_max", self.backlog.lag_s_max, 1, 604_800);
        for (kind, settings) in &self.kinds {
            for (key, value, min, max) in settings.ranges() {
                range(&format!("kinds.{kind}.{key}"), value, min, max);
            }
        }
        range("scheduler.relay_window", self.scheduler.relay_window, 1, 100_000);
        range("scheduler.relay_window_min", self.scheduler.relay_window_min, 1, 100_000);
        range("scheduler.age_step_s", self.scheduler.age_step_s, 1, 86_400);
        range("scheduler.lease_expiries_max", self.scheduler.lease_expiries_max.into(), 1, 100);
        range("scheduler.relay_period_ms", self.scheduler.relay_period_ms, 10, 60_000);
        range("scheduler.period_ms", self.scheduler.period_ms, 100, 60_000);
        range("scheduler.ring_again_after_s", self.scheduler.ring_again_after_s, 1, 3600);
        range("scheduler.retention_days", self.scheduler.retention_days, 1, 36_500);
        for kind in self.kinds.keys() {
            if crate::job::JobKind::parse(kind).is_none() {
                wrong.push(format!("kinds.{kind}: is not a job kind"));
            }
        }
        for network in &self.http.trusted_proxies {
            if parse_network(network).is_none() {
                wrong.push(format!("http.trusted_proxies: {network:?} is neither an address nor a network"));
            }
        }
        for queue in &self.worker.queues {
            if crate::job::JobKind::parse(queue).is_none() {
                wrong.push(format!("worker.queues: {queue:?} is not a queue"));
            }
        }
        if crate::queue::QueueName::parse(&self.broker.prefix).is_err() {
            wrong.push(format!("broker.prefix: {:?} is not a queue name", self.broker.prefix));
        }
        self.telemetry.check(&mut wrong);
        self.backup.check(&mut wrong);
        self.notifications.check(&self.mail, &mut wrong);
        self.oidc.check(self.notifications.public_url.as_deref(), &mut wrong);
        if wrong.is_empty() { Ok(()) } else { Err(ConfigError(wrong)) }
    }
}
