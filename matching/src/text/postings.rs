//! Records of one side by word and day.

use super::Texts;
use super::words::{WordId, Words};
use crate::sorted;
use crate::{Cancelled, Records, Row, Side, Watch};
use rayon::prelude::*;
use std::ops::RangeInclusive;

/// More records with one word inside a window, and the word tells too little to search by.
const WINDOW_MAX: usize = 256;

pub(crate) struct Postings<'t> {
    texts: &'t Texts,
    asking: &'t Words,
    /// Every record with a word, word by word, by day and row.
    list: Vec<Posting>,
    /// By word: where its records end.
    ends: Vec<u32>,
}

#[derive(Clone, Copy)]
struct Posting {
    day: i32,
    row: Row,
    /// Tells most records apart before anything else of them is looked at.
    amount: i64,
}

impl Texts {
    /// The words of these records of one side, as far as one of the records `asking` on the other side has them: no
    /// others may be asked about.
    pub fn postings(
        &self,
        side: Side,
        rows: &[Row],
        asking: &[Row],
        records: &Records,
        watch: Watch<'_>,
    ) -> Result<Postings<'_>, Cancelled> {
        let (own, others) = (self.words(side), self.words(side.other()));
        let mut is_asked = vec![false; self.vocabulary.len()];
        for rows in asking.chunks(1 << 14) {
            watch.check()?;
            let words = rows.iter().flat_map(|&row| others.of(row));
            words
                .filter(|&&word| self.vocabulary.tells(word))
                .for_each(|word| is_asked[word.number()] = true);
        }
        // Row by row, as the texts lie in memory; each word's list is put in the order of its days afterwards.
        let lists = rows.par_chunks(1 << 13).map(|rows| {
            watch.check()?;
            let asked = |word: &&WordId| !word.is_reference() && is_asked[word.number()];
            let words =
                |&row: &Row| own.of(row).iter().filter(asked).map(move |word| (word.number() as u32, row));
            Ok(rows.iter().flat_map(words).collect::<Vec<_>>())
        });
        let found = lists.collect::<Result<Vec<_>, Cancelled>>()?;
        let mut ends = vec![0u32; self.vocabulary.len() + 1];
        for found in &found {
            watch.check()?;
            found.iter().for_each(|&(word, _)| ends[word as usize + 1] += 1);
        }
        (1..ends.len()).for_each(|word| ends[word] += ends[word - 1]);
        let nothing = Posting { day: 0, row: 0, amount: 0 };
        let mut list = vec![nothing; ends.last().map_or(0, |&end| end as usize)];
        for found in found {
            watch.check()?;
            for (word, row) in found {
                // Every word's start moves on to its end.
                let place = &mut ends[word as usize];
                list[*place as usize] = Posting { day: records.date(row), row, amount: records.amount(row) };
                *place += 1;
            }
        }
        let (mut of_words, mut rest, mut start) = (vec![], &mut list[..], 0);
        for &end in &ends {
            if end > start {
                let (of_word, behind) = rest.split_at_mut((end - start) as usize);
                of_words.push(of_word);
                (rest, start) = (behind, end);
            }
        }
        of_words.into_par_iter().try_for_each(|of_word| {
            sorted::sort_by_key(of_word, watch, |posting| (posting.day, posting.row))
        })?;
        Ok(Postings { texts: self, asking: others, list, ends })
    }
}

impl Postings<'_> {
    /// Records that share a word with `row` of the other side, are at most `window_days` from `date` and have one of
    /// these amounts, sorted. `None` when all its words are too common to search by, whatever the amounts.
    pub fn around(
        &self,
        row: Row,
        date: i64,
        window_days: i64,
        amounts: RangeInclusive<i64>,
    ) -> Option<Vec<Row>> {
        let (mut rows, mut common, mut rare) = (vec![], 0, 0);
        for &word in self.asking.of(row).iter().filter(|&&word| self.texts.vocabulary.tells(word)) {
            let number = word.number();
            let start = if number == 0 { 0 } else { self.ends[number - 1] };
            let all = &self.list[start as usize..self.ends[number] as usize];
            let near = &all[all.partition_point(|posting| i64::from(posting.day) < date - window_days)..];
            let near = &near[..near.partition_point(|posting| i64::from(posting.day) <= date + window_days)];
            if near.len() > WINDOW_MAX {
                common += 1;
            } else {
                rare += 1;
                let wanted = near.iter().filter(|posting| amounts.contains(&posting.amount));
                rows.extend(wanted.map(|posting| posting.row));
            }
        }
        rows.sort_unstable();
        rows.dedup();
        (common == 0 || rare > 0).then_some(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Column;
    use crate::text::TextSource;
    use crate::{Currency, RecordsBuilder};
    use proptest::prelude::*;

    type Line = (i32, Vec<u8>);

    fn lines() -> impl Strategy<Value = Vec<Line>> {
        prop::collection::vec((0..20i32, prop::collection::vec(0..6u8, 0..4)), 1..30)
    }

    fn side(lines: &[Line]) -> Records {
        let mut builder = RecordsBuilder::new(vec!["text".into()]);
        for (i, (day, words)) in lines.iter().enumerate() {
            let text = words.iter().map(|&word| ["ada", "berg", "cola", "dom", "1234", "x"][word as usize]);
            let (text, currency) = (text.collect::<Vec<_>>().join(" "), Currency::parse("EUR").unwrap());
            builder.push(&i.to_string(), 1, i as i64 % 5, currency, *day, &[&text]).unwrap();
        }
        builder.build()
    }

    proptest! {
        #[test]
        fn what_a_record_finds_is_what_shares_a_word_with_it(left in lines(), right in lines()) {
            let (l, r) = (side(&left), side(&right));
            let source = |records| TextSource { records, columns: &[Column::Field(0)], wanted: &|_| true };
            let texts = Texts::read(source(&l), source(&r), Watch::none()).unwrap();
            let all: Vec<Row> = r.rows().collect();
            for row in l.rows() {
                let postings = texts.postings(Side::Right, &all, &[row], &r, Watch::none()).unwrap();
                let (day, words) = &left[row as usize];
                let found = postings.around(row, (*day).into(), 3, 1..=4).unwrap();
                let shares = |other: &Row| {
                    let (their_day, theirs) = &right[*other as usize];
                    let is_near = (their_day - day).abs() <= 3 && r.amount(*other) > 0;
                    is_near && words.iter().any(|word| *word != 4 && theirs.contains(word))
                };
                prop_assert_eq!(found, all.iter().copied().filter(shares).collect::<Vec<_>>());
            }
        }
    }
}
