//! Where backups go, and with which keys.

use super::backup_stores::BackupStore;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Where backups go, and with which keys.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Backup {
    /// Whose backups these are, so that several systems can share a store: 1 to 64 of `a-z0-9-`.
    pub cluster: String,
    /// Every backup goes to all of them; they are read in this order. At most 16.
    pub stores: Vec<BackupStore>,
    /// A backup counts when so many stores hold it, 1 to the number of stores.
    pub copies_min: usize,
    /// Largest object, 16 to 4096 MiB; a multiple of 16.
    pub pack_mib: u64,
    /// A store that takes nothing for so long while another does gets the rest later, 1 to 3600 s.
    pub lag_s: u64,
    /// Folder for what stores did not take. Default: `backup-spool` in the data directory.
    pub spool_dir: Option<PathBuf>,
    /// Most bytes of copies in the spool.
    pub spool_bytes_max: u64,
    /// File with the encryption keys, 64 hexadecimal digits each, a line each: the first encrypts, all decrypt.
    pub keys_file: Option<PathBuf>,
    /// Environment variable with the encryption keys, instead of the file, separated by commas or white space.
    pub keys_env: Option<String>,
    /// Folder for dumps while they are taken or loaded; needs the size of the database, and to keep what a killed restore
    /// has fetched the size of the backup more. Default: the temporary folder.
    pub scratch_dir: Option<PathBuf>,
    /// Processes that dump or load at once, 1 to 64.
    pub jobs: usize,
    /// A backup that takes longer is worth a warning, 1 to 604800 s.
    pub slow_after_s: u64,
    /// Which backups stay.
    pub retention: BackupRetention,
}

/// Which backups stay: each as long as any of these wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BackupRetention {
    /// Everything that is not older, 1 to 36500 days.
    pub days: u32,
    /// The newest good one of each of so many days that have one, 0 to 10000.
    pub daily: u32,
    /// The same of weeks.
    pub weekly: u32,
    /// The same of months.
    pub monthly: u32,
    /// The same of years.
    pub yearly: u32,
}

/// Why a secret is not there; names the place, never the content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    #[error("{key} is set neither as a file nor as a variable")]
    Unset { key: &'static str },
    #[error("{path}: {why}")]
    File { path: String, why: String },
    #[error("the environment variable {0} is not set")]
    Variable(String),
}

impl Default for Backup {
    fn default() -> Self {
        Self {
            cluster: "counterfoil".into(),
            stores: vec![],
            copies_min: 1,
            pack_mib: 256,
            lag_s: 60,
            spool_dir: None,
            spool_bytes_max: 10 << 30,
            keys_file: None,
            keys_env: None,
            scratch_dir: None,
            jobs: 4,
            slow_after_s: 3600,
            retention: BackupRetention::default(),
        }
    }
}

impl Default for BackupRetention {
    fn default() -> Self {
        Self { days: 90, daily: 7, weekly: 4, monthly: 12, yearly: 5 }
    }
}

impl Backup {
    /// The encryption keys as text, the one to encrypt with first.
    pub fn keys(&self) -> Result<SecretString, SecretError> {
        secret("backup.keys_file", self.keys_file.as_ref(), self.keys_env.as_ref())
    }

    pub(super) fn check(&self, wrong: &mut Vec<String>) {
        let mut range = |key: &str, value: u64, min: u64, max: u64| {
            if !(min..=max).contains(&value) {
                wrong.push(format!("backup.{key} is {value}, and must be {min} to {max}"));
            }
        };
        range("stores", self.stores.len() as u64, 0, 16);
        range("copies_min", self.copies_min as u64, 1, self.stores.len().max(1) as u64);
        range("pack_mib", self.pack_mib, 16, 4096);
        range("lag_s", self.lag_s, 1, 3600);
        range("spool_bytes_max", self.spool_bytes_max, 1, i64::MAX as u64);
        range("jobs", self.jobs as u64, 1, 64);
        range("slow_after_s", self.slow_after_s, 1, 604_800);
        range("retention.days", self.retention.days.into(), 1, 36_500);
        let BackupRetention { daily, weekly, monthly, yearly, .. } = self.retention;
        for (key, count) in [("daily", daily), ("weekly", weekly), ("monthly", monthly), ("yearly", yearly)] {
            range(&format!("retention.{key}"), count.into(), 0, 10_000);
        }
        for store in &self.stores {
            let BackupStore::S3(s3) = store else { continue };
            let mut of_store = |key: &str, value: u64, min, max| {
                range(&format!("stores.{}.{key}", s3.name), value, min, max);
            };
            of_store("connect_timeout_s", s3.connect_timeout_s, 1, 60);
            of_store("request_timeout_s", s3.request_timeout_s, 1, 3600);
            of_store("lock_days", s3.lock_days.unwrap_or(1).into(), 1, 36_500);
        }
        if !self.pack_mib.is_multiple_of(16) {
            wrong.push(format!("backup.pack_mib is {}, and must be a multiple of 16", self.pack_mib));
        }
        if !is_name(&self.cluster) {
            wrong.push(format!("backup.cluster: {:?} is not 1 to 64 of a-z, 0-9 and -", self.cluster));
        }
        let mut names = BTreeSet::new();
        for store in &self.stores {
            let name = store.name();
            // The spool is listed among the stores in errors and metrics.
            if !is_name(name) || name == "spool" {
                wrong.push(format!(
                    "backup.stores: {name:?} is not 1 to 64 of a-z, 0-9 and -, or is \"spool\""
                ));
            }
            if !names.insert(name) {
                wrong.push(format!("backup.stores: {name:?} is there twice"));
            }
            if let BackupStore::S3(s3) = store {
                s3.check(wrong);
            }
        }
    }
}

