//! Whether two texts that share a token name the same reference: `PO-2026-00017` and `INV-2026-00017` have digits in
//! common, and are two documents.
//!
//! What is written without a gap (with a hyphen, slash or underscore at most) is one *chain*. Before a token in its
//! chain stands its *head*, after it its *tail*. Heads with other letters or other digits are other series, tails with
//! other digits other documents of one series. A number without a head may be the reference with its prefix left out:
//! weaker evidence, but not against.

use crate::keys::push_upper;
use std::ops::Range;

/// Tokens of one text that are looked at; two texts of so many compare some thousand times.
const MENTIONS_MAX: usize = 96;
/// As in [`crate::keys::each_token`].
const DIGITS_MIN: usize = 4;
const WORDS_MAX: usize = 3;
const BYTES_MAX: usize = 64;

/// What two texts with a token in common say to each other, the better first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Agreement {
    /// The same reference.
    Same,
    /// The same number; one of them has it without the prefix.
    Bare,
}

/// Of all the tokens that both have, the best; `None` where every one of them is of another series on each side.
/// Nothing in common is nothing against.
pub(crate) fn agreement(left: &str, right: &str) -> Option<Agreement> {
    let (left, right) = (Mentions::of(left), Mentions::of(right));
    let (mut best, mut shared) = (None::<Agreement>, false);
    for l in &left.all {
        for r in &right.all {
            if left.token(l) != right.token(r) {
                continue;
            }
            shared = true;
            let found = left.agree(l, &right, r);
            if found == Some(Agreement::Same) {
                return found;
            }
            best = best.or(found);
        }
    }
    if shared { best } else { Some(Agreement::Bare) }
}

/// The tokens of a text with what stands around them.
struct Mentions {
    /// The words of the text, upper case, written together.
    letters: String,
    all: Vec<Mention>,
}

/// Places in [`Mentions::letters`].
struct Mention {
    token: Range<usize>,
    chain: Range<usize>,
}

impl Mentions {
    fn of(text: &str) -> Self {
        let mut letters = String::with_capacity(text.len());
        let mut words: Vec<(Range<usize>, usize)> = vec![];
        let (mut chain, mut gap_start) = (0, None::<usize>);
        for (at, c) in text.char_indices() {
            if c.is_alphanumeric() {
                let is_new = match gap_start.take() {
                    Some(start) => {
                        let gap = &text[start..at];
                        chain += usize::from(!matches!(gap, "-" | "/" | "_"));
                        true
                    }
                    None => words.is_empty(),
                };
                let start = letters.len();
                push_upper(c.encode_utf8(&mut [0; 4]), &mut letters);
                match words.last_mut() {
                    Some((word, _)) if !is_new => word.end = letters.len(),
                    _ => words.push((start..letters.len(), chain)),
                }
            } else {
                gap_start.get_or_insert(at);
            }
        }
        let all = mentions(&letters, &words);
        Mentions { letters, all }
    }

    /// Numbers without leading zeros.
    fn token(&self, of: &Mention) -> &str {
        let token = &self.letters[of.token.clone()];
        if is_number(token) { token.trim_start_matches('0') } else { token }
    }

    fn head(&self, of: &Mention) -> &str {
        &self.letters[of.chain.start..of.token.start]
    }

    fn tail(&self, of: &Mention) -> &str {
        &self.letters[of.token.end..of.chain.end]
    }

    /// Two mentions of one token.
    fn agree(&self, own: &Mention, other: &Mentions, others: &Mention) -> Option<Agreement> {
        let (head, other_head) = (self.head(own), other.head(others));
        let (tail, other_tail) = (self.tail(own), other.tail(others));
        let letters = |text: &str| text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        // An abbreviation, or a letter that the bank lost, is no other series.
        let is_part = |a: &str, b: &str| {
            let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
            long.starts_with(short) || long.ends_with(short)
        };
        if head != other_head
            && !(is_part(&letters(head), &letters(other_head)) && is_part(&digits(head), &digits(other_head)))
        {
            return None;
        }
        if tail != other_tail && !is_part(&digits(tail), &digits(other_tail)) {
            return None;
        }
        let has_prefix = self.token(own).starts_with(|c: char| !c.is_ascii_digit());
        Some(if has_prefix || head == other_head { Agreement::Same } else { Agreement::Bare })
    }
}

