//! A PostgreSQL of our own for `counterfoil up`: found on the machine (or installed on request), on a unix socket
//! only, durable (fsync and checksums on), unprivileged when we are root, in its own process group, and gone
//! when we are gone.

mod find;
mod server;

use anyhow::{Context, Result, bail, ensure};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{Connection, Executor};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Crash recovery of a large cluster takes its time.
const START_LIMIT: Duration = Duration::from_secs(120);
const DATABASE: &str = "counterfoil";
/// Names the socket file only; nothing listens on TCP.
const PORT: u16 = 5432;

/// A running cluster. Dropping it shuts the server down and waits for that.
pub struct PrivatePostgres {
    pub options: PgConnectOptions,
    server: server::Server,
}

/// The account the server runs under: PostgreSQL refuses to run as root.
#[derive(Clone, Copy)]
struct Account {
    uid: u32,
    gid: u32,
}

impl PrivatePostgres {
    /// Starts the cluster in `home`, making it first if need be. Takes 2 to 3 s the first time, 0.2 s later.
    pub async fn start(home: &Path) -> Result<Self> {
        let account = unprivileged_account();
        let owner = account.map_or_else(effective_uid, |account| account.uid);
        let data = home.join("postgres");
        let socket_dir = socket_dir(home, owner);
        std::fs::create_dir_all(home).with_context(|| format!("creating {}", home.display()))?;
        for dir in [&data, &socket_dir] {
            own(dir, account, owner)?;
        }
        let programs = find::programs(cluster_version(&data)).await?;
        if cluster_version(&data).is_none() {
            make_cluster(&programs, &data, account, owner)?;
        }
        wait_until_free(&data).await?;
        let options = options(home);
        let log = home.join("postgres.log");
        let server = server::Server::start(postgres(&programs, &data, &socket_dir, account), &log)?;
        let postgres = Self { options, server };
        postgres.wait_until_ready(&log).await?;
        Ok(postgres)
    }

