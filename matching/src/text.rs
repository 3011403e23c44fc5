//! Free texts as bags of weighted words, and how alike two of them are.

use crate::keys::{Column, HashedMap, KeyHasher, push_upper};
use crate::{Cancelled, Records, Row, Side, Watch};
use rapidfuzz::distance::osa;
use rayon::prelude::*;

/// Words kept of one text, the first ones.
const WORDS_MAX: usize = 24;
/// Bytes kept of one word.
const WORD_BYTES_MAX: usize = 48;
/// Digits that make a word a reference rather than a quantity.
const REFERENCE_DIGITS_MIN: usize = 4;
/// Two words with fewer letters in common than this are different words, not misspelt ones.
const ALIKE_MIN: f64 = 0.7;
/// References differ by a digit from their neighbours as well as from their own misprints: a near miss
/// counts less than a misspelt word does.
const REFERENCE_NEAR: f64 = 0.8;
/// What a word counts that is the beginning of the other: `LOGIST.` for `Logistics`.
const PREFIX: f64 = 0.9;
const PREFIX_CHARS_MIN: usize = 3;

#[derive(Debug, Clone, Copy)]
struct Word {
    hash: u64,
    /// One bit per letter or digit the word has, others sharing them: to tell most words apart at a glance.
    letters: u64,
    start: u64,
    len: u8,
    is_reference: bool,
    /// Some text of the other side has it too.
    is_known: bool,
    /// In (0, 1]: near 0 for a word that every text has, 1 for one that no other has.
    weight: f32,
}

/// The words of one side's texts.
#[derive(Debug, Default)]
struct Words {
    letters: Vec<u8>,
    words: Vec<Word>,
    ends: Vec<u32>,
}

impl Words {
    fn of(&self, row: Row) -> &[Word] {
        let row = row as usize;
        let start = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        &self.words[start..self.ends[row] as usize]
    }

    fn letters(&self, word: &Word) -> &[u8] {
        &self.letters[word.start as usize..word.start as usize + usize::from(word.len)]
    }
}

/// The texts of both sides that one text rule reads. Word weights come from these texts themselves, so no
/// list of common words is needed in any language.
#[derive(Debug)]
pub(crate) struct Texts {
    left: Words,
    right: Words,
}

/// Records of one side by word and day.
pub(crate) struct Postings<'t> {
    asking: &'t Words,
    /// Word, date, row.
    list: Vec<(u64, i32, Row)>,
}

impl Postings<'_> {
    /// More records with one word inside a window, and the word tells too little to search by.
    const WINDOW_MAX: usize = 256;

    /// Records that share a word with `row` of the other side and are at most `window_days` from `date`,
    /// sorted. `None` when all its words are too common to search by.
    pub fn around(&self, row: Row, date: i64, window_days: i64) -> Option<Vec<Row>> {
        let (mut rows, mut common, mut rare) = (vec![], 0, 0);
        for word in self.asking.of(row).iter().filter(|w| w.is_known && !w.is_reference) {
            let first = self
                .list
                .partition_point(|&(hash, day, _)| (hash, i64::from(day)) < (word.hash, date - window_days));
            let near = self.list[first..]
                .iter()
                .take_while(|&&(hash, day, _)| hash == word.hash && i64::from(day) <= date + window_days);
            let before = rows.len();
            rows.extend(near.take(Self::WINDOW_MAX + 1).map(|&(_, _, row)| row));
            if rows.len() - before > Self::WINDOW_MAX {
                rows.truncate(before);
                common += 1;
            } else {
                rare += 1;
            }
        }
        rows.sort_unstable();
        rows.dedup();
        (common == 0 || rare > 0).then_some(rows)
    }
}

/// Who has a word.
struct Have {
    texts: u32,
    on_both_sides: bool,
}

/// One side of a text rule: whose fields, and which records are wanted; the others get an empty text.
pub(crate) struct TextSource<'a> {
    pub records: &'a Records,
    pub columns: &'a [Column],
    pub wanted: &'a (dyn Fn(Row) -> bool + Sync),
}

