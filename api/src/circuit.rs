//! The circuit breaker of the database: while it is open, requests that need the database are refused at once, instead of
//! each waiting for what does not answer.
//!
//! Only requests are refused: relay, workers and whatever else this process may be have their own patience. That the
//! database is back is learnt from the connection that changes are heard by ([`shared::store::changes`]): it is made
//! anew twice a second, and asked four times a second once it is there.

use crate::policy::Policy;
use crate::problem::{Problem, ProblemKind};
use crate::quota::Class;
use crate::routes::Declared;
use axum::response::Response;
use shared::breaker::{Breaker, BreakerRules};
use shared::store::changes::News;
use std::sync::Arc;
use std::time::Instant;

pub(crate) struct DatabaseCircuit(Breaker);

/// It mostly closes long before its time: seconds.
const COME_AGAIN_S_MAX: u64 = 5;

impl DatabaseCircuit {
    pub fn new() -> Self {
        Self(Breaker::new("database", BreakerRules::default()))
    }

    /// Whether a request may go on; say with [`Self::learn`] what came of it.
    pub fn admit(&self, declared: &Declared) -> Result<(), Problem> {
        if !needs_database(declared) {
            return Ok(());
        }
        self.0.admit(Instant::now()).map_err(|wait| {
            let wait_s = (wait.as_secs() + 1).min(COME_AGAIN_S_MAX);
            Problem::after(ProblemKind::Unavailable, wait_s, "The database is away, and is not asked for now")
        })
    }

    pub fn learn(&self, declared: &Declared, response: &Response) {
        if !needs_database(declared) {
            return;
        }
        let problem = response.extensions().get::<Arc<Problem>>().map(|problem| problem.kind);
        match problem {
            Some(ProblemKind::Unavailable | ProblemKind::TimedOut) => self.0.failed(Instant::now()),
            // Who is refused may have been refused without the database.
            None if response.status().is_success() => self.0.succeeded(),
            _ => {}
        }
    }

    pub fn hear(&self, news: &News) {
        if matches!(news, News::HeardUntil(_)) {
            self.0.probed();
        }
    }
}

/// What anybody may ask without logging in is made of what this process has, but for what begins a session.
fn needs_database(declared: &Declared) -> bool {
    declared.policy != Policy::Open || !matches!(declared.class, Class::Ordinary | Class::Unlimited)
}
