//! Exact money: minor units in `i64`, sums in `i128`, never a float.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

/// An ISO 4217 currency, three upper-case letters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

/// The text is not an active ISO 4217 code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an ISO 4217 currency code")]
pub struct UnknownCurrency(pub String);

impl Currency {
    /// Accepts any letter case and surrounding white space.
    pub fn parse(text: &str) -> Result<Self, UnknownCurrency> {
        let unknown = || UnknownCurrency(text.chars().take(20).collect());
        let mut code: [u8; 3] = text.trim().as_bytes().try_into().map_err(|_| unknown())?;
        code.make_ascii_uppercase();
        decimals_of(code).map(|_| Self(code)).ok_or_else(unknown)
    }

    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).expect("three ASCII letters")
    }

    /// Digits after the decimal mark of one major unit: 2 for EUR, 0 for JPY, 3 for KWD.
    pub fn exponent(&self) -> u32 {
        decimals_of(self.0).unwrap_or(2)
    }
}

/// Decimals of the currency with this code; 2 for one that has none of its own, such as gold. `None` when there is no
/// such currency.
///
/// Kept once looked up: this is asked about every amount, and the list has nearly two hundred codes.
fn decimals_of(code: [u8; 3]) -> Option<u32> {
    const LETTERS: usize = 26;
    /// Nothing known yet; 1 for no currency, else two more than the decimals.
    static KNOWN: [AtomicU8; LETTERS * LETTERS * LETTERS] =
        [const { AtomicU8::new(0) }; LETTERS * LETTERS * LETTERS];
    if !code.iter().all(u8::is_ascii_uppercase) {
        return None;
    }
    let place = code.iter().fold(0, |place, letter| place * LETTERS + usize::from(letter - b'A'));
    let known = match KNOWN[place].load(Ordering::Relaxed) {
        0 => {
            let code = std::str::from_utf8(&code).unwrap_or_default();
            let decimals = iso_currency::Currency::from_code(code).map(|c| c.exponent().unwrap_or(2));
            let known = decimals.map_or(1, |decimals| decimals.min(100) as u8 + 2);
            // Whoever else looks it up finds the same.
            KNOWN[place].store(known, Ordering::Relaxed);
            known
        }
        known => known,
    };
    known.checked_sub(2).map(u32::from)
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl serde::Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.code())
    }
}

impl<'de> serde::Deserialize<'de> for Currency {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}

/// Which character separates major from minor units; the other one may group thousands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecimalMark {
    #[default]
    Point,
    Comma,
}

/// Why a text is not an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    #[error("the amount is empty")]
    Empty,
    #[error("{0:?} is not an amount")]
    NotANumber(String),
    /// More fraction digits than the currency has, and they are not zeros: rounding money is not ours to do.
    #[error("{text:?} has more than {exponent} decimals")]
    TooPrecise { text: String, exponent: u32 },
    #[error("{0:?} is too large")]
    TooLarge(String),
}

/// Reads an amount into minor units of a currency with `exponent` decimals.
///
/// Understands a leading or trailing sign, accounting parentheses, and grouping by the other mark, spaces,
/// no-break spaces or apostrophes when the groups have three digits. The whole range of `i64` except
/// `i64::MIN` is accepted, so that an amount can always be negated.
pub fn parse_minor(text: &str, exponent: u32, mark: DecimalMark) -> Result<i64, AmountError> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(AmountError::Empty);
    }
    let short = || trimmed.chars().take(40).collect::<String>();
    let not_a_number = || AmountError::NotANumber(short());
    let (mut body, mut negative) = (trimmed, false);
    if let Some(inner) = body.strip_prefix('(').and_then(|b| b.strip_suffix(')')) {
        (body, negative) = (inner, true);
    } else if let Some(rest) =
        body.strip_prefix(['-', '\u{2212}']).or_else(|| body.strip_suffix(['-', '\u{2212}']))
    {
        (body, negative) = (rest, true);
    } else if let Some(rest) = body.strip_prefix('+').or_else(|| body.strip_suffix('+')) {
        body = rest;
    }
    let body = body.trim();
    let (point, other) = match mark {
        DecimalMark::Point => ('.', ','),
        DecimalMark::Comma => (',', '.'),
    };
    let (whole, fraction) = match body.split_once(point) {
        Some((w, f)) => (w, f),
        None => (body, ""),
    };
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return Err(not_a_number());
    }
    let is_group_mark = |c: char| c == other || matches!(c, ' ' | '\u{a0}' | '\u{202f}' | '\'' | '\u{2019}');
    let mut groups = whole.split(is_group_mark);
    let first = groups.next().unwrap_or("");
    let mut digits = String::with_capacity(whole.len() + exponent as usize);
    digits.push_str(first);
    let mut grouped = false;
    for group in groups {
        if group.len() != 3 || first.is_empty() || first.len() > 3 {
            return Err(not_a_number());
        }
        grouped = true;
        digits.push_str(group);
    }
    if grouped && !first.bytes().all(|b| b.is_ascii_digit()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(not_a_number());
    }
    if digits.is_empty() && fraction.is_empty() {
        return Err(not_a_number());
    }
    let (kept, rest) = fraction.split_at(fraction.len().min(exponent as usize));
    if rest.bytes().any(|b| b != b'0') {
        return Err(AmountError::TooPrecise { text: short(), exponent });
    }
    digits.push_str(kept);
    digits.extend(std::iter::repeat_n('0', exponent as usize - kept.len()));
    let value: i64 = digits.trim_start_matches('0').parse().or_else(|_| {
        if digits.bytes().all(|b| b == b'0') { Ok(0) } else { Err(AmountError::TooLarge(short())) }
    })?;
    Ok(if negative { -value } else { value })
}

