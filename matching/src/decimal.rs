//! Small non-negative decimals as people write them in rules: exact, never through a float.

/// Reads `12`, `0.05`, `.5` as a whole number of `10^-scale`: `parse("0.05", 4)` is 500.
///
/// The error is a plain sentence. At most twelve digits stand before the point.
pub(crate) fn parse(text: &str, scale: u32) -> Result<u64, String> {
    let trimmed = text.trim();
    let (whole, fraction) = trimmed.split_once('.').unwrap_or((trimmed, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() && fraction.is_empty() || !digits(whole) || !digits(fraction) {
        let short: String = text.chars().take(40).collect();
        return Err(format!("{short:?} is not a decimal number of at least 0, such as \"0.05\""));
    }
    let (kept, rest) = fraction.split_at(fraction.len().min(scale as usize));
    if rest.bytes().any(|b| b != b'0') {
        return Err(format!("has more than {scale} decimals"));
    }
    let whole = whole.trim_start_matches('0');
    if whole.len() > 12 {
        return Err("has more than 12 digits before the point".into());
    }
    let mut value: u64 = 0;
    let zeros = std::iter::repeat_n(b'0', scale as usize - kept.len());
    for digit in whole.bytes().chain(kept.bytes()).chain(zeros) {
        value = value * 10 + u64::from(digit - b'0');
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn decimals_are_read_exactly_or_refused() {
        for (text, scale, value) in [
            ("0", 6, 0),
            ("0.05", 6, 50_000),
            (" 12.5 ", 4, 125_000),
            (".5", 4, 5_000),
            ("7.", 2, 700),
            ("100.0000000", 4, 1_000_000),
            ("999999999999.999999", 6, 999_999_999_999_999_999),
        ] {
            assert_eq!(parse(text, scale), Ok(value), "{text}");
        }
        for text in ["", ".", "-1", "+1", "1e3", "NaN", "1,5", "0.00001", "1234567890123", "٣", "1.2.3"] {
            assert!(parse(text, 4).is_err(), "{text:?}");
        }
    }
}
