//! Cron expressions: five fields (minute, hour, day of month, month, day of week), or six with the second in front.
//!
//! Read here, strictly and with the place of a mistake, since the crate that evaluates them (`croner`) takes more than
//! anybody means (`,` names no time at all, `JAN1` is November) and does not say where a mistake is. What it gets is
//! the checked expression in numbers.

use chrono::NaiveDateTime;
use std::str::FromStr;

/// Longest expression, characters; a list of every minute has 170.
pub const EXPRESSION_CHARS_MAX: usize = 300;

/// A checked cron expression. Equal when written the same.
#[derive(Debug, Clone)]
pub struct Expression {
    text: String,
    cron: croner::Cron,
    names_times: bool,
}

/// Why a text is no expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("character {at}: {says}")]
pub struct ExpressionError {
    /// Where, in characters from 1.
    pub at: usize,
    pub says: String,
}

impl Expression {
    /// As written, with single spaces.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether second, minute and hour are all named: no `*` and no step in them. See [`super::timing`] for what this
    /// decides.
    pub fn names_times(&self) -> bool {
        self.names_times
    }

    /// The first wall clock time after `from` (or at it) that the expression names. `None`: there is none before the
    /// year 5000.
    pub(super) fn next(&self, from: NaiveDateTime, inclusive: bool) -> Option<NaiveDateTime> {
        self.cron.find_next_occurrence(&from, inclusive).ok()
    }

    /// The last one before `from`, or at it.
    pub(super) fn previous(&self, from: NaiveDateTime, inclusive: bool) -> Option<NaiveDateTime> {
        self.cron.find_previous_occurrence(&from, inclusive).ok()
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl std::fmt::Display for Expression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Expression {
    type Err = ExpressionError;

    fn from_str(text: &str) -> Result<Self, ExpressionError> {
        if text.chars().count() > EXPRESSION_CHARS_MAX {
            let says = format!("an expression has at most {EXPRESSION_CHARS_MAX} characters");
            return Err(ExpressionError { at: EXPRESSION_CHARS_MAX + 1, says });
        }
        let words = words(text);
        let fields = match words.len() {
            5 => &FIELDS[1..],
            6 => &FIELDS[..],
            n => return Err(wrong_count(n, text)),
        };
        let checked: Vec<String> =
            fields.iter().zip(&words).map(|(field, word)| field.check(word)).collect::<Result<_, _>>()?;
        let says = |error| ExpressionError { at: 1, says: format!("cannot be read: {error}") };
        let cron = croner::Cron::from_str(&checked.join(" ")).map_err(says)?;
        // All but the last three.
        let times = &checked[..checked.len() - 3];
        let names_times = !times.iter().any(|field| field.contains(['*', '/']));
        let text = words.iter().map(|word| word.text).collect::<Vec<_>>().join(" ");
        Ok(Expression { text, cron, names_times })
    }
}

fn wrong_count(count: usize, text: &str) -> ExpressionError {
    let nickname =
        if text.trim_start().starts_with('@') { "; names such as @daily are not taken" } else { "" };
    let says = format!(
        "must have five fields (minute, hour, day of month, month, day of week), or six with the second in front, \
         not {count}{nickname}"
    );
    ExpressionError { at: 1, says }
}

/// A piece of the expression and where it begins.
#[derive(Clone, Copy)]
struct Word<'t> {
    text: &'t str,
    /// In characters from 1.
    at: usize,
}

fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = vec![];
    let mut at = 1;
    for text in text.split(char::is_whitespace) {
        if !text.is_empty() {
            words.push(Word { text, at });
        }
        at += text.chars().count() + 1;
    }
    words
}

impl<'t> Word<'t> {
    fn wrong<T>(self, says: impl Into<String>) -> Result<T, ExpressionError> {
        Err(ExpressionError { at: self.at, says: says.into() })
    }

    /// Its pieces between `separator`.
    fn split(self, separator: char) -> impl Iterator<Item = Word<'t>> {
        let mut at = self.at;
        self.text.split(separator).map(move |text| {
            let word = Word { text, at };
            at += text.chars().count() + 1;
            word
        })
    }

    fn split_once(self, separator: char) -> Option<(Word<'t>, Word<'t>)> {
        let (before, after) = self.text.split_once(separator)?;
        let at = self.at + before.chars().count() + 1;
        Some((Word { text: before, at: self.at }, Word { text: after, at }))
    }
}

struct Field {
    name: &'static str,
    min: u32,
    max: u32,
    /// Of the values from `min` on.
    names: &'static [&'static str],
    days: Days,
}