fn mentions(letters: &str, words: &[(Range<usize>, usize)]) -> Vec<Mention> {
    let digits_of = |range: &Range<usize>| letters[range.clone()].bytes().filter(u8::is_ascii_digit).count();
    let start_of = |at: usize| {
        let same = words[..at].iter().rev().take_while(|(_, chain)| *chain == words[at].1);
        same.last().map_or(words[at].0.start, |(word, _)| word.start)
    };
    let end_of = |at: usize| {
        let same = words[at + 1..].iter().take_while(|(_, chain)| *chain == words[at].1);
        same.last().map_or(words[at].0.end, |(word, _)| word.end)
    };
    let mut all = vec![];
    for first in 0..words.len() {
        let word = &words[first].0;
        for (last, (end, _)) in words.iter().enumerate().skip(first).take(WORDS_MAX) {
            let token = word.start..end.end;
            if token.len() > BYTES_MAX || all.len() >= MENTIONS_MAX {
                break;
            }
            if digits_of(&token) >= DIGITS_MIN {
                all.push(Mention { token, chain: start_of(first)..end_of(last) });
            }
        }
        if digits_of(word) < word.len() {
            for run in letters[word.clone()].split(|c: char| !c.is_ascii_digit()) {
                let start = run.as_ptr() as usize - letters.as_ptr() as usize;
                if run.len() >= DIGITS_MIN && all.len() < MENTIONS_MAX {
                    all.push(Mention {
                        token: start..start + run.len(),
                        chain: start_of(first)..end_of(first),
                    });
                }
            }
        }
    }
    all
}

fn is_number(token: &str) -> bool {
    token.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use Agreement::{Bare, Same};

    #[test]
    fn a_number_is_of_the_series_that_its_prefix_names() {
        for (left, right, says) in [
            ("INV-2026-00017", "INV-2026-00017", Some(Same)),
            ("inv 2026 00017", "INV-2026-00017", Some(Same)),
            ("PAID INV202600017 THANKS", "INV-2026-00017", Some(Same)),
            ("RE:INV-2026-00017", "INV-2026-00017", Some(Same)),
            ("2026-00017", "2026 00017", Some(Same)),
            ("PAYOUT 00001234 THANKS", "1234", Some(Same)),
            // The prefix left out, written out, or with a letter lost.
            ("2026-00017", "INV-2026-00017", Some(Bare)),
            ("Rechnung 00017", "INV-00017", Some(Bare)),
            ("PAYOUT 00001234", "Payout-1234", Some(Bare)),
            ("Invoice-00017", "INV-00017", Some(Bare)),
            ("NV-2026-00017", "INV-2026-00017", Some(Bare)),
            // Other series, years and documents.
            ("Bestellung PO-2026-00017", "INV-2026-00017", None),
            ("PO202600017", "INV202600017", None),
            ("CN/2026/00017", "INV/2026/00017", None),
            ("ORD-C03-000001", "REF-C03-000001", None),
            ("INV-2025-00017", "INV-2026-00017", None),
            ("INV-2026-00017", "INV-2026-00018", None),
            ("INV-2026-00017-1", "INV-2026-00017-2", None),
            // The best of several counts.
            ("PO-2026-00017 for INV-2026-00044", "INV-2026-00044", Some(Same)),
            ("PO-2026-00017, 2026-00017", "INV-2026-00017", Some(Bare)),
        ] {
            assert_eq!(agreement(left, right), says, "{left} ~ {right}");
            assert_eq!(agreement(right, left), says, "{right} ~ {left}");
        }
    }

    #[test]
    fn any_two_texts_are_read_and_bounded() {
        let many = (1000..9999).map(|n| n.to_string()).collect::<Vec<_>>().join("-");
        for text in ["", "ß1234ßß5678", "№1234/日本語-0001", &many, &"9".repeat(100_000), "İ1234İ"]
        {
            for other in ["", "ẞ1234", "1234", &many] {
                assert_eq!(agreement(text, other), agreement(other, text));
            }
        }
        assert!(Mentions::of(&many).all.len() <= MENTIONS_MAX);
    }
}
