//! Getting it back: planned by pure functions, shown, then performed; and proved.
//!
//! Nothing that is live is touched before what replaces it was fetched, opened, loaded beside it and found to be what
//! the manifest says. [`full`] replaces a database, [`merge`] brings rows back into one that runs, [`point_in_time`]
//! makes a cluster as it was at a moment, and [`drill`] does everything but the last step, to know that it works.
//!
//! A restore may be killed at any moment. The same one again goes on with what is whole (fetched objects, a fetched dump,
//! a loaded database, a fetched cluster), makes anew what is half, and says so when it was done already.

mod cluster_dir;
pub mod drill;
mod fetching;
pub mod full;
pub mod merge;
pub mod plan;
pub mod point_in_time;
mod proof;
mod report;
mod staged;
mod staging;

pub use cluster_dir::{Stage, Unfinished, unfinished};
pub use plan::{Facts, Plan, Step};
pub use proof::{Check, prove};
pub use report::{Report, StepTime};

/// How long what a killed restore has left is of use; see `RESUMABLE_FOR`.
const TAKEN_UP_WITHIN: &str = "within a day";