    /// Waits for the server to answer, and makes our database in a new cluster.
    async fn wait_until_ready(&self, log: &Path) -> Result<()> {
        let started = Instant::now();
        loop {
            match PgConnection::connect_with(&self.options.clone().database("postgres")).await {
                Ok(mut conn) => {
                    let there: bool =
                        sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
                            .bind(DATABASE)
                            .fetch_one(&mut conn)
                            .await?;
                    if !there {
                        conn.execute("CREATE DATABASE counterfoil").await?;
                    }
                    return Ok(());
                }
                Err(_) if self.server.has_ended() => {
                    bail!("PostgreSQL did not start; its last words are in {}:\n{}", log.display(), tail(log))
                }
                Err(error) if started.elapsed() > START_LIMIT => {
                    return Err(error).context(format!("PostgreSQL is not ready after {START_LIMIT:?}"));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// True once the server has ended without being told to.
    pub fn has_ended(&self) -> bool {
        self.server.has_ended()
    }
}

/// How to reach the cluster of `home` while it runs.
pub fn options(home: &Path) -> PgConnectOptions {
    let owner = unprivileged_account().map_or_else(effective_uid, |account| account.uid);
    PgConnectOptions::new_without_pgpass()
        .socket(socket_dir(home, owner))
        .port(PORT)
        .username(DATABASE)
        .database(DATABASE)
        // Whatever PGSSLMODE says about other servers.
        .ssl_mode(PgSslMode::Disable)
}

/// The major version that made the cluster; `None` when there is none yet.
fn cluster_version(data: &Path) -> Option<u32> {
    std::fs::read_to_string(data.join("PG_VERSION")).ok()?.trim().parse().ok()
}

/// Made beside its place and then moved there: half a cluster is never taken for a whole one, and what somebody else
/// keeps in the place is never touched.
fn make_cluster(programs: &Path, data: &Path, account: Option<Account>, owner: u32) -> Result<()> {
    let part = data.with_file_name("postgres.part");
    if part.exists() {
        std::fs::remove_dir_all(&part).with_context(|| format!("removing {}", part.display()))?;
    }
    own(&part, account, owner)?;
    let mut initdb = Command::new(programs.join("initdb"));
    // A bare container has no locale of its own, hence the explicit one.
    let made = as_account(&mut initdb, account)
        .args(["--username", DATABASE, "--auth-local=trust", "--auth-host=reject", "--encoding=UTF8"])
        .args(["--locale=C.UTF-8", "--data-checksums", "--no-instructions", "--pgdata"])
        .arg(&part)
        .output()
        .with_context(|| format!("running {}", programs.join("initdb").display()))?;
    if !made.status.success() {
        let _ = std::fs::remove_dir_all(&part);
        bail!("initdb failed:\n{}", String::from_utf8_lossy(&made.stderr).trim());
    }
    std::fs::rename(&part, data).with_context(|| format!("{} holds something else", data.display()))
}

/// After a kill the old server writes its last checkpoint; a new one would refuse to start beside it.
async fn wait_until_free(data: &Path) -> Result<()> {
    let started = Instant::now();
    loop {
        let pid = std::fs::read_to_string(data.join("postmaster.pid")).ok();
        let pid = pid.as_deref().and_then(|text| text.lines().next()?.trim().parse::<u32>().ok());
        let runs = pid.is_some_and(|pid| {
            std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "postgres")
        });
        if !runs {
            return Ok(());
        }
        if started.elapsed() > START_LIMIT {
            bail!("another PostgreSQL runs on {}", data.display());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn postgres(programs: &Path, data: &Path, socket_dir: &Path, account: Option<Account>) -> Command {
    let mut command = Command::new(programs.join("postgres"));
    as_account(&mut command, account).arg("-D").arg(data);
    let settings = [
        "listen_addresses=".to_owned(),
        "unix_socket_permissions=0700".to_owned(),
        format!("unix_socket_directories={}", socket_dir.display()),
        format!("port={PORT}"),
        "max_connections=100".to_owned(),
        // Needs a library that bare machines lack, and our queries are too short to gain.
        "jit=off".to_owned(),
    ];
    for setting in settings {
        command.arg("-c").arg(setting);
    }
    command
}

/// Programs of PostgreSQL see neither our working directory (which their account may not enter) nor settings
/// meant for another cluster.
fn as_account(command: &mut Command, account: Option<Account>) -> &mut Command {
    if let Some(Account { uid, gid }) = account {
        command.gid(gid).uid(uid);
    }
    for variable in ["PGDATA", "PGPORT", "PGHOST", "PGUSER", "PGDATABASE", "PGOPTIONS"] {
        command.env_remove(variable);
    }
    command.current_dir("/").stdin(Stdio::null())
}

/// Creates a folder that only the server's account may enter.
fn own(dir: &Path, account: Option<Account>, owner: u32) -> Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("creating {}", dir.display()))?;
    if let Some(Account { uid, gid }) = account {
        chown(dir, Some(uid), Some(gid))
            .with_context(|| format!("giving {} to the server's account", dir.display()))?;
    }
    ensure!(std::fs::metadata(dir)?.uid() == owner, "{} belongs to another user", dir.display());
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))?;
    if account.is_some() {
        // The account has to get there: /root, for one, lets nobody through.
        let closed = dir.ancestors().skip(1).find(|a| {
            std::fs::metadata(a).is_ok_and(|m| m.permissions().mode() & 0o001 == 0 && m.uid() != owner)
        });
        if let Some(closed) = closed {
            bail!(
                "PostgreSQL cannot run as root, and other accounts may not enter {}; choose another --data-dir",
                closed.display()
            );
        }
    }
    Ok(())
}

/// A socket's path may have 107 bytes: below a deep home it goes to the temporary folder.
fn socket_dir(home: &Path, owner: u32) -> PathBuf {
    let dir = home.join("run");
    if dir.as_os_str().len() + "/.s.PGSQL.5432.lock".len() < 107 {
        return dir;
    }
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    home.hash(&mut hasher);
    std::env::temp_dir().join(format!("counterfoil-{owner}-{:016x}", hasher.finish()))
}

fn effective_uid() -> u32 {
    // SAFETY: has no preconditions and cannot fail.
    unsafe { libc::geteuid() }
}

/// Somebody else to be when we are root: `postgres` where it exists, else `nobody`.
fn unprivileged_account() -> Option<Account> {
    if effective_uid() != 0 {
        return None;
    }
    for name in [c"postgres", c"nobody"] {
        // SAFETY: the name is a C string; the answer is read before anybody can ask again (no other thread of
        // this program looks up accounts).
        let found = unsafe { libc::getpwnam(name.as_ptr()).as_ref() };
        if let Some(account) = found {
            return Some(Account { uid: account.pw_uid, gid: account.pw_gid });
        }
    }
    Some(Account { uid: 65534, gid: 65534 })
}

/// The last lines of a log, for an error message.
fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(8).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