/// The inverse of [`parse_minor`] with a decimal point and no grouping: `format_minor(-105, 2)` is `-1.05`.
pub fn format_minor(minor: i128, exponent: u32) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    let digits = minor.unsigned_abs().to_string();
    let exponent = exponent as usize;
    if exponent == 0 {
        return format!("{sign}{digits}");
    }
    let padded = format!("{digits:0>width$}", width = exponent + 1);
    let (whole, fraction) = padded.split_at(padded.len() - exponent);
    format!("{sign}{whole}.{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use DecimalMark::{Comma, Point};

    #[test]
    fn every_code_is_known_as_the_standard_has_it() {
        let letters = || b'A'..=b'Z';
        let codes = letters().flat_map(|a| letters().flat_map(move |b| letters().map(move |c| [a, b, c])));
        let mut known = 0;
        // Twice: the second time from memory.
        for code in codes.clone().chain(codes) {
            let text = std::str::from_utf8(&code).unwrap();
            let standard = iso_currency::Currency::from_code(text);
            let decimals = standard.map(|currency| currency.exponent().map_or(2, u32::from));
            assert_eq!(Currency::parse(text).ok().map(|currency| currency.exponent()), decimals, "{text}");
            known += u32::from(decimals.is_some());
        }
        assert!(known > 300, "{known}");
        assert_eq!(Currency::parse(" jpy ").map(|currency| currency.exponent()), Ok(0));
        for text in ["", "EU", "EURO", "E R", "\u{20ac}", "\u{e9}U", "123"] {
            assert!(Currency::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn amounts_are_read_exactly() {
        for (text, exponent, mark, minor) in [
            ("0", 2, Point, 0),
            ("12", 2, Point, 1200),
            ("12.3", 2, Point, 1230),
            ("-0.05", 2, Point, -5),
            ("0.05-", 2, Point, -5),
            ("(1,234.50)", 2, Point, -123_450),
            ("1.234,50", 2, Comma, 123_450),
            ("1 234,50", 2, Comma, 123_450),
            ("1'234.50", 2, Point, 123_450),
            ("+7", 0, Point, 7),
            (".5", 2, Point, 50),
            ("5.000", 2, Point, 500),
            ("1.234", 3, Point, 1234),
            ("92233720368547758.07", 2, Point, i64::MAX),
            ("000000000000000000000000000001.00", 2, Point, 100),
        ] {
            assert_eq!(parse_minor(text, exponent, mark), Ok(minor), "{text}");
        }
    }

    #[test]
    fn what_is_not_exactly_an_amount_is_refused() {
        for text in
            ["", "  ", "abc", "1.2.3", "12,34.5", "1,23", "--5", "1e5", "NaN", "5.-5", ".", "-", "1,,234"]
        {
            assert!(parse_minor(text, 2, Point).is_err(), "{text:?}");
        }
        assert!(matches!(parse_minor("1.005", 2, Point), Err(AmountError::TooPrecise { .. })));
        assert!(matches!(parse_minor("92233720368547758.08", 2, Point), Err(AmountError::TooLarge(_))));
        assert!(matches!(parse_minor("1.5", 0, Point), Err(AmountError::TooPrecise { .. })));
    }

    #[test]
    fn formatting_gives_back_what_was_read() {
        for (minor, exponent, text) in
            [(0, 2, "0.00"), (-5, 2, "-0.05"), (123_456, 2, "1234.56"), (7, 0, "7"), (1, 3, "0.001")]
        {
            assert_eq!(format_minor(minor, exponent), text);
            assert_eq!(parse_minor(text, exponent, Point), Ok(minor as i64));
        }
    }

    #[test]
    fn currencies_know_their_minor_unit() {
        assert_eq!(Currency::parse(" eur ").unwrap().exponent(), 2);
        assert_eq!(Currency::parse("JPY").unwrap().exponent(), 0);
        assert_eq!(Currency::parse("KWD").unwrap().exponent(), 3);
        assert!(Currency::parse("EURO").is_err());
        assert!(Currency::parse("ZZZ").is_err());
    }
}
