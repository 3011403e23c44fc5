//! The first rows of a file with columns.

/// Rows to judge by; more tell little new.
pub(super) const ROWS_MAX: usize = 400;
/// Columns beyond are listed but not looked at.
pub(super) const COLUMNS_MAX: usize = 200;

#[derive(Debug, Default)]
pub(super) struct Sample {
    pub names: Vec<String>,
    /// Each as long as `names`, or shorter.
    pub rows: Vec<Vec<String>>,
}

impl Sample {
    /// The values of a column that are not blank, trimmed.
    pub fn filled(&self, column: usize) -> impl Iterator<Item = &str> {
        let take = if column < COLUMNS_MAX { ROWS_MAX } else { 0 };
        self.rows.iter().take(take).filter_map(move |row| {
            let cell = row.get(column)?.trim();
            (!cell.is_empty()).then_some(cell)
        })
    }
}
