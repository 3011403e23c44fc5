//! The words of the API as people read them.

/// `missing_left` is `Missing left`.
pub(crate) fn words(name: &str) -> String {
    let mut chars = name.chars().map(|c| if c == '_' || c == '-' { ' ' } else { c });
    let first = chars.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

/// The state of a job.
pub(crate) fn state(state: &str) -> String {
    match state {
        "available" => "Waiting".into(),
        "dead" => "Failed".into(),
        other => words(other),
    }
}

/// The kind of an exception: what it says, and what to do about it.
pub(crate) fn exception(kind: &str) -> (&'static str, &'static str) {
    match kind {
        "missing_left" => (
            "Missing on the left",
            "Nothing on the left is a plausible counterpart: look for the missing record",
        ),
        "missing_right" => (
            "Missing on the right",
            "Nothing on the right is a plausible counterpart: look for the missing record",
        ),
        "amount_differs" => (
            "Amount differs",
            "The counterpart is there with another amount: correct it, or write off the difference",
        ),
        "date_differs" => (
            "Date differs",
            "The counterpart is there, outside the date window: widen the window, or accept it",
        ),
        "currency_differs" => {
            ("Currency differs", "The counterpart is there in another currency: correct it")
        }
        "duplicate" => {
            ("Duplicate", "Looks like another record of its own side that has the match: a double booking")
        }
        "ambiguous" => ("Ambiguous", "Several counterparts are equally good: choose one"),
        "released" => {
            ("Released", "Its match was rejected or taken apart: find another counterpart, or write it off")
        }
        "already_matched" => ("Already matched", "An earlier run of the chain has it in a confirmed match"),
        _ => ("Other", ""),
    }
}

/// What became of an item under review.
pub(crate) fn review_state(state: &str) -> String {
    match state {
        "as_found" => "Stands",
        "matched" => "Matched by hand",
        "unmatched" | "undone" => "Taken apart",
        "proposed" => "Waits for a second person",
        "effective" => "Done",
        other => return words(other),
    }
    .into()
}

/// A decision, as what was done.
pub(crate) fn decided(action: &str) -> &'static str {
    match action {
        "accept" => "accepted",
        "reject" => "rejected",
        "unmatch" => "taken apart",
        "match" => "matched by hand",
        "write_off" => "written off",
        "comment" => "commented on",
        "assign" => "assigned",
        "set_due" => "given a due date",
        "set_reason" => "given a reason",
        "undo" => "undone",
        _ => "decided",
    }
}

/// What decisions are about, many of them.
pub(crate) fn subjects(subject: &str) -> &'static str {
    match subject {
        "match" => "matches",
        "exception" => "exceptions",
        _ => "matches by hand",
    }
}

/// What happened to a job.
pub(crate) fn event(event: &str) -> String {
    match event {
        "accepted" => "Accepted",
        "leased" => "A worker took it",
        "phase" => "Phase",
        "cancel_requested" => "Asked to stop",
        "retried" => "Failed, will be tried again",
        "snoozed" => "Not now, later again (uncounted)",
        "handed_back" => "Its worker left (uncounted)",
        "lease_expired" => "Its worker went silent",
        "made_due" => "Made to run at once",
        "re_driven" => "Started over",
        other => return state(other),
    }
    .into()
}

/// A cron expression of five fields in plain words, where it is a plain one; `None` otherwise.
pub(crate) fn cron(expression: &str) -> Option<String> {
    let fields: Vec<&str> = expression.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = fields[..] else { return None };
    let number = |field: &str| field.parse::<u32>().ok();
    let times = match (number(minute), hour) {
        (Some(0), "*") => "every hour".to_owned(),
        (Some(m), "*") => format!("every hour at {m} minutes past"),
        (Some(m), hours) if hours.split(',').all(|hour| number(hour).is_some()) => {
            let at: Vec<String> =
                hours.split(',').filter_map(number).map(|h| format!("{h:02}:{m:02}")).collect();
            format!("at {}", at.join(", "))
        }
        (None, "*") if minute == "*" => "every minute".to_owned(),
        (None, "*") => format!("every {} minutes", number(minute.strip_prefix("*/")?)?),
        _ => return None,
    };
    let days = match (day, month, weekday) {
        ("*", "*", "*") => String::new(),
        ("*", "*", days) => format!(" on {}", weekdays(days)?),
        ("L", "*", "*") => " on the last day of the month".into(),
        (day, "*", "*") => format!(" on day {} of the month", number(day)?),
        _ => return None,
    };
    let is_daily = days.is_empty() && times.starts_with("at ");
    let sentence = format!("{times}{}{days}", if is_daily { " every day" } else { "" });
    Some(words(&sentence))
}

fn weekdays(field: &str) -> Option<String> {
    const NAMES: [&str; 8] =
        ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    let name = |day: &str| {
        let by_word = || NAMES.iter().find(|name| name[..3].eq_ignore_ascii_case(day)).copied();
        day.parse::<usize>().ok().and_then(|n| NAMES.get(n).copied()).or_else(by_word)
    };
    let parts = field.split(',').map(|part| match part.split_once('-') {
        Some((from, to)) => Some(format!("{} to {}", name(from)?, name(to)?)),
        None => name(part).map(str::to_owned),
    });
    let parts: Option<Vec<String>> = parts.collect();
    parts.map(|parts| parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_expressions_have_plain_words() {
        for (expression, says) in [
            ("30 2 * * *", "At 02:30 every day"),
            ("0 * * * *", "Every hour"),
            ("15 * * * *", "Every hour at 15 minutes past"),
            ("*/5 * * * *", "Every 5 minutes"),
            ("* * * * *", "Every minute"),
            ("0 8,17 * * 1-5", "At 08:00, 17:00 on Monday to Friday"),
            ("0 6 1 * *", "At 06:00 on day 1 of the month"),
            ("0 6 L * *", "At 06:00 on the last day of the month"),
            ("0 6 * * mon,THU", "At 06:00 on Monday, Thursday"),
        ] {
            assert_eq!(cron(expression).as_deref(), Some(says), "{expression}");
        }
        for odd in ["", "0 0 1-3 * *", "0 0 * 2 *", "*/5 3 * * *", "0 0 1 * 1", "0 0 * * 9", "1 2 3 4 5 6"] {
            assert_eq!(cron(odd), None, "{odd}");
        }
    }
}
