//! Backups from a shell, as an operator has them: a real cluster that archives its WAL through the executable, is
//! lost, and comes back.

mod commands;
mod drill;
mod half_fetched;
mod killed;
mod place;
mod point_in_time;
mod reference;
mod ruin;
mod runbook;
mod s3;
mod timelines;
mod transfers;
