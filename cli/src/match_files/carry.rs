//! Carry-forward between result folders: what `--carry` takes over from an earlier run, and what every run leaves
//! for the next one.
//!
//! `open_items.jsonl` has each open item whole. What a run has matched is in its matches.csv;
//! `matched_before.jsonl` has what the runs before it had matched.

use super::failure::Failure;
use super::inputs::Input;
use super::progress::Interrupt;
use super::rendered::{self, Pieces};
use super::staging::Staging;
use super::{results, summary};
use chrono::NaiveDate;
use matching::{
    CarriedSide, Currency, DecimalMark, ExceptionKind, MatchId, OpenItems, Origin, Outcome, Records,
    RecordsBuilder, Row, Side, TextStore, Tier, format_minor, open_remainders, parse_minor,
};
use serde::{Deserialize, Serialize};
use sources::export::safe;
use sources::{NO_DATE, ReadLimits, ReadOutcome};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

pub const OPEN_ITEMS: &str = "open_items.jsonl";
pub const MATCHED_BEFORE: &str = "matched_before.jsonl";

/// A line with one open item; longer ones are no line of ours.
const LINE_BYTES_MAX: u64 = 16 << 20;

const CHUNK_LINES: usize = 1 << 10;
const WAVE_CHUNKS: usize = 8;

/// What the runs before left.
pub struct Chain {
    /// Place of this run, from 1.
    pub run: u32,
    left: OpenItems,
    right: OpenItems,
    matched: Vec<MatchedBefore>,
    left_matched: HashMap<String, u32>,
    right_matched: HashMap<String, u32>,
}

/// A line of `open_items.jsonl`.
#[derive(Serialize, Deserialize)]
struct OpenLine<'a> {
    side: Side,
    id: Cow<'a, str>,
    line: u64,
    /// Missing where the file has no dates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    date: Option<NaiveDate>,
    amount: String,
    currency: Cow<'a, str>,
    fields: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    first_run: u32,
}

/// A line of `matched_before.jsonl`.
#[derive(Serialize, Deserialize)]
struct MatchedBefore {
    side: Side,
    id: String,
    match_id: String,
    run: u32,
}

/// What this module needs of an earlier summary.
#[derive(Deserialize)]
struct SummaryBefore {
    run: u32,
    left: SideBefore,
    right: SideBefore,
}

#[derive(Deserialize)]
struct SideBefore {
    own_ids: bool,
}

impl Chain {
    /// A first run.
    pub fn none() -> Self {
        Chain {
            run: 1,
            left: Items::default().finish(),
            right: Items::default().finish(),
            matched: vec![],
            left_matched: HashMap::new(),
            right_matched: HashMap::new(),
        }
    }

    /// From the result folder of the run before. Both inputs need ids of their own, as those of that run had.
    pub fn read(folder: &Path, inputs: [&Input; 2]) -> Result<Self, Failure> {
        let path = folder.join(summary::FILE);
        let before = std::fs::read(&path).map_err(|error| refused(&path, error))?;
        let before: SummaryBefore = serde_json::from_slice(&before)
            .map_err(|error| refused(&path, format_args!("is no summary that can be continued: {error}")))?;
        let mut wrong = vec![];
        for (input, had_ids) in inputs.into_iter().zip([before.left.own_ids, before.right.own_ids]) {
            let side = input.side.as_str();
            if input.mapping.id.is_none() {
                let of = input.path.display();
                wrong.push(format!(
                    "{of}: --carry needs a mapping with an id column: line numbers are no ids"
                ));
            }
            if !had_ids {
                wrong.push(format!(
                    "{}: its {side} side had no id column and cannot be continued",
                    path.display()
                ));
            }
        }
        if !wrong.is_empty() {
            return Err(Failure::Input(wrong));
        }
        let mut chain = Chain { run: before.run + 1, ..Chain::none() };
        chain.read_open_items(&folder.join(OPEN_ITEMS))?;
        each_line(&folder.join(MATCHED_BEFORE), |line| {
            let line: MatchedBefore = serde_json::from_str(line).map_err(|error| error.to_string())?;
            chain.add_matched(line);
            Ok(())
        })?;
        chain.read_matches(&folder.join(results::MATCHES), before.run)?;
        Ok(chain)
    }

    fn read_open_items(&mut self, path: &Path) -> Result<(), Failure> {
        let (mut left, mut right) = (Items::default(), Items::default());
        each_line(path, |line| {
            let line: OpenLine<'_> = serde_json::from_str(line).map_err(|error| error.to_string())?;
            let side = if line.side == Side::Left { &mut left } else { &mut right };
            side.push(&line)
        })?;
        (self.left, self.right) = (left.finish(), right.finish());
        Ok(())
    }

