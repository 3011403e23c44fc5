//! Finding PostgreSQL's own programs on this machine.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names a folder with PostgreSQL's programs; wins over everything found.
pub const BINDIR_VARIABLE: &str = "COUNTERFOIL_PG_BINDIR";

/// Every folder that has all of `programs`, best first: the one asked for, then the newest. Reads a few folders.
pub fn installed(programs: &[&str]) -> Vec<PathBuf> {
    let has_programs = |dir: &Path| programs.iter().all(|program| dir.join(program).is_file());
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
    // On the path may be links into the real folder; the programs look for their neighbours there.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let first = programs.first().copied().unwrap_or("postgres");
    dirs.extend(
        std::env::split_paths(&path)
            .filter_map(|dir| std::fs::canonicalize(dir.join(first)).ok())
            .filter_map(|program| program.parent().map(Path::to_owned)),
    );
    let mut seen = HashSet::new();
    dirs.into_iter().filter(|dir| has_programs(dir) && seen.insert(dir.clone())).collect()
}

/// The major version that `program` of the folder says it has; `None` when it does not run.
pub fn major_version(dir: &Path, program: &str) -> Option<u32> {
    let said = Command::new(dir.join(program)).arg("--version").output().ok()?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    // "postgres (PostgreSQL) 15.18 (Debian …)", "… 19beta1"
    let version = said.split_whitespace().nth(2)?;
    let digits = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    version[..digits].parse().ok()
}
