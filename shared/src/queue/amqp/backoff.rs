//! How long to wait before the next attempt to reach the broker.

use std::time::Duration;

/// Doubles from 100 ms to 5 s; a session that lived for 30 s starts it over.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(100);
    /// Jobs wait this long after an outage, however long it was.
    const MAX: Duration = Duration::from_secs(5);
    /// A broker that accepts us and throws us out at once is not healthy.
    const HEALTHY_AFTER: Duration = Duration::from_secs(30);

    pub(super) fn new() -> Self {
        Self { next: Self::FIRST }
    }

    /// The wait after a session that lasted `lasted`. `random` in [0, 1) takes up to half of it away, so that the
    /// workers a restart threw out together do not come back together.
    pub(super) fn after_session(&mut self, lasted: Duration, random: f64) -> Duration {
        if lasted >= Self::HEALTHY_AFTER {
            self.next = Self::FIRST;
        }
        let wait = self.next;
        self.next = (wait * 2).min(Self::MAX);
        wait.mul_f64(1.0 - random / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_five_seconds_and_start_over_after_a_healthy_session() {
        let mut backoff = Backoff::new();
        let mut wait_ms = |lasted_s| backoff.after_session(Duration::from_secs(lasted_s), 0.0).as_millis();
        let waits: Vec<_> = (0..9).map(|_| wait_ms(1)).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
        assert_eq!(wait_ms(29), 5000);
        assert_eq!(wait_ms(30), 100);
        assert_eq!(wait_ms(0), 200);
    }

    #[test]
    fn jitter_takes_at_most_half() {
        let wait = Backoff::new().after_session(Duration::ZERO, 0.999);
        assert!(wait >= Duration::from_millis(50) && wait < Duration::from_millis(51));
    }
}
