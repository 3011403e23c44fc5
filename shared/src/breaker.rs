//! Circuit breakers: a dependency that fails again and again is left alone for a while, so that nobody waits for it and
//! it has peace to come back.
//!
//! Closed, everything goes through. After some failures in a row it opens: nothing goes through for a while. Then single
//! probes do, one at a time; enough that succeed close it, one that fails opens it again. Whoever asks the dependency
//! beside what it is needed for ([`Breaker::probed`]) can close it before its time.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// When a breaker opens and closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerRules {
    /// Failures in a row that open it.
    pub failures: u32,
    pub open_for: Duration,
    /// Successes in a row that close it.
    pub probes: u32,
}

impl Default for BreakerRules {
    fn default() -> Self {
        Self { failures: 5, open_for: Duration::from_secs(60), probes: 3 }
    }
}

/// One dependency as one process sees it. Its state is `counterfoil_circuit_open{dependency}`.
#[derive(Debug)]
pub struct Breaker {
    dependency: Cow<'static, str>,
    rules: BreakerRules,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed {
        failures: u32,
    },
    Open {
        until: Instant,
    },
    /// `asked_at`: a probe is on its way since then.
    Probing {
        succeeded: u32,
        asked_at: Option<Instant>,
    },
}

impl Breaker {
    pub fn new(dependency: impl Into<Cow<'static, str>>, rules: BreakerRules) -> Self {
        let breaker =
            Self { dependency: dependency.into(), rules, state: Mutex::new(State::Closed { failures: 0 }) };
        breaker.show(false);
        breaker
    }

    fn show(&self, is_open: bool) {
        let dependency = self.dependency.clone().into_owned();
        metrics::gauge!("counterfoil_circuit_open", "dependency" => dependency)
            .set(f64::from(u8::from(is_open)));
    }

