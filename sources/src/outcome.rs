//! What reading a file gives: records, rejected lines, or an error that says what to do next.

use crate::{MappingError, StatementControl};
use matching::Records;
use serde::{Deserialize, Serialize};

/// Everything of a file: `records.len() + rejected.len() == lines_read`.
#[derive(Debug, Clone)]
pub struct ReadOutcome {
    /// Never empty.
    pub records: Records,
    /// In the order of the file.
    pub rejected: Vec<RejectedLine>,
    /// Data lines (CSV: without header and blank lines; a cell with line breaks makes no further line) or
    /// JSON elements.
    pub lines_read: u64,
    pub bytes_read: u64,
    /// One for each statement of a bank statement file, in its order; empty for other formats.
    pub controls: Vec<StatementControl>,
}

/// What the first lines of a file give: `records.len() + rejected.len() == lines_read`.
#[derive(Debug, Clone)]
pub struct ReadSample {
    pub records: Records,
    pub rejected: Vec<RejectedLine>,
    pub lines_read: u64,
    /// There are no more lines.
    pub whole: bool,
}

impl ReadOutcome {
    /// What the controls complain about, in the form of rejected lines: for lists of everything a person should
    /// look at. Not counted in [`Self::lines_read`].
    pub fn warnings(&self) -> Vec<RejectedLine> {
        let warning = |control: &StatementControl, reason: String| RejectedLine {
            line: control.place,
            column: None,
            reason,
            excerpt: format!("{} {}", control.account, control.statement).trim().to_owned(),
        };
        let controls = self.controls.iter();
        controls.flat_map(|control| control.problems().into_iter().map(|p| warning(control, p))).collect()
    }
}

/// A line that gave no record, for the person who can repair it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedLine {
    /// Line of the file from 1 (CSV, JSON Lines, MT940, BAI2), where the line begins; element from 1 (JSON
    /// array); transaction from 1 (camt, OFX).
    pub line: u64,
    /// The file's column, when one cell is to blame.
    pub column: Option<String>,
    /// One plain sentence without a full stop.
    pub reason: String,
    /// How the line begins: at most 200 characters, control characters replaced by spaces.
    pub excerpt: String,
}

/// Where a reading is, about every 1,000 lines or MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadProgress {
    pub lines: u64,
    pub rejected: u64,
    pub bytes: u64,
}

/// Bounds of one reading.
#[derive(Debug, Clone)]
pub struct ReadLimits {
    pub records_max: u32,
    /// Beyond this many the mapping is wrong, not the file.
    pub rejected_max: usize,
    /// Bytes of one line or element; longer ones are rejected.
    pub line_bytes_max: usize,
    /// Bytes of one kept text; longer ones are rejected.
    pub cell_bytes_max: usize,
    /// Bytes of one id. Ids are indexed, and index rows of databases are short.
    pub id_bytes_max: usize,
    /// Bytes of all kept texts together: what a reading may cost in memory, about.
    pub kept_bytes_max: u64,
    /// Statements in one file: each costs a control.
    pub statements_max: usize,
    /// Bytes of all parts of a workbook, unpacked.
    pub unpacked_bytes_max: u64,
}

impl Default for ReadLimits {
    fn default() -> Self {
        ReadLimits {
            records_max: 20_000_000,
            rejected_max: 10_000,
            line_bytes_max: 1 << 20,
            cell_bytes_max: 16 << 10,
            id_bytes_max: 512,
            kept_bytes_max: 4 << 30,
            statements_max: 100_000,
            unpacked_bytes_max: 2 << 30,
        }
    }
}

/// Why a file gave nothing. Each variant asks the caller for something else.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Repair the mapping: it is wrong whatever the file.
    #[error("the mapping is not usable: {}", joined(.0))]
    InvalidMapping(Vec<MappingError>),
    /// Repair the mapping or choose another file.
    #[error("{}", joined(.0))]
    MissingColumns(Vec<MappingError>),
    /// Choose another file or format.
    #[error("{says}")]
    NotThisFormat { says: String },
    /// Choose another file.
    #[error("the file has no data lines")]
    Empty,
    /// Most likely a wrong mapping; `first` shows how it fails.
    #[error("more than {limit} lines were rejected; line {}", shown(.first))]
    TooManyRejected { limit: usize, first: Vec<RejectedLine> },
    /// As [`ReadError::TooManyRejected`], for a file below its limit.
    #[error("all {lines} lines were rejected; line {}", shown(.first))]
    AllRejected { lines: u64, first: Vec<RejectedLine> },
    /// Repair the file: the rest of it cannot be told apart into elements.
    #[error(
        "element {element}, which begins at byte {byte}, is broken: {says}; nothing behind it can be read"
    )]
    BrokenJson { element: u64, byte: u64, says: String },
    /// Repair the file, or fetch it again: what follows cannot be told apart, and a part of a statement is none.
    #[error("the file is broken at {place}: {says}")]
    Broken { place: String, says: String },
    /// Nothing is wrong with the file, unless a control says so: it holds statements of accounts that had no
    /// bookings.
    #[error("the file has {} statements without a transaction{}", .controls.len(), first_problem(.controls))]
    NoTransactions { controls: Vec<StatementControl> },
    /// Split the file.
    #[error("the file has more than {limit} statements")]
    TooManyStatements { limit: usize },
    /// Split the file.
    #[error("the file has more than {limit} records")]
    TooManyRecords { limit: u32 },
    /// Split the file or keep fewer fields.
    #[error("the kept columns hold more than {limit_bytes} bytes")]
    TooMuchText { limit_bytes: u64 },
    /// The watch said so; nothing was kept.
    #[error("reading was cancelled")]
    Cancelled,
    /// Ours to repair, and worth another attempt.
    #[error("the file could not be read")]
    Io(#[from] std::io::Error),
}

/// How many lines an error shows.
pub(crate) const FIRST_MAX: usize = 20;

fn joined(errors: &[MappingError]) -> String {
    errors.iter().map(MappingError::to_string).collect::<Vec<_>>().join("; ")
}

fn first_problem(controls: &[StatementControl]) -> String {
    let problem = controls.iter().flat_map(|control| control.problems().into_iter().next()).next();
    problem.map(|problem| format!("; {problem}")).unwrap_or_default()
}

fn shown(first: &[RejectedLine]) -> String {
    match first.first() {
        Some(RejectedLine { line, column: Some(column), reason, .. }) => {
            format!("{line}, column {column:?}: {reason}")
        }
        Some(RejectedLine { line, reason, .. }) => format!("{line}: {reason}"),
        None => String::new(),
    }
}
