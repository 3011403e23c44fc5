//! Waiting for the world, with a bound.

use std::time::{Duration, Instant};

/// For everything that takes seconds when the machine is idle.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Looks every 50 ms until there is something to see.
///
/// # Panics
///
/// When there is nothing within [`PATIENCE`]; `what` says in the message what was waited for.
#[track_caller]
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, look)
}

/// As [`until`], with a bound of its own.
#[track_caller]
pub fn within<T>(bound: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(started.elapsed() < bound, "waited {bound:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
