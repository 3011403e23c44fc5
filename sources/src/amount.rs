//! Reading the amount of a line from one cell or two.

use matching::{DecimalMark, parse_minor};
use std::borrow::Cow;

/// How the amounts of a file are written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AmountFormat {
    pub mark: DecimalMark,
    /// `1.5e3` is a number in JSON. In a spreadsheet's CSV it is what is left of a longer one.
    pub exponents: bool,
}

impl AmountFormat {
    /// Minor units; an error says in words why the cell is no amount.
    pub fn read(self, text: &str, exponent: u32) -> Result<i64, String> {
        // Nearly every amount of nearly every file.
        if let Some(amount) = self.read_plain(text, exponent) {
            return Ok(amount);
        }
        if text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b',' | b'-' | b' ')) {
            return parse_minor(text, exponent, self.mark).map_err(|error| error.to_string());
        }
        let (number, direction) = without_direction(text.trim());
        let number = without_currency_sign(number);
        let plain = match plain_of(&number) {
            Some(plain) if self.exponents => Some(plain),
            Some(_) => {
                return Err(format!(
                    "{:?} is written with an exponent, which may have cost digits: export it as a plain number",
                    text.chars().take(40).collect::<String>()
                ));
            }
            None => None,
        };
        let amount = match &plain {
            Some(plain) => parse_minor(plain, exponent, DecimalMark::Point),
            None => parse_minor(&number, exponent, self.mark),
        };
        let amount = amount.map_err(|error| error.to_string())?;
        match direction {
            None => Ok(amount),
            // `-5.00 DR` may mean either; nobody is to guess.
            Some(_) if amount < 0 => Err("the amount has a minus and a debit or credit mark".to_owned()),
            Some(Direction::Debit) => Ok(-amount),
            Some(Direction::Credit) => Ok(amount),
        }
    }

    /// Digits with all decimals, perhaps a minus in front, and nothing else.
    fn read_plain(self, text: &str, exponent: u32) -> Option<i64> {
        let point = if self.mark == DecimalMark::Point { b'.' } else { b',' };
        let (negative, digits) = match text.as_bytes() {
            [b'-', digits @ ..] => (true, digits),
            digits => (false, digits),
        };
        let exponent = exponent as usize;
        // So many digits always fit.
        if exponent == 0 || digits.len() > 18 || digits.len() < exponent + 2 {
            return None;
        }
        let (whole, fraction) = digits.split_at(digits.len() - exponent - 1);
        let [mark, fraction @ ..] = fraction else { return None };
        let (mut amount, mut others) = (0i64, *mark != point);
        for digit in whole.iter().chain(fraction) {
            let digit = digit.wrapping_sub(b'0');
            others |= digit > 9;
            amount = amount * 10 + i64::from(digit & 15);
        }
        (!others).then_some(if negative { -amount } else { amount })
    }

    /// The amount of a line that fills one of two cells.
    pub fn read_split(self, debit: &str, credit: &str, exponent: u32, signed: bool) -> Result<i64, String> {
        let side = |text: &str| {
            let empty = matches!(text.trim(), "" | "-" | "\u{2013}");
            (!empty).then(|| self.read(text, exponent)).transpose()
        };
        match (side(debit)?, side(credit)?) {
            (None, None) => Err("neither a debit nor a credit".to_owned()),
            (Some(debit), None | Some(0)) => Ok(if signed { debit } else { -debit }),
            (None | Some(0), Some(credit)) => Ok(credit),
            (Some(_), Some(_)) => Err("a debit and a credit on the same line".to_owned()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Debit,
    Credit,
}

impl Direction {
    /// The words of a column of its own.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim().to_lowercase().as_str() {
            "d" | "dr" | "db" | "dbit" | "debit" | "s" | "soll" | "-" | "af" | "out" | "d\u{e9}bit" => {
                Some(Direction::Debit)
            }
            "c" | "cr" | "crdt" | "credit" | "h" | "haben" | "+" | "bij" | "in" | "cr\u{e9}dit" => {
                Some(Direction::Credit)
            }
            _ => None,
        }
    }
}

