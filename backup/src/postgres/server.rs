//! A server of our own on a data directory that was restored: it recovers, is looked at, and is stopped again.

use super::{Programs, Target};
use crate::error::{Doing, Error, Result};
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

/// Listens on a socket in a folder of its own, and nowhere else; archives nothing. Dropping it kills it.
pub struct RestoredServer {
    process: Child,
    log: PathBuf,
    pub target: Target,
}

/// The account that a server runs under: PostgreSQL refuses to run as root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    pub uid: u32,
    pub gid: u32,
}

/// Names the socket file only.
const PORT: u16 = 5432;
/// A fast shutdown writes a checkpoint.
const STOP_WAIT: Duration = Duration::from_secs(120);

impl Account {
    /// Of whoever owns `path`.
    pub fn owner_of(path: &Path) -> Result<Self> {
        use std::os::unix::fs::MetadataExt;
        let metadata = fs::metadata(path).doing(format!("looking at {}", path.display()))?;
        Ok(Self { uid: metadata.uid(), gid: metadata.gid() })
    }

    /// The one that a server started by us must run under: `None` when that is our own.
    pub fn unprivileged() -> Option<Self> {
        // SAFETY: has no preconditions and cannot fail.
        if unsafe { libc::geteuid() } != 0 {
            return None;
        }
        let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let find = |wanted: &str| {
            accounts.lines().find_map(|line| {
                let mut parts = line.split(':');
                let (name, _, uid, gid) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
                (name == wanted).then_some(Self { uid: uid.parse().ok()?, gid: gid.parse().ok()? })
            })
        };
        find("postgres").or_else(|| find("nobody")).or(Some(Self { uid: 65534, gid: 65534 }))
    }
}

impl RestoredServer {
    /// Starts a server on `data`. `run_dir`: an empty folder for its socket and log; `user`: a superuser of the
    /// cluster. Anybody who may enter `run_dir` may connect: it is given to the account alone.
    pub fn start(
        programs: &Programs,
        data: &Path,
        run_dir: &Path,
        account: Option<Account>,
        user: &str,
    ) -> Result<Self> {
        let doing = format!("starting PostgreSQL on {}", data.display());
        let hba = run_dir.join("hba.conf");
        fs::write(&hba, "local all all trust\n").doing(&doing)?;
        fs::set_permissions(run_dir, fs::Permissions::from_mode(0o700)).doing(&doing)?;
        let log = run_dir.join("postgres.log");
        let written = fs::File::create(&log).doing(&doing)?;
        if let Some(Account { uid, gid }) = account {
            for path in [run_dir, &hba, &log] {
                chown(path, Some(uid), Some(gid)).doing(&doing)?;
            }
        }
        let mut command = Command::new(programs.path("postgres"));
        for (variable, _) in std::env::vars_os() {
            if variable.to_str().is_some_and(|name| name.starts_with("PG")) {
                command.env_remove(variable);
            }
        }
        command.arg("-D").arg(data);
        for setting in [
            "listen_addresses=".to_owned(),
            format!("unix_socket_directories={}", run_dir.display()),
            "unix_socket_permissions=0700".into(),
            format!("port={PORT}"),
            format!("hba_file={}", hba.display()),
            "external_pid_file=".into(),
            "logging_collector=off".into(),
            "log_destination=stderr".into(),
            "ssl=off".into(),
            "shared_preload_libraries=".into(),
            // It must not write into the archive that it recovers from.
            "archive_mode=off".into(),
            // Nobody has to read while it recovers; and settings of the primary need not be matched.
            "hot_standby=off".into(),
            "jit=off".into(),
        ] {
            command.args(["-c", &setting]);
        }
        if let Some(Account { uid, gid }) = account {
            command.uid(uid).gid(gid);
        }
        let error_log = written.try_clone().doing(&doing)?;
        command.current_dir("/").stdin(Stdio::null()).stdout(written).stderr(error_log).kill_on_drop(true);
        // A terminal's Ctrl-C is ours to pass on, when its work is safe.
        command.process_group(0);
        let process = command.spawn().doing(&doing)?;
        let options = PgConnectOptions::new_without_pgpass()
            .socket(run_dir)
            .port(PORT)
            .username(user)
            .database("postgres")
            .ssl_mode(PgSslMode::Disable);
        Ok(Self { process, log, target: Target::new(options) })
    }

    /// Waits until recovery has ended and the server answers. Recovery takes as long as there is WAL: no limit but
    /// `stop`. `Err` with the log's last lines when the server gives up.
    pub async fn wait_until_recovered(&mut self, stop: &CancellationToken) -> Result<()> {
        loop {
            if stop.is_cancelled() {
                return Err(Error::Stopped);
            }
            if let Some(status) = self.process.try_wait().doing("waiting for PostgreSQL")? {
                return Err(Error::Program {
                    program: "postgres".into(),
                    said: format!("{status}: {}", self.tail()),
                });
            }
            if let Ok(mut session) = self.target.connect().await {
                let recovered = sqlx::query_scalar::<_, bool>("SELECT NOT pg_is_in_recovery()");
                if recovered.fetch_one(&mut session).await.is_ok_and(|recovered| recovered) {
                    let _ = session.close().await;
                    return Ok(());
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// A fast shutdown, with its checkpoint.
    pub async fn stop(mut self) -> Result<()> {
        if let Some(pid) = self.process.id().and_then(|id| libc::pid_t::try_from(id).ok()) {
            // SAFETY: plain system call; the child was not waited for (else it had no id), so the number is its own.
            unsafe { libc::kill(pid, libc::SIGINT) };
        }
        match tokio::time::timeout(STOP_WAIT, self.process.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(_) => Err(Error::Program { program: "postgres".into(), said: self.tail() }),
            Err(_) => {
                Err(Error::Program { program: "postgres".into(), said: "it does not shut down".into() })
            }
        }
    }

    fn tail(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(12).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("; ")
    }
}
