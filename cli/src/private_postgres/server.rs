//! The server's process: owned by a thread of its own, stopped with patience, and unable to outlive us.

use anyhow::{Context, Result};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// A fast shutdown writes a checkpoint; after this long it is cut short (recovery happens at the next start).
const STOP_LIMIT: Duration = Duration::from_secs(30);

pub(super) struct Server {
    stop: Option<mpsc::Sender<()>>,
    owner: Option<std::thread::JoinHandle<()>>,
    ended: Arc<AtomicBool>,
}

impl Server {
    /// Starts `command` with its output appended to `log`.
    pub(super) fn start(mut command: Command, log: &Path) -> Result<Self> {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("opening {}", log.display()))?;
        command.stdout(log.try_clone()?).stderr(log);
        // A terminal's Ctrl-C reaches our whole process group; the server must outlive it until we have drained.
        command.process_group(0);
        #[cfg(target_os = "linux")]
        // SAFETY: prctl is async-signal-safe. Runs after the change of user, which would clear the setting.
        unsafe {
            command.pre_exec(|| {
                // SIGINT is PostgreSQL's fast shutdown: what happens to it when we are killed.
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGINT);
                Ok(())
            });
        }
        let (stop, stopped) = mpsc::channel();
        let (started, start) = mpsc::channel();
        let ended = Arc::new(AtomicBool::new(false));
        // The death signal is sent when the *thread* that spawned the child ends, not the process. So a thread
        // that lives as long as the server spawns it.
        let owner = std::thread::Builder::new().name("private-postgres".into()).spawn({
            let ended = ended.clone();
            move || {
                match command.spawn() {
                    Ok(child) => {
                        let _ = started.send(Ok(()));
                        own(child, &stopped);
                    }
                    Err(error) => {
                        let _ = started.send(Err(error));
                    }
                }
                ended.store(true, Ordering::Release);
            }
        })?;
        start.recv().context("the owner of the server ended")?.context("starting PostgreSQL")?;
        Ok(Self { stop: Some(stop), owner: Some(owner), ended })
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }
}

/// Waits for the child to end by itself or to be told to.
fn own(mut child: Child, stopped: &mpsc::Receiver<()>) {
    while let Err(mpsc::RecvTimeoutError::Timeout) = stopped.recv_timeout(Duration::from_millis(200)) {
        if let Ok(Some(status)) = child.try_wait() {
            tracing::error!(%status, "PostgreSQL ended by itself");
            return;
        }
    }
    signal(&child, libc::SIGINT);
    let told_at = Instant::now();
    while told_at.elapsed() < STOP_LIMIT {
        if matches!(child.try_wait(), Ok(Some(_))) {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    tracing::warn!("PostgreSQL takes too long to shut down; stopping it at once");
    signal(&child, libc::SIGQUIT);
    let _ = child.wait();
}

fn signal(child: &Child, signal: i32) {
    // SAFETY: the child has not been waited for, so its pid cannot belong to anybody else.
    unsafe {
        libc::kill(child.id() as i32, signal);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(owner) = self.owner.take() {
            let _ = owner.join();
        }
    }
}
