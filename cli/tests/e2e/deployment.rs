//! A whole Counterfoil: a database and queues of its own, and roles as processes that come and go.

use crate::client::Client;
use crate::database::Database;
use crate::process::{Process, counterfoil, run};
use shared::testing::{amqp_url, test_dir};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, Weak};

/// What the processes have in common. They are separate values: make them after it, so that they end before.
pub struct Deployment {
    pub database: Database,
    dir: PathBuf,
    settings: Vec<(&'static str, String)>,
}

impl Deployment {
    /// On the broker that all tests share, with queue names of its own.
    pub fn create(name: &str) -> Self {
        Self::with_broker(name, &amqp_url())
    }

    pub fn with_broker(name: &str, broker_url: &str) -> Self {
        let dir = test_dir(name);
        let database = Database::create();
        let prefix = format!("e2e-{}", uuid::Uuid::new_v4().simple());
        let settings = common_settings(&dir, &database.url(), broker_url, &prefix);
        migrate(&settings);
        Self { database, dir, settings }
    }

    /// Changes a setting for the processes that start from now on.
    pub fn set(mut self, name: &'static str, value: &str) -> Self {
        self.settings.retain(|(known, _)| *known != name);
        self.settings.push((name, value.to_owned()));
        self
    }

    /// The executable with this deployment's settings, not started yet.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = counterfoil();
        command.envs(self.settings.iter().map(|(name, value)| (name, value))).args(args);
        command
    }

    /// What a command that ends by itself has printed.
    pub fn shell(&self, args: &[&str]) -> String {
        run(self.command(args))
    }

    /// Takes the uploads away until they are put back.
    pub fn hide_objects(&self) -> HiddenObjects {
        let (there, hidden) = (self.dir.join("objects"), self.dir.join("hidden"));
        std::fs::rename(&there, &hidden).expect("moving the uploads");
        HiddenObjects { there, hidden }
    }

    /// Returns when it answers that it is ready.
    pub fn api(&self) -> Api {
        self.api_with("api", &[])
    }

    /// With settings of this process alone.
    pub fn api_with(&self, name: &str, settings: &[(&str, &str)]) -> Api {
        let mut command = self.command(&["api"]);
        command.envs(settings.iter().copied());
        let mut process = Process::start(name, &self.dir, command);
        let line = process.wait_for_log("the API listens");
        let line: serde_json::Value = serde_json::from_str(&line).expect("a line of JSON");
        let url = format!("http://{}", line["address"].as_str().expect("the address"));
        Client::new(&url).wait_until_ready();
        Api { url, _process: process }
    }

    pub fn scheduler(&self) -> Process {
        Process::start("scheduler", &self.dir, self.command(&["scheduler"]))
    }

    /// Takes its first job as soon as it has a connection to the broker.
    pub fn worker(&self, name: &str, concurrency: u32) -> Process {
        self.worker_of(name, "reconciliation", concurrency)
    }

    /// As [`Self::worker`], for other queues.
    pub fn worker_of(&self, name: &str, queues: &str, concurrency: u32) -> Process {
        self.worker_with(name, queues, concurrency, &[])
    }

    /// With settings of this process alone.
    pub fn worker_with(
        &self,
        name: &str,
        queues: &str,
        concurrency: u32,
        settings: &[(&str, &str)],
    ) -> Process {
        let concurrency = concurrency.to_string();
        let mut command = self.command(&["worker", "--queues", queues, "--concurrency", &concurrency]);
        command.envs(settings.iter().copied());
        Process::start(name, &self.dir, command)
    }

    /// Uploads of a project that are on the disk.
    pub fn objects_of(&self, project: &str) -> usize {
        fn files(dir: &Path, project: &str) -> usize {
            // The folder may not be there yet.
            let found = std::fs::read_dir(dir).into_iter().flatten().flatten();
            let count = |path: PathBuf| match path.is_dir() {
                true => files(&path, project),
                false => usize::from(path.display().to_string().contains(project)),
            };
            found.map(|file| count(file.path())).sum()
        }
        files(&self.dir.join("objects"), project)
    }
}

