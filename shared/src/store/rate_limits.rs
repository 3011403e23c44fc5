//! Rate limits that several API processes share where there is no Redis: one row per subject, by GCRA.

use super::{Store, StoreError};
use std::time::Duration;

impl Store {
    /// Asks for one more of `quota` per `window` on behalf of `subject`. Answers how long it takes until all that was
    /// asked for is paid off: up to `window` it is granted and counted, beyond it is refused and not counted.
    pub async fn take_from_limit(
        &self,
        subject: &str,
        quota: u32,
        window: Duration,
    ) -> Result<Duration, StoreError> {
        let window_s = window.as_secs_f64();
        // The row's lock orders those who ask at once. A refused one leaves the row as it is.
        let paid_off_in_s: Option<f64> = sqlx::query_scalar(
            "WITH asked AS (
                 INSERT INTO rate_limits AS r (subject, paid_off_at)
                 VALUES ($1, clock_timestamp() + $2 * interval '1 second')
                 ON CONFLICT (subject) DO UPDATE
                     SET paid_off_at = greatest(r.paid_off_at, clock_timestamp()) + $2 * interval '1 second'
                     WHERE greatest(r.paid_off_at, clock_timestamp()) + $2 * interval '1 second'
                           <= clock_timestamp() + ($3 + 0.0005) * interval '1 second'
                 RETURNING paid_off_at
             )
             SELECT extract(epoch FROM coalesce(
                 (SELECT paid_off_at FROM asked),
                 (SELECT paid_off_at + $2 * interval '1 second' FROM rate_limits WHERE subject = $1)
             ) - clock_timestamp())::float8",
        )
        .bind(subject)
        .bind(window_s / f64::from(quota.max(1)))
        .bind(window_s)
        .fetch_one(self.pool())
        .await?;
        // Null when the row has come while we asked, and is full: then it is refused, too.
        let full = window_s + window_s / f64::from(quota.max(1));
        Ok(Duration::from_secs_f64(paid_off_in_s.unwrap_or(full).max(0.0)))
    }
}
