//! A figure over time, as columns.

use super::open;
use crate::html::{Html, escape};
use std::fmt::Write;

/// One moment.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    /// When, in words.
    pub label: String,
    pub value: i64,
    /// As [`super::Part::tone`].
    pub tone: &'static str,
    /// The figure in words.
    pub says: String,
}

/// Few columns stand at the right, where the newest belongs, instead of becoming walls.
const PLACES_MIN: usize = 30;

/// Oldest first, 1000 wide and 100 high, as wide as there is room for. Heights begin at zero, so that they compare.
pub(crate) fn columns(name: &str, columns: &[Column]) -> Html {
    const HEIGHT: f64 = 100.0;
    let most = columns.iter().map(|column| column.value).max().unwrap_or(0).max(1) as f64;
    let places = columns.len().max(PLACES_MIN);
    let (step, empty) = (1000.0 / places as f64, places - columns.len());
    let largest = columns.iter().max_by_key(|column| column.value).map_or("", |column| &column.says);
    let mut svg = open("chart trend", 1000, 100, &format!("{name}, the largest {largest}"), "none");
    for (i, column) in columns.iter().enumerate() {
        // What is there is seen, however small.
        let height = (HEIGHT * column.value.max(0) as f64 / most).max(3.0);
        let _ = write!(
            svg,
            "<rect class=\"{}\" x=\"{:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"{height:.2}\"><title>{}: {}</title></rect>",
            column.tone,
            (empty + i) as f64 * step,
            HEIGHT - height,
            (step * 0.8).max(0.5),
            escape(&column.label),
            escape(&column.says)
        );
    }
    svg.push_str("</svg>");
    Html(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_begin_at_zero_and_say_what_they_show() {
        let column =
            |value| Column { label: "<day>".into(), value, tone: "info", says: format!("{value} B") };
        let drawn = columns("Sizes", &[column(50), column(0), column(200)]).0;
        assert!(drawn.contains("x=\"900.00\" y=\"75.00\" width=\"26.67\" height=\"25.00\""), "{drawn}");
        assert!(drawn.contains("y=\"97.00\"") && drawn.contains("height=\"100.00\""), "{drawn}");
        assert!(
            drawn.contains("aria-label=\"Sizes, the largest 200 B\"") && drawn.contains("&lt;day&gt;: 0 B")
        );
        for values in [&[] as &[i64], &[0], &[i64::MAX, -5]] {
            let drawn = columns("Sizes", &values.iter().map(|value| column(*value)).collect::<Vec<_>>()).0;
            assert!(
                !drawn.contains("NaN") && !drawn.contains("\"inf\"") && !drawn.contains("height=\"-"),
                "{drawn}"
            );
        }
    }
}
