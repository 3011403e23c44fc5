//! What objects are called: made by what they are for, the same in every store.
//!
//! ```text
//! v1/<cluster>/base/<backup>/<stream>-00001 …, manifest    physical backups
//! v1/<cluster>/full/<backup>/…                             the whole database, logical
//! v1/<cluster>/tenant/<backup>/…                           chosen tenants, logical
//! v1/<cluster>/configuration/<backup>/…
//! v1/<cluster>/wal/<timeline>/<file name>
//! v1/<cluster>/keys/<backup>/<key id>                      wrapped data keys
//! v1/<cluster>/verify/<backup>/<name>                      what verification found
//! ```
//!
//! Everything is written once. The class comes before the backup so that a store can lock and age classes apart.

use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

/// The full name of an object. Deserialising checks it: a manifest cannot name anything outside of `v1/`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectName(String);

/// Whose backups these are, so that several systems can share a store: 1 to 64 of `a-z0-9-`, from `backup.cluster`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cluster(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackupClass {
    Base,
    Full,
    Tenant,
    Configuration,
}

/// Where the objects of one backup are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BackupFolder {
    pub cluster: Cluster,
    pub class: BackupClass,
    pub id: Uuid,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("{0:?} is not the name of a cluster: 1 to 64 of a-z, 0-9 and -")]
    Cluster(String),
    #[error("{0:?} is not the name of an object")]
    Object(String),
}

/// Longest name, bytes; S3 allows 1,024 with the store's own prefix.
const NAME_BYTES_MAX: usize = 512;

impl BackupClass {
    pub const ALL: [Self; 4] = [Self::Base, Self::Full, Self::Tenant, Self::Configuration];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Full => "full",
            Self::Tenant => "tenant",
            Self::Configuration => "configuration",
        }
    }
}

impl Cluster {
    pub fn parse(name: &str) -> Result<Self, NameError> {
        let fits = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        if (1..=64).contains(&name.len()) && name.bytes().all(fits) {
            Ok(Self(name.into()))
        } else {
            Err(NameError::Cluster(name.into()))
        }
    }

    /// Of every object of this cluster; ends with `/`.
    pub fn prefix(&self) -> String {
        format!("v1/{self}/")
    }

    /// Of all backups of a class; ends with `/`.
    pub fn class_prefix(&self, class: BackupClass) -> String {
        format!("v1/{self}/{}/", class.as_str())
    }

    /// Of all archived WAL; ends with `/`.
    pub fn wal_prefix(&self) -> String {
        format!("v1/{self}/wal/")
    }

    /// An archived WAL file as PostgreSQL calls it: `00000001000000000000000A`, `00000002.history`,
    /// `….00000028.backup`. Its first eight letters are the timeline.
    pub fn wal(&self, file: &str) -> Result<ObjectName, NameError> {
        let timeline = file.get(..8).filter(|t| t.bytes().all(|c| c.is_ascii_hexdigit()));
        let timeline = timeline.ok_or_else(|| NameError::Object(file.into()))?;
        ObjectName::parse(&format!("v1/{self}/wal/{timeline}/{file}"))
    }

    /// The data key of a backup as the key `key_id` has wrapped it. Rotation writes one beside it and then deletes
    /// the older one.
    pub fn wrapped_key(&self, backup: Uuid, key_id: &str) -> Result<ObjectName, NameError> {
        ObjectName::parse(&format!("v1/{self}/keys/{backup}/{key_id}"))
    }

    pub fn wrapped_keys_prefix(&self, backup: Uuid) -> String {
        format!("v1/{self}/keys/{backup}/")
    }

    /// Data keys of archived files as a later key has wrapped them; `group`: see `wal::keys`.
    pub fn wal_keys(&self, group: &str, name: &str) -> Result<ObjectName, NameError> {
        ObjectName::parse(&format!("{}{name}", self.wal_keys_prefix(group)))
    }

    pub fn wal_keys_prefix(&self, group: &str) -> String {
        format!("v1/{self}/keys/wal-{group}/")
    }

    /// What a verification of a backup found; `name` tells verifications apart.
    pub fn verification(&self, backup: Uuid, name: &str) -> Result<ObjectName, NameError> {
        ObjectName::parse(&format!("v1/{self}/verify/{backup}/{name}"))
    }
}

