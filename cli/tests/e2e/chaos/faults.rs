//! What can go wrong, and how it is made to.

use super::clock;
use super::place::{Place, Role};
use chrono::{DateTime, Utc};
use rand::RngExt;
use rand::rngs::SmallRng;
use shared::testing::tcp_proxy::{TcpProxy, Weather};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Kill(Role),
    /// For longer than a lease, then it goes on as if nothing had been.
    Freeze(Role),
    /// SIGTERM, as in a rolling restart.
    Restart(Role),
    /// The wall clock of one process is an hour off, and then right again.
    ClockJump(Role),
    BrokerKilled,
    BrokerRestarted,
    BrokerWiped,
    BrokerConnectionsClosed,
    QueuePurged,
    BrokerCut,
    BrokerSlow,
    BrokerHangs,
    BrokerAway,
    DatabaseKilled,
    DatabaseRestarted,
    SessionsTerminated,
    DatabaseCut,
    DatabaseSlow,
    DatabaseHangs,
    ConnectionsExhausted,
    /// No table can grow any more.
    DatabaseDiskFull,
}

/// A fault that was.
#[derive(Debug, Clone)]
pub struct Struck {
    pub fault: Fault,
    pub began_at: DateTime<Utc>,
    /// When everything was in order again, seen from outside.
    pub ended_at: DateTime<Utc>,
    /// The process it was about.
    pub pid: Option<i32>,
}