    /// Records of confirmed matches. An apostrophe before what looks like a formula may be the id's own or ours: the
    /// match's id, which is made from the true ones, tells.
    fn read_matches(&mut self, path: &Path, run: u32) -> Result<(), Failure> {
        let mut reader = csv::Reader::from_path(path).map_err(|error| refused(path, error))?;
        let columns = reader.headers().map_err(|error| refused(path, error))?.clone();
        let column = |name: &str| {
            let found = columns.iter().position(|column| column == name);
            found.ok_or_else(|| refused(path, format_args!("has no column {name}")))
        };
        let (tier, match_id) = (column("tier")?, column("match_id")?);
        let (left, right) = (column("left_id")?, column("right_id")?);
        let mut found = WholeMatch::default();
        let mut row = csv::StringRecord::new();
        while reader.read_record(&mut row).map_err(|error| refused(path, error))? {
            if &row[tier] != "confirmed" {
                continue;
            }
            if found.id != row[match_id] {
                std::mem::take(&mut found).take_apart(self, run);
                found.id = row[match_id].to_owned();
            }
            for (ids, column) in [(&mut found.left, left), (&mut found.right, right)] {
                ids.extend((!row[column].is_empty()).then(|| row[column].to_owned()));
            }
        }
        found.take_apart(self, run);
        Ok(())
    }

    fn add_matched(&mut self, line: MatchedBefore) {
        let of = if line.side == Side::Left { &mut self.left_matched } else { &mut self.right_matched };
        of.insert(line.id.clone(), self.matched.len() as u32);
        self.matched.push(line);
    }

    /// Puts open items and what was read together.
    pub fn join(
        &mut self,
        side: Side,
        read: &mut ReadOutcome,
        store: Option<Box<dyn TextStore>>,
    ) -> Result<CarriedSide, Failure> {
        let (open, matched) = match side {
            Side::Left => (&mut self.left, &self.left_matched),
            Side::Right => (&mut self.right, &self.right_matched),
        };
        let open = std::mem::replace(open, Items::default().finish());
        let new = std::mem::replace(&mut read.records, RecordsBuilder::new(vec![]).build());
        let joined = CarriedSide::join_keeping(open, new, store, |id| matched.get(id).copied());
        joined.map_err(|error| Failure::input([format!("{} side: {error}", side.as_str())]))
    }

    /// After matching, for the left side first.
    pub fn hold_back(
        &self,
        side: Side,
        carried: &mut CarriedSide,
        outcome: &mut Outcome,
    ) -> Result<(), Failure> {
        let says = |number: u32| {
            let place = &self.matched[number as usize];
            format!("already matched as {} in run {}", place.match_id, place.run)
        };
        carried.hold_back(side, outcome, says).map_err(|error| Failure::broken(error.to_string()))
    }

    /// The run whose file first had the record.
    pub fn first_run(&self, carried: &CarriedSide, row: Row) -> u32 {
        match carried.origin(row) {
            Origin::New => self.run,
            Origin::Carried(run) => run,
        }
    }

    /// Both files for the next run.
    pub fn write(
        &self,
        staging: &mut Staging,
        [left, right]: [&CarriedSide; 2],
        outcome: &Outcome,
        interrupt: &Interrupt,
    ) -> Result<(), Failure> {
        let mut open = vec![];
        for (side, carried) in [(Side::Left, left), (Side::Right, right)] {
            let whole = open_rows(side, outcome).map(|row| (row, carried.records.amount(row)));
            let of_side = whole.chain(open_remainders(side, &carried.records, outcome));
            open.extend(of_side.map(|(row, amount)| (side, row, amount)));
        }
        let line = |&(side, row, amount): &(Side, Row, i64)| {
            self.open_line(side, if side == Side::Left { left } else { right }, row, amount)
        };
        write_lines(staging, OPEN_ITEMS, &open, interrupt, line)?;
        write_lines(staging, MATCHED_BEFORE, &self.matched, interrupt, |line| line)
    }

    fn open_line<'r>(&self, side: Side, carried: &'r CarriedSide, row: Row, amount: i64) -> OpenLine<'r> {
        let records = &carried.records;
        let fields = records.field_names().iter().enumerate();
        let fields = fields.map(|(i, name)| (name.as_str().into(), records.field(i, row).into()));
        OpenLine {
            side,
            id: records.id(row).into(),
            line: records.line(row),
            date: NaiveDate::from_epoch_days(records.date(row)),
            amount: format_minor(amount.into(), records.currency(row).exponent()),
            currency: records.currency(row).code().to_owned().into(),
            fields: fields.collect(),
            first_run: self.first_run(carried, row),
        }
    }
}

/// Exceptions, then records of suggested matches.
fn open_rows(side: Side, outcome: &Outcome) -> impl Iterator<Item = Row> {
    let exceptions = outcome.exceptions.iter();
    let exceptions = exceptions.filter(move |e| e.side == side && e.kind != ExceptionKind::AlreadyMatched);
    let suggested = outcome.matches.iter().filter(|m| m.tier == Tier::Suggested);
    let rows = suggested.flat_map(move |m| if side == Side::Left { &m.left } else { &m.right });
    exceptions.map(|e| e.row).chain(rows.copied())
}

