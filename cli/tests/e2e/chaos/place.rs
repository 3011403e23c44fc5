//! A deployment with everything twice or more, where every wire can be cut and every server killed.

use super::clock::Clocks;
use super::disk::SmallDisk;
use crate::client::Client;
use crate::deployment::{common_settings, migrate};
use crate::process::{Process, counterfoil};
use shared::testing::tcp_proxy::TcpProxy;
use shared::testing::{PrivatePostgres, PrivateRabbitMq, free_ports, test_dir};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tokio::runtime::Runtime;

pub const APIS: usize = 2;
pub const WORKERS: usize = 3;
pub const SCHEDULERS: usize = 2;

/// The processes of one role, each with what starts it again.
pub struct Crew {
    name: &'static str,
    members: Vec<(Process, Vec<(&'static str, String)>)>,
    started: usize,
}

pub struct Place {
    /// What a job waits at most for the death of its worker to be noticed.
    pub lease: Duration,
    // In the order in which they are to end: clients before servers.
    pub apis: Crew,
    pub workers: Crew,
    pub schedulers: Crew,
    pub to_database: TcpProxy,
    pub to_broker: TcpProxy,
    pub broker: PrivateRabbitMq,
    pub database: PrivatePostgres,
    pub api_urls: [String; APIS],
    pub prefix: String,
    pub runtime: Runtime,
    settings: Vec<(&'static str, String)>,
    clocks: Option<Clocks>,
    dir: PathBuf,
    /// Of the database's tables, where one may mount it. Last: the server ends before it.
    pub disk: Option<SmallDisk>,
}

impl Place {
    pub fn start(seed: u64, jobs: usize, lease_s: u64) -> Self {
        let dir = test_dir("chaos");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let database = PrivatePostgres::start(dir.join("postgres"));
        let disk = SmallDisk::mount(dir.join("small-disk"), &dir.join("postgres"), jobs);
        if let Some(disk) = &disk {
            runtime.block_on(move_tables(&database, disk));
        }
        let (broker, to_database, to_broker) = runtime.block_on(async {
            let broker = PrivateRabbitMq::start(dir.join("rabbitmq")).await;
            let proxy = |port: u16| TcpProxy::start(([127, 0, 0, 1], port).into());
            let to_database = proxy(database.port()).await.expect("a proxy");
            let to_broker = proxy(broker.port()).await.expect("a proxy");
            (broker, to_database, to_broker)
        });
        let prefix = format!("chaos-{seed}");
        let broker_url = format!("amqp://guest:guest@127.0.0.1:{}/%2f", to_broker.address().port());
        let mut settings =
            common_settings(&dir, &database.url_by(to_database.address().port()), &broker_url, &prefix);
        let lease = lease_s.to_string();
        for (name, value) in [
            ("COUNTERFOIL_WORKER__LEASE_S", lease.as_str()),
            ("COUNTERFOIL_DATABASE__ACQUIRE_TIMEOUT_S", "5"),
            ("COUNTERFOIL_HTTP__REQUEST_TIMEOUT_S", "10"),
            ("COUNTERFOIL_AUTH__ACCESS_TOKEN_MINUTES", "1440"),
        ] {
            settings.retain(|(known, _)| *known != name);
            settings.push((name, value.to_owned()));
        }
        migrate(&settings);
        let api_ports: [u16; APIS] = free_ports();
        let listen = api_ports.map(|port| vec![("COUNTERFOIL_HTTP__LISTEN", format!("127.0.0.1:{port}"))]);
        let none = |count: usize| vec![vec![]; count];
        let mut place = Self {
            lease: Duration::from_secs(lease_s),
            apis: Crew::empty("api"),
            workers: Crew::empty("worker"),
            schedulers: Crew::empty("scheduler"),
            to_database,
            to_broker,
            broker,
            database,
            api_urls: api_ports.map(|port| format!("http://127.0.0.1:{port}")),
            prefix,
            runtime,
            settings,
            clocks: Clocks::prepare(&dir),
            dir,
            disk,
        };
        for (crew, settings) in [
            (Role::Api, listen.into_iter().collect::<Vec<_>>()),
            (Role::Worker, none(WORKERS)),
            (Role::Scheduler, none(SCHEDULERS)),
        ] {
            settings.into_iter().for_each(|own| place.add(crew, own));
        }
        place.api_urls.iter().for_each(|url| Client::new(url).wait_until_ready());
        place
    }

    pub fn crew(&mut self, role: Role) -> &mut Crew {
        match role {
            Role::Api => &mut self.apis,
            Role::Worker => &mut self.workers,
            Role::Scheduler => &mut self.schedulers,
        }
    }

    fn crew_of(&self, role: Role) -> &Crew {
        match role {
            Role::Api => &self.apis,
            Role::Worker => &self.workers,
            Role::Scheduler => &self.schedulers,
        }
    }

    /// Whether processes have clocks that can be made to jump.
    pub fn has_clocks(&self) -> bool {
        self.clocks.is_some()
    }

    /// The log of the database server.
    pub fn database_log(&self) -> PathBuf {
        self.dir.join("postgres/postgres.log")
    }

    fn add(&mut self, role: Role, mut own: Vec<(&'static str, String)>) {
        if let Some(clocks) = &self.clocks {
            let member = self.crew_of(role).len();
            own.extend(clocks.environment_of(&format!("{role:?}-{member}")));
        }
        let command = self.command(role, &own);
        let dir = self.dir.clone();
        let crew = self.crew(role);
        let process = Process::start(&crew.next_name(), &dir, command);
        crew.members.push((process, own));
    }

    /// Starts the member again that has ended.
    pub fn start_again(&mut self, role: Role, member: usize) {
        let own = self.crew(role).members[member].1.clone();
        let command = self.command(role, &own);
        let dir = self.dir.clone();
        let crew = self.crew(role);
        crew.members[member].0 = Process::start(&crew.next_name(), &dir, command);
    }

    fn command(&self, role: Role, own: &[(&'static str, String)]) -> Command {
        let mut command = counterfoil();
        command.args(role.args()).envs(self.settings.iter().chain(own).map(|(name, value)| (name, value)));
        command
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Api,
    Worker,
    Scheduler,
}

impl Role {
    fn args(self) -> &'static [&'static str] {
        match self {
            Role::Api => &["api"],
            Role::Worker => &["worker", "--queues", "reconciliation", "--concurrency", "2"],
            Role::Scheduler => &["scheduler"],
        }
    }
}

impl Crew {
    fn empty(name: &'static str) -> Self {
        Self { name, members: vec![], started: 0 }
    }

    fn next_name(&mut self) -> String {
        self.started += 1;
        format!("{}-{}", self.name, self.started)
    }

    pub fn len(&self) -> usize {
        self.members.len()
    }

    pub fn member(&mut self, index: usize) -> &mut Process {
        &mut self.members[index].0
    }

    /// What only this member has in its environment.
    pub fn environment_of(&self, index: usize) -> &[(&'static str, String)] {
        &self.members[index].1
    }
}

/// All tables that will be made go to the small disk; the log stays, so that a full one stops statements and not the
/// server.
async fn move_tables(database: &PrivatePostgres, disk: &SmallDisk) {
    // A database can be moved while nobody is in it.
    let url = format!("postgres://postgres@127.0.0.1:{}/template1", database.port());
    let mut connection = PgConnection::connect(&url).await.expect("connecting");
    for statement in [
        format!("CREATE TABLESPACE small LOCATION '{}'", disk.path()),
        "ALTER DATABASE postgres SET TABLESPACE small".to_owned(),
    ] {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.expect("a tablespace");
    }
}
