//! `/api/jobs`: jobs of any kind as their owners and operators see them; `/api/batches`: jobs accepted together;
//! `/api/dead-letters`: messages that nobody could read or keep; `/api/workers`: who runs jobs.
//!
//! Architecture invariant: nothing in here knows what a job does. What a kind of job takes and answers has routes of
//! its own, as reconciliations have.

pub(crate) mod act;
pub(crate) mod batches;
pub(crate) mod bulk;
pub(crate) mod counts;
pub(crate) mod dead_groups;
pub(crate) mod dead_letters;
pub(crate) mod explain;
pub(crate) mod filter;
pub(crate) mod list;
pub(crate) mod show;
pub(crate) mod workers;

pub(crate) use filter::{escaped, moment};
