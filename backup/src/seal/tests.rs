use super::*;
use proptest::prelude::*;
use std::io::{Read, Write};

const OLD: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const NEW: &str = "f00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

fn place(object: &str) -> Place {
    Place { backup: Uuid::from_u128(7), object: object.into() }
}

fn seal(plain: &[u8], key: &DataKey, place: &Place) -> Vec<u8> {
    let mut sealer = Sealer::new(vec![], key, place, 3, 0).expect("sealing");
    sealer.write_all(plain).expect("sealing");
    let (bytes, sealed) = sealer.finish().expect("sealing");
    assert_eq!(sealed.sealed_bytes, bytes.len() as u64);
    assert_eq!(sealed.plain_bytes, plain.len() as u64);
    bytes
}

fn open(sealed: &[u8], key: &DataKey, place: &Place) -> Result<Vec<u8>, OpenError> {
    let mut plain = vec![];
    Opener::new(sealed, key, place)
        .and_then(|mut opener| opener.read_to_end(&mut plain))
        .map(|_| plain)
        .map_err(|error| OpenError::of(&error).unwrap_or_else(|| panic!("another error: {error}")))
}

/// Bytes that do not compress: so that there are several chunks.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..bytes).map(|_| next()).collect()
}

#[test]
fn what_was_sealed_opens_and_is_the_same() {
    let key = DataKey::generate().expect("a key");
    for bytes in [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 17] {
        let plain = noise(bytes);
        assert!(open(&seal(&plain, &key, &place("a")), &key, &place("a")) == Ok(plain), "{bytes} bytes");
    }
}

#[test]
fn another_key_or_another_place_does_not_open_it() {
    let (key, other) = (DataKey::generate().expect("a key"), DataKey::generate().expect("a key"));
    let sealed = seal(b"money", &key, &place("pack-1"));
    assert_eq!(open(&sealed, &other, &place("pack-1")), Err(OpenError::Damaged));
    assert_eq!(open(&sealed, &key, &place("pack-2")), Err(OpenError::Damaged));
    let elsewhere = Place { backup: Uuid::from_u128(8), object: "pack-1".into() };
    assert_eq!(open(&sealed, &key, &elsewhere), Err(OpenError::Damaged));
}

#[test]
fn no_cut_is_taken_for_the_end() {
    let key = DataKey::generate().expect("a key");
    let sealed = seal(&noise(2 * CHUNK_BYTES + 100), &key, &place("a"));
    let chunk = CHUNK_BYTES + TAG_BYTES;
    let borders = [0, 1, HEADER_BYTES, HEADER_BYTES + chunk, HEADER_BYTES + 2 * chunk, sealed.len() - 1];
    for length in borders {
        assert!(open(&sealed[..length], &key, &place("a")).is_err(), "cut after {length} bytes");
    }
    let more = [sealed.as_slice(), b"x"].concat();
    assert!(open(&more, &key, &place("a")).is_err(), "a byte more");
}

#[test]
fn chunks_keep_their_order_and_number() {
    let key = DataKey::generate().expect("a key");
    let sealed = seal(&noise(3 * CHUNK_BYTES), &key, &place("a"));
    let (header, chunks) = sealed.split_at(HEADER_BYTES);
    let chunks: Vec<&[u8]> = chunks.chunks(CHUNK_BYTES + TAG_BYTES).collect();
    assert!(chunks.len() >= 3);
    let with = |order: &[usize]| {
        let body: Vec<u8> = order.iter().flat_map(|i| chunks[*i].to_vec()).collect();
        open(&[header, &body].concat(), &key, &place("a"))
    };
    let all: Vec<usize> = (0..chunks.len()).collect();
    assert!(with(&all).is_ok());
    for (what, order) in [("swapped", vec![1, 0]), ("repeated", vec![0, 0, 1]), ("left out", vec![0])] {
        let rest = 2..chunks.len();
        assert!(with(&order.into_iter().chain(rest).collect::<Vec<_>>()).is_err(), "{what}");
    }
}

proptest! {
    #[test]
    fn any_flipped_bit_is_found(at in any::<prop::sample::Index>(), bit in 0..8u32) {
        let key = DataKey::generate().expect("a key");
        let mut sealed = seal(&noise(5000), &key, &place("a"));
        let at = at.index(sealed.len());
        sealed[at] ^= 1 << bit;
        prop_assert!(open(&sealed, &key, &place("a")).is_err());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), magic: bool) {
        let key = DataKey::generate().expect("a key");
        let bytes = if magic { [MAGIC.as_slice(), &bytes].concat() } else { bytes };
        prop_assert!(open(&bytes, &key, &place("a")).is_err());
    }
}

#[test]
fn a_rotated_key_still_opens_old_backups_and_wraps_new_ones() {
    let backup = Uuid::from_u128(1);
    let key = DataKey::generate().expect("a key");
    let before = KeyRing::parse([OLD]).expect("a ring");
    let wrapped = before.wrap(backup, &key).expect("wrapping");
    let after = KeyRing::parse([NEW, OLD]).expect("a ring");

    let sealed = seal(b"money", &key, &place("a"));
    let again = after.unwrap(backup, &wrapped).expect("the old key is still there");
    assert_eq!(open(&sealed, &again, &place("a")), Ok(b"money".to_vec()));

    let rewrapped = after.rewrap(backup, &wrapped).expect("rewrapping").expect("by the newer key");
    assert_eq!((&rewrapped.key_id, after.rewrap(backup, &rewrapped)), (after.newest(), Ok(None)));
    let only_new = KeyRing::parse([NEW]).expect("a ring");
    let again = only_new.unwrap(backup, &rewrapped).expect("the old key is not needed any more");
    assert_eq!(open(&sealed, &again, &place("a")), Ok(b"money".to_vec()));
    assert_eq!(only_new.unwrap(backup, &wrapped).err(), Some(KeyError::Unknown(before.newest().clone())));
}

#[test]
fn a_wrapped_key_opens_for_its_own_backup_only() {
    let ring = KeyRing::parse([NEW]).expect("a ring");
    let wrapped = ring.wrap(Uuid::from_u128(1), &DataKey::generate().expect("a key")).expect("wrapping");
    let refused = ring.unwrap(Uuid::from_u128(2), &wrapped).err();
    assert_eq!(refused, Some(KeyError::Damaged(ring.newest().clone())));
}

#[test]
fn bad_keys_are_refused_by_number_and_never_shown() {
    for (keys, error) in [
        (vec![], KeyError::None),
        (vec![NEW, "secret"], KeyError::Malformed { number: 2 }),
        (vec![&NEW[..62]], KeyError::Malformed { number: 1 }),
        (vec!["ßß"], KeyError::Malformed { number: 1 }),
    ] {
        assert_eq!(KeyRing::parse(keys).err(), Some(error));
    }
    let zeros = "00".repeat(32);
    assert_eq!(KeyRing::parse([zeros.as_str()]).err(), Some(KeyError::Trivial { number: 1 }));
    let shown = format!("{:?} {:?}", KeyRing::parse([NEW]), DataKey::generate());
    assert!(!shown.contains(&NEW[..16]), "{shown}");
}
