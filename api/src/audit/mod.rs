//! The audit log around requests: who asks and from where is known here, what changes where the change is written (see
//! [`shared::store::audit`]).
//!
//! [`watch`] surrounds every request. It puts the caller behind whatever is done, and writes what changes nothing in the
//! database: denied access, logins, exports.

mod actions;
mod checkpoints;
pub(crate) mod list;
mod watch;

pub(crate) use checkpoints::sign_hourly;
pub(crate) use watch::watch;
