//! Processes of the executable: started, signalled, and gone when the test is.

use crate::wait::{PATIENCE, until, within};
use std::fs::{self, File};
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{LazyLock, Mutex, mpsc};
use std::time::Duration;

/// The executable under test, without the settings that the environment may hold for another one.
pub fn counterfoil() -> Command {
    // Or another build of it: a release build for a long run of faults.
    let executable = std::env::var_os("COUNTERFOIL_E2E_EXECUTABLE")
        .unwrap_or_else(|| env!("CARGO_BIN_EXE_counterfoil").into());
    let mut command = Command::new(executable);
    for (name, _) in std::env::vars_os() {
        let ours = name.to_str().is_some_and(|name| name.starts_with("COUNTERFOIL_"));
        // What is left behind is found by this one.
        if ours && name != "COUNTERFOIL_TEST_DIR" {
            command.env_remove(name);
        }
    }
    // These tests come from one address, and do in minutes what people do in days.
    for limit in [
        "LOGINS_PER_IP_HOUR",
        "REGISTRATIONS_PER_IP_HOUR",
        "REFRESHES_PER_IP_HOUR",
        "SUBMISSIONS_PER_USER_HOUR",
        "UPLOADS_PER_USER_HOUR",
        "MEMBER_LISTS_PER_USER_HOUR",
        "ANALYTICS_PER_USER_HOUR",
        "REQUESTS_PER_IP_MINUTE",
        "REQUESTS_PER_USER_MINUTE",
        "REQUESTS_PER_TOKEN_MINUTE",
        "REQUESTS_PER_PROJECT_MINUTE",
    ] {
        command.env(format!("COUNTERFOIL_RATE_LIMITS__{limit}"), "0");
    }
    // Longer than any of them takes.
    command.env("COUNTERFOIL_AUTH__ACCESS_TOKEN_MINUTES", "240");
    command.stdin(Stdio::null());
    command
}

/// A running process with its output in files. Dropping it kills it; when the test fails, the end of its output is
/// printed.
pub struct Process {
    name: String,
    pid: i32,
    /// `None` once it has been waited for.
    child: Option<Child>,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Process {
    /// `name` also names the files in `dir`.
    pub fn start(name: &str, dir: &Path, mut command: Command) -> Self {
        let (stdout, stderr) = (dir.join(format!("{name}.out")), dir.join(format!("{name}.log")));
        let file =
            |path: &Path| File::create(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        command.stdout(file(&stdout)).stderr(file(&stderr)).process_group(0);
        // SAFETY: prctl is async-signal-safe.
        unsafe {
            command.pre_exec(|| {
                // A test that is killed leaves nothing running.
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            });
        }
        let child = spawn(command).unwrap_or_else(|error| panic!("starting {name}: {error}"));
        let pid = i32::try_from(child.id()).expect("a process id");
        Self { name: name.to_owned(), pid, child: Some(child), stdout, stderr }
    }

    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// What it has printed so far.
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.stdout).expect("its output")).into_owned()
    }

    /// Its log, and the errors it ended with.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.stderr).expect("its log")).into_owned()
    }

    /// Waits for a line of output that has `part` in it.
    pub fn wait_for_output(&mut self, part: &str) -> String {
        self.wait_for_line(part, Self::stdout)
    }

    /// Waits for a line of the log that has `part` in it.
    pub fn wait_for_log(&mut self, part: &str) -> String {
        self.wait_for_line(part, Self::stderr)
    }

    fn wait_for_line(&mut self, part: &str, of: impl Fn(&Self) -> String) -> String {
        until(&format!("{} says {part:?}", self.name), || {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            let text = of(self);
            // Only whole lines: the last one may be half written.
            let whole = text.rfind('\n').map_or("", |end| &text[..end]);
            let found = whole.lines().find(|line| line.contains(part)).map(str::to_owned);
            assert!(
                found.is_some() || ended.is_none(),
                "{} ended ({ended:?}) before it said {part:?}",
                self.name
            );
            found
        })
    }

    pub fn signal(&self, signal: i32) {
        assert!(self.child.is_some(), "{} has ended", self.name);
        // SAFETY: plain system call; the child was not waited for, so the number is still its own.
        let sent = unsafe { libc::kill(self.pid, signal) };
        assert_eq!(sent, 0, "signalling {}: {}", self.name, io::Error::last_os_error());
    }

    /// SIGKILL; returns when it is gone.
    pub fn kill_9(&mut self) {
        self.signal(libc::SIGKILL);
        let status = self.wait_for_end();
        assert_eq!(status.signal(), Some(libc::SIGKILL), "{} had ended by itself", self.name);
    }

    /// Sends `signal`, with which it should stop in order, and returns how it ended.
    pub fn stop(&mut self, signal: i32) -> ExitStatus {
        self.signal(signal);
        self.wait_for_end()
    }

    pub fn wait_for_end(&mut self) -> ExitStatus {
        let child = self.child.as_mut().expect("waiting once");
        let status = within(PATIENCE, &format!("{} ends", self.name), || child.try_wait().expect("waiting"));
        self.child = None;
        status
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            for (text, what) in [(self.stdout(), "output"), (self.stderr(), "log")] {
                let lines: Vec<&str> = text.lines().collect();
                let tail = lines[lines.len().saturating_sub(15)..].join("\n");
                println!("--- end of the {what} of {} ({})\n{tail}", self.name, self.pid);
            }
        }
    }
}

type Order = (Command, mpsc::Sender<io::Result<Child>>);

/// The kernel sends the death signal when the *thread* that spawned a child ends, and tests are threads of which
/// some end early: so one thread that never ends spawns all.
fn spawn(command: Command) -> io::Result<Child> {
    static SPAWNER: LazyLock<Mutex<mpsc::Sender<Order>>> = LazyLock::new(|| {
        let (sender, orders) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in orders {
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(sender)
    });
    let (answer, child) = mpsc::channel();
    let order = (command, answer);
    SPAWNER.lock().expect("nobody panics with it").send(order).expect("the spawner lives");
    child.recv().expect("the spawner answers")
}

/// Runs the executable to its end and expects success.
pub fn run(mut command: Command) -> String {
    let output = command.stderr(Stdio::piped()).stdout(Stdio::piped()).output().expect("the executable runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{stderr}", output.status);
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Processes whose command line has `part` in it.
pub fn processes_with(part: &str) -> Vec<i32> {
    let dirs = fs::read_dir("/proc").expect("the processes").flatten();
    let pids = dirs.filter_map(|dir| dir.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| {
        // An empty one is a zombie's, or the process has just gone.
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(part)
    })
    .collect()
}

/// [`processes_with`] until there are none.
pub fn wait_until_none_with(part: &str) {
    within(Duration::from_secs(60), &format!("no process of {part}"), || {
        processes_with(part).is_empty().then_some(())
    });
}
