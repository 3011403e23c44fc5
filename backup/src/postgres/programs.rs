//! PostgreSQL's programs: found, run, stopped, and quoted when they fail.

use super::Target;
use crate::error::{Doing, Error, Result};
use shared::postgres_programs::{BINDIR_VARIABLE, installed, major_version};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

/// A folder with the programs of one major version.
#[derive(Debug, Clone)]
pub struct Programs {
    dir: PathBuf,
    pub major: u32,
}

/// What a client needs.
const CLIENT: &[&str] = &["pg_dump", "pg_restore"];
/// What a server needs as well.
const SERVER: &[&str] = &["postgres", "initdb", "pg_ctl"];
/// Kept of what a program says on its standard error.
const SAID_BYTES_MAX: usize = 4096;
/// From SIGTERM to SIGKILL.
const END_WAIT: Duration = Duration::from_secs(5);

impl Programs {
    /// For a server of version `server_major`: its own version if it is there, otherwise the newest later one, since
    /// programs read older servers but not newer ones.
    pub fn for_client(server_major: u32) -> Result<Self> {
        let mut later = None;
        for dir in installed(CLIENT) {
            match major_version(&dir, "pg_dump") {
                Some(major) if major == server_major => return Ok(Self { dir, major }),
                Some(major) if major > server_major => {
                    later = later.or(Some(Self { dir, major }));
                }
                _ => {}
            }
        }
        later.ok_or_else(|| missing("pg_dump", server_major, " or later"))
    }

    /// To run a cluster that version `major` made.
    pub fn for_server(major: u32) -> Result<Self> {
        let needed: Vec<&str> = CLIENT.iter().chain(SERVER).copied().collect();
        installed(&needed)
            .into_iter()
            .find(|dir| major_version(dir, "postgres") == Some(major))
            .map(|dir| Self { dir, major })
            .ok_or_else(|| missing("postgres", major, ""))
    }

    pub fn path(&self, program: &str) -> PathBuf {
        self.dir.join(program)
    }

    /// A program that sees nothing of settings meant for another cluster.
    pub(crate) fn command(&self, program: &str, target: Option<&Target>) -> Command {
        let mut command = Command::new(self.path(program));
        for (variable, _) in std::env::vars_os() {
            if variable.to_str().is_some_and(|name| name.starts_with("PG") && name != "PGPASSFILE") {
                command.env_remove(variable);
            }
        }
        command.env("LC_MESSAGES", "C");
        if let Some(target) = target {
            command.envs(target.environment()).arg("--no-password");
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }
}

fn missing(program: &str, major: u32, or_later: &str) -> Error {
    Error::Program {
        program: program.into(),
        said: format!(
            "not found for PostgreSQL {major}{or_later}; install its programs, or set {BINDIR_VARIABLE} to their folder"
        ),
    }
}

/// Runs a program to its end and gives its standard output away while it runs, if it was piped. When `stop` comes it
/// is ended: by SIGTERM, and by SIGKILL when it does not listen within 5 s.
///
/// `take` gets the output; when it fails, the program is ended and the failure is the result.
pub(crate) async fn run_with<T, F>(
    mut command: Command,
    stop: &CancellationToken,
    take: impl FnOnce(Option<tokio::process::ChildStdout>) -> F,
) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let program = name_of(&command);
    if stop.is_cancelled() {
        return Err(Error::Stopped);
    }
    let mut child = command.spawn().doing(format!("running {program}"))?;
    let stderr = child.stderr.take();
    let said = tokio::spawn(last_words(stderr));
    let stdout = child.stdout.take();
    let ended = tokio::select! {
        taken = take(stdout) => taken,
        () = stop.cancelled() => Err(Error::Stopped),
    };
    let taken = match ended {
        Ok(taken) => taken,
        // What the program said tells more than a pipe that broke, so look whether it failed by itself.
        Err(error) => {
            let ended_itself = match tokio::time::timeout(Duration::from_millis(500), child.wait()).await {
                Ok(status) => status.ok().filter(|status| !status.success()),
                Err(_) => None,
            };
            end(&mut child).await;
            return Err(match ended_itself {
                Some(_) if !matches!(error, Error::Stopped) => {
                    Error::Program { program, said: said.await.unwrap_or_default() }
                }
                _ => error,
            });
        }
    };
    let status = tokio::select! {
        status = child.wait() => status.doing(format!("waiting for {program}"))?,
        () = stop.cancelled() => {
            end(&mut child).await;
            return Err(Error::Stopped);
        }
    };
    if status.success() {
        return Ok(taken);
    }
    let said = said.await.unwrap_or_default();
    let said = if said.is_empty() { status.to_string() } else { said };
    Err(Error::Program { program, said })
}

/// Runs a program whose output is not wanted.
pub(crate) async fn run(command: Command, stop: &CancellationToken) -> Result<()> {
    run_with(command, stop, async |_| Ok(())).await
}

fn name_of(command: &Command) -> String {
    let program = Path::new(command.as_std().get_program());
    program.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

async fn end(child: &mut Child) {
    if let Some(pid) = child.id().and_then(|id| libc::pid_t::try_from(id).ok()) {
        // SAFETY: plain system call; the child was not waited for (else it had no id), so the number is its own.
        unsafe { libc::kill(pid, libc::SIGTERM) };
    }
    if tokio::time::timeout(END_WAIT, child.wait()).await.is_err() {
        // An error means that it has ended by itself.
        let _ = child.kill().await;
    }
}

/// The end of what is read, in one line.
async fn last_words(stderr: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut stderr) = stderr else { return String::new() };
    let mut kept = Vec::with_capacity(2 * SAID_BYTES_MAX);
    let mut buffer = [0; 1024];
    while let Ok(read @ 1..) = stderr.read(&mut buffer).await {
        kept.extend_from_slice(&buffer[..read]);
        if kept.len() > 2 * SAID_BYTES_MAX {
            kept.drain(..kept.len() - SAID_BYTES_MAX);
        }
    }
    let text = String::from_utf8_lossy(&kept[kept.len().saturating_sub(SAID_BYTES_MAX)..]).into_owned();
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}
