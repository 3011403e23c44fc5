//! Properties that hold for every file, however broken.

use crate::common::{cases, mapping, read};
use proptest::prelude::*;
use sources::{Format, Mapping, ReadError, ReadLimits, ReadProgress, peek_columns, read_records};
use std::io::Read;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

fn any_mapping(format: Format) -> Mapping {
    let mut mapping = mapping(
        r#"
        format = "csv"
        id = "i"
        date = { column = "d" }
        amount = { column = "a" }
        currency = { column = "c" }
        fields = { text = "t" }
        "#,
    );
    mapping.format = format;
    mapping
}

/// Pieces that files are made of, so that random files come close to real ones.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => prop::sample::select(vec![
            "a,2026-01-31,1.5,EUR,x", "b,2026-01-31,2,JPY,\"y\"", "\n", "\r\n", "\"", "\"\"", ",", "{", "}", "[", "]",
            "{\"i\":\"a\",\"d\":\"2026-01-31\",\"a\":1,\"c\":\"EUR\",\"t\":null}", "\\", ":", "null", " ", "1e9", "é",
        ]).prop_map(|text: &str| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..6),
    ]
}

fn file() -> impl Strategy<Value = Vec<u8>> {
    let heads =
        prop::sample::select(vec!["i,d,a,c,t\n", "[", "{\"i\":1,\"d\":2,\"a\":3,\"c\":4,\"t\":5}\n", ""]);
    (heads, prop::collection::vec(piece(), 0..60))
        .prop_map(|(head, pieces)| [head.as_bytes().to_vec(), pieces.concat()].concat())
}

/// Gives at most `step` bytes at once, as a network does.
struct Trickle<'a> {
    bytes: &'a [u8],
    step: usize,
}

impl Read for Trickle<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let step = self.step.min(into.len());
        self.bytes.take(step as u64).read(into).inspect(|n| self.bytes = &self.bytes[*n..])
    }
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn reading_ends_without_panic_and_every_line_is_accounted_for(bytes in file(), line_bytes_max in 1usize..200) {
        let limits = ReadLimits { line_bytes_max, ..ReadLimits::default() };
        for format in [Format::Csv, Format::Json] {
            if let Ok(outcome) = read(&any_mapping(format), &bytes, &limits) {
                prop_assert_eq!(outcome.records.len() + outcome.rejected.len(), outcome.lines_read as usize);
                prop_assert_eq!(outcome.bytes_read, bytes.len() as u64);
                let numbers: Vec<_> = outcome.rejected.iter().map(|line| line.line).collect();
                prop_assert!(numbers.is_sorted());
                let mut all: Vec<_> = outcome.records.rows().map(|row| outcome.records.line(row)).collect();
                all.extend(numbers);
                all.sort_unstable();
                prop_assert!(all.windows(2).all(|pair| pair[0] < pair[1]), "a line was read twice: {:?}", all);
            }
        }
        let _ = peek_columns(bytes.as_slice());
    }

    #[test]
    fn the_pieces_in_which_bytes_arrive_make_no_difference(bytes in file(), step in 1usize..9) {
        for format in [Format::Csv, Format::Json] {
            let limits = ReadLimits { line_bytes_max: 100, ..ReadLimits::default() };
            let mut watch = |_: ReadProgress| ControlFlow::Continue(());
            let whole = read_records(bytes.as_slice(), &any_mapping(format), &limits, &mut watch);
            let trickle = Trickle { bytes: &bytes, step };
            let pieces = read_records(trickle, &any_mapping(format), &limits, &mut watch);
            let shown = |read: Result<sources::ReadOutcome, ReadError>| format!("{read:?}");
            prop_assert_eq!(shown(whole), shown(pieces));
        }
    }
}

#[test]
fn lines_without_quotes_are_never_merged_or_lost() {
    proptest!(|(lines in prop::collection::vec("[^\"\r\n]{0,40}", 1..40))| {
        let file = format!("i,d,a,c,t\n{}\nlast,2026-01-31,1,EUR,x\n", lines.join("\n"));
        let data = 1 + lines.iter().filter(|line| !line.trim_matches(' ').is_empty()).count();
        let outcome = read(&any_mapping(Format::Csv), file.as_bytes(), &ReadLimits::default()).expect("one record");
        prop_assert_eq!(outcome.lines_read as usize, data);
    });
}

#[test]
fn the_watch_is_called_often_and_can_stop() {
    let line = |i: usize| format!("{i},2026-01-31,1,EUR,x\n");
    let file = format!("i,d,a,c,t\n{}", (0..200_000).map(line).collect::<String>());
    let mut seen = vec![];
    let outcome =
        read_records(file.as_bytes(), &any_mapping(Format::Csv), &ReadLimits::default(), &mut |progress| {
            seen.push(progress.lines);
            ControlFlow::Continue(())
        });
    assert_eq!(outcome.expect("readable").records.len(), 200_000);
    assert!(seen.len() >= 10 && seen.is_sorted() && seen.last() == Some(&200_000), "{seen:?}");

    for file in [file, "\n".repeat(3 << 20), "x".repeat(3 << 20), format!("[{}", " ".repeat(3 << 20))] {
        for format in [Format::Csv, Format::Json] {
            let mut calls = 0;
            let read =
                read_records(file.as_bytes(), &any_mapping(format), &ReadLimits::default(), &mut |_| {
                    calls += 1;
                    ControlFlow::Break(())
                });
            let not_read_at_all = matches!(read, Err(ReadError::NotThisFormat { .. }));
            assert!(not_read_at_all || (matches!(read, Err(ReadError::Cancelled)) && calls == 1), "{read:?}");
        }
    }
}

/// A tenth of a second is the aim; the bound leaves room for a machine that is busy with other tests.
#[test]
fn whoever_watches_never_waits_long() {
    let good = "1,2026-01-31,1,EUR,x\n".repeat(1 << 20);
    let quoted = format!("1,2026-01-31,1,EUR,\"{}\n", "x\n".repeat(400)).repeat(10_000);
    let endless = format!("1,2026-01-31,1,EUR,\"{}", "x".repeat(16 << 20));
    for body in [good, quoted, endless] {
        let file = format!("i,d,a,c,t\n{body}");
        let mut mapping = any_mapping(Format::Csv);
        mapping.id = None;
        let limits = ReadLimits { rejected_max: 1_000, ..ReadLimits::default() };
        let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
        let _ = read_records(file.as_bytes(), &mapping, &limits, &mut |_| {
            longest = longest.max(last.elapsed());
            last = Instant::now();
            ControlFlow::Continue(())
        });
        longest = longest.max(last.elapsed());
        assert!(longest < Duration::from_secs(2), "{longest:?} without being asked");
    }
}
