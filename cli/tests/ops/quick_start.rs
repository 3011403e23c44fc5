//! Every command of `docs/quick-start.md`, in its order, as somebody would type them.

use super::files::{read, root};
use super::tools::{counterfoil, executable, installed};
use shared::testing::test_dir;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A private PostgreSQL is made and started, on a machine that does other things as well.
const UP_WITHIN: Duration = Duration::from_secs(240);
const ADDRESS: &str = "http://127.0.0.1:8080";

fn blocks() -> Vec<String> {
    let text = read(&root().join("docs/quick-start.md"));
    let blocks = text.split("```sh\n").skip(1);
    blocks.map(|rest| rest.split("```").next().expect("an end").to_owned()).collect()
}

/// In a folder with nothing but the samples, and the executable on the path.
fn shell(dir: &Path, script: &str) -> Command {
    let mut path = executable().parent().expect("a folder").as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let mut command = Command::new("sh");
    // Exit code 1 of `match`: exceptions remain, as the page says.
    let prelude = "counterfoil() { command counterfoil \"$@\" || [ \"$1/$?\" = match/1 ]; }\n";
    command.arg("-euc").arg(format!("{prelude}{script}")).current_dir(dir).stdin(Stdio::null());
    let clean = counterfoil();
    for (name, value) in clean.get_envs() {
        if value.is_none() {
            command.env_remove(name);
        }
    }
    command.env("PATH", path).env("COUNTERFOIL_DATA_DIR", dir.join("data"));
    command
}

#[track_caller]
fn type_in(dir: &Path, script: &str) -> String {
    let output = shell(dir, script).output().expect("a shell");
    let (told, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script}\n{}\n{told}\n{complained}", output.status);
    told.into_owned()
}

/// The terminal in which the server runs; gone with the test.
struct Terminal {
    child: Child,
    output: PathBuf,
}

impl Terminal {
    fn start(dir: &Path, script: &str) -> Self {
        let output = dir.join("up.out");
        let file = File::create(&output).expect("a file");
        let mut command = shell(dir, &script.replace("counterfoil", "exec counterfoil"));
        command
            .env("COUNTERFOIL_HTTP__LISTEN", "127.0.0.1:0")
            .stderr(file.try_clone().expect("a file"))
            .stdout(file);
        command.process_group(0);
        Self { child: command.spawn().expect("a shell"), output }
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.output).unwrap_or_default()
    }

    fn wait_for(&mut self, part: &str) -> String {
        let started = Instant::now();
        while !self.text().contains(part) {
            let ended = self.child.try_wait().expect("waiting");
            assert!(ended.is_none() && started.elapsed() < UP_WITHIN, "{part:?}: {ended:?}\n{}", self.text());
            std::thread::sleep(Duration::from_millis(100));
        }
        self.text()
    }

    /// Ctrl-C; returns the exit code.
    fn interrupt(mut self) -> Option<i32> {
        let pid = i32::try_from(self.child.id()).expect("a process id");
        // SAFETY: plain system call; the child was not waited for, so the number is still its own.
        unsafe { libc::kill(pid, libc::SIGINT) };
        self.child.wait().expect("waiting").code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn every_command_of_the_quick_start_works() {
    if installed("curl").is_none() {
        return;
    }
    let dir = test_dir("quick-start");
    // The account of the private PostgreSQL goes through here.
    fs::set_permissions(&dir, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("permissions");
    std::os::unix::fs::symlink(root().join("samples"), dir.join("samples")).expect("a link");
    let blocks = blocks();
    let starts = blocks.iter().position(|block| block.contains("counterfoil up")).expect("the server");
    for block in &blocks[..starts] {
        type_in(&dir, block);
    }
    assert!(dir.join("result/summary.json").is_file() && dir.join("guessed/matches.csv").is_file());

    let mut terminal = Terminal::start(&dir, &blocks[starts]);
    let output = terminal.wait_for("Ctrl-C stops it");
    let address =
        output.split("is up at ").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("an address");
    // One terminal: what the first block exports the others use.
    let script = blocks[starts + 1..].concat();
    assert!(script.contains(&format!("export API={ADDRESS}\n")), "the page names another address");
    let told = type_in(&dir, &script.replace(ADDRESS, address));
    for part in
        ["\"status\":\"ok\"", "completed", "\"name\":\"January\"", "database.migrations", "worker.lease_s"]
    {
        assert!(told.contains(part), "{part} in {told}");
    }
    assert_eq!(terminal.interrupt(), Some(0));
}
