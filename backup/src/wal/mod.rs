//! The archive of WAL: every file that PostgreSQL hands over, sealed, in all stores, and back again.
//!
//! Files are written once. A file that comes again is compared with what is there: the same is a success (PostgreSQL
//! hands a file over again when it did not hear the answer), another is refused, for two clusters that write into one
//! archive must not mix. Architecture invariant: nothing here asks the database, so that archiving goes on and
//! recovery works while it is down.

mod archive;
mod coverage;
mod file;
mod keys;
mod look;
mod missing;

pub use archive::{Fetched, PrunedWal, Pushed, fetch, prune, push};
pub(crate) use archive::{head, whole};
pub use coverage::{Coverage, History, Run as WalRun, coverage_of, read_coverage};
pub use file::{Lsn, WalFile, WalNameError};
pub(crate) use keys::{KeyOf, KeyTable, group, tables};
pub use look::{Missing, look_for_missing};
pub use missing::missing;
