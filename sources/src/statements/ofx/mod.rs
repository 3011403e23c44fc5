//! Open Financial Exchange, 1.x (SGML) and 2.x (XML): bank, card and investment statements.
//!
//! One reader for both: elements with a value need no end tag, aggregates do. Only `STMTTRN`, a movement of
//! money, becomes a record; trades of securities are rejected one by one, as their cash side is not a booking.

mod statement;
mod tokens;

use super::sink::Statements;
use crate::ReadError;
use statement::Reading;
use std::io::BufRead;
use tokens::{Token, Tokens};

/// Aggregates that give the values inside them a meaning. Others are looked through.
const AGGREGATES: [&str; 19] = [
    "STMTRS",
    "CCSTMTRS",
    "INVSTMTRS",
    "STMTTRN",
    "STMTTRNP",
    "BANKACCTFROM",
    "CCACCTFROM",
    "INVACCTFROM",
    "BANKACCTTO",
    "CCACCTTO",
    "BANKTRANLIST",
    "INVTRANLIST",
    "LEDGERBAL",
    "AVAILBAL",
    "CURRENCY",
    "ORIGCURRENCY",
    "PAYEE",
    "STATUS",
    "INVTRAN",
];

/// Children of `INVTRANLIST` that trade, earn or move securities.
const TRADES: [&str; 20] = [
    "BUYDEBT",
    "BUYMF",
    "BUYOPT",
    "BUYOTHER",
    "BUYSTOCK",
    "CLOSUREOPT",
    "INCOME",
    "INVEXPENSE",
    "JRNLFUND",
    "JRNLSEC",
    "MARGININTEREST",
    "REINVEST",
    "RETOFCAP",
    "SELLDEBT",
    "SELLMF",
    "SELLOPT",
    "SELLOTHER",
    "SELLSTOCK",
    "SPLIT",
    "TRANSFER",
];

/// `bytes_read` have been taken from the file already.
pub(super) fn read<B: BufRead>(
    input: B,
    bytes_read: u64,
    statements: &mut Statements<'_, '_>,
) -> Result<(), ReadError> {
    let mut tokens = Tokens::new(input, bytes_read, statements.line_bytes_max());
    let mut reading = Reading::default();
    // Aggregates we are inside of; an element that waits for its value.
    let (mut inside, mut element): (Vec<&'static str>, Option<String>) = (vec![], None);
    let (mut opened, mut closed) = (false, false);
    loop {
        match tokens.next()? {
            Token::End => break,
            Token::Open(name) => {
                opened |= name == "OFX";
                let known = AGGREGATES.iter().chain(&TRADES).find(|known| **known == name);
                if let Some(name) = known {
                    inside.push(name);
                    reading.open(name, statements)?;
                    // A trade within a trade does not exist; deeper nesting is not OFX.
                    if inside.len() > 50 {
                        return Err(tokens.broken("the elements are nested too deep"));
                    }
                }
                element = Some(name);
            }
            Token::Text(text) => {
                if let Some(element) = element.take() {
                    reading.value(&inside, &element, text.trim(), statements)?;
                }
            }
            Token::Close(name) => {
                closed |= name == "OFX";
                element = None;
                if let Some(at) = inside.iter().rposition(|aggregate| *aggregate == name) {
                    let name = inside[at];
                    inside.truncate(at);
                    reading.close(name, statements)?;
                }
            }
        }
        statements.tick(tokens.bytes_read())?;
    }
    if !opened {
        let says = "the file is not OFX as the mapping says: it has no <OFX> element".to_owned();
        return Err(ReadError::NotThisFormat { says });
    }
    if !closed {
        return Err(tokens.broken("the file ends before </OFX>"));
    }
    reading.finish()
}
