//! Real services for the tests of every crate: a fresh database for each test, a broker that may be broken.
//!
//! `sh ops/test.sh` starts the servers and says where they are by `COUNTERFOIL_TEST_…` variables. Without
//! them these types panic with that command in the message: a test that cannot run must not look passed.

mod http_receiver;
mod otlp_receiver;
mod ports;
mod postgres;
mod postgres_server;
mod rabbitmq;
mod smtp_receiver;
pub mod tcp_proxy;
mod tls;

pub use http_receiver::{HttpReceiver, ReceivedRequest};
pub use otlp_receiver::{OtlpReceiver, ReceivedSpan, read_spans};
pub use ports::free_ports;
pub use postgres::TestDatabase;
pub use postgres_server::PrivatePostgres;
pub use rabbitmq::PrivateRabbitMq;
pub use smtp_receiver::{ReceivedMail, SmtpReceiver, SmtpSecurity};
pub use tls::TestCertificate;

use std::path::PathBuf;

/// A new empty folder below the folder of this test run, which goes with the run.
///
/// `name` is for the person who looks at what a failed run left; it need not be unique.
pub fn test_dir(name: &str) -> PathBuf {
    let dir = PathBuf::from(required(DIR)).join(format!("{name}-{}", uuid::Uuid::new_v4().simple()));
    std::fs::create_dir_all(&dir).unwrap_or_else(|error| panic!("creating {}: {error}", dir.display()));
    dir
}

/// The broker that all tests of a run share. Use queue names of your own, and do not break it.
pub fn amqp_url() -> String {
    required(AMQP_URL)
}

pub fn redis_url() -> String {
    required(REDIS_URL)
}

/// Prometheus and Alertmanager with the tools that check what they read.
#[derive(Debug, Clone, Copy)]
pub enum Program {
    Prometheus,
    Promtool,
    Alertmanager,
    Amtool,
}

impl Program {
    /// Where it is.
    pub fn path(self) -> String {
        required(match self {
            Self::Prometheus => "COUNTERFOIL_TEST_PROMETHEUS",
            Self::Promtool => "COUNTERFOIL_TEST_PROMTOOL",
            Self::Alertmanager => "COUNTERFOIL_TEST_ALERTMANAGER",
            Self::Amtool => "COUNTERFOIL_TEST_AMTOOL",
        })
    }
}

const DIR: &str = "COUNTERFOIL_TEST_DIR";
const DATABASE_URL: &str = "COUNTERFOIL_TEST_DATABASE_URL";
const AMQP_URL: &str = "COUNTERFOIL_TEST_AMQP_URL";
const REDIS_URL: &str = "COUNTERFOIL_TEST_REDIS_URL";
const POSTGRESQL_BINDIR: &str = "COUNTERFOIL_TEST_POSTGRESQL_BINDIR";
const RABBITMQ_SERVER: &str = "COUNTERFOIL_TEST_RABBITMQ_SERVER";
const RABBITMQ_CTL: &str = "COUNTERFOIL_TEST_RABBITMQ_CTL";
const RABBITMQ_EPMD: &str = "COUNTERFOIL_TEST_RABBITMQ_EPMD";

fn required(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!(
            "{variable} is not set: run the tests with `sh ops/test.sh`, which starts the services they need"
        )
    })
}
