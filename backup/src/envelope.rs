//! A small object that opens with the key ring alone: a manifest, a WAL segment.
//!
//! `magic (8) · length of the head (4, big-endian) · head (JSON) · a sealed object`. The head holds what is needed to
//! open the rest: an id and the data key, wrapped. It is believed only as far as the sealed part, which is bound to
//! that id, opens.

use crate::error::{Doing, Error, Result};
use crate::seal::{DataKey, KeyRing, Opener, Place, Sealer, WrappedKey};
use serde::{Deserialize, Serialize};
use std::io::{Read, Write};
use uuid::Uuid;

/// What is in it.
pub(crate) struct Envelope {
    pub magic: &'static [u8; 8],
    /// What the sealed part is bound to besides its id.
    pub object: &'static str,
    pub level: i32,
    /// Larger content is taken for damage.
    pub plain_bytes_max: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    id: Uuid,
    key: WrappedKey,
}

const HEAD_BYTES_MAX: u32 = 4096;

pub(crate) fn seal(
    envelope: &Envelope,
    id: Uuid,
    key: &DataKey,
    wrapped: &WrappedKey,
    plain: &[u8],
) -> Result<Vec<u8>> {
    let doing = format!("sealing a {}", envelope.object);
    let head = serde_json::to_vec(&Head { id, key: wrapped.clone() })
        .map_err(|error| Error::Io { doing: doing.clone(), source: error.into() })?;
    let mut out = envelope.magic.to_vec();
    out.extend((head.len() as u32).to_be_bytes());
    out.extend(&head);
    let place = Place { backup: id, object: envelope.object.into() };
    let mut sealer = Sealer::new(out, key, &place, envelope.level, 0).doing(&doing)?;
    sealer.write_all(plain).doing(&doing)?;
    Ok(sealer.finish().doing(&doing)?.0)
}

/// `other_keys`: the data key as other keys have wrapped it since.
pub(crate) fn open(
    envelope: &Envelope,
    bytes: &[u8],
    ring: &KeyRing,
    other_keys: &[WrappedKey],
) -> Result<(Uuid, DataKey, Vec<u8>)> {
    let what = || format!("the {}", envelope.object);
    let (head, sealed) = split(envelope, bytes).ok_or_else(|| Error::Damaged {
        what: what(),
        how: "it is none, or its first bytes are damaged".into(),
    })?;
    let mut key = ring.unwrap(head.id, &head.key);
    for other in other_keys {
        if key.is_err() {
            key = ring.unwrap(head.id, other).or(key);
        }
    }
    let key = key?;
    let place = Place { backup: head.id, object: envelope.object.into() };
    let mut plain = vec![];
    Opener::new(sealed, &key, &place)
        .and_then(|opener| opener.take(envelope.plain_bytes_max + 1).read_to_end(&mut plain))
        .doing(what())?;
    if plain.len() as u64 > envelope.plain_bytes_max {
        return Err(Error::Damaged {
            what: what(),
            how: format!("longer than {}", envelope.plain_bytes_max),
        });
    }
    Ok((head.id, key, plain))
}

/// At most so many bytes at the beginning of an object say how it opens.
pub(crate) const START_BYTES: u64 = 12 + HEAD_BYTES_MAX as u64;

/// Of the beginning of an object: its id, and the data key as it was wrapped when it was sealed.
pub(crate) fn head(envelope: &Envelope, start: &[u8]) -> Result<(Uuid, WrappedKey)> {
    match split(envelope, start) {
        Some((head, _)) => Ok((head.id, head.key)),
        None => Err(Error::Damaged {
            what: format!("the {}", envelope.object),
            how: "it is none, or its first bytes are damaged".into(),
        }),
    }
}

fn split<'b>(envelope: &Envelope, bytes: &'b [u8]) -> Option<(Head, &'b [u8])> {
    let rest = bytes.strip_prefix(envelope.magic.as_slice())?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = u32::from_be_bytes(*length);
    if length > HEAD_BYTES_MAX {
        return None;
    }
    let (head, sealed) = rest.split_at_checked(length as usize)?;
    Some((serde_json::from_slice(head).ok()?, sealed))
}
