//! Where the amount of a line is, and how it is written.

use matching::DecimalMark;
use serde::{Deserialize, Serialize};

/// The cells that say the amount.
///
/// ```toml
/// amount = { column = "Amount", decimal_mark = "comma", negate = true }
/// amount = { column = "Amount", direction = "D/C" }
/// amount = { debit = "Money out", credit = "Money in" }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "AmountText", into = "AmountText")]
pub struct AmountColumn {
    pub cells: AmountCells,
    pub decimal_mark: DecimalMark,
    /// Turns the sign round: for files that write payments out as positive numbers.
    pub negate: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AmountCells {
    /// One column with a sign: a minus before or behind, parentheses, or `D`, `DR`, `C`, `CR` behind.
    Signed { column: String },
    /// One column without a sign and another that says debit (`D`, `DR`, `DBIT`, `debit`, `S`, `Soll`, `-`) or
    /// credit (`C`, `CR`, `CRDT`, `credit`, `H`, `Haben`, `+`).
    Directed { column: String, direction: String },
    /// Two columns of which a line fills one: the amount is credit minus debit, so that a negative debit is
    /// money back. With `signed`, debits have their minus already and the amount is credit plus debit.
    Split { debit: String, credit: String, signed: bool },
}

impl AmountColumn {
    /// One signed column with a decimal point.
    pub fn signed(column: &str) -> Self {
        let cells = AmountCells::Signed { column: column.to_owned() };
        AmountColumn { cells, decimal_mark: DecimalMark::Point, negate: false }
    }

    /// The columns with their place inside the mapping's `amount`.
    pub fn columns(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let (first, second) = match &self.cells {
            AmountCells::Signed { column } => (("column", column), None),
            AmountCells::Directed { column, direction } => {
                (("column", column), Some(("direction", direction)))
            }
            AmountCells::Split { debit, credit, .. } => (("debit", debit), Some(("credit", credit))),
        };
        std::iter::once(first).chain(second).map(|(at, column)| (at, column.as_str()))
    }
}

/// As it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AmountText {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    column: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    direction: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    debit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credit: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    signed: bool,
    #[serde(default)]
    decimal_mark: DecimalMark,
    #[serde(default)]
    negate: bool,
}

impl TryFrom<AmountText> for AmountColumn {
    type Error = &'static str;

    fn try_from(text: AmountText) -> Result<Self, Self::Error> {
        let AmountText { column, direction, debit, credit, signed, decimal_mark, negate } = text;
        let cells = match (column, direction, debit, credit) {
            (Some(column), None, None, None) if !signed => AmountCells::Signed { column },
            (Some(column), Some(direction), None, None) if !signed => {
                AmountCells::Directed { column, direction }
            }
            (None, None, Some(debit), Some(credit)) => AmountCells::Split { debit, credit, signed },
            (None, None, None, None) => return Err("missing field `column`"),
            _ => {
                return Err(
                    "an amount is either `column`, or `column` and `direction`, or `debit` and `credit` \
                            (and `signed`)",
                );
            }
        };
        Ok(AmountColumn { cells, decimal_mark, negate })
    }
}

impl From<AmountColumn> for AmountText {
    fn from(amount: AmountColumn) -> Self {
        let AmountColumn { cells, decimal_mark, negate } = amount;
        let bare = AmountText {
            column: None,
            direction: None,
            debit: None,
            credit: None,
            signed: false,
            decimal_mark,
            negate,
        };
        match cells {
            AmountCells::Signed { column } => AmountText { column: Some(column), ..bare },
            AmountCells::Directed { column, direction } => {
                AmountText { column: Some(column), direction: Some(direction), ..bare }
            }
            AmountCells::Split { debit, credit, signed } => {
                AmountText { debit: Some(debit), credit: Some(credit), signed, ..bare }
            }
        }
    }
}
