//! Counterfoil as its operators and users meet it: the executable in separate processes, PostgreSQL, RabbitMQ and
//! HTTP, with nothing replaced. `sh ops/test.sh -p counterfoil --test e2e` starts the services and runs this.
//!
//! [`deployment`] and [`process`] start and break things, [`client`] and [`project`] are a user, [`pair`] knows
//! what the sample files add up to, [`database`] looks behind the API. The tests are in the other modules.

mod client;
mod crowd;
mod database;
mod deployment;
mod examples;
mod findings;
mod pair;
mod process;
mod project;
mod wait;

mod administration;
mod bad_input;
mod bank_against_ledger;
mod broker_trouble;
mod cancelling;
mod card_settlement;
mod chaos;
mod contract;
mod explaining;
mod jobs;
mod large_pair;
mod many_jobs;
mod notifications;
mod observability;
mod progress;
mod schedules;
mod secrets;
mod tls;
mod traces;
mod up;
mod worker_trouble;
