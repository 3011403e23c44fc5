//! Whether what was read of a statement explains its balances.

use matching::{Currency, format_minor};
use serde::Serialize;

/// One statement's account: opening balance + transactions kept = closing balance, or the difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatementControl {
    /// Where the statement begins: line of the file from 1 (MT940, BAI2), statement from 1 (camt, OFX).
    pub place: u64,
    /// The bank's number or name of the statement.
    pub statement: String,
    pub account: String,
    /// Of the balances and the sum; `None` where the statement says none, and then there are no balances.
    pub currency: Option<Currency>,
    /// Minor units, negative when overdrawn; `None` where the format or the file has none.
    pub opening: Option<i64>,
    pub closing: Option<i64>,
    /// Minor units of the records kept in this currency.
    pub sum: i128,
    pub kept: u64,
    pub rejected: u64,
    /// `closing − opening − sum`, where both balances are known. Not 0 means that transactions are missing,
    /// rejected or misread.
    pub difference: Option<i128>,
    /// What else does not agree with itself, e.g. a control total of the file; at most 20.
    pub remarks: Vec<String>,
}

impl StatementControl {
    /// Everything a person should look at, in plain sentences without a full stop. Empty when all agrees.
    pub fn problems(&self) -> Vec<String> {
        let name = match (self.account.as_str(), self.statement.as_str()) {
            ("", "") => "the statement".to_owned(),
            (account, "") => format!("the statement of {account}"),
            ("", statement) => format!("statement {statement}"),
            (account, statement) => format!("statement {statement} of {account}"),
        };
        let mut problems = vec![];
        if let (Some(difference), Some(currency)) = (self.difference.filter(|d| *d != 0), self.currency) {
            let show = |minor: i128| format_minor(minor, currency.exponent());
            let rejected = match self.rejected {
                0 => String::new(),
                n => format!(" and {n} were rejected"),
            };
            problems.push(format!(
                "{name} does not add up: it opens with {}, its {} transactions sum to {}{rejected}, \
                 it closes with {}: a difference of {} {currency}",
                show(self.opening.unwrap_or_default().into()),
                self.kept,
                show(self.sum),
                show(self.closing.unwrap_or_default().into()),
                show(difference),
            ));
        }
        problems.extend(self.remarks.iter().map(|remark| format!("{name}: {remark}")));
        problems
    }
}
