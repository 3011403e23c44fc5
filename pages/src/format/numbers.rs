//! Digits, their groups and their decimal mark, by language.

/// How digits are grouped, and what stands before the decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Numbers {
    group: &'static str,
    mark: &'static str,
    /// After the first three digits from the right: 3, or 2 in India.
    step: usize,
    /// Leading digits that stand alone are not worth a separator (Spanish, Polish, Portuguese).
    group_from: usize,
}

pub(super) const ENGLISH: Numbers = Numbers { group: ",", mark: ".", step: 3, group_from: 4 };

impl Numbers {
    /// By the first language of `Accept-Language` that we know; the separators are those of the Unicode locale data.
    pub fn of_languages(accepted: &str) -> Self {
        let languages = accepted.split(',').map(|part| part.split(';').next().unwrap_or_default().trim());
        languages.filter(|tag| !tag.is_empty()).find_map(Self::of_language).unwrap_or(ENGLISH)
    }

    fn of_language(tag: &str) -> Option<Self> {
        let tag = tag.to_ascii_lowercase();
        let (language, region) = tag.split_once('-').unwrap_or((&tag, ""));
        let new = |group, mark| Numbers { group, mark, ..ENGLISH };
        Some(match (language, region) {
            ("en" | "hi", "in") | ("hi", _) => Numbers { step: 2, ..ENGLISH },
            ("de" | "it" | "fr", "ch") | ("de", "li") | ("rm" | "gsw", _) => new("’", "."),
            ("de", "at") => new("\u{a0}", ","),
            ("es", "mx" | "us" | "gt" | "hn" | "ni" | "sv" | "pa" | "pe" | "pr" | "do") => ENGLISH,
            ("es", _) | ("pt", "pt") => Numbers {
                group: if language == "es" { "." } else { "\u{a0}" },
                mark: ",",
                step: 3,
                group_from: 5,
            },
            ("pl", _) => Numbers { group_from: 5, ..new("\u{a0}", ",") },
            ("fr", _) => new("\u{202f}", ","),
            (
                "de" | "it" | "nl" | "pt" | "da" | "id" | "tr" | "el" | "ro" | "hr" | "sl" | "sr" | "vi"
                | "is",
                _,
            ) => new(".", ","),
            (
                "sv" | "nb" | "nn" | "no" | "fi" | "cs" | "sk" | "hu" | "ru" | "uk" | "bg" | "lt" | "lv"
                | "et" | "be",
                _,
            ) => new("\u{a0}", ","),
            ("en" | "ja" | "zh" | "ko" | "th" | "he" | "ar", _) => ENGLISH,
            _ => return None,
        })
    }

    /// A decimal as the API writes it (`-1234.50`); what is no decimal stays as it is.
    pub fn write(self, decimal: &str) -> String {
        let (sign, rest) = match decimal.strip_prefix('-') {
            Some(rest) => ("−", rest),
            None => ("", decimal),
        };
        let (whole, decimals) = match rest.split_once('.') {
            Some((whole, decimals)) => (whole, Some(decimals)),
            None => (rest, None),
        };
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || decimals.is_some_and(|decimals| !digits(decimals)) {
            return decimal.to_owned();
        }
        let mut written = sign.to_owned();
        for (i, digit) in whole.chars().enumerate() {
            let left = whole.len() - i;
            let is_border = left == 3 || (left > 3 && (left - 3) % self.step == 0);
            if i > 0 && is_border && whole.len() >= self.group_from {
                written.push_str(self.group);
            }
            written.push(digit);
        }
        if let Some(decimals) = decimals {
            written.push_str(self.mark);
            written.push_str(decimals);
        }
        written
    }

    /// Bytes in decimal units, as disks are sold: `950 B`, `12.3 MB`.
    pub fn write_bytes(self, bytes: i64) -> String {
        const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
        if bytes.unsigned_abs() < 1000 {
            return format!("{} B", self.write(&bytes.to_string()));
        }
        let (mut size, mut unit) = (bytes as f64 / 1000.0, 0);
        // What would be written as 1000.0 is 1.0 of the next unit.
        while size.abs() >= 999.95 && unit + 1 < UNITS.len() {
            size /= 1000.0;
            unit += 1;
        }
        format!("{} {}", self.write(&format!("{size:.1}")), UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_the_language() {
        let write = |languages: &str, decimal: &str| Numbers::of_languages(languages).write(decimal);
        assert_eq!(write("en-GB,en;q=0.9", "1234567.80"), "1,234,567.80");
        assert_eq!(write("de-DE", "-1234.50"), "−1.234,50");
        assert_eq!(write("de-CH", "1234567.80"), "1’234’567.80");
        assert_eq!(write("fr", "1234"), "1\u{202f}234");
        assert_eq!(write("es-ES", "1234.5"), "1234,5");
        assert_eq!(write("es-ES", "12345.5"), "12.345,5");
        assert_eq!(write("en-IN", "123456789"), "12,34,56,789");
        assert_eq!(write("xx, sv;q=0.8", "1000"), "1\u{a0}000");
        assert_eq!(write("", "0.00"), "0.00");
        for strange in ["", "-", "1.", ".5", "1e5", "NaN", "1.2.3"] {
            assert_eq!(write("de", strange), strange);
        }
    }

    #[test]
    fn bytes_have_the_largest_unit_that_fits() {
        let write = |bytes| Numbers::of_languages("de").write_bytes(bytes);
        for (bytes, says) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1,0 kB"),
            (999_949, "999,9 kB"),
            (999_950, "1,0 MB"),
            (12_345_678_901, "12,3 GB"),
            (i64::MAX, "9,2 EB"),
        ] {
            assert_eq!(write(bytes), says);
        }
    }
}
