//! Small readings that the statement formats share.

use chrono::NaiveDate;
use std::borrow::Cow;

/// Statement files rarely say their encoding: what is not UTF-8 is taken for windows-1252, line by line.
pub(super) fn decoded(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0,
    }
}

/// `YYMMDD` as SWIFT and BAI write it: years up to 79 are of this century.
pub(super) fn short_date(digits: &str) -> Option<NaiveDate> {
    if digits.len() != 6 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part = |range: std::ops::Range<usize>| digits[range].parse::<u32>().ok();
    let year = part(0..2)?;
    let year = if year < 80 { 2000 + year } else { 1900 + year };
    NaiveDate::from_ymd_opt(year.cast_signed(), part(2..4)?, part(4..6)?)
}

/// What banks write where a customer gave no reference.
pub(super) fn is_no_reference(text: &str) -> bool {
    matches!(
        text.trim().to_ascii_uppercase().as_str(),
        "" | "NONREF" | "NOTPROVIDED" | "NOT PROVIDED" | "NONE"
    )
}

/// Two letters, two digits, and up to 30 more.
pub(super) fn looks_like_iban(text: &str) -> bool {
    let bytes = text.as_bytes();
    (15..=34).contains(&bytes.len())
        && bytes[..2].iter().all(u8::is_ascii_uppercase)
        && bytes[2..4].iter().all(u8::is_ascii_digit)
        && bytes[4..].iter().all(u8::is_ascii_alphanumeric)
}
