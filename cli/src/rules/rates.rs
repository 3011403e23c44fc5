//! A table of rates in a file of its own, as banks publish it: CSV with the columns from, to, date and rate, or TOML
//! as in a rule set.

use crate::match_files::{Failure, read_settings};
use matching::{Rate, RuleError, RuleSet};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// What one file says.
pub struct Rates {
    path: PathBuf,
    base: Option<String>,
    rates: Vec<Rate>,
    /// Where each stands, by its index; empty for TOML.
    lines: Vec<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RatesFile {
    rate_base: Option<String>,
    rate: Vec<Rate>,
}

impl Rates {
    pub fn load(path: &Path) -> Result<Self, Failure> {
        let text = read_settings(path)?;
        let refused = |says: String| Failure::input([format!("{}: {says}", path.display())]);
        let is_toml = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"));
        if is_toml {
            let file: RatesFile =
                toml::from_str(&text).map_err(|error| refused(error.to_string().trim_end().to_owned()))?;
            return Ok(Rates {
                path: path.to_owned(),
                base: file.rate_base,
                rates: file.rate,
                lines: vec![],
            });
        }
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
        let headers = reader.headers().map_err(|error| refused(error.to_string()))?.clone();
        let mut rates = Rates { path: path.to_owned(), base: None, rates: vec![], lines: vec![] };
        for record in reader.records() {
            let record = record.map_err(|error| refused(error.to_string()))?;
            let line = record.position().map_or(0, csv::Position::line);
            let rate =
                record.deserialize(Some(&headers)).map_err(|error| refused(format!("line {line}: {error}")));
            rates.rates.push(rate?);
            rates.lines.push(line);
        }
        Ok(rates)
    }

    /// Adds them to those of the rules. Mistakes, also in what both say together, name the line of this file.
    pub fn add_to(&self, rules: &mut RuleSet) -> Result<(), Failure> {
        let own = rules.rates.len();
        rules.rates.extend_from_slice(&self.rates);
        if self.base.is_some() {
            rules.rate_base = self.base.clone();
        }
        let errors = rules.check(None, None);
        let of_rates = |error: &&RuleError| {
            error.at == "rate" || error.at.starts_with("rate[") || error.at == "rate_base"
        };
        let lines: Vec<String> = errors.iter().filter(of_rates).map(|error| self.line(error, own)).collect();
        if lines.is_empty() { Ok(()) } else { Err(Failure::input(lines)) }
    }

    fn line(&self, error: &RuleError, own: usize) -> String {
        let file = self.path.display();
        let index = error.at.strip_prefix("rate[").and_then(|rest| rest.split_once(']'));
        let place =
            index.and_then(|(number, field)| Some((number.parse::<usize>().ok()?.checked_sub(own)?, field)));
        match place {
            Some((index, field)) => match self.lines.get(index) {
                Some(line) => format!("{file}:{line}: {} {}", field.trim_start_matches('.'), error.says),
                None => format!("{file}: rate[{index}]{field}: {}", error.says),
            },
            None => format!("{file}: {}: {}", error.at, error.says),
        }
    }
}
