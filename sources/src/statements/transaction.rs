//! One booking of a statement, as texts.

use super::columns::{COLUMNS, Column};

#[derive(Debug, Clone, Default)]
pub(crate) struct Transaction {
    cells: [String; COLUMNS.len()],
}

impl Transaction {
    pub fn get(&self, column: Column) -> &str {
        self.cell(column as usize)
    }

    /// By its place in [`COLUMNS`].
    pub fn cell(&self, column: usize) -> &str {
        &self.cells[column]
    }

    pub fn set(&mut self, column: Column, text: impl Into<String>) {
        self.cells[column as usize] = text.into();
    }

    /// Where nothing was set before.
    pub fn fill(&mut self, column: Column, text: &str) {
        let cell = &mut self.cells[column as usize];
        if cell.is_empty() {
            text.trim().clone_into(cell);
        }
    }

    /// Behind what is there already, after a space.
    pub fn add(&mut self, column: Column, text: &str) {
        let (cell, text) = (&mut self.cells[column as usize], text.trim());
        if !cell.is_empty() && !text.is_empty() {
            cell.push(' ');
        }
        cell.push_str(text);
    }

    pub fn size_bytes(&self) -> usize {
        self.cells.iter().map(String::len).sum()
    }
}
