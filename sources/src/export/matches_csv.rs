//! matches.csv, where there are millions of lines.

use super::columns::MATCH_COLUMNS;
use super::csv_text::CsvText;
use super::{Header, MatchRow, safe, tier_name};
use std::fmt::Write as _;
use std::io::{self, Write};

/// matches.csv. A match of m left and n right records takes max(m, n) lines with each record on exactly one of
/// them, and its difference and reasons on the first: sums over a column are right whatever the groups.
pub struct MatchesCsv<W: Write> {
    out: W,
    /// Whole lines that are not written yet.
    lines: CsvText,
    reasons: String,
    id: String,
}

const FLUSH_BYTES: usize = 64 << 10;

impl<W: Write> MatchesCsv<W> {
    pub fn new(out: W, header: Header) -> io::Result<Self> {
        let mut lines = CsvText::default();
        if header == Header::Written {
            MATCH_COLUMNS.iter().for_each(|column| lines.text(column));
            lines.end_line();
        }
        Ok(MatchesCsv { out, lines, reasons: String::new(), id: String::new() })
    }

    pub fn write(&mut self, row: &MatchRow<'_>) -> io::Result<()> {
        let exponent = row.currency.exponent();
        self.reasons.clear();
        for (i, reason) in row.reasons.iter().enumerate() {
            self.reasons.push_str(if i > 0 { "; " } else { "" });
            self.reasons.push_str(&reason.says);
        }
        self.id.clear();
        let _ = write!(self.id, "{}", row.id());
        let lines = &mut self.lines;
        for i in 0..row.left.len().max(row.right.len()) {
            lines.number(row.number);
            lines.text(&safe(row.pass));
            lines.text(tier_name(row.tier));
            lines.decimal(row.confidence.millionths().into(), 6, true);
            lines.text(row.currency.code());
            for side in [&row.left, &row.right] {
                match side.get(i) {
                    None => (0..4).for_each(|_| lines.text("")),
                    Some(cells) => {
                        lines.text(&safe(cells.id));
                        lines.number(cells.line);
                        lines.date(cells.date);
                        let own = cells.foreign.map_or(exponent, |foreign| foreign.currency.exponent());
                        lines.decimal(cells.amount.into(), own, false);
                    }
                }
            }
            if i == 0 {
                lines.decimal(row.difference.into(), exponent, false);
                lines.text(&safe(&self.reasons));
            } else {
                lines.text("");
                lines.text("");
            }
            for side in [&row.left, &row.right] {
                match side.get(i).and_then(|cells| cells.foreign) {
                    Some(foreign) => {
                        lines.text(foreign.currency.code());
                        lines.decimal(foreign.converted.into(), exponent, false);
                    }
                    None => (0..2).for_each(|_| lines.text("")),
                }
            }
            lines.text(&self.id);
            lines.end_line();
        }
        if self.lines.bytes.len() >= FLUSH_BYTES {
            self.out.write_all(&self.lines.bytes)?;
            self.lines.bytes.clear();
        }
        Ok(())
    }

    /// Writes what is left and gives the writer back. Without this call the last lines are missing.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&self.lines.bytes)?;
        self.out.flush()?;
        Ok(self.out)
    }
}
