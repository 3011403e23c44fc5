//! Charts as SVG, drawn on the server. Colours come from the style sheet by class, so that themes apply; every chart
//! has its figures in words, in its label and in titles.

pub(crate) mod trend;

use crate::format::shorten;
use crate::html::{Html, escape};
use std::fmt::Write;

/// A part of a whole.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub label: String,
    pub value: i64,
    /// Class of the style sheet: `good`, `warn`, `bad`, `info`, `quiet`.
    pub tone: &'static str,
    /// The figure as the visitor writes numbers.
    pub says: String,
}

/// One bar in parts, 1000 wide, as wide as there is room for.
pub(crate) fn stacked_bar(name: &str, parts: &[Part]) -> Html {
    let total: i64 = parts.iter().map(|part| part.value.max(0)).sum();
    let label = label_of(name, parts);
    let mut svg = open("chart bar", 1000, 20, &label, "none");
    let mut x = 0.0;
    for part in parts.iter().filter(|part| part.value > 0) {
        let width = 1000.0 * part.value as f64 / total as f64;
        let _ = write!(
            svg,
            "<rect class=\"{}\" x=\"{x:.2}\" y=\"0\" width=\"{:.2}\" height=\"20\"><title>{}: {}</title></rect>",
            part.tone,
            (width - 2.0).max(0.8),
            escape(&part.label),
            escape(&part.says)
        );
        x += width;
    }
    if total == 0 {
        svg.push_str("<rect class=\"quiet\" x=\"0\" y=\"0\" width=\"1000\" height=\"20\"/>");
    }
    svg.push_str("</svg>");
    Html(svg)
}

/// Small columns, oldest first: a history at a glance.
pub(crate) fn sparkline(name: &str, ticks: &[Part]) -> Html {
    const STEP: usize = 7;
    let width = (ticks.len() * STEP).max(STEP);
    let mut svg = open("chart spark", width, 20, &format!("{name}: {} in all", ticks.len()), "xMinYMid meet");
    for (i, tick) in ticks.iter().enumerate() {
        // Height says as much as colour: what went wrong is short.
        let height = match tick.tone {
            "good" | "info" => 18,
            "warn" => 11,
            "bad" => 7,
            _ => 4,
        };
        let _ = write!(
            svg,
            "<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"5\" height=\"{height}\" rx=\"1\"><title>{}: {}</title></rect>",
            tick.tone,
            i * STEP,
            19 - height,
            escape(&tick.label),
            escape(&tick.says)
        );
    }
    svg.push_str("</svg>");
    Html(svg)
}

/// What became of the records of both files: two columns of records, and between them what was matched.
pub(crate) struct Flow {
    pub left: Side,
    pub right: Side,
    /// Words beside the band of matches.
    pub middle: String,
}

/// The records of one file.
pub(crate) struct Side {
    pub name: String,
    pub matched: Part,
    pub unmatched: Part,
    pub rejected: Part,
}

impl Side {
    fn parts(&self) -> [&Part; 3] {
        [&self.matched, &self.unmatched, &self.rejected]
    }

    fn total(&self) -> i64 {
        self.parts().iter().map(|part| part.value.max(0)).sum()
    }
}

