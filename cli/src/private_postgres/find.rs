//! Finding PostgreSQL's programs, and getting them where they are missing.

use anyhow::{Context, Result, bail};
use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Carried inside, so that the executable alone can do it.
const GET_SERVICES: &str = include_str!("../../../ops/get-services.sh");

/// Names a folder with PostgreSQL's programs; wins over everything found.
const BINDIR_VARIABLE: &str = "COUNTERFOIL_PG_BINDIR";

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

fn choose(dirs: Vec<PathBuf>, wanted: Option<u32>) -> Option<PathBuf> {
    dirs.into_iter().find(|dir| match wanted {
        None => has_programs(dir),
        Some(wanted) => has_programs(dir) && major_version(dir) == Some(wanted),
    })
}

fn has_programs(dir: &Path) -> bool {
    dir.join("postgres").is_file() && dir.join("initdb").is_file()
}

/// Every folder with the programs, best first: the one asked for, then the newest.
fn installed() -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> = std::env::var_os(BINDIR_VARIABLE).map(PathBuf::from).into_iter().collect();
    let mut versioned: Vec<(u32, PathBuf)> = [
        ("/usr/lib/postgresql", ""), // Debian, Ubuntu
        ("/usr", "pgsql-"),          // Red Hat
        ("/opt/homebrew/opt", "postgresql@"),
        ("/usr/local/opt", "postgresql@"),
    ]
    .into_iter()
    .flat_map(|(root, prefix)| {
        let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
        entries.filter_map(move |entry| {
            let version = entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
    })
    .collect();
    versioned.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    dirs.extend(versioned.into_iter().map(|(_, dir)| dir));
    dirs.push("/usr/local/pgsql/bin".into());
    // On the path may be links into the real folder; initdb looks for its neighbours there.
    let path = std::env::var_os("PATH").unwrap_or_default();
    dirs.extend(
        std::env::split_paths(&path)
            .filter_map(|dir| std::fs::canonicalize(dir.join("initdb")).ok())
            .filter_map(|initdb| initdb.parent().map(Path::to_owned)),
    );
    let mut seen = HashSet::new();
    dirs.into_iter().filter(|dir| has_programs(dir) && seen.insert(dir.clone())).collect()
}

fn major_version(dir: &Path) -> Option<u32> {
    let said = Command::new(dir.join("postgres")).arg("--version").output().ok()?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    // "postgres (PostgreSQL) 15.18 (Debian …)", "… 19beta1"
    let version = said.split_whitespace().nth(2)?;
    let digits = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    version[..digits].parse().ok()
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
