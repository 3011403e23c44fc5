//! The choices of how a file is read, as the form shows them.

use super::offered::Choice;
use super::reading::Reading;
use crate::answers::{Guess, Preview};
use crate::format::Preferences;

/// One of the choices. Without options it is a number.
pub(crate) struct ReadingShown {
    pub label: &'static str,
    pub input: String,
    pub options: Vec<Choice>,
    pub value: String,
    /// What was found out, with its confidence.
    pub found: String,
}

const DELIMITERS: [(&str, &str); 7] = [
    (",", "Comma ,"),
    (";", "Semicolon ;"),
    ("tab", "Tab"),
    ("|", "Bar |"),
    (":", "Colon :"),
    ("^", "Caret ^"),
    ("~", "Tilde ~"),
];
const ENCODINGS: [&str; 12] = [
    "UTF-8",
    "windows-1252",
    "ISO-8859-15",
    "windows-1250",
    "ISO-8859-2",
    "windows-1251",
    "windows-1253",
    "windows-1254",
    "UTF-16LE",
    "UTF-16BE",
    "Shift_JIS",
    "GBK",
];

impl Reading {
    /// The choices that this format has. `found` is what the file seems to be without anybody's word.
    pub fn shown(&self, side: &str, found: &Preview, preferences: &Preferences) -> Vec<ReadingShown> {
        let input = |name: &str| format!("{side}.{name}");
        let sure = |guess: &Option<Guess>, say: &dyn Fn(&str) -> String| match guess {
            Some(guess) => {
                format!("{}, {} sure", say(&guess.is), preferences.percent(guess.confidence, 0))
            }
            None => String::new(),
        };
        let as_is = |is: &str| is.to_owned();
        let header = ReadingShown {
            label: "Names of the columns in line",
            input: input("header_line"),
            options: vec![],
            value: self.header_line.clone(),
            found: sure(&found.header_line, &as_is),
        };
        match found.format.as_ref().map(|format| format.is.as_str()) {
            Some("csv") => {
                let delimiters = DELIMITERS
                    .iter()
                    .map(|(value, text)| ((*value).to_owned(), (*text).to_owned()))
                    .collect();
                let encodings =
                    ENCODINGS.iter().map(|name| ((*name).to_owned(), (*name).to_owned())).collect();
                let delimiter = sure(&found.delimiter, &|is| delimiter_as(is));
                let encoding = sure(&found.encoding, &as_is);
                vec![
                    ReadingShown {
                        label: "Between cells",
                        input: input("delimiter"),
                        options: options(&self.delimiter, &delimiter, delimiters),
                        value: String::new(),
                        found: delimiter,
                    },
                    ReadingShown {
                        label: "Encoding",
                        input: input("encoding"),
                        options: options(&self.encoding, &encoding, encodings),
                        value: String::new(),
                        found: encoding,
                    },
                    header,
                ]
            }
            Some("excel") => {
                let sheets = found.sheets.iter().map(|name| (name.clone(), name.clone())).collect();
                let first = found.sheet.clone().unwrap_or_default();
                vec![
                    ReadingShown {
                        label: "Sheet",
                        input: input("sheet"),
                        options: options(&self.sheet, &format!("the first, {first}"), sheets),
                        value: String::new(),
                        found: first,
                    },
                    header,
                ]
            }
            _ => vec![],
        }
    }
}

/// What was found first; then all others, and what was chosen even if it is none of them.
fn options(chosen: &str, found: &str, mut all: Vec<(String, String)>) -> Vec<Choice> {
    if !chosen.is_empty() && !all.iter().any(|(value, _)| value.eq_ignore_ascii_case(chosen)) {
        all.push((chosen.to_owned(), chosen.to_owned()));
    }
    let as_found =
        Choice { value: String::new(), text: format!("As found: {found}"), is_chosen: chosen.is_empty() };
    let option = |(value, text): (String, String)| Choice {
        is_chosen: !chosen.is_empty() && value.eq_ignore_ascii_case(chosen),
        value,
        text,
    };
    std::iter::once(as_found).chain(all.into_iter().map(option)).collect()
}

fn delimiter_as(is: &str) -> String {
    let name = if is == "\t" { "tab" } else { is };
    DELIMITERS
        .iter()
        .find(|(value, _)| *value == name)
        .map_or_else(|| is.to_owned(), |(_, text)| text.to_lowercase())
}
