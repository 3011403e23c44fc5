//! Sizes of memory as people write them.

/// `800MiB`, `3GiB`, `2000000KiB`, or bytes.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match &text[digits.len()..] {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        other => return Err(format!("{other:?} is no unit; write KiB, MiB or GiB")),
    };
    let number: u64 = digits.parse().map_err(|_| "is no size; write one like 800MiB".to_owned())?;
    number.checked_mul(unit).ok_or_else(|| "is too large".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [("0", 0), ("17B", 17), ("2KiB", 2048), ("800MiB", 800 << 20), ("3GiB", 3 << 30)]
        {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "MiB", "-1GiB", "1.5GiB", "3 GiB", "3GB", "99999999999999GiB", "\u{0663}GiB"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }
}
