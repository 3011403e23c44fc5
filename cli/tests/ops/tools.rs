//! Programs that check files, where they are to be had.

use super::files::{ops, root};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

/// One of those that `ops/get-lint-tools.sh` gets. `None`, with a line that says so, where it cannot.
pub fn linter(name: &str) -> Option<PathBuf> {
    static DIR: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| {
        let mut get = Command::new("sh");
        let output = get.arg(ops("get-lint-tools.sh")).output().map_err(|error| error.to_string())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(text(&output.stdout).into()) } else { Err(text(&output.stderr)) }
    });
    match &*DIR {
        Ok(dir) => Some(dir.join(name)),
        Err(why) => {
            println!("skipped: {name} is not used: {why}");
            None
        }
    }
}

/// A program of the system. `None`, with a line that says so, where it is not installed.
pub fn installed(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|path| path.is_file());
    if found.is_none() {
        println!("skipped: {name} is not installed");
    }
    found
}

/// Runs a program to its end.
pub fn output(command: &mut Command) -> Output {
    command.current_dir(root()).stdin(Stdio::null());
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// Runs it, expects success, and returns what it printed.
#[track_caller]
pub fn run(command: &mut Command) -> String {
    let output = output(command);
    let (told, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{told}\n{complained}", output.status);
    told.into_owned()
}

/// The executable under test, with no setting of ours in the environment.
pub fn counterfoil() -> Command {
    let mut command = Command::new(executable());
    for (name, _) in std::env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| name.starts_with("COUNTERFOIL_") && name != "COUNTERFOIL_TEST_DIR")
        {
            command.env_remove(name);
        }
    }
    command
}

pub fn executable() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_counterfoil"))
}
