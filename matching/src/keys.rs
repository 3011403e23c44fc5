//! Keys: what of a field is compared; [`crate::fingerprint`] joins them by hash.

pub(crate) use crate::fingerprint::{
    Fingerprint, FingerprintHints, FingerprintMap, FingerprintSet, HashedMap, KeyHasher, RowMap, RowSet,
};

use crate::{Normalise, Records, Row};

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

/// Texts up to this many bytes are read without asking the allocator.
const SHORT_BYTES: usize = 256;

/// Calls `then` with the text as it is compared; see [`normalise`].
pub(crate) fn with_normalised<T>(text: &str, how: Normalise, then: impl FnOnce(&str) -> T) -> T {
    if how == Normalise::Exact {
        return then(text.trim());
    }
    if text.len() > SHORT_BYTES || !text.is_ascii() {
        let mut buffer = String::new();
        normalise(text, how, &mut buffer);
        return then(&buffer);
    }
    let (mut buffer, mut len) = ([0u8; SHORT_BYTES], 0);
    for byte in text.bytes() {
        let keep = match how {
            Normalise::Digits => byte.is_ascii_digit() && (len > 0 || byte != b'0'),
            _ => byte.is_ascii_alphanumeric(),
        };
        buffer[len] = byte.to_ascii_uppercase();
        len += usize::from(keep);
        if len == SHORT_BYTES {
            break;
        }
    }
    then(std::str::from_utf8(&buffer[..len]).unwrap_or_default())
}

/// The text as it is compared; empty when nothing is left to compare. `out` is overwritten.
/// [`Normalise::Tokens`] compares whole texts as `Alphanumeric` does; so do references, once they are found.
pub(crate) fn normalise(text: &str, how: Normalise, out: &mut String) {
    out.clear();
    match how {
        Normalise::Exact => out.push_str(text.trim()),
        Normalise::Alphanumeric
        | Normalise::Tokens
        | Normalise::List
        | Normalise::Pattern
        | Normalise::CreditorReference => push_upper(text, out),
        Normalise::Digits => {
            let digits = text.chars().filter(char::is_ascii_digit);
            out.extend(digits.skip_while(|&c| c == '0'));
        }
    }
}

/// Upper rather than lower case, so that `ß` and `SS` are equal.
pub(crate) fn push_upper(text: &str, out: &mut String) {
    // Nearly always a plain word, which is copied in one piece.
    if text.bytes().all(|b| b.is_ascii_alphanumeric()) {
        let start = out.len();
        out.push_str(text);
        out[start..].make_ascii_uppercase();
        return;
    }
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
    let mut offer = |token: &str, digits: usize| {
        if digits < TOKEN_DIGITS_MIN || token.len() > TOKEN_BYTES_MAX || left == 0 {
            return;
        }
        let token = if digits == token.len() { token.trim_start_matches('0') } else { token };
        if !token.is_empty() {
            left -= 1;
            found(token);
        }
    };
    if text.len() <= SHORT_BYTES && text.is_ascii() {
        return each_ascii_token(text.as_bytes(), &mut offer);
    }
    let words = || text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
    let (mut joined, mut start) = (String::new(), words());
    while let Some(first) = start.next() {
        joined.clear();
        push_upper(first, &mut joined);
        let mixed = joined.bytes().any(|b| !b.is_ascii_digit());
        offer(&joined, digits_of(&joined));
        if mixed {
            joined.split(|c: char| !c.is_ascii_digit()).for_each(|run| offer(run, run.len()));
        }
        for word in start.clone().take(TOKEN_WORDS_MAX - 1) {
            if joined.len() + word.len() > TOKEN_BYTES_MAX {
                break;
            }
            push_upper(word, &mut joined);
            offer(&joined, digits_of(&joined));
        }
    }
}

fn digits_of(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_digit).count()
}

/// The same for at most [`SHORT_BYTES`] of ASCII, where neighbouring words stand written together already
/// once everything between them is left out.
fn each_ascii_token(text: &[u8], offer: &mut impl FnMut(&str, usize)) {
    let (mut letters, mut len) = ([0u8; SHORT_BYTES], 0);
    // At most every other byte begins a word.
    let (mut starts, mut words) = ([0u16; SHORT_BYTES / 2 + 2], 0);
    // Digits before each word.
    let (mut digits_before, mut digits) = ([0u16; SHORT_BYTES / 2 + 2], 0);
    let mut inside = false;
    for &byte in text {
        let is_word = byte.is_ascii_alphanumeric();
        if is_word && !inside {
            (starts[words], digits_before[words]) = (len as u16, digits);
            words += 1;
        }
        inside = is_word;
        if is_word {
            letters[len] = byte.to_ascii_uppercase();
            len += 1;
            digits += u16::from(byte.is_ascii_digit());
        }
    }
    (starts[words], digits_before[words]) = (len as u16, digits);
    let letters = std::str::from_utf8(&letters[..len]).unwrap_or_default();
    let between = |first: usize, last: usize| &letters[starts[first].into()..starts[last].into()];
    let digits = |first: usize, last: usize| usize::from(digits_before[last] - digits_before[first]);
    for first in 0..words {
        let (word, digits_of_word) = (between(first, first + 1), digits(first, first + 1));
        offer(word, digits_of_word);
        if digits_of_word >= TOKEN_DIGITS_MIN && digits_of_word < word.len() {
            word.split(|c: char| !c.is_ascii_digit()).for_each(|run| offer(run, run.len()));
        }
        for last in first + 2..=(first + TOKEN_WORDS_MAX).min(words) {
            let joined = between(first, last);
            if joined.len() > TOKEN_BYTES_MAX {
                break;
            }
            offer(joined, digits(first, last));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_plain_texts_are_read_as_all_others() {
        for text in ["INV-2026-0004711", " a 1 22b333c4444 5 666", "00001234", "x".repeat(300).as_str(), "-"]
        {
            // A character beyond ASCII that is no letter leaves all words as they are.
            let long_way = format!("{text}\u{2014}");
            assert_eq!(tokens(text), tokens(&long_way), "{text}");
            for how in [Normalise::Alphanumeric, Normalise::Digits] {
                let mut out = String::new();
                normalise(&long_way, how, &mut out);
                with_normalised(text, how, |short| assert_eq!(short, out));
            }
        }
    }

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
}
