//! What WAL files are called, and positions in the WAL.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A file that PostgreSQL archives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WalFile {
    /// `TTTTTTTTLLLLLLLLSSSSSSSS`
    Segment { timeline: u32, log: u32, segment: u32 },
    /// The last of a timeline that ended, possibly not full: `….partial`
    Partial { timeline: u32, log: u32, segment: u32 },
    /// Where a timeline branched off: `TTTTTTTT.history`
    History { timeline: u32 },
    /// A note on a base backup: `….OOOOOOOO.backup`
    Backup { timeline: u32, log: u32, segment: u32, offset: u32 },
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the name of a WAL file")]
pub struct WalNameError(pub String);

impl FromStr for WalFile {
    type Err = WalNameError;

    fn from_str(name: &str) -> Result<Self, WalNameError> {
        parse(name).ok_or_else(|| WalNameError(name.chars().take(100).collect()))
    }
}

fn parse(name: &str) -> Option<WalFile> {
    let hex = |text: &str| {
        let fits = text.len() == 8 && text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'A'..=b'F'));
        fits.then(|| u32::from_str_radix(text, 16).ok()).flatten()
    };
    let mut dots = name.split('.');
    let stem = dots.next()?;
    let rest: Vec<&str> = dots.collect();
    if let ["history"] = rest[..] {
        return Some(WalFile::History { timeline: hex(stem)? });
    }
    if stem.len() != 24 || !stem.is_ascii() {
        return None;
    }
    let (timeline, log, segment) = (hex(&stem[..8])?, hex(&stem[8..16])?, hex(&stem[16..])?);
    match rest[..] {
        [] => Some(WalFile::Segment { timeline, log, segment }),
        ["partial"] => Some(WalFile::Partial { timeline, log, segment }),
        [offset, "backup"] => Some(WalFile::Backup { timeline, log, segment, offset: hex(offset)? }),
        _ => None,
    }
}

impl fmt::Display for WalFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Segment { timeline, log, segment } => write!(f, "{timeline:08X}{log:08X}{segment:08X}"),
            Self::Partial { timeline, log, segment } => {
                write!(f, "{timeline:08X}{log:08X}{segment:08X}.partial")
            }
            Self::History { timeline } => write!(f, "{timeline:08X}.history"),
            Self::Backup { timeline, log, segment, offset } => {
                write!(f, "{timeline:08X}{log:08X}{segment:08X}.{offset:08X}.backup")
            }
        }
    }
}

impl WalFile {
    /// Number `number` of a timeline, counted from its beginning; segments are `segment_bytes` long.
    pub fn numbered(timeline: u32, number: u64, segment_bytes: u64) -> Self {
        let per_log = (1 << 32) / segment_bytes;
        Self::Segment { timeline, log: (number / per_log) as u32, segment: (number % per_log) as u32 }
    }

    /// Whether recovery that begins with `from` never asks for it.
    pub fn is_before(&self, from: crate::retention::Segment, segment_bytes: u64) -> bool {
        let (timeline, log, segment) = match *self {
            Self::Segment { timeline, log, segment }
            | Self::Partial { timeline, log, segment }
            | Self::Backup { timeline, log, segment, .. } => (timeline, log, segment),
            Self::History { .. } => return false,
        };
        let number = Self::Segment { timeline, log, segment }.number(segment_bytes).unwrap_or(u64::MAX);
        (timeline, number) < (from.timeline, from.number)
    }

    /// Of a segment.
    pub fn number(&self, segment_bytes: u64) -> Option<u64> {
        match *self {
            Self::Segment { log, segment, .. } => {
                Some(u64::from(log) * ((1 << 32) / segment_bytes) + u64::from(segment))
            }
            _ => None,
        }
    }
}

/// A position in the WAL, in bytes from its beginning; `16/B374D848` when written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Lsn(pub u64);

impl FromStr for Lsn {
    type Err = WalNameError;

    fn from_str(text: &str) -> Result<Self, WalNameError> {
        let wrong = || WalNameError(text.chars().take(100).collect());
        let (high, low) = text.split_once('/').ok_or_else(wrong)?;
        let part = |text: &str| u32::from_str_radix(text, 16).map_err(|_| wrong());
        Ok(Self(u64::from(part(high)?) << 32 | u64::from(part(low)?)))
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 as u32)
    }
}

impl TryFrom<String> for Lsn {
    type Error = WalNameError;

    fn try_from(text: String) -> Result<Self, WalNameError> {
        text.parse()
    }
}

impl From<Lsn> for String {
    fn from(lsn: Lsn) -> Self {
        lsn.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written_the_same() {
        for name in [
            "00000001000000000000000A",
            "00000002.history",
            "00000001000000000000000A.partial",
            "00000001000000000000000A.00000028.backup",
        ] {
            assert_eq!(name.parse::<WalFile>().unwrap().to_string(), name);
        }
        for name in
            ["", "x", "00000001000000000000000a", "00000001000000000000000A.part", "../1.history", "ü"]
        {
            assert!(name.parse::<WalFile>().is_err(), "{name}");
        }
    }

    #[test]
    fn what_comes_before_a_segment_is_not_asked_for() {
        let from = crate::retention::Segment { timeline: 2, number: 10 };
        let is_before = |name: &str| name.parse::<WalFile>().unwrap().is_before(from, 16 << 20);
        for name in [
            "000000020000000000000009",
            "00000001000000000000000F",
            "000000020000000000000009.00000028.backup",
        ] {
            assert!(is_before(name), "{name}");
        }
        for name in ["00000002000000000000000A", "000000030000000000000001", "00000001.history"] {
            assert!(!is_before(name), "{name}");
        }
    }

    #[test]
    fn numbers_go_over_the_border_of_a_log() {
        let segment = 16 << 20;
        let last: WalFile = "0000000100000000000000FF".parse().unwrap();
        let next = WalFile::numbered(1, last.number(segment).unwrap() + 1, segment);
        assert_eq!(next.to_string(), "000000010000000100000000");
        assert_eq!("1/2A".parse::<Lsn>().unwrap(), Lsn((1 << 32) + 42));
        assert_eq!(Lsn((1 << 32) + 42).to_string(), "1/2A");
    }
}
