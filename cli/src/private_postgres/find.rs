//! Finding PostgreSQL's programs, and getting them where they are missing.

use anyhow::{Context, Result, bail};
use shared::postgres_programs::{self, BINDIR_VARIABLE, major_version};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Carried inside, so that the executable alone can do it.
const GET_SERVICES: &str = include_str!("../../../ops/get-services.sh");

/// A folder with `postgres` and `initdb`, of major version `wanted` if the cluster has one already.
pub(super) async fn programs(wanted: Option<u32>) -> Result<PathBuf> {
    if let Some(dir) = choose(installed(), wanted) {
        return Ok(dir);
    }
    let found = installed();
    if let (Some(wanted), false) = (wanted, found.is_empty()) {
        bail!(
            "the database was made by PostgreSQL {wanted}, and only other versions are installed: {found:?}. \
             Install PostgreSQL {wanted}, or set {BINDIR_VARIABLE} to its bin folder"
        );
    }
    let got = tokio::task::spawn_blocking(get).await??;
    choose(vec![got], wanted).with_context(|| match wanted {
        Some(wanted) => {
            format!("the database was made by PostgreSQL {wanted}, which this system does not have")
        }
        None => "the packages of PostgreSQL hold no server".into(),
    })
}

/// What a server needs.
const PROGRAMS: &[&str] = &["postgres", "initdb"];

fn installed() -> Vec<PathBuf> {
    postgres_programs::installed(PROGRAMS)
}

fn choose(dirs: Vec<PathBuf>, wanted: Option<u32>) -> Option<PathBuf> {
    dirs.into_iter().find(|dir| match wanted {
        None => PROGRAMS.iter().all(|program| dir.join(program).is_file()),
        Some(wanted) => major_version(dir, "postgres") == Some(wanted),
    })
}

/// Runs the script that installs (root) or unpacks (anybody else) the packages; says where the programs are.
fn get() -> Result<PathBuf> {
    let mut shell = Command::new("sh")
        .args(["-s", "postgresql"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("running sh to get PostgreSQL")?;
    shell.stdin.take().context("a pipe was asked for")?.write_all(GET_SERVICES.as_bytes())?;
    let answer = shell.wait_with_output()?;
    let answer_text = String::from_utf8_lossy(&answer.stdout).into_owned();
    let dir = answer_text.lines().find_map(|line| line.strip_prefix("postgresql_bindir="));
    match dir {
        Some(dir) if answer.status.success() => Ok(dir.into()),
        _ => bail!(
            "PostgreSQL could not be had. Install its server (Debian: apt-get install postgresql), or set \
             database.url to one that runs, or {BINDIR_VARIABLE} to a folder with its programs"
        ),
    }
}