/// A match as matches.csv spreads it over lines.
#[derive(Default)]
struct WholeMatch {
    id: String,
    left: Vec<String>,
    right: Vec<String>,
}

impl WholeMatch {
    fn take_apart(self, chain: &mut Chain, run: u32) {
        let without = |id: &String| match id.strip_prefix('\'') {
            Some(rest) if safe(rest) != rest => rest.to_owned(),
            _ => id.clone(),
        };
        let as_written = MatchId::of_ids(texts(&self.left), texts(&self.right)).to_string() == self.id;
        for (side, ids) in [(Side::Left, &self.left), (Side::Right, &self.right)] {
            for id in ids {
                let id = if as_written { id.clone() } else { without(id) };
                chain.add_matched(MatchedBefore { side, id, match_id: self.id.clone(), run });
            }
        }
    }
}

fn texts(ids: &[String]) -> impl Iterator<Item = &str> {
    ids.iter().map(String::as_str)
}

#[derive(Default)]
struct Items {
    builder: Option<RecordsBuilder>,
    first_seen: Vec<u32>,
}

impl Items {
    /// All lines of a side have the same fields, those of their run.
    fn push(&mut self, line: &OpenLine<'_>) -> Result<(), String> {
        let limit = ReadLimits::default().records_max;
        if self.first_seen.len() >= limit as usize {
            return Err(format!("there are more than {limit} open items on one side"));
        }
        let names = || line.fields.keys().map(|name| name.to_string()).collect();
        let builder = self.builder.get_or_insert_with(|| RecordsBuilder::new(names()));
        if !builder.so_far().field_names().iter().map(String::as_str).eq(line.fields.keys().map(|k| &**k)) {
            return Err("it has other fields than the lines before".into());
        }
        let currency = Currency::parse(&line.currency).map_err(|error| error.to_string())?;
        let amount = parse_minor(&line.amount, currency.exponent(), DecimalMark::Point);
        let amount = amount.map_err(|error| error.to_string())?;
        let fields: Vec<&str> = line.fields.values().map(|text| &**text).collect();
        let date = line.date.map_or(NO_DATE, |date| date.to_epoch_days());
        let pushed = builder.push(&line.id, line.line, amount, currency, date, &fields);
        pushed.map_err(|error| error.to_string())?;
        self.first_seen.push(line.first_run);
        Ok(())
    }

    fn finish(self) -> OpenItems {
        let builder = self.builder.unwrap_or_else(|| RecordsBuilder::new(vec![]));
        OpenItems { records: builder.build(), first_seen: self.first_seen }
    }
}

/// A line of JSON for each item, in order.
fn write_lines<'t, T: Sync, L: Serialize>(
    staging: &mut Staging,
    name: &str,
    of: &'t [T],
    interrupt: &Interrupt,
    line: impl Fn(&'t T) -> L + Sync,
) -> Result<(), Failure> {
    let writing = format_args!("writing {name}");
    let render = |_, piece: &'t [T]| {
        let mut lines = vec![];
        for item in piece {
            serde_json::to_writer(&mut lines, &line(item))?;
            lines.push(b'\n');
        }
        Ok(lines)
    };
    let pieces = Pieces { of, len: CHUNK_LINES, at_once: WAVE_CHUNKS };
    let file = rendered::write(staging.create(name)?, pieces, writing, interrupt, render)?;
    staging.seal(file)
}

fn each_line(path: &Path, mut take: impl FnMut(&str) -> Result<(), String>) -> Result<(), Failure> {
    let file = File::open(path).map_err(|error| refused(path, error))?;
    let (mut file, mut line) = (BufReader::new(file), String::new());
    for number in 1.. {
        line.clear();
        let read = (&mut file).take(LINE_BYTES_MAX).read_line(&mut line);
        let of_line = |says: String| refused(path, format_args!("line {number}: {says}"));
        if read.map_err(|error| of_line(error.to_string()))? == 0 {
            break;
        }
        take(&line).map_err(of_line)?;
    }
    Ok(())
}

fn refused(path: &Path, says: impl std::fmt::Display) -> Failure {
    Failure::input([format!("{}: {says}", path.display())])
}

/// What the new file changed about open items: for the person at the terminal.
pub fn report_restated(side: Side, carried: &CarriedSide) {
    let records: &Records = &carried.records;
    for restated in carried.restated_first.iter().take(20) {
        let money = |amount: i64, currency: Currency| {
            format!("{} {currency}", format_minor(amount.into(), currency.exponent()))
        };
        eprintln!(
            "{} side, line {}: the open item {:?} of {} is restated as {}; the new line counts",
            side.as_str(),
            records.line(restated.row),
            records.id(restated.row),
            money(restated.amount_before, restated.currency_before),
            money(records.amount(restated.row), records.currency(restated.row)),
        );
    }
}
