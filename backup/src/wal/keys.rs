//! The data keys of archived files as a later key has wrapped them.
//!
//! An archived file has its key in its own head, and is never written again. After a rotation the keys of many files are
//! kept together, in a table for each log (256 segments of 16 MiB): so that whoever fetches one file reads one small
//! object besides, and only where the file's own key is not at hand.

use crate::engine::Engine;
use crate::seal::{KeyId, WrappedKey};
use crate::stores::{NameError, ObjectName};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyOf {
    /// Of the archived file, as its head says.
    pub id: Uuid,
    pub key: WrappedKey,
}

/// As it is in the stores.
pub(crate) struct KeyTable {
    pub name: ObjectName,
    pub bytes: Bytes,
    pub keys: Vec<KeyOf>,
}

/// A table of 256 keys has some 60 KB; smaller segments make larger ones.
const TABLE_BYTES_MAX: usize = 64 << 20;

/// Files with the same one have their keys in the same table: a timeline and log, or a timeline's history.
pub(crate) fn group(file: &str) -> &str {
    let stem = file.split('.').next().unwrap_or_default();
    stem.get(..16).unwrap_or(stem)
}

/// Tables of a group; those that cannot be had are left out: whoever needs them says what is missing.
pub(crate) async fn tables(engine: &Engine, group: &str) -> Vec<KeyTable> {
    let listing = engine.stores.list(&engine.cluster.wal_keys_prefix(group)).await;
    let mut found = vec![];
    for name in listing.objects.keys() {
        let read = |bytes: Bytes| serde_json::from_slice(&bytes).map(|keys: Vec<KeyOf>| (keys, bytes));
        match engine.stores.get_checked(name, TABLE_BYTES_MAX, read).await {
            Ok((keys, bytes)) => found.push(KeyTable { name: name.clone(), bytes, keys }),
            Err(error) => tracing::warn!(%error, "a table of keys cannot be read"),
        }
    }
    found
}

impl KeyTable {
    /// For files whose keys were not in a table of that key yet.
    pub fn make(engine: &Engine, group: &str, key: &KeyId, keys: Vec<KeyOf>) -> Result<Self, NameError> {
        let name = engine.cluster.wal_keys(group, &format!("{key}-{}", Uuid::now_v7().simple()))?;
        // Ids and hexadecimal text: it always becomes JSON.
        let bytes = serde_json::to_vec(&keys).unwrap_or_default().into();
        Ok(Self { name, bytes, keys })
    }

    /// Whether `key` has wrapped all that is in it.
    pub fn is_of(&self, key: &KeyId) -> bool {
        self.keys.iter().all(|of| of.key.key_id == *key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_a_log_or_a_history() {
        assert_eq!(group("00000001000000020000000A"), "0000000100000002");
        assert_eq!(group("00000001000000020000000A.00000028.backup"), "0000000100000002");
        assert_eq!(group("00000001000000020000000A.partial"), "0000000100000002");
        assert_eq!(group("00000002.history"), "00000002");
    }
}
