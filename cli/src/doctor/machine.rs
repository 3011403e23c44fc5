//! The machine itself.

use super::finding::Finding;
use chrono::{Datelike, Utc};
use shared::config::Config;
use shared::postgres_programs::{BINDIR_VARIABLE, installed, major_version};
use shared::schedule::zone_data_version;

/// Connections, uploads and stores together; systemd's old default of 1024 is used up by event streams.
const FILES_MIN: u64 = 4096;
/// Governments change the clocks at short notice, about ten times a year.
const ZONES_YEARS_MAX: i32 = 2;

pub fn check() -> Vec<Finding> {
    let today = Utc::now().year();
    [Some(time_zones(zone_data_version(), today)), open_files(), temporary_folder()]
        .into_iter()
        .flatten()
        .collect()
}

/// The data is inside of the executable; its version begins with the year.
fn time_zones(version: &str, this_year: i32) -> Finding {
    let check = "time zones";
    let year: Option<i32> = version.get(..4).and_then(|year| year.parse().ok());
    let found = format!("version {version}, inside of the executable");
    match year {
        Some(year) if this_year - year < ZONES_YEARS_MAX => Finding::ok(check, found),
        _ => Finding::warning(
            check,
            found,
            "Schedules in countries that have changed their rules since fire at the wrong hour.",
            "Upgrade Counterfoil.",
        ),
    }
}

fn open_files() -> Option<Finding> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the structure is ours to be written.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return None;
    }
    let check = "open files";
    let found = format!("at most {}", limit.rlim_cur);
    Some(if limit.rlim_cur < FILES_MIN {
        Finding::warning(
            check,
            found,
            "An API with many event streams, or a worker with many jobs, runs out of them.",
            "LimitNOFILE=65536 in the unit, `ulimit -n 65536` in a shell.",
        )
    } else {
        Finding::ok(check, found)
    })
}

/// Sorting of large files and backups are staged there.
fn temporary_folder() -> Option<Finding> {
    let check = "temporary folder";
    let dir = std::env::temp_dir();
    let probe = dir.join(format!("counterfoil-doctor-{}", uuid::Uuid::now_v7()));
    let written = std::fs::write(&probe, b"probe");
    let _ = std::fs::remove_file(&probe);
    Some(match written {
        Ok(()) => Finding::ok(check, dir.display().to_string()),
        Err(error) => Finding::failed(
            check,
            format!("{}: {error}", dir.display()),
            "Backups, workbooks and large files cannot be staged.",
            "Name a folder that can be written in TMPDIR; with a read-only root, mount one.",
        ),
    })
}

/// Backups are made by PostgreSQL's own programs, of the server's version or a later one.
pub fn postgresql_programs(config: &Config, server_major: Option<u32>) -> Finding {
    let check = "PostgreSQL's programs";
    if config.backup.stores.is_empty() {
        return Finding::skipped(check, "only backups need them");
    }
    let fix = format!(
        "Install postgresql-client of the server's version or later, or name the folder in {BINDIR_VARIABLE}; the image \
         `with-postgresql` has them."
    );
    let newest = installed(&["pg_dump", "pg_restore", "pg_basebackup"])
        .into_iter()
        .find_map(|dir| major_version(&dir, "pg_dump").map(|version| (version, dir)));
    let means = "`counterfoil backup` cannot take full backups from this machine.";
    match newest {
        None => Finding::failed(check, "not found", means, fix),
        Some((version, dir)) if server_major.is_some_and(|server| version < server) => {
            let found = format!("version {version} in {}, older than the server", dir.display());
            Finding::failed(check, found, means, fix)
        }
        Some((version, dir)) => Finding::ok(check, format!("version {version} in {}", dir.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    #[test]
    fn old_time_zones_are_told() {
        assert_eq!(time_zones("2026a", 2027).state, State::Ok);
        assert_eq!(time_zones("2024b", 2026).state, State::Warning);
        assert_eq!(time_zones("?", 2026).state, State::Warning);
    }
}
