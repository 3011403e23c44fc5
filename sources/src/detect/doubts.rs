//! What of a proposal a person should look at before they confirm it.

use super::{ColumnRole, Detection};
use crate::{Format, MappingError, guess_mapping};
use serde::Serialize;

/// One thing that is missing or may be otherwise, with its place in the mapping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Doubt {
    pub at: String,
    /// One plain sentence without a full stop.
    pub says: String,
}

/// Below, a person should look.
const SURE: f64 = 0.6;

impl Detection {
    /// Everything that is missing or unsure, in the order of a mapping. Empty: the proposal can be taken as it is.
    pub fn doubts(&self) -> Vec<Doubt> {
        let mut doubts = vec![];
        let mut add = |at: &str, says: String| doubts.push(Doubt { at: at.to_owned(), says });
        if self.format.is_statement() {
            return doubts;
        }
        if self.format == Format::Csv && self.delimiter_confidence.as_f64() < SURE {
            let shown = self.delimiter.unwrap_or(',');
            add("csv.delimiter", format!("the columns may be separated by something else than {shown:?}"));
        }
        if let Some(encoding) = &self.encoding
            && encoding.confidence.as_f64() < SURE
        {
            add("csv.encoding", format!("the text may be in another encoding than {}", encoding.name));
        }
        if self.sheet_is_guess {
            let shown = |name: &String| format!("{:?}", name.chars().take(60).collect::<String>());
            let all: Vec<String> = self.sheets.iter().take(12).map(shown).collect();
            let taken = self.excel.sheet.as_ref().or(self.sheets.first()).map(shown).unwrap_or_default();
            let says = format!("of the sheets {} the proposal takes {taken}", all.join(", "));
            add("excel.sheet", says);
        }
        if matches!(self.format, Format::Csv | Format::Excel) && self.header_confidence.as_f64() < SURE {
            add("header", "the line taken for the names of the columns looks like data".to_owned());
        }
        let with = |role| self.proposals.iter().find(move |proposal| proposal.role == Some(role));
        if with(ColumnRole::Id).is_none() {
            let why = match &self.repeated_id {
                Some((name, value)) => format!("the column {name:?} has {value:?} more than once"),
                None => "no column looks like an id".to_owned(),
            };
            add("id", format!("{why}: line numbers stand in, and a later run cannot continue this one"));
        }
        if let Err(missing) = guess_mapping(self) {
            missing.iter().for_each(|MappingError { at, says }| add(at, says.clone()));
        }
        if let Some(date) = with(ColumnRole::Date)
            && date.date_order_unclear
        {
            let says = format!("every date of {:?} can be read with the day or the month first", date.name);
            add("date.format", says);
        }
        if let Some(guess) = self.decimal_mark
            && guess.confidence.as_f64() < SURE
        {
            add("amount.decimal_mark", "the amounts do not show which decimal mark they use".to_owned());
        }
        for proposal in &self.proposals {
            if proposal.role.is_some() && proposal.confidence.as_f64() < SURE {
                add("columns", format!("it is not sure what the column {:?} is", proposal.name));
            }
        }
        doubts
    }
}
