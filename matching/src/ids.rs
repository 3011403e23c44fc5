//! Names for matches and exceptions that are the same in every run with the same records.
//!
//! An ordinal says where something stands in one result; these ids say what it is. They are made from the side and
//! the records' own ids alone, not from amounts, confidences or rows: a match that is found again keeps its id
//! though its evidence has grown, and an exception keeps it from run to run of a chain until its record is
//! matched. Within one result they are unique because a record is in one match or one exception only.

use crate::{Exception, ExceptionKind, Match, Records, Row, Side};
use sha2::{Digest, Sha256};
use std::fmt;

/// The id of a match: `m_` and 32 hex digits.
///
/// The first 128 bits of SHA-256 over the ids of its left and its right records, each side sorted. Two matches
/// of a billion share one with a probability below 10⁻²⁰.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MatchId([u8; 16]);

/// The id of an exception: `x_` and 32 hex digits, made as a [`MatchId`] from its side and its record's id. A record
/// that was matched before and comes again is told from what is still open of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExceptionId([u8; 16]);

impl MatchId {
    /// From the records' own ids, in any order.
    pub fn of_ids<'a>(
        left: impl IntoIterator<Item = &'a str>,
        right: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let mut hash = Sha256::new_with_prefix(b"counterfoil match 1");
        side(&mut hash, left.into_iter());
        side(&mut hash, right.into_iter());
        MatchId(first_half(hash))
    }

    pub fn of(found: &Match, left: &Records, right: &Records) -> Self {
        let ids = |records, rows| ids_of(records, rows);
        Self::of_ids(ids(left, &found.left), ids(right, &found.right))
    }
}

impl ExceptionId {
    /// From the record's own id.
    pub fn of_id(kind: ExceptionKind, side: Side, id: &str) -> Self {
        let mut hash = match kind {
            ExceptionKind::AlreadyMatched => Sha256::new_with_prefix(b"counterfoil repeat 1"),
            _ => Sha256::new_with_prefix(b"counterfoil exception 1"),
        };
        hash.update([side as u8]);
        text(&mut hash, id);
        ExceptionId(first_half(hash))
    }

    /// `records` are those of the exception's side.
    pub fn of(found: &Exception, records: &Records) -> Self {
        Self::of_id(found.kind, found.side, records.id(found.row))
    }
}

fn ids_of<'r>(records: &'r Records, rows: &'r [Row]) -> impl Iterator<Item = &'r str> {
    rows.iter().map(|&row| records.id(row))
}

/// How many, then each with its length in front: no two lists give the same bytes.
fn side<'a>(hash: &mut Sha256, mut ids: impl Iterator<Item = &'a str>) {
    let first = ids.next();
    let Some(second) = ids.next() else {
        // Nearly always one, which needs no list.
        hash.update(u64::from(first.is_some()).to_le_bytes());
        return first.into_iter().for_each(|id| text(hash, id));
    };
    let mut all: Vec<&str> = first.into_iter().chain([second]).chain(ids).collect();
    all.sort_unstable();
    hash.update((all.len() as u64).to_le_bytes());
    all.iter().for_each(|id| text(hash, id));
}

fn text(hash: &mut Sha256, text: &str) {
    hash.update((text.len() as u64).to_le_bytes());
    hash.update(text.as_bytes());
}

fn first_half(hash: Sha256) -> [u8; 16] {
    let digest: [u8; 32] = hash.finalize().into();
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    half
}

/// The prefix and 32 hex digits.
fn text_of(prefix: [u8; 2], id: [u8; 16], text: &mut [u8; 34]) -> &str {
    let digit = |number: u8| b"0123456789abcdef"[usize::from(number)];
    text[..2].copy_from_slice(&prefix);
    for (pair, byte) in text[2..].chunks_exact_mut(2).zip(id) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    std::str::from_utf8(text).unwrap_or_default()
}

impl fmt::Display for MatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(text_of(*b"m_", self.0, &mut [0; 34]))
    }
}

impl fmt::Display for ExceptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(text_of(*b"x_", self.0, &mut [0; 34]))
    }
}

impl serde::Serialize for MatchId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl serde::Serialize for ExceptionId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_depend_on_the_records_and_not_on_their_order() {
        let id = MatchId::of_ids(["B1"], ["L1", "L2"]);
        assert_eq!(id, MatchId::of_ids(["B1"], ["L2", "L1"]));
        // The same texts cut or dealt in another way.
        for other in [
            MatchId::of_ids(["B1"], ["L1L2"]),
            MatchId::of_ids(["B1"], ["L1", "L", "2"]),
            MatchId::of_ids(["L1", "L2"], ["B1"]),
            MatchId::of_ids(["B1", "L1"], ["L2"]),
            MatchId::of_ids(["B1", "L1", "L2"], []),
        ] {
            assert_ne!(id, other);
        }
        let exception = |kind, side| ExceptionId::of_id(kind, side, "1");
        let open = exception(ExceptionKind::MissingRight, Side::Left);
        assert_eq!(open, exception(ExceptionKind::Ambiguous, Side::Left));
        assert_ne!(open, exception(ExceptionKind::MissingLeft, Side::Right));
        assert_ne!(open, exception(ExceptionKind::AlreadyMatched, Side::Left));
    }

    #[test]
    fn ids_never_change_from_version_to_version() {
        // Stored results, exports and what people have written down refer to them.
        assert_eq!(MatchId::of_ids(["B1"], ["L1", "L2"]).to_string(), "m_eb777451915f515644615257c280f272");
        assert_eq!(
            ExceptionId::of_id(ExceptionKind::Duplicate, Side::Left, "B1").to_string(),
            "x_cd8574eb192a8bb76925c5f51ab50fc4"
        );
    }
}
