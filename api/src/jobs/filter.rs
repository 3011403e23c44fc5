//! Readers of the words by which jobs are chosen, in queries and bodies.

use chrono::{DateTime, SecondsFormat, Utc};
use shared::job::JobKind;
use shared::queue::QueueName;
use std::fmt::Write;

pub(super) fn kind(text: &str) -> Result<JobKind, String> {
    JobKind::parse(text).ok_or_else(|| "must be a job kind: a-z, 0-9 and _, at most 60".to_owned())
}

pub(super) fn queue(text: &str) -> Result<QueueName, String> {
    QueueName::parse(text).map_err(|_| "must be a queue name: a-z, 0-9, _, . and -, at most 60".to_owned())
}

pub(crate) fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    let moment = DateTime::parse_from_rfc3339(text).map(|moment| moment.to_utc());
    // Ids hold the time, from 1970 on.
    moment
        .ok()
        .filter(|moment| (0..=253_402_300_799).contains(&moment.timestamp()))
        .ok_or_else(|| "must be a time (RFC 3339), 1970 to 9999".to_owned())
}

pub(super) fn moment_text(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

pub(super) fn fingerprint(text: &str) -> Result<String, String> {
    let is_one = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if is_one { Ok(text.to_owned()) } else { Err("must be 16 hexadecimal digits".to_owned()) }
}

/// As it stands in a query string.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(byte as char),
            _ => {
                let _ = write!(escaped, "%{byte:02X}");
            }
        }
    }
    escaped
}
