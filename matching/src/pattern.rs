//! References found by a regular expression of the rule set.

use regex::{Regex, RegexBuilder};

const CHARS_MAX: usize = 500;
/// Of the compiled expression, bytes: `\w{1000}` is refused, all that a reference needs is far below.
const COMPILED_BYTES_MAX: usize = 1 << 20;
const NEST_MAX: u32 = 50;
/// Of a text, bytes: references stand near the beginning, and a record may carry a whole letter.
const TEXT_BYTES_MAX: usize = 10_000;

/// Two are equal when they were written the same.
#[derive(Debug, Clone)]
pub(crate) struct Pattern(Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Pattern {}

impl Pattern {
    /// The error is a plain sentence. Letter case does not count unless the expression says `(?-i)`.
    pub fn compile(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.chars().count() > CHARS_MAX {
            return Err(format!("must have 1 to {CHARS_MAX} characters"));
        }
        let regex = RegexBuilder::new(text)
            .case_insensitive(true)
            .size_limit(COMPILED_BYTES_MAX)
            .dfa_size_limit(COMPILED_BYTES_MAX)
            .nest_limit(NEST_MAX)
            .build();
        let regex = regex.map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => {
                "is too large once its repetitions are written out; use smaller ones".to_owned()
            }
            // The last line says what; those before it draw the place, which is in the file anyway.
            error => {
                let text = error.to_string();
                let last = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
                format!("is no regular expression that can be run: {last}")
            }
        })?;
        if regex.is_match("") {
            return Err("finds something in an empty text; let it ask for at least one character".into());
        }
        Ok(Pattern(regex))
    }

    /// What it finds first: its groups written together, or all of it where it has none. `out` is overwritten, and
    /// empty when nothing is found. Time in proportion to the text, of which the first 10,000 bytes count.
    pub fn find(&self, text: &str, out: &mut String) {
        out.clear();
        let text = &text[..text.floor_char_boundary(TEXT_BYTES_MAX)];
        if self.0.captures_len() == 1 {
            out.extend(self.0.find(text).map(|found| found.as_str()));
        } else if let Some(found) = self.0.captures(text) {
            found.iter().skip(1).flatten().for_each(|group| out.push_str(group.as_str()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_cut_out() {
        for (pattern, text, found) in [
            (r"INV-?(\d{4})-?(\d+)", "Re: inv-2026-0004711 thanks", "20260004711"),
            (r"INV-?(\d{4})-?(\d+)", "INV20264711", "20264711"),
            (r"INV-?(\d{4})-?(\d+)", "no invoice", ""),
            (r"\d{6}", "a 12 b 123456 c 654321", "123456"),
            (r"(?:K|Kunde) (\d+)|Nr (\d+)", "nr 77", "77"),
            (r"ä+", "xÄÄÄ", "ÄÄÄ"),
        ] {
            let mut out = "left over".to_owned();
            Pattern::compile(pattern).unwrap().find(text, &mut out);
            assert_eq!(out, found, "{pattern} in {text}");
        }
    }

    #[test]
    fn what_could_not_be_run_in_time_is_refused() {
        for (pattern, says) in [
            ("", "1 to 500"),
            ("(", "unclosed group"),
            (r"(a)\1", "backreferences are not supported"),
            ("(?=a)b", "look-around"),
            (r"\d*", "empty text"),
            (r"((\w{100}){100}){100}", "too large"),
        ] {
            let error = Pattern::compile(pattern).unwrap_err();
            assert!(error.contains(says), "{pattern}: {error}");
        }
        assert!(Pattern::compile(&"(".repeat(100)).is_err());
    }
}
