//! Lists that other people labelled, matched without any rule or label. They are not part of this repository;
//! where they are absent the tests say so and check nothing. The figures are in bench/README.md; here are only
//! floors that a mistake would fall through.

use matching::{Currency, Outcome, Records, RecordsBuilder, RuleSet, Watch, reconcile};
use std::collections::HashMap;
use std::path::PathBuf;

fn folder(name: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(name);
    if !folder.is_dir() {
        eprintln!("SKIPPED: {} is not there", folder.display());
        return None;
    }
    Some(folder)
}

/// Every column but `id` is a text field.
fn list(path: PathBuf, delimiter: u8, id: &str) -> Records {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_path(path)
        .unwrap();
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let id = header.iter().position(|name| name == id).unwrap();
    let fields: Vec<usize> = (0..header.len()).filter(|&column| column != id).collect();
    let mut builder = RecordsBuilder::new(fields.iter().map(|&column| header[column].clone()).collect());
    let no_currency = Currency::parse("XXX").unwrap();
    for (line, row) in reader.byte_records().enumerate() {
        let row = row.unwrap();
        let cell = |column: usize| String::from_utf8_lossy(row.get(column).unwrap_or_default()).into_owned();
        let texts: Vec<String> = fields.iter().map(|&column| cell(column)).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        builder.push(&cell(id), line as u64, 0, no_currency, 0, &texts).unwrap();
    }
    builder.build()
}

fn truth(path: PathBuf, delimiter: char) -> HashMap<String, String> {
    let text = std::fs::read_to_string(path).unwrap();
    let pair =
        |line: &str| line.split_once(delimiter).map(|(l, r)| (l.trim().to_owned(), r.trim().to_owned()));
    text.lines().skip(1).filter_map(pair).collect()
}

/// Precision, recall, and how far confidences are from the truth (ten bins, weighted).
fn quality(left: &Records, right: &Records, truth: &HashMap<String, String>) -> (f64, f64, f64) {
    let rules = RuleSet::standard_for_texts();
    let outcome: Outcome = reconcile(left, right, &rules, Watch::none()).unwrap();
    let (mut right_ones, mut bins) = (0.0, [(0.0, 0.0); 10]);
    for m in &outcome.matches {
        let is_right = truth.get(left.id(m.left[0])).is_some_and(|id| id == right.id(m.right[0]));
        let confidence = m.confidence.as_f64();
        let bin = &mut bins[((confidence * 10.0) as usize).min(9)];
        bin.0 += confidence;
        if is_right {
            right_ones += 1.0;
            bin.1 += 1.0;
        }
    }
    let made = outcome.matches.len() as f64;
    let apart: f64 = bins.iter().map(|(said, was)| (said - was).abs()).sum::<f64>() / made;
    (right_ones / made, right_ones / truth.len() as f64, apart)
}

fn check(
    left: &Records,
    right: &Records,
    truth: &HashMap<String, String>,
    floors: (f64, f64),
    apart_max: f64,
) {
    let (precision, recall, apart) = quality(left, right, truth);
    let said = format!("precision {precision:.4}, recall {recall:.4}, confidence off by {apart:.4}");
    eprintln!("{said}");
    assert!(precision >= floors.0 && recall >= floors.1 && apart <= apart_max, "{said}");
}

#[test]
fn persons_with_misspelt_names_are_found() {
    let Some(data) = folder("febrl") else { return };
    let (left, right) =
        (list(data.join("dataset4a.csv"), b',', "rec_id"), list(data.join("dataset4b.csv"), b',', "rec_id"));
    let truth = left.rows().map(|row| left.id(row)).map(|id| (id.to_owned(), id.replace("-org", "-dup-0")));
    check(&left, &right, &truth.collect(), (0.995, 0.995), 0.01);
}

#[test]
fn papers_of_two_libraries_are_found() {
    let Some(data) = folder("er/D4") else { return };
    let (left, right) = (list(data.join("dblp.csv"), b'%', "id"), list(data.join("acm.csv"), b'%', "id"));
    check(&left, &right, &truth(data.join("gt.csv"), '%'), (0.97, 0.98), 0.02);
}

#[test]
fn products_of_two_shops_are_found() {
    let Some(data) = folder("er/D2") else { return };
    let (left, right) = (list(data.join("abt.csv"), b'|', "id"), list(data.join("buy.csv"), b'|', "id"));
    check(&left, &right, &truth(data.join("gt.csv"), '|'), (0.95, 0.82), 0.05);
}
