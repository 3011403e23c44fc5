//! Single values of filters and decisions, read from their text. `Err` says what is wrong, for whoever sent it.

use super::filters::Assignee;
use crate::reconciliation::exponent;
use chrono::NaiveDate;
use serde::de::DeserializeOwned;
use serde::de::value::{Error as WordError, StrDeserializer};

pub(super) fn choice<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let word: String = text.chars().take(100).collect();
    T::deserialize(StrDeserializer::<WordError>::new(&word)).map_err(|error| error.to_string())
}

pub(super) fn assignee(text: &str) -> Result<Assignee, String> {
    match text {
        "me" => Ok(Assignee::Me),
        "nobody" => Ok(Assignee::Nobody),
        id => id.parse().map(Assignee::User).map_err(|_| "must be a user's id, `me` or `nobody`".to_owned()),
    }
}

pub(super) fn reason_code(text: &str) -> Result<String, String> {
    let is_one = (1..=40).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if is_one {
        Ok(text.to_owned())
    } else {
        Err("must be a reason code: a-z, 0-9 and _, at most 40".to_owned())
    }
}

pub(super) fn currency(text: &str) -> Result<String, String> {
    matching::Currency::parse(text)
        .map(|currency| currency.code().to_owned())
        .map_err(|_| "must be a currency: three letters of ISO 4217".to_owned())
}

/// A decimal without a sign, as text: which currency's digits it has is known later.
pub(super) fn decimal(text: &str) -> Result<String, String> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str, max: usize| part.len() <= max && part.bytes().all(|b| b.is_ascii_digit());
    let is_one = !whole.is_empty() && digits(whole, 14) && digits(fraction, 4) && !text.ends_with('.');
    if is_one {
        Ok(text.to_owned())
    } else {
        Err("must be a decimal like 1234.50, without a sign".to_owned())
    }
}

/// Minor units of `currency`; `None`: more digits than it has.
pub(super) fn minor(text: &str, currency: &str) -> Option<i64> {
    let exponent = exponent(currency) as usize;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > exponent {
        return None;
    }
    format!("{whole}{fraction:0<exponent$}").parse().ok()
}

pub(super) fn days(text: &str) -> Result<u32, String> {
    let wrong = || "must be a whole number of days, 0 to 36500".to_owned();
    text.parse().ok().filter(|days| *days <= 36_500).ok_or_else(wrong)
}

pub(super) fn day(text: &str) -> Result<NaiveDate, String> {
    text.parse().map_err(|_| "must be a day like 2026-01-31".to_owned())
}

pub(super) fn truth(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| "must be true or false".to_owned())
}

pub(super) fn share(text: &str) -> Result<f64, String> {
    let wrong = || "must be a number, 0 to 1".to_owned();
    text.parse().ok().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(wrong)
}

pub(super) fn pass(text: &str) -> Result<String, String> {
    if text.chars().count() <= 200 {
        Ok(text.to_owned())
    } else {
        Err("must be the name of a pass".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact() {
        assert_eq!(minor("12", "EUR"), Some(1200));
        assert_eq!(minor("12.5", "EUR"), Some(1250));
        assert_eq!(minor("12.500", "EUR"), Some(1250));
        assert_eq!(minor("12.505", "EUR"), None);
        assert_eq!(minor("12.0", "JPY"), Some(12));
        assert_eq!(minor("12.505", "BHD"), Some(12505));
        for bad in ["", ".", "1.", ".5", "-1", "+1", "1e3", "1,5", "999999999999999", "1.00000"] {
            assert!(decimal(bad).is_err(), "{bad}");
        }
    }
}
