//! matches.csv, exceptions.csv and rejected_lines.csv.

use super::carry::Chain;
use super::failure::{Doing, Failure};
use super::progress::Interrupt;
use super::rendered::{self, Pieces};
use super::staging::Staging;
use matching::{Candidate, CarriedSide, Exception, Match, Outcome, Reasoner, Records, Row, RuleSet, Side};
use sources::ReadOutcome;
use sources::export::{
    CandidateCells, ExceptionRow, ExceptionsCsv, Foreign, Header, MatchRow, MatchesCsv, RecordCells,
    RejectedLinesCsv,
};
use std::io::Write;

pub const MATCHES: &str = "matches.csv";
pub const EXCEPTIONS: &str = "exceptions.csv";
pub const REJECTED_LINES: &str = "rejected_lines.csv";

/// What was read of one side.
pub struct SideRead<'a> {
    /// Without its records, which are in `carried`.
    pub read: &'a ReadOutcome,
    pub carried: &'a CarriedSide,
}

/// Everything that went in.
pub struct Read<'a> {
    pub left: SideRead<'a>,
    pub right: SideRead<'a>,
    pub chain: &'a Chain,
}

impl<'a> Read<'a> {
    pub fn side(&self, side: Side) -> &SideRead<'a> {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
    }
}

const CHUNK_MATCHES: usize = 4 << 10;
/// Of a match's lines, about.
const MATCH_BYTES: usize = 320;
/// Matches whose records are fetched from memory together, see [`Sides::fetch`].
const AHEAD_MATCHES: usize = 16;
const CHUNK_EXCEPTIONS: usize = 1 << 10;
const WAVE_CHUNKS: usize = 8;

pub fn write(
    staging: &mut Staging,
    read: &Read<'_>,
    rules: &RuleSet,
    outcome: &Outcome,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let sides = Sides { left: &read.left.carried.records, right: &read.right.carried.records };

    let writing = format_args!("writing {MATCHES}");
    let mut file = staging.create(MATCHES)?;
    let reasoner = Reasoner::new(sides.left, sides.right, rules);
    let render = |first: usize, matches: &[Match]| -> std::io::Result<Vec<u8>> {
        let header = if first == 0 { Header::Written } else { Header::Omitted };
        let mut csv = MatchesCsv::new(Vec::with_capacity(matches.len() * MATCH_BYTES), header)?;
        for (i, matched) in matches.iter().enumerate() {
            if i % AHEAD_MATCHES == 0 {
                sides.fetch(&matches[i..matches.len().min(i + AHEAD_MATCHES)], &reasoner);
            }
            let pass = outcome.passes.get(usize::from(matched.pass)).map_or("", |pass| pass.name.as_str());
            csv.write(&MatchRow {
                number: (first + i) as u64 + 1,
                pass,
                tier: matched.tier,
                confidence: matched.confidence,
                currency: matched.currency,
                left: sides.match_cells(matched, Side::Left, &reasoner),
                right: sides.match_cells(matched, Side::Right, &reasoner),
                difference: matched.difference,
                reasons: &reasoner.reasons(matched),
            })?;
        }
        csv.finish()
    };
    if outcome.matches.is_empty() {
        file.write_all(&render(0, &[]).doing(writing)?).doing(writing)?;
    }
    let pieces = Pieces { of: &outcome.matches, len: CHUNK_MATCHES, at_once: WAVE_CHUNKS };
    staging.seal(rendered::write(file, pieces, writing, interrupt, render)?)?;

    let writing = format_args!("writing {EXCEPTIONS}");
    let mut file = staging.create(EXCEPTIONS)?;
    let render = |header: Header, exceptions: &[Exception]| -> std::io::Result<Vec<u8>> {
        let mut csv = ExceptionsCsv::new(vec![], header)?;
        for exception in exceptions {
            csv.write(&ExceptionRow {
                kind: exception.kind,
                side: exception.side,
                currency: sides.of(exception.side).currency(exception.row),
                record: sides.cell(exception.side, exception.row),
                says: &exception.says,
                candidates: exception.candidates.iter().map(|candidate| sides.candidate(candidate)).collect(),
                candidates_found: exception.candidates_found,
                first_run: read.chain.first_run(read.side(exception.side).carried, exception.row),
            })?;
        }
        csv.finish()
    };
    file.write_all(&render(Header::Written, &[]).doing(writing)?).doing(writing)?;
    let pieces = Pieces { of: &outcome.exceptions, len: CHUNK_EXCEPTIONS, at_once: WAVE_CHUNKS };
    let render = |_, piece: &[Exception]| render(Header::Omitted, piece);
    staging.seal(rendered::write(file, pieces, writing, interrupt, render)?)?;

    let writing = format_args!("writing {REJECTED_LINES}");
    let mut csv = RejectedLinesCsv::new(staging.create(REJECTED_LINES)?, Header::Written).doing(writing)?;
    for (side, of) in [(Side::Left, &read.left), (Side::Right, &read.right)] {
        for line in &of.read.rejected {
            csv.write(side, line).doing(writing)?;
        }
    }
    staging.seal(csv.finish().doing(writing)?)
}

struct Sides<'a> {
    left: &'a Records,
    right: &'a Records,
}

impl<'a> Sides<'a> {
    fn of(&self, side: Side) -> &'a Records {
        match side {
            Side::Left => self.left,
            Side::Right => self.right,
        }
    }

    /// Reads a little of all that these matches show. They are in the order of their confidences, which is none of
    /// the files: one after the other, each would wait for memory; together they wait at the same time.
    fn fetch(&self, matches: &[Match], reasoner: &Reasoner<'_>) {
        let mut read = 0u64;
        for matched in matches {
            let (left, right) = (matched.left.first(), matched.right.first());
            for (records, row) in [(self.left, left), (self.right, right)] {
                let Some(&row) = row else { continue };
                read = read.wrapping_add(records.amount(row).cast_unsigned() ^ records.date(row) as u64);
                read =
                    read.wrapping_add(records.id(row).as_bytes().first().copied().unwrap_or_default().into());
            }
            read = read.wrapping_add(reasoner.fetch(matched));
        }
        std::hint::black_box(read);
    }

    fn cell(&self, side: Side, row: Row) -> RecordCells<'a> {
        let records = self.of(side);
        RecordCells {
            id: records.id(row),
            line: records.line(row),
            date: records.date(row),
            amount: records.amount(row),
            foreign: None,
        }
    }

    fn cells(&self, side: Side, rows: &[Row]) -> Vec<RecordCells<'a>> {
        rows.iter().map(|row| self.cell(side, *row)).collect()
    }

    /// Those of a match, with what the foreign ones of them were taken for.
    fn match_cells(&self, matched: &Match, side: Side, reasoner: &Reasoner<'_>) -> Vec<RecordCells<'a>> {
        let rows = if side == Side::Left { &matched.left } else { &matched.right };
        let mut cells = self.cells(side, rows);
        for (_, row, conversion) in reasoner.conversions(matched).into_iter().filter(|(of, ..)| *of == side) {
            if let Ok(place) = rows.binary_search(&row) {
                cells[place].foreign =
                    Some(Foreign { currency: conversion.from, converted: conversion.converted });
            }
        }
        cells
    }

    fn candidate(&self, candidate: &Candidate) -> CandidateCells<'a> {
        let records = self.of(candidate.side);
        CandidateCells {
            side: candidate.side,
            ids: candidate.rows.iter().map(|row| records.id(*row)).collect(),
            confidence: candidate.confidence,
        }
    }
}
