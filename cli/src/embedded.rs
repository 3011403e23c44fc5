//! What `counterfoil up` keeps in its data directory where the configuration names no other place, and what a running one
//! says of itself there. The commands beside it find things by the same rules.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use shared::config::{BackupStore, Config, DiskStore, Origin, ShownKey};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Locked while an `up` runs on the directory.
const LOCK: &str = "lock";
/// Of backups; see [`name_backups`].
const BACKUP_KEY: &str = "backup-key";

/// Uploads, mails and backups go into the data directory unless the configuration says otherwise. Makes nothing.
pub fn name_places(config: &mut Config, data_dir: &Path) {
    config.objects.dir.get_or_insert_with(|| data_dir.join("objects"));
    if config.mail.url.is_none() && config.mail.dir.is_none() {
        config.mail.dir = Some(data_dir.join("mail"));
    }
    name_backups(config, data_dir);
}

/// Without stores of its own, `up` keeps backups beside its data, encrypted with a key of its own: they outlive a dropped
/// table and a lost cluster, and not the disk. Makes nothing; returns the key's file if it is that one.
pub fn name_backups(config: &mut Config, data_dir: &Path) -> Option<PathBuf> {
    if config.database.url.is_some() || !config.backup.stores.is_empty() {
        return None;
    }
    let backup = &mut config.backup;
    let has_keys = backup.keys_file.is_some() || backup.keys_env.is_some();
    let own_key = (!has_keys).then(|| data_dir.join(BACKUP_KEY));
    backup.keys_file = backup.keys_file.take().or_else(|| own_key.clone());
    let store = DiskStore { name: "local".into(), dir: data_dir.join("backups"), bytes_max: None };
    backup.stores = vec![BackupStore::Disk(store)];
    backup.spool_dir.get_or_insert_with(|| data_dir.join("backup-spool"));
    own_key
}

/// The key that signs access tokens, and the one that seals, where the configuration has none.
pub fn signing_key_file(data_dir: &Path) -> PathBuf {
    data_dir.join("signing-key.der")
}

pub fn sealing_key_file(data_dir: &Path) -> PathBuf {
    data_dir.join("sealing-key")
}

/// `None`: another `up` runs on the directory. Whoever only looks (see [`is_running`]) holds it for an instant.
pub fn lock(data_dir: &Path) -> Result<Option<File>> {
    let path = data_dir.join(LOCK);
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
    for _ in 0..10 {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) => std::thread::sleep(std::time::Duration::from_millis(20)),
            Err(TryLockError::Error(error)) => {
                return Err(error).context(format!("locking {}", path.display()));
            }
        }
    }
    Ok(None)
}

/// Whether an `up` runs on the directory now.
pub fn is_running(data_dir: &Path) -> bool {
    File::open(data_dir.join(LOCK))
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Whether an `up` ever ran on the directory.
pub fn was_running(data_dir: &Path) -> bool {
    data_dir.join(LOCK).exists()
}

/// What a running `up` says of itself, so that others need not guess.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    pub pid: u32,
    /// Where its API answers.
    pub url: String,
    /// Every setting that is not as it comes, without secrets.
    pub settings: BTreeMap<String, String>,
}

impl Running {
    pub fn new(url: &str, shown: &[ShownKey]) -> Self {
        Self { pid: std::process::id(), url: url.to_owned(), settings: changed(shown) }
    }

    /// `None`: none runs there, or one of another version.
    pub fn read(data_dir: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(Self::path(data_dir)).ok()?).ok()
    }

    /// Until the value is dropped.
    pub fn tell(&self, data_dir: &Path) -> Result<Told> {
        let path = Self::path(data_dir);
        let part = path.with_added_extension("part");
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&part)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        std::fs::rename(&part, &path)?;
        Ok(Told(path))
    }

    /// Settings that differ from these, by name.
    pub fn differing(&self, shown: &[ShownKey]) -> Vec<String> {
        let ours = changed(shown);
        let keys = self.settings.keys().chain(ours.keys());
        let mut keys: Vec<&String> = keys.filter(|key| self.settings.get(*key) != ours.get(*key)).collect();
        keys.sort();
        keys.dedup();
        keys.into_iter().cloned().collect()
    }

    fn path(data_dir: &Path) -> PathBuf {
        data_dir.join("running.json")
    }
}

/// The file goes with it.
pub struct Told(PathBuf);

impl Drop for Told {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn changed(shown: &[ShownKey]) -> BTreeMap<String, String> {
    let changed = shown.iter().filter(|key| key.origin != Origin::Default);
    changed.map(|key| (key.key.clone(), key.value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_looks_at_the_lock_sees_who_holds_it_and_keeps_nobody_out() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!is_running(dir.path()) && !was_running(dir.path()));
        let held = lock(dir.path()).unwrap().expect("nobody has it");
        assert!(is_running(dir.path()));
        assert!(lock(dir.path()).unwrap().is_none(), "one at a time");
        drop(held);
        assert!(!is_running(dir.path()) && was_running(dir.path()));
        let looking = File::open(dir.path().join(LOCK)).unwrap();
        looking.try_lock_shared().unwrap();
        let waited = std::thread::scope(|scope| {
            let starting = scope.spawn(|| lock(dir.path()).unwrap().is_some());
            looking.unlock().unwrap();
            starting.join().unwrap()
        });
        assert!(waited, "an instant of looking is waited for");
    }

    #[test]
    fn what_a_running_one_says_is_compared_setting_by_setting() {
        let dir = tempfile::tempdir().unwrap();
        let key = |key: &str, value: &str, origin| ShownKey { key: key.into(), value: value.into(), origin };
        let file = || Origin::File("a.toml".into());
        let environment = || Origin::Environment("X".into());
        let running = Running::new(
            "http://127.0.0.1:1",
            &[
                key("objects.dir", "/a", file()),
                key("http.listen", "127.0.0.1:0", environment()),
                key("backup.jobs", "4", Origin::Default),
            ],
        );
        let told = running.tell(dir.path()).unwrap();
        assert_eq!(Running::read(dir.path()), Some(running.clone()));
        let ours = [
            key("objects.dir", "/b", environment()),
            key("http.listen", "127.0.0.1:0", file()),
            key("mail.dir", "/m", file()),
        ];
        assert_eq!(running.differing(&ours), ["mail.dir", "objects.dir"], "wherever they come from");
        drop(told);
        assert_eq!(Running::read(dir.path()), None);
    }

    #[test]
    fn what_the_configuration_names_stays() {
        let dir = Path::new("/data");
        let mut config = Config::default();
        name_places(&mut config, dir);
        assert_eq!(config.objects.dir.as_deref(), Some(Path::new("/data/objects")));
        assert_eq!(config.backup.keys_file.as_deref(), Some(Path::new("/data/backup-key")));
        assert_eq!(config.backup.stores.len(), 1);
        let mut config = Config::default();
        config.database.url = Some("postgres://db/x".to_owned().into());
        config.objects.dir = Some("/elsewhere".into());
        config.mail.url = Some("smtp://mail".to_owned().into());
        name_places(&mut config, dir);
        assert_eq!(config.objects.dir.as_deref(), Some(Path::new("/elsewhere")));
        assert!(config.backup.stores.is_empty() && config.mail.dir.is_none());
    }
}
