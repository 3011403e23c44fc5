//! Small pairs of files whose sums nobody else has.

use rand::RngExt;
use rand::rngs::SmallRng;
use serde_json::{Value, json};
use std::fmt::Write;

/// Six lines of a bank and six of a ledger: five are the same payment, one of each side has no counterpart.
pub struct SmallPair {
    pub bank: Vec<u8>,
    pub ledger: Vec<u8>,
    /// Minor units of all lines: what the results of one job over the pair add up to, side by side.
    pub sums: (i64, i64),
}

const LINES: usize = 6;

impl SmallPair {
    pub fn draw(dice: &mut SmallRng) -> Self {
        let header = "id,date,amount,currency,reference\n";
        let (mut bank, mut ledger) = (header.to_owned(), header.to_owned());
        let mut sums = (0, 0);
        for line in 0..LINES {
            let write = |file: &mut String, sum: &mut i64, reference: &str, amount: i64| {
                *sum += amount;
                let (whole, cents) = (amount / 100, amount % 100);
                writeln!(file, "{line},2026-03-{:02},{whole}.{cents:02},EUR,{reference}", line + 1)
                    .expect("writing to memory");
            };
            // Large enough that two sums of the run are not the same by chance.
            let amount = dice.random_range(1_000_000..1_000_000_000);
            if line + 1 < LINES {
                write(&mut bank, &mut sums.0, &format!("PAY-{line}"), amount);
                write(&mut ledger, &mut sums.1, &format!("PAY-{line}"), amount);
            } else {
                write(&mut bank, &mut sums.0, "ONLY-BANK", amount);
                write(&mut ledger, &mut sums.1, "ONLY-LEDGER", amount + 1_000_000);
            }
        }
        Self { bank: bank.into_bytes(), ledger: ledger.into_bytes(), sums }
    }

    pub fn mapping() -> Value {
        json!({
            "format": "csv",
            "id": "id", "date": { "column": "date" }, "amount": { "column": "amount" },
            "currency": { "column": "currency" }, "fields": { "reference": "reference" },
        })
    }

    pub fn rules() -> Value {
        json!({
            "version": 1,
            "pass": [{ "name": "same reference", "key": [{ "left": "reference", "right": "reference" }] }],
        })
    }
}
