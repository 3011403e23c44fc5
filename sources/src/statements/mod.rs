//! Bank statements: files that bring their own columns, and balances that prove what was read.
//!
//! A *statement* is one account over some days; a file may hold many. A *transaction* is one booking of a
//! statement and becomes one record, a line in the words of the other modules. Each format finds statements
//! and transactions in its bytes and hands them to [`Statements`], which names them, checks their currency and
//! keeps the control of opening balance + transactions = closing balance.
//!
//! Bookings only: what a bank announces, holds or values otherwise is rejected with the reason.

mod bai2;
mod camt;
pub(crate) mod columns;
pub(crate) mod control;
mod mt940;
mod ofx;
mod sink;
mod text;
mod transaction;

use crate::physical_lines::PhysicalLines;
use crate::read::Lines;
use crate::{Format, Mapping, ReadError};
use sink::Statements;
use std::io::BufRead;

/// `bytes_read` have been taken from the file already.
pub(crate) fn read<B: BufRead>(
    input: B,
    bytes_read: u64,
    mapping: &Mapping,
    lines: &mut Lines<'_>,
) -> Result<(), ReadError> {
    let mut statements = Statements::new(mapping, lines)?;
    match mapping.format {
        Format::Mt940 => mt940::read(PhysicalLines::new(input, bytes_read), &mut statements)?,
        Format::Camt => camt::read(input, bytes_read, &mut statements)?,
        Format::Ofx => ofx::read(input, bytes_read, &mut statements)?,
        Format::Bai2 => bai2::read(PhysicalLines::new(input, bytes_read), &mut statements)?,
        Format::Csv | Format::Json | Format::Excel | Format::Parquet => unreachable!("no statements"),
    }
    statements.close()
}
