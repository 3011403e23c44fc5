//! Backups and restores of real databases by PostgreSQL's own programs, into stores on disk.

mod catalogue;
mod full;
mod merge;
mod place;
mod rekey;
mod tenant;
mod wal;