pub(crate) fn flow(flow: &Flow) -> Html {
    const HEIGHT: f64 = 150.0;
    const TOP: f64 = 26.0;
    let most = flow.left.total().max(flow.right.total()).max(1) as f64;
    let label = format!(
        "{}; {}. {}",
        label_of(&flow.left.name, &flow.left.parts().map(Clone::clone)),
        label_of(&flow.right.name, &flow.right.parts().map(Clone::clone)),
        flow.middle
    );
    let mut svg = open("chart flow", 720, 206, &label, "xMidYMid meet");
    // A thing that exists is seen, however small.
    let height = |value: i64| if value <= 0 { 0.0 } else { (HEIGHT * value as f64 / most).max(2.0) };
    let (l, r) = (height(flow.left.matched.value), height(flow.right.matched.value));
    if l > 0.0 || r > 0.0 {
        let (l, r) = (l.max(1.0), r.max(1.0));
        let _ = write!(
            svg,
            "<path class=\"band\" d=\"M194 {TOP} C 360 {TOP}, 360 {TOP}, 526 {TOP} V {:.1} C 360 {:.1}, 360 {:.1}, 194 {:.1} Z\"/>",
            TOP + r,
            TOP + r,
            TOP + l,
            TOP + l
        );
        let middle = TOP + (l + r) / 4.0;
        let _ = write!(
            svg,
            "<text class=\"halo\" x=\"360\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            middle.max(TOP + 12.0) + 4.0,
            escape(&flow.middle)
        );
    }
    for (side, x, text_x, anchor) in [(&flow.left, 180.0, 172.0, "end"), (&flow.right, 526.0, 548.0, "start")]
    {
        let _ = write!(
            svg,
            "<text class=\"strong\" x=\"{}\" y=\"14\" text-anchor=\"{}\">{}</text>",
            if anchor == "end" { 194.0 } else { 526.0 },
            anchor,
            escape(&shorten(&side.name, 34_usize))
        );
        let (mut y, mut text_y) = (TOP, f64::MIN);
        for part in side.parts() {
            let h = height(part.value);
            if h == 0.0 {
                continue;
            }
            let _ = write!(
                svg,
                "<rect class=\"{}\" x=\"{x}\" y=\"{y:.1}\" width=\"14\" height=\"{h:.1}\"/>",
                part.tone
            );
            // Words keep their distance, however thin the bars are.
            text_y = (y + h / 2.0 + 4.0).max(text_y + 17.0);
            let _ = write!(
                svg,
                "<text x=\"{text_x}\" y=\"{text_y:.1}\" text-anchor=\"{anchor}\">{} {}</text>",
                escape(&part.says),
                escape(&part.label)
            );
            y += h + 2.0;
        }
    }
    svg.push_str("</svg>");
    Html(svg)
}

/// `name: 3 matched, 1 open`.
fn label_of(name: &str, parts: &[Part]) -> String {
    let said = parts.iter().filter(|part| part.value > 0).map(|part| format!("{} {}", part.says, part.label));
    let said: Vec<String> = said.collect();
    format!("{name}: {}", if said.is_empty() { "nothing".to_owned() } else { said.join(", ") })
}

fn open(class: &str, width: usize, height: usize, label: &str, fit: &str) -> String {
    format!(
        "<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" preserveAspectRatio=\"{fit}\" role=\"img\" aria-label=\"{}\">",
        escape(label)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(label: &str, value: i64, tone: &'static str) -> Part {
        Part { label: label.into(), value, tone, says: value.to_string() }
    }

    #[test]
    fn bars_are_as_wide_as_their_share_and_say_what_they_show() {
        let bar = stacked_bar(
            "Jobs",
            &[part("done", 3, "good"), part("<dead>", 1, "bad"), part("none", 0, "warn")],
        )
        .0;
        assert!(bar.contains("x=\"0.00\" y=\"0\" width=\"748.00\"") && bar.contains("x=\"750.00\""), "{bar}");
        assert!(bar.contains("aria-label=\"Jobs: 3 done, 1 &lt;dead&gt;\""), "{bar}");
        assert!(stacked_bar("Jobs", &[]).0.contains("nothing"));
    }

    #[test]
    fn a_flow_survives_any_figures() {
        for (matched, open, rejected) in [(0, 0, 0), (1, 0, 0), (0, 5, 0), (i64::MAX / 4, 1, 1)] {
            let side = |name: &str| Side {
                name: name.into(),
                matched: part("matched", matched, "good"),
                unmatched: part("open", open, "warn"),
                rejected: part("rejected", rejected, "bad"),
            };
            let drawn = flow(&Flow { left: side("a"), right: side("b"), middle: "matches".into() }).0;
            assert!(drawn.ends_with("</svg>") && !drawn.contains("NaN") && !drawn.contains("inf"), "{drawn}");
        }
    }
}
