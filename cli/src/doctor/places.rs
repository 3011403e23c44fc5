//! Files and folders: secrets that others could read, uploads, stores of backups.

use super::finding::Finding;
use super::{data_dir, within};
use crate::roles;
use backup::stores::Stores;
use shared::config::{BackupStore, Config, Origin, ShownKey};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Below this share of the file system, or so many bytes, uploads will soon be refused.
const FREE_SHARE_MIN: f64 = 0.1;
const FREE_BYTES_MIN: u64 = 1 << 30;

/// Every file that holds a secret, by the setting that names it.
fn secret_files(config: &Config, shown: &[ShownKey]) -> Vec<(String, PathBuf)> {
    let mut files = vec![];
    for shown in shown {
        if let Some(path) = shown.value.strip_prefix("file:") {
            files.push((shown.key.clone(), path.into()));
        }
        if let (Origin::File(path), "(hidden)") = (&shown.origin, shown.value.as_str()) {
            files.push((shown.key.clone(), path.clone()));
        }
    }
    let mut more =
        |key: &str, path: &Option<PathBuf>| files.extend(path.clone().map(|path| (key.to_owned(), path)));
    more("auth.signing_key_file", &config.auth.signing_key_file);
    more("backup.keys_file", &config.backup.keys_file);
    for store in &config.backup.stores {
        if let BackupStore::S3(s3) = store {
            more(&format!("backup.stores.{}.secret_file", s3.name), &s3.secret_file);
        }
    }
    files
}

pub fn permissions(config: &Config, shown: &[ShownKey]) -> Vec<Finding> {
    let files = secret_files(config, shown);
    let mut findings = vec![];
    for (key, path) in &files {
        let check = format!("secrets.{key}");
        let metadata = match std::fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) => {
                findings.push(Finding::failed(
                    &check,
                    format!("{}: {error}", path.display()),
                    "No role that needs it starts.",
                    "Put the file there, readable by the account that runs Counterfoil.",
                ));
                continue;
            }
        };
        if let Err(error) = std::fs::File::open(path) {
            findings.push(Finding::failed(
                &check,
                format!("{}: {error}", path.display()),
                "This account cannot read it, so roles that run as it do not start.",
                format!("chown it to that account, and chmod 0400 {}.", path.display()),
            ));
        } else if metadata.permissions().mode() & 0o007 != 0 && others_may_enter(path) {
            findings.push(Finding::warning(
                &check,
                format!("{} has mode {:03o}", path.display(), metadata.permissions().mode() & 0o777),
                "Every account of this machine can read the secret.",
                format!("chmod o-rwx {}.", path.display()),
            ));
        }
    }
    if findings.is_empty() {
        findings.push(match files.len() {
            0 => Finding::skipped("secrets", "none is in a file"),
            files => {
                Finding::ok("secrets", format!("{files} in files that only their account and group can read"))
            }
        });
    }
    findings
}

/// Whether no folder on the way keeps others out.
fn others_may_enter(path: &Path) -> bool {
    let Ok(path) = std::fs::canonicalize(path) else { return true };
    path.ancestors().skip(1).all(|folder| {
        std::fs::metadata(folder).is_ok_and(|metadata| metadata.permissions().mode() & 0o001 != 0)
    })
}

pub async fn objects(config: &Config) -> Vec<Finding> {
    let check = "objects";
    if config.objects.dir.is_none() {
        return vec![Finding::skipped(
            check,
            "objects.dir is not set, and no `counterfoil up` runs here, which keeps them in its data directory",
        )];
    }
    let means = "Uploads are refused, and workers cannot read what was uploaded.";
    let fix = "API and workers need the same folder, with write permission for their account.";
    let objects = match roles::objects(config) {
        Ok(objects) => objects,
        Err(error) => return vec![Finding::failed(check, format!("{error:#}"), means, fix)],
    };
    let mut findings = vec![match within(objects.check()).await {
        Ok(Ok(())) => Finding::ok(check, "takes writes"),
        Ok(Err(error)) => Finding::failed(check, error.to_string(), means, fix),
        Err(says) => Finding::failed(check, says, means, "Is the mount there? A share that is away hangs."),
    }];
    if let Ok(room) = objects.room() {
        findings.push(room_left(room.free_bytes, room.size_bytes));
    }
    findings
}