impl BackupFolder {
    /// Ends with `/`.
    pub fn prefix(&self) -> String {
        format!("v1/{}/{}/{}/", self.cluster, self.class.as_str(), self.id)
    }

    /// Written last: a backup without it is none.
    pub fn manifest(&self) -> ObjectName {
        ObjectName(format!("{}{MANIFEST}", self.prefix()))
    }

    /// Pack `number` (from 1) of a stream; `stream` is 1 to 64 of `a-z0-9-`.
    pub fn pack(&self, stream: &str, number: u32) -> Result<ObjectName, NameError> {
        Cluster::parse(stream).map_err(|_| NameError::Object(stream.into()))?;
        Ok(ObjectName(format!("{}{stream}-{number:05}", self.prefix())))
    }

    /// The backup an object belongs to, if it is a pack or a manifest.
    pub fn of(name: &ObjectName) -> Option<Self> {
        let mut segments = name.0.split('/').skip(1);
        let cluster = Cluster::parse(segments.next()?).ok()?;
        let class = segments.next()?;
        let class = BackupClass::ALL.into_iter().find(|c| c.as_str() == class)?;
        let id = Uuid::parse_str(segments.next()?).ok()?;
        Some(Self { cluster, class, id })
    }
}

const MANIFEST: &str = "manifest";

impl ObjectName {
    /// `v1/` and then segments of `A-Za-z0-9._-` that do not begin with a dot: names are paths in a disk store.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        let fits = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
        let segment = |s: &str| !s.is_empty() && s.len() <= 128 && !s.starts_with('.') && s.bytes().all(fits);
        if name.starts_with("v1/") && name.len() <= NAME_BYTES_MAX && name.split('/').all(segment) {
            Ok(Self(name.into()))
        } else {
            Err(NameError::Object(name.into()))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_manifest(&self) -> bool {
        self.0.ends_with("/manifest") && BackupFolder::of(self).is_some()
    }

    /// Whether a store that locks objects locks this one. Wrapped keys must stay deletable: without its key a locked
    /// backup is as good as erased.
    pub fn is_lockable(&self) -> bool {
        let class = self.0.split('/').nth(2);
        !matches!(class, Some("keys" | "verify"))
    }
}

impl TryFrom<String> for ObjectName {
    type Error = NameError;

    fn try_from(name: String) -> Result<Self, NameError> {
        Self::parse(&name)
    }
}

impl From<ObjectName> for String {
    fn from(name: ObjectName) -> Self {
        name.0
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> BackupFolder {
        let cluster = Cluster::parse("main").expect("a cluster");
        BackupFolder { cluster, class: BackupClass::Full, id: Uuid::from_u128(7) }
    }

    #[test]
    fn names_say_what_they_are_for() {
        let folder = folder();
        assert_eq!(
            folder.pack("dump", 3).expect("a pack").as_str(),
            "v1/main/full/00000000-0000-0000-0000-000000000007/dump-00003"
        );
        assert_eq!(BackupFolder::of(&folder.manifest()), Some(folder.clone()));
        assert!(folder.manifest().is_manifest() && folder.manifest().is_lockable());
        let wal = folder.cluster.wal("0000000200000000000000FF").expect("a segment");
        assert_eq!(wal.as_str(), "v1/main/wal/00000002/0000000200000000000000FF");
        assert!(!wal.is_manifest() && wal.is_lockable());
        assert!(!folder.cluster.wrapped_key(folder.id, "ab").expect("a key").is_lockable());
    }

    #[test]
    fn no_name_leads_out_of_its_store() {
        for name in ["v1/../x", "/etc/passwd", "v1//x", "v1/.part", "v2/a", "v1/a b", "v1/a\\b", "v1/", "v1"]
        {
            assert!(ObjectName::parse(name).is_err(), "{name}");
            assert!(serde_json::from_value::<ObjectName>(name.into()).is_err(), "{name}");
        }
        assert!(ObjectName::parse(&format!("v1/{}", "a/".repeat(300))).is_err());
        assert!(folder().pack("../x", 1).is_err());
        assert!(folder().cluster.wal("../../../x").is_err());
        assert!(Cluster::parse("").is_err() && Cluster::parse("A").is_err());
    }
}
