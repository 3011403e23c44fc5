//! What came of it: summary.json, and the same as a table for the terminal.

use super::failure::{Doing, Failure};
use super::inputs::Input;
use matching::{
    CurrencyProof, DroppedPass, ExceptionKind, Outcome, PassCount, RuleSet, Side, Tier, format_minor,
};
use serde::Serialize;
use sources::ReadOutcome;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write;
use std::path::Path;

pub const FILE: &str = "summary.json";

/// Depends on the two files, mappings and rules alone: no times, so that runs can be compared byte for byte.
#[derive(Debug, Serialize)]
pub struct Summary {
    version: u32,
    left: SideCount,
    right: SideCount,
    rules: String,
    threshold: f64,
    matches: u64,
    matches_confirmed: u64,
    matches_suggested: u64,
    exceptions: u64,
    /// Every kind, also with 0.
    exceptions_by_kind: BTreeMap<&'static str, u64>,
    passes: Vec<PassCount>,
    /// Of a preset: what the fields of the files did not allow.
    dropped_passes: Vec<DroppedPass>,
    proof: Vec<Proof>,
}

/// `records == matched + exceptions`, and `lines == records + rejected_lines`.
#[derive(Debug, Serialize)]
struct SideCount {
    file: String,
    bytes: u64,
    lines: u64,
    rejected_lines: u64,
    records: u64,
    matched: u64,
    exceptions: u64,
}

/// [`CurrencyProof`] in major units as decimal texts.
#[derive(Debug, Serialize)]
struct Proof {
    currency: String,
    left_count: u64,
    right_count: u64,
    left_total: String,
    right_total: String,
    left_matched: String,
    right_matched: String,
    left_unmatched: String,
    right_unmatched: String,
    matched_difference: String,
    right_flipped: String,
    converted_out: String,
    converted_in: String,
    /// "0.00", or money is unaccounted for.
    residual: String,
}

impl Summary {
    pub fn new(
        left: &Input,
        left_read: &ReadOutcome,
        right: &Input,
        right_read: &ReadOutcome,
        rules: &RuleSet,
        dropped_passes: Vec<DroppedPass>,
        outcome: &Outcome,
    ) -> Self {
        let of_tier =
            |tier: Tier| outcome.matches.iter().filter(|matched| matched.tier == tier).count() as u64;
        let of_kind =
            |kind: ExceptionKind| outcome.exceptions.iter().filter(|e| e.kind == kind).count() as u64;
        Summary {
            version: 1,
            left: SideCount::new(left, left_read, outcome),
            right: SideCount::new(right, right_read, outcome),
            rules: rules.name.clone(),
            threshold: rules.threshold,
            matches: outcome.matches.len() as u64,
            matches_confirmed: of_tier(Tier::Confirmed),
            matches_suggested: of_tier(Tier::Suggested),
            exceptions: outcome.exceptions.len() as u64,
            exceptions_by_kind: ExceptionKind::ALL
                .iter()
                .map(|kind| (kind.as_str(), of_kind(*kind)))
                .collect(),
            passes: outcome.passes.clone(),
            dropped_passes,
            proof: outcome.proof.iter().map(Proof::new).collect(),
        }
    }

    pub fn everything_matched(&self) -> bool {
        self.exceptions == 0 && self.left.rejected_lines == 0 && self.right.rejected_lines == 0
    }

    /// What matching promises and nobody should have to take on trust: every record in one match or one
    /// exception, and no money unaccounted for.
    pub fn adds_up(&self) -> bool {
        let settled = |side: &SideCount| side.records == side.matched + side.exceptions;
        let is_zero = |text: &str| !text.bytes().any(|b| matches!(b, b'1'..=b'9'));
        settled(&self.left) && settled(&self.right) && self.proof.iter().all(|proof| is_zero(&proof.residual))
    }

    pub fn write_json(&self, mut file: File) -> Result<(), Failure> {
        file.write_all(self.json().as_bytes()).doing(format_args!("writing {FILE}"))
    }

    /// A reader that went away (`… | head`) is no reason to fail.
    pub fn print(&self, json: bool, out: &Path) {
        let text = if json { self.json() } else { self.table(out) };
        let _ = std::io::stdout().write_all(text.as_bytes());
    }

    fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("numbers and texts") + "\n"
    }

    fn table(&self, out: &Path) -> String {
        let mut text = String::new();
        for (name, side) in [("left", &self.left), ("right", &self.right)] {
            let _ = writeln!(
                text,
                "{name:<6}{:>9} records {:>9} matched {:>9} exceptions {:>6} rejected lines  {}",
                side.records, side.matched, side.exceptions, side.rejected_lines, side.file
            );
        }
        let _ = writeln!(
            text,
            "\nmatches {:>27}  ({} confirmed, {} suggested)",
            self.matches, self.matches_confirmed, self.matches_suggested
        );
        for pass in &self.passes {
            let gave_up = match pass.gave_up {
                0 => String::new(),
                n => format!("  ({n} blocks were too large)"),
            };
            let _ = writeln!(text, "  {:<24} {:>8}{gave_up}", pass.name, pass.matches);
        }
        for pass in &self.dropped_passes {
            let _ = writeln!(text, "  {:<24}  left out", pass.name);
        }
        let _ = writeln!(text, "\nexceptions {:>24}", self.exceptions);
        for (kind, count) in self.exceptions_by_kind.iter().filter(|(_, count)| **count > 0) {
            let _ = writeln!(text, "  {kind:<24} {count:>8}");
        }
        text.push_str("\nbalance proof\n");
        for proof in &self.proof {
            proof.table(&mut text);
        }
        let _ = writeln!(text, "\nresults are in {}", out.display());
        if !self.everything_matched() {
            let rejected = self.left.rejected_lines + self.right.rejected_lines;
            let _ = writeln!(
                text,
                "exit code 1: {} exceptions and {rejected} rejected lines remain",
                self.exceptions
            );
        }
        text
    }
}

impl SideCount {
    fn new(input: &Input, read: &ReadOutcome, outcome: &Outcome) -> Self {
        let matched = outcome.matches.iter().map(|matched| match input.side {
            Side::Left => matched.left.len(),
            Side::Right => matched.right.len(),
        });
        SideCount {
            file: input.path.display().to_string(),
            bytes: read.bytes_read,
            lines: read.lines_read,
            rejected_lines: read.rejected.len() as u64,
            records: read.records.len() as u64,
            matched: matched.sum::<usize>() as u64,
            exceptions: outcome.exceptions.iter().filter(|e| e.side == input.side).count() as u64,
        }
    }
}

impl Proof {
    fn new(proof: &CurrencyProof) -> Self {
        let text = |minor: i128| format_minor(minor, proof.currency.exponent());
        Proof {
            currency: proof.currency.code().to_owned(),
            left_count: proof.left_count,
            right_count: proof.right_count,
            left_total: text(proof.left_total),
            right_total: text(proof.right_total),
            left_matched: text(proof.left_matched),
            right_matched: text(proof.right_matched),
            left_unmatched: text(proof.left_unmatched),
            right_unmatched: text(proof.right_unmatched),
            matched_difference: text(proof.matched_difference),
            right_flipped: text(proof.right_flipped),
            converted_out: text(proof.converted_out),
            converted_in: text(proof.converted_in),
            residual: text(proof.residual()),
        }
    }

    fn table(&self, text: &mut String) {
        for (name, left, right) in [
            ("total", &self.left_total, &self.right_total),
            ("matched", &self.left_matched, &self.right_matched),
            ("unmatched", &self.left_unmatched, &self.right_unmatched),
        ] {
            let _ = writeln!(text, "  {} {name:<10} left {left:>18}   right {right:>18}", self.currency);
        }
        let is_zero = |text: &str| !text.bytes().any(|b| matches!(b, b'1'..=b'9'));
        if !is_zero(&self.converted_out) || !is_zero(&self.converted_in) {
            let (code, out, into) = (&self.currency, &self.converted_out, &self.converted_in);
            let _ = writeln!(text, "  {code} converted  out  {out:>18}   in    {into:>18}");
        }
        let _ = writeln!(
            text,
            "  {} difference of matches {}, unaccounted for {}",
            self.currency, self.matched_difference, self.residual
        );
    }
}
