//! Keys: what of a field is compared, and a fingerprint of it that joins by hash.

use crate::{Currency, Normalise, Records, Row};
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, DefaultHasher, Hasher};

/// Tokens taken from one text at most, in the order they stand there.
const TOKENS_MAX: usize = 32;
/// Fewer digits are a quantity, a day or a street number rather than a reference.
const TOKEN_DIGITS_MIN: usize = 4;
/// References are written in up to this many parts: `INV-2026-00004711`.
const TOKEN_WORDS_MAX: usize = 3;
/// Longer ones (in bytes) are not references.
const TOKEN_BYTES_MAX: usize = 64;

/// Where a key reads: a text field, or the record's own id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Column {
    Id,
    Field(usize),
}

impl Column {
    /// The name under which a rule reaches the record's own id.
    pub const ID: &'static str = "id";

    pub fn resolve(records: &Records, name: &str) -> Option<Self> {
        if name == Self::ID { Some(Column::Id) } else { records.field_index(name).map(Column::Field) }
    }

    pub fn text(self, records: &Records, row: Row) -> &str {
        match self {
            Column::Id => records.id(row),
            Column::Field(index) => records.field(index, row),
        }
    }
}

/// 128 bits that stand for a key. Two different keys with one fingerprint would take about 2^64 records.
pub(crate) type Fingerprint = u128;

/// A hasher for maps by [`Fingerprint`]: hashing a hash again would be in vain.
#[derive(Clone, Default)]
pub(crate) struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u128(&mut self, fingerprint: u128) {
        self.0 = fingerprint as u64;
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&b| self.0 = self.0.rotate_left(8) ^ u64::from(b));
    }
}

pub(crate) type FingerprintMap<V> = HashMap<Fingerprint, V, BuildHasherDefault<AsIs>>;
pub(crate) type FingerprintSet = HashSet<Fingerprint, BuildHasherDefault<AsIs>>;

/// Builds a [`Fingerprint`] from parts; (`ab`, `c`) and (`a`, `bc`) differ.
#[derive(Clone)]
pub(crate) struct KeyHasher(DefaultHasher, DefaultHasher);

impl KeyHasher {
    pub fn new() -> Self {
        let mut second = DefaultHasher::new();
        second.write_u8(1);
        KeyHasher(DefaultHasher::new(), second)
    }

    pub fn part(&mut self, text: &str) {
        for hasher in [&mut self.0, &mut self.1] {
            hasher.write_usize(text.len());
            hasher.write(text.as_bytes());
        }
    }

    pub fn currency(&mut self, currency: Currency) {
        self.part(currency.code());
    }

    pub fn finish(&self) -> Fingerprint {
        u128::from(self.0.finish()) << 64 | u128::from(self.1.finish())
    }
}

/// The text as it is compared; empty when nothing is left to compare. `out` is overwritten.
/// [`Normalise::Tokens`] compares whole texts as `Alphanumeric` does.
pub(crate) fn normalise(text: &str, how: Normalise, out: &mut String) {
    out.clear();
    match how {
        Normalise::Exact => out.push_str(text.trim()),
        Normalise::Alphanumeric | Normalise::Tokens => push_upper(text, out),
        Normalise::Digits => {
            let digits = text.chars().filter(char::is_ascii_digit);
            out.extend(digits.skip_while(|&c| c == '0'));
        }
    }
}

/// Upper rather than lower case, so that `ß` and `SS` are equal.
pub(crate) fn push_upper(text: &str, out: &mut String) {
    for c in text.chars() {
        if c.is_ascii() {
            if c.is_ascii_alphanumeric() {
                out.push(c.to_ascii_uppercase());
            }
        } else if c.is_alphanumeric() {
            out.extend(c.to_uppercase());
        }
    }
}

/// Calls `found` with each reference token of `text`, see [`Normalise::Tokens`]. May repeat itself.
pub(crate) fn each_token(text: &str, mut found: impl FnMut(&str)) {
    // Most texts have no reference at all.
    if text.bytes().filter(u8::is_ascii_digit).count() < TOKEN_DIGITS_MIN {
        return;
    }
    let mut left = TOKENS_MAX;
    let mut offer = |token: &str| {
        let digits = token.bytes().filter(u8::is_ascii_digit).count();
        if digits < TOKEN_DIGITS_MIN || token.len() > TOKEN_BYTES_MAX || left == 0 {
            return;
        }
        let token = if digits == token.len() { token.trim_start_matches('0') } else { token };
        if !token.is_empty() {
            left -= 1;
            found(token);
        }
    };
    let words = || text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
    let (mut joined, mut start) = (String::new(), words());
    while let Some(first) = start.next() {
        joined.clear();
        push_upper(first, &mut joined);
        let mixed = joined.bytes().any(|b| !b.is_ascii_digit());
        offer(&joined);
        if mixed {
            joined.split(|c: char| !c.is_ascii_digit()).for_each(&mut offer);
        }
        for word in start.clone().take(TOKEN_WORDS_MAX - 1) {
            if joined.len() + word.len() > TOKEN_BYTES_MAX {
                break;
            }
            push_upper(word, &mut joined);
            offer(&joined);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_forget_what_their_rule_says() {
        for (text, how, key) in [
            (" a-1 ", Normalise::Exact, "a-1"),
            ("inv-0047/11", Normalise::Alphanumeric, "INV004711"),
            ("Größe 7", Normalise::Alphanumeric, "GRÖSSE7"),
            ("- / -", Normalise::Alphanumeric, ""),
            ("INV-0047/11", Normalise::Digits, "4711"),
            ("Rechnung 4711", Normalise::Digits, "4711"),
            ("000", Normalise::Digits, ""),
        ] {
            let mut out = "left over".to_owned();
            normalise(text, how, &mut out);
            assert_eq!(out, key, "{text:?}");
        }
    }

    fn tokens(text: &str) -> Vec<String> {
        let mut all = vec![];
        each_token(text, |t| all.push(t.to_owned()));
        all.sort();
        all.dedup();
        all
    }

    #[test]
    fn references_are_found_however_they_are_written() {
        for text in
            ["INV-2026-0004711", "inv 2026 0004711", "PAID INV20260004711 THANKS", "x inv/2026.0004711 y"]
        {
            assert!(tokens(text).contains(&"INV20260004711".to_owned()), "{text}: {:?}", tokens(text));
        }
        for text in ["00001234", "PAYOUT 00001234 THANKS", "PAYOUT-00001234", "po_00001234", "№1234"] {
            assert!(tokens(text).contains(&"1234".to_owned()), "{text}: {:?}", tokens(text));
        }
        for text in ["", "no 12 digits", "0000", "---", "日本 語"] {
            assert_eq!(tokens(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn a_text_full_of_numbers_is_bounded() {
        let text = (1000..9999).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
        assert!(tokens(&text).len() <= TOKENS_MAX);
        assert!(tokens(&"9".repeat(100_000)).is_empty());
    }

    #[test]
    fn the_border_between_parts_counts() {
        let of = |parts: &[&str]| {
            let mut hasher = KeyHasher::new();
            parts.iter().for_each(|p| hasher.part(p));
            hasher.finish()
        };
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_ne!(of(&["a"]), of(&["a", ""]));
        assert_eq!(of(&["a", "b"]), of(&["a", "b"]));
    }
}
