//! What was just decided, as the next page says it: words that go through its address.

use super::answers::Decided;
use crate::form::Fields;
use crate::html::escape_query;
use crate::shell::Shell;
use crate::words;

/// The decision before, to be taken back if it was a slip.
pub(crate) struct Done {
    pub says: String,
    pub decision: String,
    pub is_proposed: bool,
    pub may_undo: bool,
    /// Number of the item; empty where there were many.
    pub about: String,
}

/// The words that [`super::decide`] puts into the address.
pub(super) fn done(shell: &Shell, asked: &Fields, is_refused: bool) -> Option<Done> {
    let decision = asked.given("decision").filter(|_| !is_refused)?.to_owned();
    let action = asked.get("did");
    let is_proposed = asked.get("status") == "proposed";
    // Words of ours only: an address must not put others into our mouth.
    let subject = match asked.get("subject") {
        "match" => "Match",
        "exception" => "Exception",
        "hand_match" => "Match by hand",
        "matches" => "matches",
        "exceptions" => "exceptions",
        _ => "item",
    };
    let number = |name: &str| asked.get(name).parse::<i64>().ok();
    let (what, is_many) = match (number("about"), number("items")) {
        (Some(about), _) => (format!("{subject} {}", shell.number(about)), false),
        (None, Some(items)) => (format!("{} {subject}", shell.number(items)), items != 1),
        _ => ("It".to_owned(), false),
    };
    let says = match (is_proposed, is_many) {
        (true, false) => format!("{what} waits for a second person: it is above the limit"),
        (true, true) => format!("{what} wait for a second person: there are some above the limit"),
        (false, false) => format!("{what} was {}", words::decided(action)),
        (false, true) => format!("{what} were {}", words::decided(action)),
    };
    let about = number("about").map(|number| number.to_string()).unwrap_or_default();
    let may_undo = !is_proposed && !matches!(action, "undo" | "comment");
    Some(Done { says, decision, is_proposed, may_undo, about })
}

/// What [`done`] reads.
pub(super) fn done_query(decided: &Decided, action: &str, subject: &str, about: &str) -> String {
    format!(
        "&decision={}&did={}&status={}&subject={}&about={}",
        escape_query(&decided.id),
        escape_query(action),
        escape_query(&decided.status),
        escape_query(subject),
        escape_query(about)
    )
}
