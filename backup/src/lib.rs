//! The backup engine: drives PostgreSQL's own programs, seals what they give, keeps it in several stores at once,
//! and proves that it comes back.
//!
//! Usable from worker jobs and from the command line, without queue or HTTP: a restore must work when all else is
//! gone.
//!
//! [`seal`] is the form in which everything leaves this machine, [`stores`] where it goes, [`retention`] decides what is
//! kept, [`health`] says how well all of it is.

pub mod catalogue;
pub mod engine;
mod envelope;
pub mod error;
pub mod health;
pub mod jobs;
pub mod kinds;
pub mod manifest;
#[cfg(test)]
mod manifest_samples;
pub mod postgres;
pub mod prune;
pub mod records;
pub mod rekey;
pub mod restore;
pub mod retention;
pub mod seal;
pub mod stores;
pub mod verify;
pub mod wal;

pub use engine::{Engine, Protected, Run, Settings};
pub use error::{Error, Result};
pub use manifest::Manifest;