    /// Whether to ask now; say afterwards what came of it. `Err`: how long it is left alone still.
    pub fn admit(&self, now: Instant) -> Result<(), Duration> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match *state {
            State::Closed { .. } => Ok(()),
            State::Open { until } if now < until => Err(until - now),
            State::Open { .. } => {
                *state = State::Probing { succeeded: 0, asked_at: Some(now) };
                Ok(())
            }
            // Whoever asked and never said what came of it was cancelled.
            State::Probing { asked_at: Some(at), .. } if now < at + self.rules.open_for => {
                Err(self.rules.open_for - (now - at))
            }
            State::Probing { succeeded, .. } => {
                *state = State::Probing { succeeded, asked_at: Some(now) };
                Ok(())
            }
        }
    }

    pub fn succeeded(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = match *state {
            State::Closed { .. } => State::Closed { failures: 0 },
            State::Probing { succeeded, .. } if succeeded + 1 < self.rules.probes => {
                State::Probing { succeeded: succeeded + 1, asked_at: None }
            }
            State::Probing { .. } => self.close(),
            // An answer to what was asked before it opened: late, and no probe.
            open @ State::Open { .. } => open,
        };
    }

    /// A question that was asked only to learn how the dependency is has been answered well: as a probe, though it may be
    /// open still.
    pub fn probed(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = match *state {
            State::Closed { .. } => State::Closed { failures: 0 },
            State::Open { .. } if self.rules.probes > 1 => State::Probing { succeeded: 1, asked_at: None },
            State::Probing { succeeded, asked_at } if succeeded + 1 < self.rules.probes => {
                State::Probing { succeeded: succeeded + 1, asked_at }
            }
            State::Open { .. } | State::Probing { .. } => self.close(),
        };
    }

    /// The same of a question that says something about an open one only: while it is closed, what fails is another matter.
    pub fn probed_if_open(&self) {
        let is_closed =
            matches!(*self.state.lock().unwrap_or_else(PoisonError::into_inner), State::Closed { .. });
        if !is_closed {
            self.probed();
        }
    }

    fn close(&self) -> State {
        tracing::info!(dependency = %self.dependency, "a circuit is closed again");
        self.show(false);
        State::Closed { failures: 0 }
    }

    pub fn failed(&self, now: Instant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let failures = match *state {
            State::Closed { failures } => failures + 1,
            State::Probing { .. } => self.rules.failures,
            State::Open { .. } => return,
        };
        if failures < self.rules.failures {
            *state = State::Closed { failures };
            return;
        }
        if matches!(*state, State::Closed { .. }) {
            tracing::warn!(dependency = %self.dependency, failures, "a circuit is open");
        }
        self.show(true);
        *state = State::Open { until: now + self.rules.open_for };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn opened(at: Instant) -> Breaker {
        let breaker = Breaker::new("redis", BreakerRules::default());
        for _ in 0..5 {
            breaker.admit(at).unwrap();
            breaker.failed(at);
        }
        breaker
    }

    #[test]
    fn five_failures_in_a_row_open_it_for_a_minute() {
        let (breaker, now) = (Breaker::new("redis", BreakerRules::default()), Instant::now());
        for _ in 0..4 {
            breaker.failed(now);
        }
        breaker.succeeded();
        for _ in 0..4 {
            breaker.failed(now);
            assert_eq!(breaker.admit(now), Ok(()));
        }
        breaker.failed(now);
        assert_eq!(breaker.admit(now), Err(60 * S));
        assert_eq!(breaker.admit(now + 59 * S), Err(S));
        // Those that were on their way change nothing any more.
        breaker.failed(now + 30 * S);
        breaker.succeeded();
        assert_eq!(breaker.admit(now + 59 * S), Err(S));
    }

    #[test]
    fn three_probes_one_at_a_time_close_it() {
        let now = Instant::now();
        let breaker = opened(now);
        let later = now + 60 * S;
        for _ in 0..3 {
            assert_eq!(breaker.admit(later), Ok(()));
            assert!(breaker.admit(later).is_err(), "one at a time");
            breaker.succeeded();
        }
        assert_eq!((breaker.admit(later), breaker.admit(later)), (Ok(()), Ok(())));
        breaker.failed(later);
        assert_eq!(breaker.admit(later), Ok(()), "counts anew");
    }

    #[test]
    fn what_says_nothing_while_it_is_closed_closes_an_open_one_all_the_same() {
        let (breaker, now) = (Breaker::new("broker", BreakerRules::default()), Instant::now());
        for _ in 0..5 {
            breaker.probed_if_open();
            breaker.failed(now);
        }
        assert_eq!(breaker.admit(now), Err(60 * S), "failures were counted on");
        for _ in 0..3 {
            breaker.probed_if_open();
        }
        assert_eq!((breaker.admit(now), breaker.admit(now)), (Ok(()), Ok(())));
    }

    #[test]
    fn whoever_asks_beside_it_closes_it_before_its_time() {
        let now = Instant::now();
        let breaker = opened(now);
        breaker.probed();
        breaker.probed();
        breaker.failed(now);
        assert_eq!(breaker.admit(now), Err(60 * S), "a failure begins anew");
        for _ in 0..3 {
            breaker.probed();
        }
        assert_eq!((breaker.admit(now), breaker.admit(now)), (Ok(()), Ok(())));
        for _ in 0..4 {
            breaker.failed(now);
        }
        breaker.probed();
        breaker.failed(now);
        assert_eq!(breaker.admit(now), Ok(()), "closed, it counts anew");
    }

    #[test]
    fn a_probe_that_fails_opens_it_again_and_one_that_is_lost_is_made_up_for() {
        let now = Instant::now();
        let breaker = opened(now);
        breaker.admit(now + 60 * S).unwrap();
        breaker.failed(now + 61 * S);
        assert_eq!(breaker.admit(now + 62 * S), Err(59 * S));
        breaker.admit(now + 121 * S).unwrap();
        assert_eq!(breaker.admit(now + 122 * S), Err(59 * S));
        assert_eq!(breaker.admit(now + 181 * S), Ok(()));
    }
}
