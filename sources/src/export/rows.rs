//! The rows of a result, as the writers take them.

use matching::{Confidence, Currency, ExceptionId, ExceptionKind, MatchId, Reason, Side, Tier};

/// One record as a result shows it.
#[derive(Debug, Clone, Copy)]
pub struct RecordCells<'a> {
    pub id: &'a str,
    pub line: u64,
    /// Days since 1970-01-01.
    pub date: i32,
    /// Minor units of the currency of the row it stands in, or of its own one.
    pub amount: i64,
    /// There when it was compared in another currency than its own.
    pub foreign: Option<Foreign>,
}

/// A record's own currency, and what its amount was taken for in that of the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foreign {
    pub currency: Currency,
    /// Minor units of the row's currency.
    pub converted: i64,
}

impl RecordCells<'_> {
    /// Of [`Self::amount`], in a row of `row`'s currency.
    pub(super) fn currency(&self, row: Currency) -> Currency {
        self.foreign.map_or(row, |foreign| foreign.currency)
    }
}

#[derive(Debug, Clone)]
pub struct MatchRow<'a> {
    /// Number of the match in its result, from 1.
    pub number: u64,
    pub pass: &'a str,
    pub tier: Tier,
    pub confidence: Confidence,
    pub currency: Currency,
    pub left: Vec<RecordCells<'a>>,
    pub right: Vec<RecordCells<'a>>,
    /// Minor units.
    pub difference: i64,
    pub reasons: &'a [Reason],
}

#[derive(Debug, Clone)]
pub struct ExceptionRow<'a> {
    pub kind: ExceptionKind,
    pub side: Side,
    pub currency: Currency,
    pub record: RecordCells<'a>,
    pub says: &'a str,
    /// Best first.
    pub candidates: Vec<CandidateCells<'a>>,
    /// At least `candidates.len()`.
    pub candidates_found: u32,
    /// The run of the chain, from 1, whose file first had the record.
    pub first_run: u32,
}

impl MatchRow<'_> {
    pub fn id(&self) -> MatchId {
        MatchId::of_ids(self.left.iter().map(|cells| cells.id), self.right.iter().map(|cells| cells.id))
    }
}

impl ExceptionRow<'_> {
    pub fn id(&self) -> ExceptionId {
        ExceptionId::of_id(self.kind, self.side, self.record.id)
    }
}

/// Records that might belong to an exception.
#[derive(Debug, Clone)]
pub struct CandidateCells<'a> {
    pub side: Side,
    pub ids: Vec<&'a str>,
    pub confidence: Confidence,
}