fn room_left(free: u64, size: u64) -> Finding {
    let check = "objects.room";
    let share = if size == 0 { 0.0 } else { free as f64 / size as f64 };
    let found = format!("{:.1} GiB free of {:.1} GiB", gib(free), gib(size));
    if share < FREE_SHARE_MIN || free < FREE_BYTES_MIN {
        return Finding::warning(
            check,
            found,
            "When it is full, uploads are refused.",
            "Enlarge the disk, or remove files nobody needs (DELETE /api/files/{id}).",
        );
    }
    Finding::ok(check, found)
}

fn gib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}

pub async fn backup_stores(config: &Config, asked: Option<PathBuf>) -> Vec<Finding> {
    let check = "backup";
    if config.backup.stores.is_empty() {
        return vec![Finding::warning(
            check,
            "backup.stores is empty",
            "There are no backups: what is lost is lost.",
            "Name at least two stores, in different places; see docs/operating.md, \"Backup stores\".",
        )];
    }
    let keys = config.backup.keys().err().map(|error| {
        Finding::failed(
            "backup.keys",
            error.to_string(),
            "No backup can be written, and none opened.",
            "backup.keys_file or backup.keys_env: `openssl rand -hex 32`, kept also somewhere else than the backups.",
        )
    });
    let opened = Stores::open(&config.backup, data_dir(asked).as_deref());
    let failed = |check: &str, says: String| {
        Finding::failed(
            check,
            says,
            "Backups lack this copy; with fewer than backup.copies_min they fail.",
            "Look at the address, the credentials and their rights, or whether the mount is there.",
        )
    };
    let mut findings: Vec<Finding> = keys.into_iter().collect();
    let statuses = match opened {
        Ok(stores) => within(async move { stores.status().await }).await,
        Err(error) => {
            findings.push(failed(check, shared::chain(&error)));
            return findings;
        }
    };
    match statuses {
        Ok(Ok(statuses)) => findings.extend(statuses.into_iter().map(|status| {
            let check = format!("backup.stores.{}", status.name);
            if !status.is_reachable {
                return failed(&check, status.contact.failure.unwrap_or_else(|| "does not answer".into()));
            }
            let used =
                status.share_used.map_or(String::new(), |share| format!(", {:.0} % used", share * 100.0));
            match status.owed_objects {
                0 => Finding::ok(&check, format!("answers{used}")),
                owed => Finding::warning(
                    &check,
                    format!("lacks {owed} objects{used}"),
                    "They are brought when the store is there again.",
                    "`counterfoil backup verify --heal` brings them now.",
                ),
            }
        })),
        Ok(Err(error)) => findings.push(failed(check, shared::chain(&error))),
        Err(says) => findings.push(failed(check, says)),
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    #[test]
    fn a_secret_that_others_can_read_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("broker-url");
        std::fs::write(&file, "amqp://a:b@h").unwrap();
        let shown = [ShownKey {
            key: "broker.url".into(),
            value: format!("file:{}", file.display()),
            origin: Origin::Default,
        }];
        let states = |file_mode: u32, dir_mode: u32| {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(file_mode)).unwrap();
            std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(dir_mode)).unwrap();
            let findings = permissions(&Config::default(), &shown);
            assert_eq!(findings.len(), 1, "{findings:?}");
            findings[0].state
        };
        assert_eq!(states(0o644, 0o755), State::Warning);
        assert_eq!(states(0o644, 0o700), State::Ok, "the folder keeps others out");
        assert_eq!(states(0o640, 0o755), State::Ok);
        std::fs::remove_file(&file).unwrap();
        assert_eq!(permissions(&Config::default(), &shown)[0].state, State::Failed);
    }

    #[test]
    fn little_room_is_told() {
        let state = |free, size| room_left(free, size).state;
        assert_eq!(state(200 << 30, 400 << 30), State::Ok);
        assert_eq!(state(30 << 30, 400 << 30), State::Warning);
        assert_eq!(state(1 << 29, 1 << 30), State::Warning);
        assert_eq!(state(0, 0), State::Warning);
    }
}
