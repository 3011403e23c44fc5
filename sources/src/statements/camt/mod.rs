//! ISO 20022 statements: camt.053 (end of day), camt.052 (within the day) and camt.054 (notifications), all
//! versions, read as a stream.
//!
//! One *entry* is what the bank booked. An entry of several transactions becomes a record for each of them
//! when their amounts are in the currency of the entry and sum exactly to it, with the entry's reference as
//! their `batch`; otherwise the entry is one record. So the records always sum to the booked entries.
//!
//! Documents with a document type declaration are refused, and no entity is ever looked up.

mod document;
mod entry;
mod statement;

use super::sink::Statements;
use crate::ReadError;
use document::{Document, Node};
use statement::Reading;
use std::io::BufRead;

/// `bytes_read` have been taken from the file already.
pub(super) fn read<B: BufRead>(
    input: B,
    bytes_read: u64,
    statements: &mut Statements<'_, '_>,
) -> Result<(), ReadError> {
    let mut document = Document::new(input, bytes_read, statements.line_bytes_max());
    let mut reading = Reading::default();
    let mut message_seen = false;
    loop {
        match document.next()? {
            Node::Start => {
                if let Some(message) = message_of(document.path()) {
                    if !message.starts_with("BkToCstmr") {
                        return Err(not_camt(&format!("it holds {:?}", shown(message))));
                    }
                    message_seen = true;
                }
                if let Some(path) = inside_statement(document.path()) {
                    reading.open(path, statements)?;
                }
            }
            Node::Value => {
                if let Some(path) = inside_statement(document.path()) {
                    reading.value(path, document.text(), document.currency());
                }
            }
            Node::End => {
                if let Some(path) = inside_statement(document.path()) {
                    reading.close(path, statements)?;
                }
            }
            Node::Eof if message_seen => return statements.tick(document.bytes_read()),
            Node::Eof => return Err(not_camt("it has no bank-to-customer message")),
        }
        statements.tick(document.bytes_read())?;
    }
}

fn not_camt(why: &str) -> ReadError {
    ReadError::NotThisFormat { says: format!("the file is not a camt statement as the mapping says: {why}") }
}

fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}

/// The name in `Document/NAME`.
fn message_of(path: &str) -> Option<&str> {
    let (_, message) = path.split_once('/')?;
    (!message.contains('/')).then_some(message)
}

/// What is behind `Document/BkToCstmrStmt/Stmt`: empty for the statement itself.
fn inside_statement(path: &str) -> Option<&str> {
    let mut rest = path;
    for _ in 0..2 {
        rest = rest.split_once('/')?.1;
    }
    let (statement, rest) = rest.split_once('/').unwrap_or((rest, ""));
    matches!(statement, "Stmt" | "Rpt" | "Ntfctn").then_some(rest)
}