fn is_name(name: &str) -> bool {
    let fits = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    (1..=64).contains(&name.len()) && name.bytes().all(fits)
}

pub(super) fn secret(
    key: &'static str,
    file: Option<&PathBuf>,
    variable: Option<&String>,
) -> Result<SecretString, SecretError> {
    let text = match (file, variable) {
        (Some(path), _) => std::fs::read_to_string(path).map_err(|error| SecretError::File {
            path: path.display().to_string(),
            why: error.to_string(),
        })?,
        (None, Some(variable)) => {
            std::env::var(variable).map_err(|_| SecretError::Variable(variable.clone()))?
        }
        (None, None) => return Err(SecretError::Unset { key }),
    };
    Ok(text.trim().to_owned().into())
}

#[cfg(test)]
mod tests {
    use super::super::{BackupLockMode, Config, ConfigError};
    use super::*;
    use secrecy::ExposeSecret;

    fn load(toml: &str) -> Result<Config, ConfigError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), toml).unwrap();
        Config::load(Some(file.path()))
    }

    #[test]
    fn stores_are_listed_in_the_order_of_preference() {
        let secret = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(secret.path(), "canary\n").unwrap();
        let config = load(&format!(
            "[backup]\ncopies_min = 2\n\
             [[backup.stores]]\nkind = \"s3\"\nname = \"r2\"\nendpoint = \"https://h\"\nbucket = \"b\"\n\
             key_id = \"id\"\nsecret_file = {:?}\nlock_days = 14\nlock_mode = \"compliance\"\n\
             [[backup.stores]]\nkind = \"disk\"\nname = \"nas\"\ndir = \"/mnt\"\nbytes_max = 5\n",
            secret.path()
        ))
        .unwrap();
        let names: Vec<_> = config.backup.stores.iter().map(BackupStore::name).collect();
        assert_eq!(names, ["r2", "nas"]);
        let BackupStore::S3(s3) = &config.backup.stores[0] else { panic!("the first is S3") };
        assert_eq!((s3.lock_mode, s3.request_timeout_s), (BackupLockMode::Compliance, 120));
        let (key_id, secret) = s3.credentials().unwrap();
        assert_eq!((key_id.as_str(), secret.expose_secret()), ("id", "canary"));
        assert!(!format!("{config:?} {}", serde_json::to_string(&config).unwrap()).contains("canary"));
    }

    #[test]
    fn every_mistake_is_named() {
        let ConfigError(wrong) = load(
            "[backup]\ncluster = \"A\"\ncopies_min = 3\npack_mib = 17\nlag_s = 0\n\
             [[backup.stores]]\nkind = \"s3\"\nname = \"a\"\nbucket = \"\"\nendpoint = \"ftp://h\"\nprefix = \"/p\"\n\
             [[backup.stores]]\nkind = \"disk\"\nname = \"a\"\ndir = \"/mnt\"\n",
        )
        .unwrap_err();
        assert_eq!(wrong.len(), 10, "{wrong:#?}");
    }

    #[test]
    fn a_store_has_the_keys_of_its_kind_only() {
        for extra in ["bucket = \"b\"", "secret = \"x\"", "dirr = \"x\""] {
            let toml = format!("[[backup.stores]]\nkind = \"disk\"\nname = \"a\"\ndir = \"/mnt\"\n{extra}\n");
            assert!(load(&toml).is_err(), "{extra}");
        }
    }

    #[test]
    fn a_missing_secret_says_where_it_was_looked_for() {
        let backup = Backup { keys_env: Some("COUNTERFOIL_NO_SUCH_KEYS".into()), ..Backup::default() };
        assert_eq!(backup.keys().err(), Some(SecretError::Variable("COUNTERFOIL_NO_SUCH_KEYS".into())));
        assert!(matches!(Backup::default().keys(), Err(SecretError::Unset { .. })));
    }
}
