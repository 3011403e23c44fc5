//! The line of the file each record came from: nearly always the one below the record before.

use crate::text_column::SEGMENT_ROWS;

/// Line numbers in segments as long as those of the texts.
#[derive(Debug, Clone, Default)]
pub(crate) struct LineNumbers {
    closed: Vec<Lines>,
    open: Vec<u64>,
}

#[derive(Debug, Clone)]
enum Lines {
    /// Every record on the line below the one before.
    From(u64),
    Each(Vec<u64>),
}

impl LineNumbers {
    /// The caller calls [`Self::close`] after every [`SEGMENT_ROWS`].
    pub fn push(&mut self, line: u64) {
        self.open.push(line);
    }

    pub fn extend(&mut self, lines: &[u64]) {
        self.open.extend_from_slice(lines);
    }

    pub fn close(&mut self) {
        let first = self.open.first().copied().unwrap_or_default();
        let follow = self.open.iter().zip(first..).all(|(&line, expected)| line == expected);
        let open = &mut self.open;
        self.closed.push(if follow { Lines::From(first) } else { Lines::Each(open.clone()) });
        open.clear();
    }

    pub fn finish(&mut self) {
        if !self.open.is_empty() {
            self.close();
        }
        self.open = vec![];
    }

    /// Takes the last segment of finished ones up again, when it has room.
    pub fn reopen(&mut self, rows: usize) {
        let open = rows % SEGMENT_ROWS;
        if open == 0 {
            return;
        }
        match self.closed.pop() {
            Some(Lines::From(first)) => self.open = (first..).take(open).collect(),
            Some(Lines::Each(lines)) => self.open = lines,
            None => {}
        }
    }

    pub fn get(&self, row: u32) -> u64 {
        let (segment, row) = (row as usize / SEGMENT_ROWS, row as usize % SEGMENT_ROWS);
        match self.closed.get(segment) {
            Some(Lines::From(first)) => first + row as u64,
            Some(Lines::Each(lines)) => lines[row],
            None => self.open[row],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_follow_each_other_and_others() {
        let line = |row: u64| row + 2 + if row > 70_000 { row / 3 } else { 0 };
        let mut lines = LineNumbers::default();
        for row in 0..140_000u64 {
            lines.push(line(row));
            if (row + 1) % SEGMENT_ROWS as u64 == 0 {
                lines.close();
            }
        }
        lines.finish();
        assert!(matches!(&lines.closed[..], [Lines::From(2), Lines::Each(_), Lines::Each(_)]));
        assert!((0..140_000).all(|row| lines.get(row) == line(row.into())));
    }

    #[test]
    fn finished_lines_go_on() {
        for (rows, step) in [(10, 1), (10, 3), (SEGMENT_ROWS as u64, 3), (SEGMENT_ROWS as u64 + 10, 1)] {
            let mut lines = LineNumbers::default();
            for row in 0..rows + 5 {
                if row == rows {
                    lines.finish();
                    lines.reopen(rows as usize);
                }
                lines.push(row * step);
                if (row + 1) % SEGMENT_ROWS as u64 == 0 {
                    lines.close();
                }
            }
            lines.finish();
            assert!((0..rows + 5).all(|row| lines.get(row as u32) == row * step), "{rows}");
        }
    }
}