/// `12.00 CR`: the number and what stands behind it.
fn without_direction(text: &str) -> (&str, Option<Direction>) {
    let letters = text.len() - text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).len();
    let (number, mark) = text.split_at(text.len() - letters);
    match (letters, mark.to_ascii_lowercase().as_str()) {
        (1 | 2, "d" | "dr" | "db") if !number.is_empty() => (number.trim_end(), Some(Direction::Debit)),
        (1 | 2, "c" | "cr") if !number.is_empty() => (number.trim_end(), Some(Direction::Credit)),
        _ => (text, None),
    }
}

/// `$1,234.50`, `-$5`, `5 €`: one sign before or behind says nothing new, the currency is known.
fn without_currency_sign(text: &str) -> Cow<'_, str> {
    const SIGNS: [char; 4] = ['$', '\u{20ac}', '\u{a3}', '\u{a5}'];
    if !text.contains(SIGNS) {
        return Cow::Borrowed(text);
    }
    let lead = text.len() - text.trim_start_matches(['-', '+', '(']).len();
    let (lead, rest) = text.split_at(lead);
    match rest.strip_prefix(SIGNS).or_else(|| rest.strip_suffix(SIGNS)) {
        Some(rest) => Cow::Owned(format!("{lead}{}", rest.trim())),
        None => Cow::Borrowed(text),
    }
}

/// Exactly the number that a text with an exponent means, written without one. `None` when there is none.
fn plain_of(text: &str) -> Option<String> {
    const SHIFT_MAX: i32 = 40;
    let (mantissa, shift) = text.split_once(['e', 'E'])?;
    let shift: i32 = shift.parse().ok().filter(|shift: &i32| shift.abs() <= SHIFT_MAX)?;
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    if whole.is_empty() || mantissa.len() > 60 || !digits().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let zeros = "0".repeat(shift.unsigned_abs() as usize);
    let (digits, point) = if shift < 0 {
        (format!("{zeros}{whole}{fraction}"), whole.len())
    } else {
        (format!("{whole}{fraction}{zeros}"), whole.len() + zeros.len())
    };
    let (whole, fraction) = digits.split_at(point);
    Some(format!("{sign}{whole}.{fraction}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, exponents: bool) -> Result<i64, String> {
        AmountFormat { mark: DecimalMark::Point, exponents }.read(text, 2)
    }

    #[test]
    fn marks_behind_an_amount_are_its_sign() {
        for (text, minor) in [
            ("12.00 CR", 1200),
            ("12.00DR", -1200),
            ("12.00 D", -1200),
            ("1,200.50C", 120_050),
            ("$5", 500),
            ("-$5.10", -510),
            ("5.10 \u{20ac}", 510),
        ] {
            assert_eq!(read(text, false), Ok(minor), "{text}");
        }
        for text in ["-12.00 DR", "CR", "12 CX", "12.00 CRD", "$", "1$2"] {
            assert!(read(text, false).is_err(), "{text}");
        }
    }

    #[test]
    fn exponents_are_read_exactly_or_refused() {
        for (text, minor) in [
            ("1e2", 10_000),
            ("1.5E3", 150_000),
            ("-1.25e1", -1250),
            ("150e-1", 1500),
            ("1e-2", 1),
            ("0e5", 0),
        ] {
            assert_eq!(read(text, true), Ok(minor), "{text}");
            assert!(read(text, false).unwrap_err().contains("exponent"), "{text}");
        }
        for text in ["1e-3", "1e40", "1e999999999999", "e5", "1e", "1e2.5", "1.2.3e1"] {
            assert!(read(text, true).is_err(), "{text}");
        }
    }

    #[test]
    fn two_columns_give_one_amount() {
        let format = AmountFormat { mark: DecimalMark::Point, exponents: false };
        for (debit, credit, signed, amount) in [
            ("5.00", "", false, Some(-500)),
            ("", "5.00", false, Some(500)),
            ("5.00", "0.00", false, Some(-500)),
            ("0", "5", false, Some(500)),
            ("-5.00", "", false, Some(500)),
            ("-5.00", "", true, Some(-500)),
            ("-", "7", false, Some(700)),
            ("", "", false, None),
            ("5", "5", false, None),
        ] {
            let read = format.read_split(debit, credit, 2, signed);
            assert_eq!(read.ok(), amount, "{debit:?} {credit:?}");
        }
    }
}
