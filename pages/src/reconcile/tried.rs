//! Rule sets to choose between, each with what it found on the beginning of both files.

use super::before::Before;
use crate::answers::{Preset, Sample};
use crate::overview::{ExceptionCount, exception_counts};

/// A rule set to choose.
pub(crate) struct Option_ {
    /// `standard`, the name of a preset, or `own`.
    pub value: String,
    pub title: String,
    pub says: String,
    pub is_chosen: bool,
    pub tried: Option<SampleShown>,
    /// Why it does not fit.
    pub refused: Option<String>,
}

pub(crate) struct SampleShown {
    pub sample: Sample,
    /// Of the records of the sample, inside matches.
    pub share: f64,
    pub exceptions: Vec<ExceptionCount>,
}

fn option(value: &str, title: &str, says: &str) -> Option_ {
    Option_ {
        value: value.into(),
        title: title.into(),
        says: says.into(),
        is_chosen: false,
        tried: None,
        refused: None,
    }
}

pub(crate) fn sample_shown(sample: Sample) -> SampleShown {
    let records = sample.left_records + sample.right_records;
    let matched = sample.left_matched + sample.right_matched;
    SampleShown {
        share: if records > 0 { matched as f64 / records as f64 } else { 0.0 },
        exceptions: exception_counts(sample.exceptions_by_kind.iter()),
        sample,
    }
}

/// All that can be chosen, the simplest first.
pub(super) fn options(before: Option<&Before>, presets: Vec<Preset>) -> Vec<Option_> {
    let mut options = vec![];
    if let Some(run) = before {
        let says = format!("The rules of run {}, {}", run.position, run.name);
        options.push(option("before", "As the run before", &says));
    }
    options.push(option(
        "standard",
        "Made for these files",
        "Passes on the fields that both sides have: references, amounts, dates, texts",
    ));
    for preset in presets {
        options.push(option(
            &preset.name,
            &crate::words::words(&preset.name),
            &crate::words::words(&preset.title),
        ));
    }
    options.push(option(
        "own",
        "Rules of your own",
        "Written below as text, or put together from common passes",
    ));
    options
}

/// What is taken unless a person chooses: what a chain went by, as long as it can go on by it; else what matches most.
pub(super) fn best(options: &[Option_]) -> String {
    if options.iter().any(|option| option.value == "before" && option.tried.is_some()) {
        return "before".into();
    }
    let shares = options.iter().filter_map(|option| Some((option.tried.as_ref()?.share, &option.value)));
    // Of equals the first: it is the simplest.
    let best = shares.fold(None, |best: Option<(f64, &String)>, next| match best {
        Some(best) if best.0 + 1e-9 >= next.0 => Some(best),
        _ => Some(next),
    });
    best.map_or_else(|| "standard".into(), |(_, value)| value.clone())
}
