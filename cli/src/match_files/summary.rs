//! What came of it: summary.json, and the same as a table for the terminal.

use super::failure::{Doing, Failure};
use super::inputs::Input;
use super::results::{Read, SideRead};
use super::staging::Staging;
use matching::{
    CurrencyProof, DroppedPass, ExceptionKind, OpenFlow, Outcome, PassCount, RuleSet, Side, Sum, Tier,
    format_minor, open_flow,
};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

pub const FILE: &str = "summary.json";

/// Depends on the two files, mappings and rules alone: no times, so that runs can be compared byte for byte.
#[derive(Debug, Serialize)]
pub struct Summary {
    version: u32,
    /// Place in its chain: 1 unless it continues another.
    run: u32,
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
    open_items: Vec<Flow>,
}

/// `records == matched + exceptions`, and `lines + carried_in == records + rejected_lines + repeated`.
#[derive(Debug, Serialize)]
struct SideCount {
    file: String,
    bytes: u64,
    lines: u64,
    rejected_lines: u64,
    /// Open items of the run before.
    carried_in: u64,
    /// Records of the file that were among them.
    repeated: u64,
    /// Of those, the ones whose contents changed.
    restated: u64,
    records: u64,
    matched: u64,
    exceptions: u64,
    /// A next run can know the records again.
    own_ids: bool,
}

/// [`OpenFlow`] with amounts as decimal texts: `before + restated + new - matched + remainder == after`.
#[derive(Debug, Serialize)]
struct Flow {
    side: &'static str,
    currency: String,
    before: CountAndAmount,
    restated: CountAndAmount,
    new: CountAndAmount,
    matched: CountAndAmount,
    remainder: CountAndAmount,
    after: CountAndAmount,
    resolved: CountAndAmount,
    persisting: CountAndAmount,
    already_matched: CountAndAmount,
    residual: CountAndAmount,
}

#[derive(Debug, Serialize)]
struct CountAndAmount {
    count: i64,
    amount: String,
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
    open_remainder_left: String,
    open_remainder_right: String,
    converted_out: String,
    converted_in: String,
    converted_difference: String,
    /// "0.00", or money is unaccounted for.
    residual: String,
}

impl Summary {
    pub fn new(
        [left, right]: [&Input; 2],
        read: &Read<'_>,
        rules: &RuleSet,
        dropped_passes: Vec<DroppedPass>,
        outcome: &Outcome,
    ) -> Self {
        let of_tier =
            |tier: Tier| outcome.matches.iter().filter(|matched| matched.tier == tier).count() as u64;
        let of_kind =
            |kind: ExceptionKind| outcome.exceptions.iter().filter(|e| e.kind == kind).count() as u64;
        let flow = |side| open_flow(side, read.side(side).carried, outcome);
        let (left_flow, right_flow) = rayon::join(|| flow(Side::Left), || flow(Side::Right));
        Summary {
            version: 1,
            run: read.chain.run,
            left: SideCount::new(left, &read.left, outcome),
            right: SideCount::new(right, &read.right, outcome),
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
            open_items: left_flow.iter().chain(&right_flow).map(Flow::new).collect(),
        }
    }

    pub fn everything_matched(&self) -> bool {
        self.exceptions == 0 && self.left.rejected_lines == 0 && self.right.rejected_lines == 0
    }

    /// What matching promises and nobody should have to take on trust: every record in one match or one
    /// exception, and no money unaccounted for.
    pub fn adds_up(&self) -> bool {
        let settled = |side: &SideCount| side.records == side.matched + side.exceptions;
        let adds_up = |flow: &Flow| flow.residual.count == 0 && is_zero(&flow.residual.amount);
        settled(&self.left)
            && settled(&self.right)
            && self.proof.iter().all(|proof| is_zero(&proof.residual))
            && self.open_items.iter().all(adds_up)
    }