impl Fault {
    pub const ALL: [Fault; 29] = [
        Fault::Kill(Role::Worker),
        Fault::DatabaseCut,
        Fault::Freeze(Role::Worker),
        Fault::BrokerConnectionsClosed,
        Fault::Kill(Role::Api),
        Fault::SessionsTerminated,
        Fault::Restart(Role::Worker),
        Fault::ClockJump(Role::Worker),
        Fault::BrokerKilled,
        Fault::Kill(Role::Scheduler),
        Fault::DatabaseSlow,
        Fault::Freeze(Role::Api),
        Fault::QueuePurged,
        Fault::DatabaseDiskFull,
        Fault::DatabaseKilled,
        Fault::Restart(Role::Api),
        Fault::ClockJump(Role::Scheduler),
        Fault::BrokerCut,
        Fault::Freeze(Role::Scheduler),
        Fault::DatabaseHangs,
        Fault::BrokerSlow,
        Fault::ConnectionsExhausted,
        Fault::ClockJump(Role::Api),
        Fault::BrokerWiped,
        Fault::Restart(Role::Scheduler),
        Fault::BrokerHangs,
        Fault::DatabaseRestarted,
        Fault::BrokerRestarted,
        Fault::BrokerAway,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Fault::Kill(Role::Api) => "API: kill -9",
            Fault::Kill(Role::Worker) => "worker: kill -9",
            Fault::Kill(Role::Scheduler) => "scheduler: kill -9",
            Fault::Freeze(Role::Api) => "API: frozen, then thawed",
            Fault::Freeze(Role::Worker) => "worker: frozen longer than its lease, then thawed",
            Fault::Freeze(Role::Scheduler) => "scheduler: frozen, then thawed",
            Fault::Restart(Role::Api) => "API: restarted in order",
            Fault::Restart(Role::Worker) => "worker: restarted in order",
            Fault::Restart(Role::Scheduler) => "scheduler: restarted in order",
            Fault::ClockJump(Role::Api) => "API: clock an hour off, then right",
            Fault::ClockJump(Role::Worker) => "worker: clock an hour off, then right",
            Fault::ClockJump(Role::Scheduler) => "scheduler: clock an hour off, then right",
            Fault::BrokerKilled => "RabbitMQ: kill -9",
            Fault::BrokerRestarted => "RabbitMQ: restarted in order",
            Fault::BrokerWiped => "RabbitMQ: disk wiped",
            Fault::BrokerConnectionsClosed => "RabbitMQ: all connections closed by the server",
            Fault::QueuePurged => "RabbitMQ: queue purged",
            Fault::BrokerCut => "RabbitMQ: connections cut on the way",
            Fault::BrokerSlow => "RabbitMQ: slow connections",
            Fault::BrokerHangs => "RabbitMQ: half-open connections",
            Fault::BrokerAway => "RabbitMQ: unreachable for a while",
            Fault::DatabaseKilled => "PostgreSQL: kill -9",
            Fault::DatabaseRestarted => "PostgreSQL: restarted in order",
            Fault::SessionsTerminated => "PostgreSQL: sessions terminated",
            Fault::DatabaseCut => "PostgreSQL: connections cut on the way",
            Fault::DatabaseSlow => "PostgreSQL: slow connections",
            Fault::DatabaseHangs => "PostgreSQL: half-open connections",
            Fault::ConnectionsExhausted => "PostgreSQL: no connection left",
            Fault::DatabaseDiskFull => "PostgreSQL: disk of the tables full",
        }
    }

    /// Whether this machine lets it happen; what does not was said when the place was made.
    pub fn is_possible(self, place: &Place) -> bool {
        match self {
            Fault::ClockJump(_) => place.has_clocks(),
            Fault::DatabaseDiskFull => place.disk.is_some(),
            _ => true,
        }
    }

    /// Makes it happen for about `moment` and puts everything in order again.
    pub fn strike(self, place: &mut Place, moment: Duration, dice: &mut SmallRng) -> Struck {
        let (began_at, lease) = (Utc::now(), place.lease);
        let mut pid = None;
        match self {
            Fault::Kill(role) | Fault::Freeze(role) | Fault::Restart(role) => {
                let member = dice.random_range(0..place.crew(role).len());
                let process = place.crew(role).member(member);
                pid = Some(process.pid());
                match self {
                    Fault::Kill(_) => process.kill_9(),
                    Fault::Freeze(_) => {
                        process.signal(libc::SIGSTOP);
                        std::thread::sleep(lease + moment);
                        process.signal(libc::SIGCONT);
                    }
                    _ => assert!(process.stop(libc::SIGTERM).success(), "an orderly end"),
                }
                if !matches!(self, Fault::Freeze(_)) {
                    place.start_again(role, member);
                }
            }
            Fault::ClockJump(role) => {
                let member = dice.random_range(0..place.crew(role).len());
                pid = Some(place.crew(role).member(member).pid());
                let environment = place.crew(role).environment_of(member);
                clock::jump(environment, if dice.random() { 3600 } else { -3600 });
                std::thread::sleep(moment);
                clock::jump(environment, 0);
            }
            Fault::DatabaseDiskFull => {
                let disk = place.disk.as_ref().expect("looked at before");
                disk.fill(&place.database_log(), moment);
            }
            Fault::BrokerKilled | Fault::BrokerRestarted | Fault::BrokerWiped => {
                let Place { runtime, broker, .. } = place;
                match self {
                    Fault::BrokerRestarted => runtime.block_on(broker.stop()),
                    _ => broker.kill_9(),
                }
                if self == Fault::BrokerWiped {
                    broker.wipe();
                }
                runtime.block_on(broker.restart());
            }
            Fault::BrokerConnectionsClosed => place.runtime.block_on(place.broker.close_all_connections()),
            Fault::QueuePurged => {
                let queue = format!("{}.reconciliation", place.prefix);
                place.runtime.block_on(place.broker.ctl(&["purge_queue", &queue]));
            }
            Fault::BrokerCut => place.to_broker.cut(),
            Fault::BrokerSlow => under(&place.to_broker, Weather::Slow, moment),
            Fault::BrokerHangs => under(&place.to_broker, Weather::Swallowing, moment),
            Fault::BrokerAway => {
                place.to_broker.set_weather(Weather::Refusing);
                under(&place.to_broker, Weather::Refusing, moment);
            }
            Fault::DatabaseKilled => {
                place.database.kill_9();
                place.database.start_again();
            }
            Fault::DatabaseRestarted => {
                place.database.stop();
                place.database.start_again();
            }
            Fault::SessionsTerminated => {
                place.run_sql(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()
                    AND backend_type = 'client backend'",
                );
            }
            Fault::DatabaseCut => place.to_database.cut(),
            Fault::DatabaseSlow => under(&place.to_database, Weather::Slow, moment),
            Fault::DatabaseHangs => under(&place.to_database, Weather::Swallowing, moment),
            Fault::ConnectionsExhausted => place.take_all_connections(moment),
        }
        Struck { fault: self, began_at, ended_at: Utc::now(), pid }
    }
}

/// Bad weather for a while; what it swallowed is cut before it is fine again.
fn under(proxy: &TcpProxy, weather: Weather, moment: Duration) {
    proxy.set_weather(weather);
    if weather == Weather::Refusing {
        proxy.cut();
    }
    std::thread::sleep(moment);
    if weather == Weather::Swallowing {
        proxy.cut();
    }
    proxy.set_weather(Weather::Fine);
}

impl Place {
    /// Past the proxies.
    pub fn run_sql(&self, sql: &str) {
        self.runtime.block_on(async {
            let mut connection = PgConnection::connect(&self.database.url()).await.expect("connecting");
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.expect("a statement");
        });
    }

    /// Others take every connection that is left, as fast as they can get them.
    fn take_all_connections(&self, moment: Duration) {
        self.runtime.block_on(async {
            let mut taken = vec![];
            let end = tokio::time::Instant::now() + moment;
            self.to_database.cut();
            while tokio::time::Instant::now() < end {
                match PgConnection::connect(&self.database.url()).await {
                    Ok(connection) => taken.push(connection),
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        });
    }
}
