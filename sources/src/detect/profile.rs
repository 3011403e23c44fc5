//! What the values of one column have in common.

use super::DateGuess;
use super::sample::Sample;
use crate::amount::{AmountFormat, Direction};
use crate::date::DateFormat;
use matching::{Confidence, Currency, DecimalMark};
use std::collections::HashSet;
use std::sync::LazyLock;

/// `None` is ISO. Of formats that fit equally well, the earlier one is proposed.
const DATE_FORMATS: [Option<&str>; 30] = [
    None,
    Some("%d.%m.%Y"),
    Some("%d/%m/%Y"),
    Some("%m/%d/%Y"),
    Some("%d-%m-%Y"),
    Some("%m-%d-%Y"),
    Some("%Y/%m/%d"),
    Some("%Y.%m.%d"),
    Some("%Y%m%d"),
    Some("%d.%m.%y"),
    Some("%d/%m/%y"),
    Some("%m/%d/%y"),
    Some("%d-%m-%y"),
    Some("%m-%d-%y"),
    Some("%d %b %Y"),
    Some("%d-%b-%Y"),
    Some("%d-%b-%y"),
    Some("%d %B %Y"),
    Some("%b %d, %Y"),
    Some("%B %d, %Y"),
    Some("%d.%m.%Y %H:%M"),
    Some("%d.%m.%Y %H:%M:%S"),
    Some("%d/%m/%Y %H:%M"),
    Some("%d/%m/%Y %H:%M:%S"),
    Some("%m/%d/%Y %H:%M"),
    Some("%m/%d/%Y %H:%M:%S"),
    Some("%m/%d/%Y %I:%M %p"),
    Some("%Y/%m/%d %H:%M:%S"),
    Some("%d-%m-%Y %H:%M"),
    Some("%d-%m-%Y %H:%M:%S"),
];

static READERS: LazyLock<Vec<(Option<&str>, DateFormat)>> = LazyLock::new(|| {
    let reader = |format: &Option<&'static str>| Some((*format, DateFormat::parse(*format).ok()?));
    DATE_FORMATS.iter().filter_map(reader).collect()
});

#[derive(Debug, Default)]
pub(super) struct Profile {
    /// Values that are not blank.
    pub filled: usize,
    pub rows: usize,
    /// Values without repetitions.
    pub distinct: usize,
    /// The first value that comes again.
    pub repeated: Option<String>,
    /// Formats that most values have, the likeliest first.
    pub dates: Vec<DateGuess>,
    pub date_order_unclear: bool,
    /// Values that are an amount with that mark, and only with that one.
    pub amounts: usize,
    pub only_point: usize,
    pub only_comma: usize,
    pub negatives: usize,
    pub currencies: usize,
    pub directions: usize,
    /// Short, with a digit, and neither an amount nor two words.
    pub codes: usize,
    pub examples: Vec<String>,
}

impl Profile {
    /// 0 to 1, of the values that are not blank; 0 without any.
    pub fn share(&self, of: usize) -> f64 {
        if self.filled == 0 { 0.0 } else { of as f64 / self.filled as f64 }
    }

    /// Nearly all values are, and nearly all differ; 20260131 is a day.
    pub fn may_be_key(&self) -> bool {
        self.filled > 0
            && self.codes * 10 >= self.filled * 9
            && self.distinct * 2 >= self.filled
            && self.date_share() < DATES_MIN
    }

    pub fn date_share(&self) -> f64 {
        self.dates.first().map_or(0.0, |guess| guess.confidence.as_f64().max(0.5))
    }
}

