//! The time, as a small value that tests can turn.
//!
//! Leases and due times are compared with the database's `now()`, the one clock all processes share; this one
//! is for what never meets another process: token lifetimes, backoff, elapsed times.

use chrono::{DateTime, TimeDelta, Utc};
use std::sync::{Arc, Mutex};

#[derive(Clone, Debug)]
pub struct Clock(Option<Arc<Mutex<DateTime<Utc>>>>);

impl Clock {
    pub fn system() -> Self {
        Clock(None)
    }

    /// Stands still until [`Self::advance`].
    pub fn manual(now: DateTime<Utc>) -> Self {
        Clock(Some(Arc::new(Mutex::new(now))))
    }

    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            None => Utc::now(),
            Some(now) => *now.lock().unwrap_or_else(|e| e.into_inner()),
        }
    }

    /// What a manual clock shows. `None` on the system clock: for what several processes decide, the database's
    /// `now()` is the time then.
    pub fn manual_now(&self) -> Option<DateTime<Utc>> {
        self.0.is_some().then(|| self.now())
    }

    /// Moves a manual clock (backwards too); the system clock is left alone.
    pub fn advance(&self, by: TimeDelta) {
        if let Some(now) = &self.0 {
            *now.lock().unwrap_or_else(|e| e.into_inner()) += by;
        }
    }
}
