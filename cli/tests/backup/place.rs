//! A cluster, a configuration with two stores, and the executable, all under the server's account.

use backup::engine::{Engine, Settings};
use backup::seal::KeyRing;
use backup::stores::{self, Cluster, Disk, Store, StoreName, Stores};
use shared::testing::{PrivatePostgres, test_dir};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use std::ffi::OsString;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

pub struct Place {
    pub dir: PathBuf,
    pub postgres: PrivatePostgres,
    owner: (u32, u32),
}

const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddee01";
const PATIENCE: Duration = Duration::from_secs(60);

impl Place {
    pub fn new(name: &str) -> Self {
        let dir = test_dir(name);
        let postgres = PrivatePostgres::start(dir.join("cluster"));
        let data = std::fs::metadata(dir.join("cluster/data")).expect("the cluster");
        let place = Self { dir, postgres, owner: (data.uid(), data.gid()) };
        place.write("keys", KEY);
        let config = format!(
            "[database]\nurl = \"{}\"\n[backup]\ncluster = \"test\"\ncopies_min = 2\nkeys_file = \"{}\"\nspool_dir = \"{}\"\n
             [[backup.stores]]\nkind = \"disk\"\nname = \"near\"\ndir = \"{}\"\n
             [[backup.stores]]\nkind = \"disk\"\nname = \"far\"\ndir = \"{}\"\n",
            place.postgres.url(),
            place.dir.join("keys").display(),
            place.dir.join("spool").display(),
            place.dir.join("near").display(),
            place.dir.join("far").display()
        );
        place.write("config.toml", &config);
        place.give(&place.dir);
        place
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.dir.join(name), text).expect("writing");
        self.give(&self.dir.join(name));
    }

    fn give(&self, path: &Path) {
        // Not as root: then everything is ours already.
        let _ = chown(path, Some(self.owner.0), Some(self.owner.1));
    }

    /// Sets `archive_command` and starts the server again with it.
    pub async fn archive(&mut self) {
        let command = format!(
            "'{}' --config '{}' wal push %p",
            executable().display(),
            self.dir.join("config.toml").display()
        );
        for setting in [
            "archive_mode = on".to_owned(),
            "wal_level = replica".into(),
            format!("archive_command = '{}'", command.replace('\'', "''")),
        ] {
            self.execute(&format!("ALTER SYSTEM SET {setting}")).await;
        }
        self.postgres.stop();
        self.postgres.start_again();
    }

    /// Waits until everything that was written so far is in the archive.
    pub async fn switch_wal(&self) {
        let segment: String = self
            .value("SELECT pg_walfile_name(pg_current_wal_lsn()) FROM (SELECT pg_logical_emit_message(false, 't', 't')) AS m")
            .await;
        self.execute("SELECT pg_switch_wal()").await;
        let began = Instant::now();
        loop {
            let archived: Option<String> = self.value("SELECT last_archived_wal FROM pg_stat_archiver").await;
            if archived.is_some_and(|archived| archived >= segment) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{segment} is not archived: see {}", self.dir.display());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub async fn execute(&self, statements: &str) {
        let mut session = PgConnection::connect(&self.postgres.url()).await.expect("connecting");
        session.execute(AssertSqlSafe(statements.to_owned())).await.expect("executing");
        session.close().await.expect("leaving");
    }

    pub async fn value<T>(&self, statement: &str) -> T
    where
        T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        let mut session = PgConnection::connect(&self.postgres.url()).await.expect("connecting");
        let value = sqlx::query_scalar(AssertSqlSafe(statement.to_owned())).fetch_one(&mut session).await;
        session.close().await.expect("leaving");
        value.expect("a value")
    }

    /// A count in the database `live`.
    pub async fn live(&self, statement: &str) -> i64 {
        let options: sqlx::postgres::PgConnectOptions = self.postgres.url().parse().expect("a url");
        let mut session = PgConnection::connect_with(&options.database("live")).await.expect("connecting");
        let count = sqlx::query_scalar(AssertSqlSafe(statement.to_owned())).fetch_one(&mut session).await;
        session.close().await.expect("leaving");
        count.expect("counting")
    }

    /// Runs the executable with the configuration, under the server's account.
    pub fn counterfoil(&self, args: &[&str]) -> Output {
        let config = self.dir.join("config.toml");
        let mut all = vec!["--config", config.to_str().expect("a path")];
        all.extend(args);
        self.bare(&all)
    }

    /// Starts the executable with the configuration, and does not wait.
    pub fn spawn(&self, args: &[&str]) -> Child {
        let config = self.dir.join("config.toml");
        let mut command = self.command();
        command.arg("--config").arg(config).args(args).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("starting counterfoil")
    }

    /// Without the configuration.
    pub fn bare(&self, args: &[&str]) -> Output {
        self.command().args(args).output().expect("running counterfoil")
    }

    /// The engine over the same stores, in this process.
    pub fn engine(&self) -> Engine {
        let store = |name: &str| {
            let disk = Disk::open(self.dir.join(name), None).expect("a store");
            (StoreName::parse(name).expect("a name"), Store::Disk(disk))
        };
        let stores = Stores::of(vec![store("near"), store("far")], None, stores::Settings::default());
        Engine {
            stores: stores.expect("stores"),
            cluster: Cluster::parse("test").expect("a cluster"),
            keys: KeyRing::parse([KEY]).expect("keys"),
            settings: Settings { scratch_dir: self.dir.clone(), ..Settings::default() },
        }
    }

    /// What a command prints that runs under the server's account.
    pub fn as_server(&self, mut command: Command) -> Output {
        self.give_over(&mut command);
        command.output().expect("running a command")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(executable());
        self.give_over(&mut command);
        command
    }

    /// Under the server's account, with nothing of this process's own settings.
    fn give_over(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            if name
                .to_str()
                .is_some_and(|name| name.starts_with("COUNTERFOIL_") && name != "COUNTERFOIL_TEST_DIR")
            {
                command.env_remove(name);
            }
        }
        // SAFETY: has no preconditions and cannot fail.
        if unsafe { libc::geteuid() } == 0 {
            command.gid(self.owner.1).uid(self.owner.0);
        }
        command.env("COUNTERFOIL_SCRATCH_DIR", &self.dir).current_dir(&self.dir);
    }
}

/// The one under test, or another build of it, for measuring.
fn executable() -> OsString {
    std::env::var_os("COUNTERFOIL_DRILL_EXECUTABLE")
        .unwrap_or_else(|| env!("CARGO_BIN_EXE_counterfoil").into())
}

/// What a command that must succeed has printed.
pub fn said(output: &Output) -> String {
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {out}{error}", output.status);
    out.into_owned()
}

/// Why a command that must fail has failed.
pub fn refused(output: &Output) -> String {
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!output.status.success(), "{out}{error}");
    error.into_owned()
}
