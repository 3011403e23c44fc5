//! What two processes must agree on: ids, the clock, jobs and their states, schedules, the store, the queue, the object
//! store, configuration and telemetry.
//!
//! Architecture invariants: only [`store`] knows SQL, only [`queue`] knows AMQP, and of HTTP nothing here
//! knows more than how to ask other systems ([`outgoing`]).

pub mod breaker;
mod chain;
pub mod clock;
pub mod config;
pub mod explain;
pub mod ids;
pub mod job;
pub mod limits;
pub mod notification;
pub mod objects;
pub mod outgoing;
pub mod policy;
pub mod postgres_programs;
pub mod queue;
pub mod schedule;
pub mod sealing;
pub mod secrets;
pub mod store;
pub mod telemetry;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use chain::chain;
