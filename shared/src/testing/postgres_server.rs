//! A PostgreSQL server of one test's own, to be killed and restarted.

use super::ports::free_ports;
use super::{POSTGRESQL_BINDIR, required};
use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const START_MAX: Duration = Duration::from_secs(90);

/// A cluster on a port of its own, on 127.0.0.1 alone; fsync is on. The port stays the same over restarts.
/// Dropping it kills the server.
pub struct PrivatePostgres {
    dir: PathBuf,
    port: u16,
    account: Option<(u32, u32)>,
    server: Option<Child>,
}

impl PrivatePostgres {
    /// Makes a cluster in `dir`, starts it and waits until it answers; 2 to 4 s.
    ///
    /// # Panics
    ///
    /// Without the programs that `ops/test.sh` names, or when the server is not up within 90 s.
    pub fn start(dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        fs::create_dir_all(&dir).unwrap_or_else(|error| panic!("creating {}: {error}", dir.display()));
        let account = unprivileged_account();
        if let Some((uid, gid)) = account {
            chown(&dir, Some(uid), Some(gid)).expect("giving the folder to the server's account");
        }
        let [port] = free_ports();
        let mut this = Self { dir, port, account, server: None };
        let data = this.dir.join("data");
        let made = this
            .command("initdb")
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"])
            .arg("--pgdata")
            .arg(&data)
            .output()
            .expect("running initdb");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        this.start_again();
        this
    }

    /// Makes a streaming replica of this cluster in `dir` and starts it; it answers reads once this returns.
    ///
    /// # Panics
    ///
    /// As [`Self::start`] does.
    pub fn replica(&self, dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        fs::create_dir_all(&dir).unwrap_or_else(|error| panic!("creating {}: {error}", dir.display()));
        if let Some((uid, gid)) = self.account {
            chown(&dir, Some(uid), Some(gid)).expect("giving the folder to the server's account");
        }
        let [port] = free_ports();
        let mut replica = Self { dir, port, account: self.account, server: None };
        let copied = replica
            .command("pg_basebackup")
            .args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync", "--host=127.0.0.1"])
            .args(["--username=postgres", "--port", &self.port.to_string(), "--pgdata"])
            .arg(replica.dir.join("data"))
            .output()
            .expect("running pg_basebackup");
        assert!(copied.status.success(), "pg_basebackup: {}", String::from_utf8_lossy(&copied.stderr));
        replica.start_again();
        replica
    }

    /// For clients that connect directly; the superuser, who needs no password.
    pub fn url(&self) -> String {
        self.url_by(self.port)
    }

    /// For clients that connect by a proxy on this port.
    pub fn url_by(&self, port: u16) -> String {
        format!("postgres://postgres@127.0.0.1:{port}/postgres")
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// SIGKILL of the postmaster: its children notice and leave, what was committed is in the log. Returns when
    /// the process is gone.
    pub fn kill_9(&mut self) {
        if let Some(mut server) = self.server.take() {
            // An error means that it has ended by itself.
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    /// A fast shutdown: sessions are ended, a checkpoint is written.
    pub fn stop(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        let pid = libc::pid_t::try_from(server.id()).expect("a process id");
        // SAFETY: plain system call; the child was not waited for, so the number is still its own.
        unsafe { libc::kill(pid, libc::SIGINT) };
        let _ = server.wait();
    }

    /// Starts it on what its folder holds, and waits until it answers.
    ///
    /// # Panics
    ///
    /// When it is not up within 90 s; the message says where its log is.
    pub fn start_again(&mut self) {
        let started_at = Instant::now();
        loop {
            let mut server = self.spawn();
            loop {
                // After a kill the children of the old server may still hold its shared memory: then the new one
                // ends at once, and the next try is as good.
                if server.try_wait().expect("waiting").is_some() {
                    break;
                }
                if self.answers() {
                    self.server = Some(server);
                    return;
                }
                assert!(
                    started_at.elapsed() < START_MAX,
                    "PostgreSQL was not up within {START_MAX:?}: {}",
                    self.log().display()
                );
                std::thread::sleep(Duration::from_millis(50));
            }
            assert!(started_at.elapsed() < START_MAX, "PostgreSQL does not start: {}", self.log().display());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn spawn(&self) -> Child {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log()).expect("the log");
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.dir.join("data")).args(["-p", &self.port.to_string()]);
        for setting in
            ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=120", "jit=off"]
        {
            command.args(["-c", setting]);
        }
        command.stdout(log.try_clone().expect("the log")).stderr(log).process_group(0);
        command.spawn().expect("starting postgres")
    }

    fn answers(&self) -> bool {
        let mut ready = self.command("pg_isready");
        ready.args(["-q", "-h", "127.0.0.1", "-d", "postgres", "-p", &self.port.to_string()]);
        ready.status().is_ok_and(|status| status.success())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(Path::new(&required(POSTGRESQL_BINDIR)).join(program));
        for variable in ["PGDATA", "PGPORT", "PGHOST", "PGUSER", "PGDATABASE", "PGOPTIONS"] {
            command.env_remove(variable);
        }
        if let Some((uid, gid)) = self.account {
            command.gid(gid).uid(uid);
        }
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    fn log(&self) -> PathBuf {
        self.dir.join("postgres.log")
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        self.kill_9();
    }
}

/// PostgreSQL refuses to run as root: the account to be instead.
fn unprivileged_account() -> Option<(u32, u32)> {
    // SAFETY: has no preconditions and cannot fail.
    if unsafe { libc::geteuid() } != 0 {
        return None;
    }
    let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let find = |wanted: &str| {
        accounts.lines().find_map(|line| {
            let mut parts = line.split(':');
            let (name, _, uid, gid) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
            (name == wanted).then_some((uid.parse().ok()?, gid.parse().ok()?))
        })
    };
    find("postgres").or_else(|| find("nobody")).or(Some((65534, 65534)))
}
