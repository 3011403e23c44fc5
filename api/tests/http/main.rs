//! The API over HTTP: a real server on a loopback port, a real PostgreSQL with a fresh database for each test.

mod admission;
mod audit;
mod auth;
mod batches;
mod chains;
mod client;
mod data_sources;
mod events;
mod explain;
mod files;
mod flow;
mod idempotency;
mod jobs;
mod outcome;
mod problems;
mod projects;
mod queues;
mod results;
mod review;
mod schedules;
mod server;
mod stopping;
mod strangers;
mod submit;
mod uploads;
mod vitals;
