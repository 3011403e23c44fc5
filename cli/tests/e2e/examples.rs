//! Files that others wrote, with a column that says what should become of each row. They lie beside the checkout
//! and are read in place.

use crate::pair::Totals;
use crate::pair::minor;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One row by column name; JSON and CSV alike.
pub type Row = BTreeMap<String, String>;

pub struct Example {
    pub bytes: Vec<u8>,
    pub rows: Vec<Row>,
}

/// The folder, or `None` and a line that says so.
pub fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/lerian_examples");
    if !folder.is_dir() {
        println!(
            "../shared/data/lerian_examples is not beside this checkout: the test uses the repository's samples"
        );
        return None;
    }
    Some(folder)
}

impl Example {
    pub fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let rows = if path.extension().is_some_and(|extension| extension == "json") {
            let rows: Vec<BTreeMap<String, Value>> =
                serde_json::from_slice(&bytes).expect("an array of objects");
            let cell = |value: Value| value.as_str().expect("a text").to_owned();
            rows.into_iter()
                .map(|row| row.into_iter().map(|(name, value)| (name, cell(value))).collect())
                .collect()
        } else {
            csv::Reader::from_reader(bytes.as_slice())
                .into_deserialize()
                .collect::<Result<_, _>>()
                .expect("rows")
        };
        Self { bytes, rows }
    }

    /// The rows by a column in which every value occurs once; rows where it is empty are left out.
    pub fn by(&self, column: &str) -> BTreeMap<&str, &Row> {
        let mut rows = BTreeMap::new();
        for row in self.rows.iter().filter(|row| !row[column].is_empty()) {
            let before = rows.insert(row[column].as_str(), row);
            assert_eq!(before, None, "{column} is not unique");
        }
        rows
    }
}

/// Totals by currency, from two amount columns. A currency column that is not there stands for BRL.
pub fn totals(
    left: &Example,
    left_amount: &str,
    right: &Example,
    right_amount: &str,
) -> BTreeMap<String, Totals> {
    let currency = |row: &Row| row.get("currency").map_or("BRL", String::as_str).to_owned();
    let mut totals = BTreeMap::<String, Totals>::new();
    for row in &left.rows {
        let of = totals.entry(currency(row)).or_default();
        of.left_count += 1;
        of.left += minor(&row[left_amount], "");
    }
    for row in &right.rows {
        let of = totals.entry(currency(row)).or_default();
        of.right_count += 1;
        of.right += minor(&row[right_amount], "");
    }
    totals
}
