//! Which row holds the names of the columns.

use super::profile::looks_like_value;
use matching::Confidence;
use std::collections::{BTreeMap, BTreeSet};

pub(super) struct HeaderRow {
    /// Index among the rows that are not blank.
    pub row: usize,
    pub confidence: Confidence,
}

/// The number of cells that most rows have, and their share. Of equals the larger number.
pub(super) fn usual_cells(rows: &[Vec<String>]) -> (usize, f64) {
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for row in rows {
        *counts.entry(row.len()).or_default() += 1;
    }
    let usual = counts.iter().max_by_key(|(cells, count)| (**count, **cells));
    usual.map_or((0, 0.0), |(cells, count)| (*cells, *count as f64 / rows.len() as f64))
}

/// The row that looks most like names, among the first ones that have as many cells as most. Without one it is
/// the first of those, with little confidence.
pub(super) fn find(rows: &[Vec<String>]) -> HeaderRow {
    let (cells, _) = usual_cells(rows);
    let candidates = rows.iter().enumerate().filter(|(_, row)| row.len() == cells).take(5);
    let mut first = None;
    for (at, row) in candidates {
        first.get_or_insert(at);
        let filled: Vec<_> = row.iter().map(|cell| cell.trim()).filter(|cell| !cell.is_empty()).collect();
        let distinct = filled.iter().collect::<BTreeSet<_>>().len() == filled.len();
        let all_names = filled.iter().all(|cell| !looks_like_value(cell) && cell.len() <= 80);
        if distinct && all_names && filled.len() * 2 > row.len() {
            let share = if filled.len() == row.len() { 0.95 } else { 0.8 };
            return HeaderRow { row: at, confidence: Confidence::from_f64(share) };
        }
    }
    HeaderRow { row: first.unwrap_or(0), confidence: Confidence::from_f64(0.2) }
}
