//! Free texts as bags of weighted words, and how alike two of them are.

mod postings;
mod rank;
mod vocabulary;
mod word;
mod words;

pub(crate) use postings::Postings;

use crate::keys::{Column, HashedMap};
use crate::watch::steps::steps;
use crate::{Cancelled, Records, Row, Side, Watch};
use rayon::prelude::*;
use vocabulary::Vocabulary;
use word::Outline;
use words::{Chunk, Text, WordId, Words};

/// The texts of both sides that one text rule reads. Word weights come from these texts themselves, so no
/// list of common words is needed in any language.
#[derive(Debug)]
pub(crate) struct Texts {
    vocabulary: Vocabulary,
    left: Words,
    right: Words,
}

/// One side of a text rule: whose fields, and which records are wanted; the others get an empty text.
pub(crate) struct TextSource<'a> {
    pub records: &'a Records,
    pub columns: &'a [Column],
    pub wanted: &'a (dyn Fn(Row) -> bool + Sync),
}

impl Texts {
    /// Memory: about 20 bytes a text, twelve a word, and 35 a different word.
    pub fn read(left: TextSource<'_>, right: TextSource<'_>, watch: Watch<'_>) -> Result<Self, Cancelled> {
        let (mut chunks, rights) = (chunks_of(&left, watch)?, chunks_of(&right, watch)?);
        let left_count = chunks.len();
        chunks.extend(rights);
        let vocabulary = Vocabulary::of(&mut chunks, left_count, watch)?;
        let rights = chunks.split_off(left_count);
        let (mut left, mut right) = (Words::join(chunks, watch)?, Words::join(rights, watch)?);
        left.weigh(&vocabulary, watch)?;
        right.weigh(&vocabulary, watch)?;
        Ok(Texts { vocabulary, left, right })
    }

    /// Forgets the texts of rows that are not wanted any more: they read as empty. What words weigh stays.
    pub fn keep(&mut self, is_wanted: impl Fn(Side, Row) -> bool, watch: Watch<'_>) -> Result<(), Cancelled> {
        self.left.keep(|row| is_wanted(Side::Left, row), watch)?;
        self.right.keep(|row| is_wanted(Side::Right, row), watch)
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
        let Some((l, r)) = self.left.text(left).zip(self.right.text(right)) else { return 0.0 };
        steps(4 + l.words.len() * r.words.len());
        let with_references = l.has_references && r.has_references;
        let weight =
            |text: Text<'_>| if with_references { text.weight } else { text.weight_without_references };
        let (left_weight, right_weight) = (weight(l), weight(r));
        if left_weight == 0.0 || right_weight == 0.0 {
            return 0.0;
        }
        let (short, long, total) =
            if left_weight < right_weight { (l, r, left_weight) } else { (r, l, right_weight) };
        // What is still to be found bounds what can be reached; a hair is left to rounding.
        let (mut found, mut lost, lost_max) = (0.0, 0.0, total * (1.0 - min) + 1e-9);
        for ((&word, &outline), &weight) in short.words.iter().zip(short.outlines).zip(short.weights) {
            if !with_references && word.is_reference() {
                continue;
            }
            let (weight, alike) = (f64::from(weight), self.best_of(word, outline, long));
            found += weight * alike;
            lost += weight * (1.0 - alike);
            if lost > lost_max {
                return 0.0;
            }
        }
        (found / total).clamp(0.0, 1.0)
    }

    /// To be called before many texts are compared with one.
    pub fn fetch(&self, side: Side, rows: impl Iterator<Item = Row> + Clone) {
        self.words(side).fetch(rows);
    }

    fn words(&self, side: Side) -> &Words {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
    }

    /// How much of `word` the other text has: 1 for the word itself, less for one like it, else 0.
    fn best_of(&self, word: WordId, outline: Outline, others: Text<'_>) -> f64 {
        if others.words.contains(&word) {
            return 1.0;
        }
        let is_reference = word.is_reference();
        let mut best: f64 = 0.0;
        for (&other, &other_outline) in others.words.iter().zip(others.outlines) {
            // Outlines lie side by side; a word has to be fetched from anywhere in the vocabulary.
            if other.is_reference() != is_reference || !is_reference && outline.is_other_than(other_outline) {
                continue;
            }
            let (own, candidate) = (self.vocabulary.word(word), self.vocabulary.word(other));
            if !is_reference && own.is_other_than(candidate) {
                continue;
            }
            let (letters, others) = (self.vocabulary.letters(own), self.vocabulary.letters(candidate));
            best = best.max(word::alike(letters, others, is_reference));
        }
        best
    }

    /// Whether the text has no word that any text of the other side has, as the codes of card networks have
    /// none: that it is not like another then says nothing.
    pub fn says_nothing(&self, side: Side, row: Row) -> bool {
        !self.words(side).of(row).iter().any(|&word| self.vocabulary.tells(word))
    }
}

fn chunks_of(source: &TextSource<'_>, watch: Watch<'_>) -> Result<Vec<Chunk>, Cancelled> {
    let starts: Vec<Row> = source.records.rows().step_by(Chunk::TEXTS).collect();
    let chunks = starts.into_par_iter().map_init(HashedMap::default, |numbers, start| {
        watch.check()?;
        let end = source.records.rows().end.min(start.saturating_add(Chunk::TEXTS as Row));
        Ok(Chunk::read(source, start..end, numbers))
    });
    chunks.collect()
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
    fn texts_that_stay_are_as_alike_as_before() {
        let names = ["HOLM GMBH", "", "BERG GMBH 47110815", "TAL GMBH", "HOLM GMBH THANK YOU"];
        let (l, r) = (side(&names), side(&names));
        let source = |records| TextSource { records, columns: &[Column::Field(0)], wanted: &|_| true };
        let all = Texts::read(source(&l), source(&r), Watch::none()).unwrap();
        let mut some = Texts::read(source(&l), source(&r), Watch::none()).unwrap();
        let stays = |side: Side, row: Row| row >= 2 && (side == Side::Right || row != 3);
        some.keep(stays, Watch::none()).unwrap();
        for left in 0..5 {
            for right in 0..5 {
                let both = stays(Side::Left, left) && stays(Side::Right, right);
                let expected = if both { all.similarity(left, right) } else { 0.0 };
                assert_eq!(some.similarity(left, right), expected, "{left} {right}");
            }
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