impl Texts {
    pub fn read(left: TextSource<'_>, right: TextSource<'_>, watch: Watch<'_>) -> Result<Self, Cancelled> {
        let mut texts = Texts { left: read_words(left, watch)?, right: read_words(right, watch)? };
        texts.weigh(watch)?;
        Ok(texts)
    }

    /// How alike two texts are, 0 to 1; 0 when one is empty.
    ///
    /// The side whose words weigh less is looked for in the other. References are left out where the other
    /// text has none, since a bank that drops them says nothing by it.
    pub fn similarity(&self, left: Row, right: Row) -> f64 {
        self.similarity_from(0.0, left, right)
    }

    /// The same, but any smaller number will do where it is below `min`.
    pub fn similarity_from(&self, min: f64, left: Row, right: Row) -> f64 {
        let (l, r) = (self.left.of(left), self.right.of(right));
        let (has_left, has_right) = (l.iter().any(|w| w.is_reference), r.iter().any(|w| w.is_reference));
        let heard = |w: &&Word| !w.is_reference || (has_left && has_right);
        let weight = |words: &[Word]| words.iter().filter(heard).map(|w| f64::from(w.weight)).sum::<f64>();
        let (left_weight, right_weight) = (weight(l), weight(r));
        if left_weight == 0.0 || right_weight == 0.0 {
            return 0.0;
        }
        let (short, short_words, long, long_words, total) = if left_weight < right_weight {
            (l, &self.left, r, &self.right, left_weight)
        } else {
            (r, &self.right, l, &self.left, right_weight)
        };
        // What is still to be found bounds what can be reached; a hair is left to rounding.
        let (mut found, mut lost, lost_max) = (0.0, 0.0, total * (1.0 - min) + 1e-9);
        for word in short.iter().filter(heard) {
            let (weight, alike) = (f64::from(word.weight), best_of(word, short_words, long, long_words));
            found += weight * alike;
            lost += weight * (1.0 - alike);
            if lost > lost_max {
                return 0.0;
            }
        }
        (found / total).clamp(0.0, 1.0)
    }

    /// Whether the text has no word that any text of the other side has, as the codes of card networks have
    /// none: that it is not like another then says nothing.
    pub fn says_nothing(&self, side: Side, row: Row) -> bool {
        let words = if side == Side::Left { &self.left } else { &self.right };
        !words.of(row).iter().any(|w| w.is_known && !w.is_reference)
    }

