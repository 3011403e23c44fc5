use super::super::metric::{MetricKind, Unit};
use super::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn names_follow_the_conventions() {
    let mut names = BTreeSet::new();
    for metric in all() {
        let name = metric.name;
        assert!(names.insert(name), "{name} is there twice");
        assert!(name.starts_with("counterfoil_"), "{name}");
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
        assert_eq!(name.ends_with("_total"), metric.kind == MetricKind::Counter, "{name}");
        let stem = name.trim_end_matches("_total");
        let suffix = match metric.unit {
            Unit::Seconds => "_seconds",
            Unit::Timestamp if stem.ends_with("_timestamp_seconds") => "_timestamp_seconds",
            Unit::Timestamp => "_start_time_seconds",
            Unit::Bytes => "_bytes",
            Unit::Ratio => "_ratio",
            Unit::Money => "_amount",
            Unit::Count | Unit::Flag => "",
        };
        assert!(stem.ends_with(suffix), "{name} is in {:?}", metric.unit);
        for taken in ["_bucket", "_sum", "_count"] {
            assert!(!name.ends_with(taken), "{name} looks like a part of a histogram");
        }
        assert!(
            !metric.meaning.ends_with('.') && !metric.meaning.contains('|'),
            "{name}: {}",
            metric.meaning
        );
        assert!(metric.labels.len() <= 3, "{name} has too many labels");
        assert!(metric.all_series().is_none_or(|series| series.len() <= 100), "{name} has too many series");
    }
}

#[test]
fn the_page_is_that_of_the_table() {
    let page = fs::read_to_string(root().join("docs/metrics.md")).unwrap_or_default();
    let same = page == super::super::reference();
    assert!(same, "docs/metrics.md is old: counterfoil metrics-reference > docs/metrics.md");
}

/// Both ways: nothing is counted that is not in the table, and nothing is in the table that nobody counts.
#[test]
fn the_table_is_that_of_the_code() {
    let mut used = BTreeMap::<String, BTreeSet<MetricKind>>::new();
    let mut files = vec![];
    for part in ["api", "backup", "objects-s3", "pages", "worker", "scheduler", "shared", "cli"] {
        rust_files(&root().join(part).join("src"), &mut files);
    }
    for file in files {
        let text = fs::read_to_string(&file).expect("a source file");
        for (name, kind) in recorded(&text) {
            let metric =
                find(&name).unwrap_or_else(|| panic!("{name} of {} is not in the table", file.display()));
            assert_eq!(metric.kind, kind, "{name} in {}", file.display());
            assert!(!metric.is_reserved(), "{name} is exported now: the table says it is reserved");
            used.entry(name).or_default().insert(kind);
        }
    }
    for metric in all().filter(|metric| !metric.is_reserved()) {
        let is_read = metric.name.starts_with("counterfoil_process_");
        assert!(is_read || used.contains_key(metric.name), "nobody counts {}", metric.name);
    }
}

/// Names in the macros that count.
fn recorded(text: &str) -> Vec<(String, MetricKind)> {
    let macros = [
        ("counter!(", MetricKind::Counter),
        ("gauge!(", MetricKind::Gauge),
        ("histogram!(", MetricKind::Histogram),
    ];
    let mut found = vec![];
    for (call, kind) in macros {
        for (at, _) in text.match_indices(call) {
            let rest = text[at + call.len()..].trim_start();
            if let Some(name) = rest.strip_prefix('"').and_then(|rest| rest.split('"').next())
                && name.starts_with("counterfoil_")
            {
                found.push((name.to_owned(), kind));
            }
        }
    }
    found
}

fn rust_files(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
