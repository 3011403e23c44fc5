//! What an object must be: its name, its size, its digest.

use super::kept::Sha256Bytes;
use super::names::ObjectName;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A pack as the manifest lists it; just as well any other object whose content is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pack {
    pub object: ObjectName,
    pub size_bytes: u64,
    pub sha256: Sha256Hex,
}

/// A SHA-256; 64 hexadecimal digits when written.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sha256Hex(pub Sha256Bytes);

impl Pack {
    /// Of an object whose bytes are at hand.
    pub fn of(object: ObjectName, bytes: &[u8]) -> Self {
        Self { object, size_bytes: bytes.len() as u64, sha256: Sha256Hex(super::kept::sha256(bytes)) }
    }
}

impl fmt::Display for Sha256Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Sha256Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sha256Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || serde::de::Error::custom("a SHA-256 has 64 hexadecimal digits");
        if text.len() != 64 || !text.is_ascii() {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}
