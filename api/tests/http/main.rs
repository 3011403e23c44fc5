//! The API over HTTP: a real server on a loopback port, a real PostgreSQL with a fresh database for each test.

mod auth;
mod chains;
mod client;
mod data_sources;
mod events;
mod files;
mod flow;
mod outcome;
mod problems;
mod projects;
mod results;
mod server;
mod stopping;
mod strangers;
mod submit;
mod uploads;
mod vitals;