/// What the processes of one deployment must agree on, quicker to notice things than the defaults; everything that
/// is kept is kept in `dir`.
pub fn common_settings(
    dir: &Path,
    database_url: &str,
    broker_url: &str,
    prefix: &str,
) -> Vec<(&'static str, String)> {
    let key_file = dir.join("signing-key.der");
    std::fs::write(&key_file, api::SigningKey::generate()).expect("the key's file");
    let path = |path: PathBuf| path.to_str().expect("a UTF-8 path").to_owned();
    vec![
        ("COUNTERFOIL_DATABASE__URL", database_url.to_owned()),
        // The tests' server has 300 for all tests together.
        ("COUNTERFOIL_DATABASE__CONNECTIONS_MAX", "12".into()),
        ("COUNTERFOIL_DATABASE__ACQUIRE_TIMEOUT_S", "60".into()),
        ("COUNTERFOIL_BROKER__URL", broker_url.to_owned()),
        ("COUNTERFOIL_BROKER__PREFIX", prefix.to_owned()),
        ("COUNTERFOIL_OBJECTS__DIR", path(dir.join("objects"))),
        ("COUNTERFOIL_AUTH__SIGNING_KEY_FILE", path(key_file)),
        ("COUNTERFOIL_HTTP__LISTEN", "127.0.0.1:0".into()),
        ("COUNTERFOIL_HTTP__REQUEST_TIMEOUT_S", "60".into()),
        ("COUNTERFOIL_WORKER__LEASE_S", "5".into()),
        ("COUNTERFOIL_KINDS__RECONCILIATION__RETRY_BASE_MS", "200".into()),
        ("COUNTERFOIL_WORKER__DRAIN_S", "100".into()),
        ("COUNTERFOIL_SCHEDULER__PERIOD_MS", "200".into()),
        ("COUNTERFOIL_SCHEDULER__RELAY_PERIOD_MS", "20".into()),
        ("COUNTERFOIL_SCHEDULER__RING_AGAIN_AFTER_S", "3".into()),
        ("COUNTERFOIL_LOG__FORMAT", "json".into()),
    ]
}

/// Brings the database of these settings up to this version.
pub fn migrate(settings: &[(&'static str, String)]) {
    let mut command = counterfoil();
    command.envs(settings.iter().map(|(name, value)| (name, value))).arg("migrate");
    run(command);
}

/// See [`Deployment::hide_objects`].
pub struct HiddenObjects {
    there: PathBuf,
    hidden: PathBuf,
}

impl HiddenObjects {
    pub fn put_back(self) {
        // A process may have made an empty folder meanwhile.
        let _ = std::fs::remove_dir_all(&self.there);
        std::fs::rename(&self.hidden, &self.there).expect("moving the uploads");
    }
}

/// A process that serves HTTP.
pub struct Api {
    pub url: String,
    _process: Process,
}

/// A deployment with one process of each role, for tests that break nothing.
pub struct Peaceful {
    pub api: Api,
    _scheduler: Process,
    _worker: Process,
    // Last: the processes end before the database goes.
    pub deployment: Deployment,
}

impl Peaceful {
    /// The same one for all tests that run at the time; gone with the last of them.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Peaceful>> = Mutex::new(Weak::new());
        // A test that failed to start it must not fail the others with its poison.
        let mut shared = SHARED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        shared.upgrade().unwrap_or_else(|| {
            let started = Arc::new(Self::start());
            *shared = Arc::downgrade(&started);
            started
        })
    }

    fn start() -> Self {
        // Nothing fails on purpose here: a worker that is slow on a busy machine must not lose its lease.
        let deployment = Deployment::create("peaceful").set("COUNTERFOIL_WORKER__LEASE_S", "60");
        let api = deployment.api();
        let (scheduler, worker) = (deployment.scheduler(), deployment.worker("worker", 3));
        Self { api, _scheduler: scheduler, _worker: worker, deployment }
    }
}
