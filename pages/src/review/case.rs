//! The case at hand: both sides beside each other, what speaks for it, and what may be done.

use super::answers::{Decision, ExceptionDetail, Item, Place, ReviewedMatch};
use super::history::{Past, past};
use crate::answers::{Candidate, Record};
use crate::reconciliations::compare::{Row, Weighted, weighted};
use crate::reconciliations::results::{InShort, rows};
use crate::shell::Shell;
use crate::words;

pub(crate) struct Case {
    /// `exception` or `match`.
    pub subject: &'static str,
    pub item: Item,
    pub title: String,
    pub says: String,
    pub advice: &'static str,
    /// `left` or `right`; empty for a match, which has both.
    pub side: String,
    pub currency: String,
    pub amount: String,
    pub difference: Option<String>,
    pub names: [&'static str; 2],
    /// Side by side, where there is one record on each side.
    pub rows: Vec<Row>,
    /// Otherwise the records of both.
    pub records: [Vec<Record>; 2],
    pub reasons: Vec<Weighted>,
    pub confidence: f64,
    pub has_reasons: bool,
    /// Of an exception, best first.
    pub candidates: Vec<CandidateLine>,
    /// The record by itself, where nothing comes near.
    pub alone: Option<Record>,
    /// What makes a match of the candidate that is shown.
    pub offer: Option<Offer>,
    /// Why there is none.
    pub no_offer: Option<String>,
    pub found_by: String,
    pub may_accept: bool,
    pub may_unmatch: bool,
    pub may_write_off: bool,
    pub hand_match: Option<i64>,
    pub released_from: Option<i64>,
    pub history: Vec<Past>,
}

pub(crate) struct CandidateLine {
    /// From 1.
    pub number: usize,
    pub what: String,
    pub amount: String,
    pub currency: String,
    pub confidence: f64,
    pub is_shown: bool,
    /// Its records are open.
    pub is_free: bool,
}

/// Numbers of exceptions that would be one match.
pub(crate) struct Offer {
    pub left: Vec<i64>,
    pub right: Vec<i64>,
    /// The sides differ.
    pub needs_reason: bool,
}

fn history(shell: &Shell, decisions: Vec<Decision>) -> Vec<Past> {
    decisions.into_iter().map(|decision| past(shell, decision)).collect()
}

pub(crate) fn case_of_match(shell: &Shell, found: ReviewedMatch, decisions: Vec<Decision>) -> Case {
    let (item, found) = (found.item, found.found);
    let is_found = item.state == "as_found";
    let waits = item.waiting.is_some();
    let is_suggested = is_found && found.tier == "suggested";
    let stands = (is_found && found.tier == "confirmed") || item.state == "accepted";
    let has_difference = !crate::answers::is_zero(&found.difference);
    let rows = rows(&found.left, &found.right, &found.currency, shell);
    let title = match (found.left.len(), found.right.len()) {
        (1, 1) => "One to one".to_owned(),
        (left, right) => format!("{left} to {right}"),
    };
    Case {
        subject: "match",
        title,
        says: String::new(),
        advice: "",
        side: String::new(),
        amount: found.left_amount,
        difference: has_difference.then_some(found.difference),
        names: ["Left", "Right"],
        records: if rows.is_empty() { [found.left, found.right] } else { [vec![], vec![]] },
        rows,
        has_reasons: !found.reasons.is_empty(),
        reasons: weighted(&found.reasons),
        confidence: found.confidence,
        candidates: vec![],
        alone: None,
        offer: None,
        no_offer: None,
        found_by: found.pass,
        currency: found.currency,
        may_accept: is_suggested && !waits && shell.may_operate(),
        may_unmatch: stands && !waits && shell.may_operate(),
        may_write_off: false,
        hand_match: None,
        released_from: None,
        history: history(shell, decisions),
        item,
    }
}

/// With the candidate that is asked for, from 1; the best one otherwise.
pub(crate) fn case_of_exception(
    shell: &Shell,
    detail: ExceptionDetail,
    asked: usize,
    decisions: Vec<Decision>,
) -> Case {
    let ExceptionDetail { item: reviewed, places } = detail;
    let (item, found) = (reviewed.item, reviewed.exception);
    let (title, advice) = words::exception(&found.kind);
    let is_open = item.state == "open" && item.waiting.is_none() && shell.may_operate();
    let shown = asked.clamp(1, found.candidates.len().max(1)) - 1;
    let own = std::slice::from_ref(&found.record);
    let candidates = found.candidates.iter().enumerate().map(|(at, candidate)| {
        let total = match candidate.records.as_slice() {
            [one] => one.amount.as_str(),
            _ => "",
        };
        let in_short = InShort::of(&candidate.records, total, shell);
        CandidateLine {
            number: at + 1,
            what: in_short.what,
            amount: in_short.amount,
            currency: candidate.currency.clone(),
            confidence: candidate.confidence,
            is_shown: at == shown,
            is_free: places_of(&places, at).all(is_free),
        }
    });
    let candidates: Vec<CandidateLine> = candidates.collect();
    let candidate = found.candidates.get(shown);
    let (mut offer, mut no_offer) = (None, None);
    if let (Some(candidate), true) = (candidate, is_open) {
        match make_offer(item.number, &found.side, own, candidate, &places, shown) {
            Ok(made) => offer = Some(made),
            Err(why) => no_offer = Some(why),
        }
    }
    let compared =
        candidate.map_or(vec![], |candidate| rows(own, &candidate.records, &found.currency, shell));
    let records = match candidate {
        Some(candidate) if compared.is_empty() => [own.to_vec(), candidate.records.clone()],
        _ => [vec![], vec![]],
    };
    Case {
        subject: "exception",
        title: title.to_owned(),
        says: found.says,
        advice,
        amount: found.amount,
        difference: None,
        names: ["This record", "Candidate"],
        rows: compared,
        records,
        reasons: candidate.map_or(vec![], |candidate| weighted(&candidate.reasons)),
        confidence: candidate.map_or(0.0, |candidate| candidate.confidence),
        has_reasons: candidate.is_some_and(|candidate| !candidate.reasons.is_empty()),
        alone: candidate.is_none().then(|| found.record.clone()),
        candidates,
        offer,
        no_offer,
        found_by: String::new(),
        currency: found.currency,
        side: found.side,
        may_accept: false,
        may_unmatch: false,
        may_write_off: is_open,
        hand_match: reviewed.hand_match,
        released_from: reviewed.released_from,
        history: history(shell, decisions),
        item,
    }
}

fn places_of(places: &[Place], candidate: usize) -> impl Iterator<Item = &Place> {
    places.iter().filter(move |place| place.candidate == candidate)
}

fn is_free(place: &Place) -> bool {
    place.number.is_some() && place.state.as_deref() == Some("open")
}

fn make_offer(
    number: i64,
    side: &str,
    own: &[Record],
    candidate: &Candidate,
    places: &[Place],
    at: usize,
) -> Result<Offer, String> {
    if !places_of(places, at).all(is_free) {
        return Err(match candidate.records.len() {
            1 => "This candidate is not open: it is in a match, or settled already".into(),
            _ => "Not all records of this candidate are open".into(),
        });
    }
    let theirs: Vec<i64> = places_of(places, at).filter_map(|place| place.number).collect();
    if theirs.is_empty() || candidate.side.as_deref() == Some(side) {
        return Err("This candidate is of the same side: a double booking, nothing to match with".into());
    }
    let size = |record: &Record| record.amount.trim_start_matches('-').to_owned();
    let needs_reason = match (own, candidate.records.as_slice()) {
        ([own], [theirs]) => size(own) != size(theirs),
        // Of groups the API knows.
        _ => false,
    };
    Ok(match side {
        "left" => Offer { left: vec![number], right: theirs, needs_reason },
        _ => Offer { left: theirs, right: vec![number], needs_reason },
    })
}
