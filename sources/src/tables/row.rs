//! One row, put together cell by cell.

use super::cell::Cell;

/// No spreadsheet has more columns.
pub(super) const COLUMNS_MAX: usize = 16_384;

pub(super) enum Row {
    Cells(Vec<Cell>),
    TooLong,
}

/// Collects cells until the row is complete.
pub(super) struct RowBuilder {
    cells: Vec<Cell>,
    bytes: usize,
    bytes_max: usize,
    filled: bool,
}

impl RowBuilder {
    pub fn new(bytes_max: usize) -> Self {
        RowBuilder { cells: vec![], bytes: 0, bytes_max, filled: false }
    }

    /// Cells may come in any order; what lies beyond the limits only makes the row too long.
    pub fn set(&mut self, column: usize, cell: Cell) {
        if cell.text.is_empty() {
            return;
        }
        self.filled |= !cell.text.trim().is_empty();
        self.bytes = self.bytes.saturating_add(cell.text.len());
        if column >= COLUMNS_MAX {
            self.bytes = usize::MAX;
        }
        if self.bytes > self.bytes_max {
            return;
        }
        if self.cells.len() <= column {
            self.cells.resize_with(column + 1, Cell::default);
        }
        self.cells[column] = cell;
    }

    /// The row, or `None` when it is blank; the next one begins.
    pub fn finish(&mut self) -> Option<Row> {
        let cells = std::mem::take(&mut self.cells);
        let (filled, too_long) = (self.filled, self.bytes > self.bytes_max);
        (self.bytes, self.filled) = (0, false);
        match (filled, too_long) {
            (_, true) => Some(Row::TooLong),
            (true, false) => Some(Row::Cells(cells)),
            (false, false) => None,
        }
    }
}