#[derive(PartialEq)]
enum Days {
    No,
    OfMonth,
    OfWeek,
}

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const FIELDS: [Field; 6] = [
    Field { name: "second", min: 0, max: 59, names: &[], days: Days::No },
    Field { name: "minute", min: 0, max: 59, names: &[], days: Days::No },
    Field { name: "hour", min: 0, max: 23, names: &[], days: Days::No },
    Field { name: "day of month", min: 1, max: 31, names: &[], days: Days::OfMonth },
    Field { name: "month", min: 1, max: 12, names: &MONTHS, days: Days::No },
    // 7 is Sunday too.
    Field { name: "day of week", min: 0, max: 7, names: &WEEKDAYS, days: Days::OfWeek },
];

impl Field {
    /// The field in numbers.
    fn check(&self, word: &Word<'_>) -> Result<String, ExpressionError> {
        let (and, word) = match word.text.strip_prefix('+') {
            Some(rest) if self.days == Days::OfWeek => ("+", Word { text: rest, at: word.at + 1 }),
            _ => ("", *word),
        };
        if word.text == "*" || (word.text == "?" && self.days != Days::No) {
            return Ok(format!("{and}*"));
        }
        let items: Vec<String> = word.split(',').map(|item| self.item(item)).collect::<Result<_, _>>()?;
        Ok(format!("{and}{}", items.join(",")))
    }

    fn item(&self, item: Word<'_>) -> Result<String, ExpressionError> {
        if item.text.is_empty() {
            return item.wrong(format!("the {} is missing", self.name));
        }
        if let Some((range, step)) = item.split_once('/') {
            let range = match range.text {
                "*" => "*".to_owned(),
                text if text.contains('-') => self.range(range)?,
                _ => return item.wrong("a step needs `*` or a range before it, as in */5 or 10-59/5"),
            };
            return Ok(format!("{range}/{}", self.step(step)?));
        }
        if item.text.contains('-') {
            return self.range(item);
        }
        if item.text == "*" {
            return item.wrong("`*` stands alone in its field");
        }
        let upper = item.text.to_ascii_uppercase();
        match self.days {
            Days::OfMonth if upper == "L" || upper == "LW" => Ok(upper),
            Days::OfMonth if upper.ends_with('W') => {
                let day = Word { text: &item.text[..item.text.len() - 1], at: item.at };
                Ok(format!("{}W", self.value(day)?))
            }
            // Not the L of a name: no weekday ends with it.
            Days::OfWeek if upper.len() > 1 && upper.ends_with('L') => {
                let day = Word { text: &item.text[..item.text.len() - 1], at: item.at };
                Ok(format!("{}L", self.value(day)?))
            }
            Days::OfWeek if upper.contains('#') => {
                let (day, nth) = item.split_once('#').expect("just seen");
                if !matches!(nth.text, "1" | "2" | "3" | "4" | "5") {
                    return nth.wrong("behind `#` comes which one of the month, 1 to 5");
                }
                Ok(format!("{}#{}", self.value(day)?, nth.text))
            }
            _ => Ok(self.value(item)?.to_string()),
        }
    }

    fn range(&self, range: Word<'_>) -> Result<String, ExpressionError> {
        let (first, last) = range.split_once('-').expect("the caller has seen the hyphen");
        let (from, mut to) = (self.value(first)?, self.value(last)?);
        // FRI-SUN: the week may end with it.
        if self.days == Days::OfWeek && to == 0 && from > 0 {
            to = 7;
        }
        if from > to {
            return range.wrong(format!("the range runs backwards: {from} comes after {to}"));
        }
        Ok(format!("{from}-{to}"))
    }

    fn step(&self, step: Word<'_>) -> Result<u32, ExpressionError> {
        let max = if self.days == Days::OfWeek { 6 } else { self.max - self.min };
        match number(step.text) {
            Some(n) if (1..=max).contains(&n) => Ok(n),
            _ => step.wrong(format!("the step must be 1 to {max}")),
        }
    }

    fn value(&self, value: Word<'_>) -> Result<u32, ExpressionError> {
        let upper = value.text.to_ascii_uppercase();
        if let Some(i) = self.names.iter().position(|name| *name == upper) {
            return Ok(self.min + i as u32);
        }
        if let Some(n) = number(value.text).filter(|n| (self.min..=self.max).contains(n)) {
            return Ok(n);
        }
        let names = match (self.names.first(), self.names.last()) {
            (Some(first), Some(last)) => format!(" or {first} to {last}"),
            _ => String::new(),
        };
        // Cut, because it comes back in a sentence.
        let text: String = value.text.chars().take(20).collect();
        value.wrong(format!("the {} must be {} to {}{names}, not `{text}`", self.name, self.min, self.max))
    }
}

fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

#[cfg(test)]
#[path = "expression_tests.rs"]
mod tests;