    pub fn write_json(&self, staging: &mut Staging) -> Result<(), Failure> {
        let mut file = staging.create(FILE)?;
        file.write_all(self.json().as_bytes()).doing(format_args!("writing {FILE}"))?;
        staging.seal(file)
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
            let beyond_bound = match pass.beyond_bound {
                0 => String::new(),
                n => format!("  ({n} knots of candidates were too large for the best choice)"),
            };
            let _ = writeln!(text, "  {:<24} {:>8}{gave_up}{beyond_bound}", pass.name, pass.matches);
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
        if self.run > 1 {
            let _ = writeln!(text, "\nopen items in run {} of the chain", self.run);
            self.open_items.iter().for_each(|flow| flow.table(&mut text));
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

fn is_zero(text: &str) -> bool {
    !text.bytes().any(|b| matches!(b, b'1'..=b'9'))
}

impl SideCount {
    fn new(input: &Input, side: &SideRead<'_>, outcome: &Outcome) -> Self {
        let SideRead { read, carried } = side;
        let matched = outcome.matches.iter().map(|matched| match input.side {
            Side::Left => matched.left.len(),
            Side::Right => matched.right.len(),
        });
        SideCount {
            file: input.path.display().to_string(),
            bytes: read.bytes_read,
            lines: read.lines_read,
            rejected_lines: read.rejected.len() as u64,
            carried_in: carried.carried_count() as u64,
            repeated: carried.repeated,
            restated: carried.restated,
            records: carried.records.len() as u64,
            matched: matched.sum::<usize>() as u64,
            exceptions: outcome.exceptions.iter().filter(|e| e.side == input.side).count() as u64,
            own_ids: input.mapping.id.is_some(),
        }
    }
}

impl Flow {
    fn new(flow: &OpenFlow) -> Self {
        let text = |sum: Sum| CountAndAmount {
            count: sum.count,
            amount: format_minor(sum.amount, flow.currency.exponent()),
        };
        Flow {
            side: flow.side.as_str(),
            currency: flow.currency.code().to_owned(),
            before: text(flow.before),
            restated: text(flow.restated),
            new: text(flow.new),
            matched: text(flow.matched),
            remainder: text(flow.remainder),
            after: text(flow.after),
            resolved: text(flow.resolved),
            persisting: text(flow.persisting),
            already_matched: text(flow.already_matched),
            residual: text(flow.residual()),
        }
    }

    fn table(&self, text: &mut String) {
        let _ = writeln!(text, "  {} {}", self.currency, self.side);
        for (name, sum) in [
            ("carried in", &self.before),
            ("restated", &self.restated),
            ("new", &self.new),
            ("less matched", &self.matched),
            ("open parts", &self.remainder),
            ("open now", &self.after),
            ("unaccounted for", &self.residual),
        ] {
            let _ = writeln!(text, "    {name:<16} {:>9} {:>18}", sum.count, sum.amount);
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
            open_remainder_left: text(proof.open_remainder_left),
            open_remainder_right: text(proof.open_remainder_right),
            converted_out: text(proof.converted_out),
            converted_in: text(proof.converted_in),
            converted_difference: text(proof.converted_difference),
            residual: text(proof.residual()),
        }
    }

    fn table(&self, text: &mut String) {
        for (name, left, right) in [
            ("total", &self.left_total, &self.right_total),
            ("matched", &self.left_matched, &self.right_matched),
            ("unmatched", &self.left_unmatched, &self.right_unmatched),
            ("still open", &self.open_remainder_left, &self.open_remainder_right),
        ] {
            // Only part payments leave something of a matched record open.
            if name == "still open" && [left, right].iter().all(|sum| is_zero(sum)) {
                continue;
            }
            let _ = writeln!(text, "  {} {name:<10} left {left:>18}   right {right:>18}", self.currency);
        }
        if !is_zero(&self.converted_out) || !is_zero(&self.converted_in) {
            let (code, out, into) = (&self.currency, &self.converted_out, &self.converted_in);
            let _ = writeln!(text, "  {code} converted  out  {out:>18}   in    {into:>18}");
        }
        let of_conversion = match is_zero(&self.converted_difference) {
            true => String::new(),
            false => format!(" (of conversions {})", self.converted_difference),
        };
        let _ = writeln!(
            text,
            "  {} difference of matches {}{of_conversion}, unaccounted for {}",
            self.currency, self.matched_difference, self.residual
        );
    }
}
