//! Failed logins in a row, by address: what slows down guessing. Kept alike for addresses with and without an
//! account, so that nobody can tell them apart by it.

use super::sessions::Digest;
use super::{Store, StoreError};
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;

/// From when on, and for how long, an address is locked.
#[derive(Debug, Clone, Copy)]
pub struct LockOut {
    /// Failures in a row that lock, at least 1.
    pub after: u32,
    /// The first lock; each further failure doubles it.
    pub first: Duration,
    pub longest: Duration,
}

impl Store {
    /// Until when logins of this address are refused, if they are.
    pub async fn login_locked_until(
        &self,
        subject: &Digest,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let until: Option<Option<DateTime<Utc>>> = sqlx::query_scalar(
            "SELECT locked_until FROM login_failures WHERE subject = $1 AND locked_until > $2",
        )
        .bind(subject.as_slice())
        .bind(now)
        .fetch_optional(self.pool())
        .await?;
        Ok(until.flatten())
    }

    /// Counts a failure; says until when the address is locked by it. Failures are forgotten a day after the last.
    pub async fn note_login_failure(
        &self,
        subject: &Digest,
        lock_out: &LockOut,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let mut tx = self.begin().await?;
        let failures: i32 = sqlx::query_scalar(
            "INSERT INTO login_failures (subject, failures, last_at) VALUES ($1, 1, $2)
             ON CONFLICT (subject) DO UPDATE SET last_at = $2,
                 failures = CASE WHEN login_failures.last_at < $2 - interval '1 day' THEN 1
                                 ELSE least(login_failures.failures + 1, 1000000) END
             RETURNING failures",
        )
        .bind(subject.as_slice())
        .bind(now)
        .fetch_one(&mut *tx)
        .await?;
        let locked_until = lock_of(failures.unsigned_abs(), lock_out).map(|lock| now + lock);
        if locked_until.is_some() {
            sqlx::query("UPDATE login_failures SET locked_until = $2 WHERE subject = $1")
                .bind(subject.as_slice())
                .bind(locked_until)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(locked_until)
    }

    /// A login succeeded: the next failure is the first again.
    pub async fn forget_login_failures(&self, subject: &Digest) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM login_failures WHERE subject = $1")
            .bind(subject.as_slice())
            .execute(self.pool())
            .await?;
        Ok(())
    }
}

fn lock_of(failures: u32, lock_out: &LockOut) -> Option<TimeDelta> {
    let further = failures.checked_sub(lock_out.after)?;
    let lock = lock_out.first.saturating_mul(1 << further.min(20)).min(lock_out.longest);
    TimeDelta::from_std(lock).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_double_up_to_the_longest() {
        let minutes = |n: u64| Duration::from_secs(n * 60);
        let lock_out = LockOut { after: 10, first: minutes(1), longest: minutes(15) };
        let lock = |failures| lock_of(failures, &lock_out).map(|lock| lock.num_minutes());
        assert_eq!((lock(1), lock(9)), (None, None));
        assert_eq!([10, 11, 12, 13, 14, 15].map(lock), [1, 2, 4, 8, 15, 15].map(Some));
        assert_eq!(lock(1_000_000), Some(15));
    }
}
