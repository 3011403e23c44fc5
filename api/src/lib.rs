//! The HTTP API: takes uploads, data sources and reconciliations in, gives states and results out. It does none
//! of the work itself; a submitted reconciliation is a job that some worker runs.
//!
//! Words: a *caller* is whoever holds a valid access token or API key; a *policy* says whom a route is for; a
//! *problem* is an error as the client reads it (RFC 9457), with one *mistake* for each thing that is wrong in
//! the request.
//!
//! Architecture invariants: this is the only crate that knows HTTP. It knows no SQL, holds no whole upload and
//! no whole result in memory, and whatever a stranger asks for looks exactly as if it did not exist.
//!
//! Start reading at [`mod@routes`], the one list of everything that can be asked.

pub mod accounts;
mod admission;
mod analytics;
mod api_keys;
mod audit;
mod auth;
mod backups;
mod cache;
mod caller;
mod circuit;
mod connections;
mod data_sources;
mod document;
mod files;
mod guard;
mod idempotency;
mod invitations;
mod jobs;
mod layers;
mod limits;
mod members;
mod notifications;
mod observe;
mod organisations;
mod page;
mod policy;
mod problem;
mod projects;
mod queues;
mod quota;
mod read;
mod reading;
mod reconciliation;
mod redis_link;
mod request_id;
mod review;
mod routes;
pub mod schedules;
mod server;
mod standings;
mod state;
mod users;
mod vitals;

pub use auth::{PasswordCost, PasswordHasher, SealingKey, SigningKey, SigningKeyError, SigningKeys};
pub use routes::openapi;
pub use server::{ApiError, Parts, run, serve_figures};
pub use vitals::Figures;
