//! Records of one side by word and day.

use super::Texts;
use super::words::Words;
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
    /// The words of these records of one side.
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
        // In the order of their days, so that each word's list is in order when it is filled.
        let mut days: Vec<(i32, Row)> = rows.par_iter().map(|&row| (records.date(row), row)).collect();
        sorted::sort(&mut days, watch)?;
        let telling = |row: Row| own.of(row).iter().filter(|&&word| self.vocabulary.tells(word));
        let mut ends = vec![0u32; self.vocabulary.len() + 1];
        for rows in days.chunks(1 << 16) {
            watch.check()?;
            rows.iter().flat_map(|&(_, row)| telling(row)).for_each(|word| ends[word.number() + 1] += 1);
        }
        (1..ends.len()).for_each(|word| ends[word] += ends[word - 1]);
        let nothing = Posting { day: 0, row: 0, amount: 0 };
        let mut list = vec![nothing; ends.last().map_or(0, |&end| end as usize)];
        for days in days.chunks(1 << 16) {
            watch.check()?;
            for &(day, row) in days {
                let posting = Posting { day, row, amount: records.amount(row) };
                for word in telling(row) {
                    // Every word's start moves on to its end.
                    let place = &mut ends[word.number()];
                    list[*place as usize] = posting;
                    *place += 1;
                }
            }
        }
        Ok(Postings { texts: self, asking, list, ends })
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