    /// The words of these records of one side, for [`Postings::around`].
    pub fn postings(
        &self,
        side: Side,
        rows: &[Row],
        records: &Records,
        watch: Watch<'_>,
    ) -> Result<Postings<'_>, Cancelled> {
        let (own, asking) = match side {
            Side::Left => (&self.left, &self.right),
            Side::Right => (&self.right, &self.left),
        };
        let lists = rows.par_chunks(4096).map(|rows| {
            watch.check()?;
            let known = |row: Row| own.of(row).iter().filter(|w| w.is_known && !w.is_reference);
            let of = |&row: &Row| known(row).map(move |w| (w.hash, records.date(row), row));
            Ok(rows.iter().flat_map(of).collect::<Vec<_>>())
        });
        let mut list = lists.collect::<Result<Vec<_>, Cancelled>>()?.concat();
        list.par_sort_unstable();
        Ok(Postings { asking, list })
    }

    /// Sets each word's weight from the number of texts that have it: ln(1 + n / have) / ln(1 + n).
    fn weigh(&mut self, watch: Watch<'_>) -> Result<(), Cancelled> {
        let texts = self.left.ends.len() + self.right.ends.len();
        let hashes = |words: &Words, side: u64| {
            let rows: Vec<Row> = (0..words.ends.len() as Row).collect();
            let lists = rows.par_chunks(8192).map(|rows| {
                watch.check()?;
                let mut list = vec![];
                for &row in rows {
                    let row = words.of(row);
                    let first = |i: usize| !row[..i].iter().any(|w| w.hash == row[i].hash);
                    list.extend((0..row.len()).filter(|&i| first(i)).map(|i| row[i].hash << 1 | side));
                }
                Ok(list)
            });
            Ok(lists.collect::<Result<Vec<_>, Cancelled>>()?.concat())
        };
        // Twice the hash, and which side it is from in the lowest bit.
        let mut all = hashes(&self.left, 0)?;
        all.append(&mut hashes(&self.right, 1)?);
        all.par_sort_unstable();
        watch.check()?;
        let count = |same: &[u64]| {
            let left = same.partition_point(|hash| hash & 1 == 0);
            (same[0] >> 1, Have { texts: same.len() as u32, on_both_sides: 0 < left && left < same.len() })
        };
        let have: HashedMap<Have> = all.chunk_by(|a, b| a >> 1 == b >> 1).map(count).collect();
        let n = texts as f64;
        for words in [&mut self.left, &mut self.right] {
            words.words.par_chunks_mut(4096).try_for_each(|words| {
                watch.check()?;
                for word in words {
                    let Some(have) = have.get(&word.hash) else { continue };
                    word.weight = ((n / f64::from(have.texts)).ln_1p() / n.ln_1p()) as f32;
                    word.is_known = have.on_both_sides;
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}

impl Word {
    /// Certain when true. Each letter that only one of two words has takes an edit of its own, and so many
    /// edits may not be; a word that begins the other has no letter of its own.
    fn is_other_than(&self, other: &Word) -> bool {
        let (only_self, only_other) = (self.letters & !other.letters, other.letters & !self.letters);
        if only_self == 0 || only_other == 0 {
            return false;
        }
        let edits = only_self.count_ones().max(only_other.count_ones());
        f64::from(edits) > (1.0 - ALIKE_MIN) * f64::from(self.len.max(other.len)) + 1e-9
    }
}

/// How much of `word` the other text has: 1 for the word itself, less for one like it, else 0.
fn best_of(word: &Word, own: &Words, others: &[Word], other: &Words) -> f64 {
    if others.iter().any(|o| o.hash == word.hash) {
        return 1.0;
    }
    let letters = own.letters(word);
    let mut best: f64 = 0.0;
    for candidate in others.iter().filter(|o| o.is_reference == word.is_reference) {
        if !word.is_reference && word.is_other_than(candidate) {
            continue;
        }
        let alike = alike(letters, other.letters(candidate), word.is_reference);
        best = best.max(if word.is_reference { alike * REFERENCE_NEAR } else { alike });
    }
    best
}

fn alike(a: &[u8], b: &[u8], references: bool) -> f64 {
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    if references {
        // `00004711` is the end of `INV00004711`.
        if short.len() >= REFERENCE_DIGITS_MIN && long.ends_with(short) {
            return 1.0;
        }
    } else if short.len() >= PREFIX_CHARS_MIN && long.starts_with(short) {
        return PREFIX;
    }
    if (short.len() as f64) < ALIKE_MIN * long.len() as f64 {
        return 0.0;
    }
    let args = osa::Args::default().score_cutoff(ALIKE_MIN);
    osa::normalized_similarity_with_args(a.iter().copied(), b.iter().copied(), &args).unwrap_or(0.0)
}

fn read_words(source: TextSource<'_>, watch: Watch<'_>) -> Result<Words, Cancelled> {
    const CHUNK: usize = 8192;
    let rows: Vec<Row> = source.records.rows().collect();
    let parts = rows.par_chunks(CHUNK).map(|rows| {
        watch.check()?;
        let (mut part, mut buffer) = (Words::default(), String::new());
        for &row in rows {
            if (source.wanted)(row) {
                part.push_text(&source, row, &mut buffer);
            }
            part.ends.push(part.words.len() as u32);
        }
        Ok(part)
    });
    let parts = parts.collect::<Result<Vec<_>, Cancelled>>()?;
    let mut all = Words::default();
    all.letters.reserve_exact(parts.iter().map(|p| p.letters.len()).sum());
    all.words.reserve_exact(parts.iter().map(|p| p.words.len()).sum());
    all.ends.reserve_exact(rows.len());
    for part in parts {
        let (letters, words) = (all.letters.len() as u64, all.words.len() as u32);
        all.letters.extend(&part.letters);
        all.words.extend(part.words.iter().map(|&w| Word { start: w.start + letters, ..w }));
        all.ends.extend(part.ends.iter().map(|end| end + words));
    }
    Ok(all)
}

impl Words {
    fn push_text(&mut self, source: &TextSource<'_>, row: Row, buffer: &mut String) {
        let texts = source.columns.iter().map(|c| c.text(source.records, row));
        let words = texts.flat_map(|t| t.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()));
        for word in words.take(WORDS_MAX) {
            buffer.clear();
            push_upper(word, buffer);
            let mut len = buffer.len().min(WORD_BYTES_MAX);
            while !buffer.is_char_boundary(len) {
                len -= 1;
            }
            let letters = &buffer.as_bytes()[..len];
            let mut hasher = KeyHasher::new();
            hasher.bytes(letters);
            self.words.push(Word {
                // One bit is left to say which side a hash is from.
                hash: hasher.finish_u64() >> 1,
                letters: letters.iter().fold(0, |bits, letter| bits | 1 << (letter & 63)),
                start: self.letters.len() as u64,
                len: len as u8,
                is_reference: letters.iter().filter(|b| b.is_ascii_digit()).count() >= REFERENCE_DIGITS_MIN,
                is_known: false,
                weight: 1.0,
            });
            self.letters.extend(letters);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Currency, RecordsBuilder};

    fn side(texts: &[&str]) -> Records {
        let mut builder = RecordsBuilder::new(vec!["text".into()]);
        for (i, text) in texts.iter().enumerate() {
            builder.push(&i.to_string(), 1, 0, Currency::parse("EUR").unwrap(), 0, &[text]).unwrap();
        }
        builder.build()
    }

    /// The similarity of the first two texts among the others.
    fn similarity(left: &str, right: &str, others: &[&str]) -> f64 {
        let (l, r) = (side(&[&[left], others].concat()), side(&[right]));
        let source = |records| TextSource { records, columns: &[Column::Field(0)], wanted: &|_| true };
        Texts::read(source(&l), source(&r), Watch::none()).unwrap().similarity(0, 0)
    }

    #[test]
    fn texts_are_alike_as_a_bookkeeper_would_say() {
        let others = ["SEPA CREDIT HOLM GMBH", "SEPA CREDIT BERG GMBH THANK YOU", "SEPA CREDIT TAL GMBH"];
        for (left, right, low, high) in [
            ("SEPA CREDIT MUELLER OPTICS", "Mueller Optics GmbH", 0.7, 0.95),
            ("SEPA CREDIT MUELLER OPTICS GMBH THANK YOU", "Mueller Optics GmbH", 1.0, 1.0),
            ("SEPA CREDIT MEULLER OPTIC GMBH", "Mueller Optics GmbH", 0.8, 0.99),
            ("SEPA CREDIT MUELLER OPT. GMBH", "Mueller Optics GmbH", 0.9, 0.99),
            ("SEPA CREDIT KAISER GMBH", "Mueller Optics GmbH", 0.0, 0.35),
            ("", "Mueller Optics GmbH", 0.0, 0.0),
            ("???", "!!!", 0.0, 0.0),
        ] {
            let found = similarity(left, right, &others);
            assert!((low..=high).contains(&found), "{left} ~ {right}: {found}");
        }
    }

    #[test]
    fn a_reference_speaks_only_where_both_have_one() {
        let others = ["a 10001", "b 20002", "c 30003"];
        let none = similarity("MUELLER", "Mueller 47110815", &others);
        let same = similarity("MUELLER 47110815", "Mueller 47110815", &others);
        let swapped = similarity("MUELLER 47118015", "Mueller 47110815", &others);
        let other = similarity("MUELLER 90909090", "Mueller 47110815", &others);
        assert_eq!((none, same), (1.0, 1.0));
        assert!(other < swapped && swapped < same, "{other} {swapped} {same}");
    }

    #[test]
    fn any_text_is_read_without_panic() {
        for text in ["ß".repeat(1000), "日本語テスト".repeat(50), "a\u{301} \u{200d}".into(), "İ".repeat(49)]
        {
            assert!((0.0..=1.0).contains(&similarity(&text, &text, &[])));
        }
    }
}