pub(super) fn of(sample: &Sample, column: usize) -> Profile {
    let values: Vec<&str> = sample.filled(column).collect();
    let mut profile = Profile { filled: values.len(), rows: sample.rows.len(), ..Profile::default() };
    let mut seen = HashSet::new();
    let mut repeated = values.iter().filter(|value| !seen.insert(**value));
    let first = repeated.next();
    profile.distinct = values.len() - repeated.count() - usize::from(first.is_some());
    profile.repeated = first.map(|value| value.chars().take(60).collect());
    for value in &values {
        let point = amount(value, DecimalMark::Point);
        let comma = amount(value, DecimalMark::Comma);
        profile.amounts += usize::from(point.or(comma).is_some());
        profile.only_point += usize::from(point.is_some() && comma.is_none());
        profile.only_comma += usize::from(comma.is_some() && point.is_none());
        profile.negatives += usize::from(point.or(comma).is_some_and(|minor| minor < 0));
        profile.currencies += usize::from(is_currency(value));
        profile.directions += usize::from(Direction::parse(value).is_some());
        profile.codes += usize::from(is_code(value));
    }
    find_dates(&mut profile, &values);
    profile.examples = values.iter().take(3).map(|value| value.chars().take(60).collect()).collect();
    profile
}

fn amount(value: &str, mark: DecimalMark) -> Option<i64> {
    AmountFormat { mark, exponents: true }.read(value, 2).ok()
}

fn is_currency(value: &str) -> bool {
    value.len() == 3 && value.bytes().all(|b| b.is_ascii_alphabetic()) && Currency::parse(value).is_ok()
}

/// `ORD-17`, `00012345` or `ORD-17|ORD-18`; no amount with decimals, and no sentence.
fn is_code(value: &str) -> bool {
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let is_decimal = value.contains(['.', ',']) && value.bytes().all(|b| !b.is_ascii_alphabetic());
    digits >= 2 && value.len() <= 200 && !value.contains(char::is_whitespace) && !is_decimal
}

/// A name of a column is neither.
pub(super) fn looks_like_value(cell: &str) -> bool {
    let has_digit = cell.bytes().any(|b| b.is_ascii_digit());
    let is_amount = || amount(cell, DecimalMark::Point).or(amount(cell, DecimalMark::Comma)).is_some();
    has_digit && (is_amount() || READERS.iter().any(|(_, reader)| reader.read(cell).is_ok()))
}

/// A format must fit nine of ten values, or all but the last ones: a statement ends with its totals.
const DATES_MIN: f64 = 0.9;
const TOTALS_MAX: usize = 2;
const DATES_ABOVE_TOTALS_MIN: usize = 3;

fn find_dates(profile: &mut Profile, values: &[&str]) {
    if values.is_empty() {
        return;
    }
    let mut fitting = vec![];
    for (format, reader) in READERS.iter() {
        // Most columns are no dates in any format: the first values tell.
        let early = values.iter().take(10).filter(|value| reader.read(value).is_ok()).count();
        if early * 2 < values.len().min(10) {
            continue;
        }
        let days: Vec<i32> = values.iter().filter_map(|value| reader.read(value).ok()).collect();
        let share = days.len() as f64 / values.len() as f64;
        let last = values.iter().rev().take_while(|value| reader.read(value).is_err()).count();
        let ends_with_totals =
            last <= TOTALS_MAX && days.len() >= DATES_ABOVE_TOTALS_MIN && days.len() + last == values.len();
        if share >= DATES_MIN || ends_with_totals {
            fitting.push((*format, share, jumps(&days)));
        }
    }
    let best = fitting.iter().map(|(_, share, _)| *share).fold(0.0, f64::max);
    fitting.retain(|(_, share, _)| *share >= best - 1e-9);
    // Two orders fit: a file is mostly sorted, and in the wrong order its dates jump about.
    fitting.sort_by_key(|(.., jumps)| *jumps);
    let clear = match fitting.as_slice() {
        [(_, _, first), (_, _, second), ..] => *second > 2 * (*first).max(30),
        _ => true,
    };
    profile.date_order_unclear = !clear;
    let count = fitting.len();
    let confidence = |(i, share): (usize, f64)| match (count, clear, i) {
        (1, ..) => share * 0.99,
        (_, true, 0) => share * 0.85,
        (_, true, _) => share * 0.15,
        _ => share / count as f64,
    };
    profile.dates = fitting
        .iter()
        .enumerate()
        .map(|(i, (format, share, _))| DateGuess {
            format: *format,
            confidence: Confidence::from_f64(confidence((i, *share))),
        })
        .collect();
}

/// Days between neighbours, summed.
fn jumps(days: &[i32]) -> i64 {
    days.windows(2).map(|pair| i64::from((pair[1] - pair[0]).abs())).sum()
}
