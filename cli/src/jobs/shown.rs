//! Jobs as text.

use crate::administration::print_table;
use chrono::{DateTime, SecondsFormat, Utc};
use shared::explain::{Reason, Seen};
use shared::queue::DeadLetter;
use shared::store::jobs::{DeadGroup, History, JobLine, JobView};

fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The first line, cut, without what could move the cursor.
fn short(text: &str) -> String {
    let line = text.lines().next().unwrap_or("");
    let plain: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).take(100).collect();
    if plain.len() < text.len() { plain + " …" } else { plain }
}

pub fn lines(jobs: &[JobLine]) {
    let rows: Vec<_> = jobs
        .iter()
        .map(|job| {
            vec![
                job.id.to_string(),
                job.kind.clone(),
                match job.percent {
                    Some(percent) => format!("{} {percent:.0} %", job.state),
                    None => job.state.to_string(),
                },
                format!("{}/{}", job.attempt, job.attempts_max),
                moment(job.created_at),
                short(job.error.as_deref().unwrap_or("")),
            ]
        })
        .collect();
    print_table(&["job", "kind", "state", "attempt", "accepted", "error"], &rows);
}

pub fn job(job: &JobView, history: &[History]) {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".into());
    let mut facts = vec![
        ("job", job.id.to_string()),
        ("kind", job.kind.clone()),
        ("state", job.state.to_string()),
        ("project", or_none(job.project_id.map(|id| id.to_string()))),
        ("batch", or_none(job.batch_id.map(|id| id.to_string()))),
        ("priority", job.priority.to_string()),
        ("attempt", format!("{} of {}", job.attempt, job.attempts_max)),
        ("due", moment(job.due_at)),
        ("request", or_none(job.request_id.clone())),
    ];
    if let (Some(worker), Some(until)) = (&job.worker, job.lease_expires_at) {
        facts.push(("worker", format!("{worker}, until {} unless renewed", moment(until))));
    }
    if let Some(progress) = &job.progress {
        facts.push(("progress", format!("{:.0} %, {}", progress.percent, short(&progress.phase))));
    }
    if let Some(error) = &job.error {
        facts.push(("error", short(error)));
    }
    if let Some(fingerprint) = &job.error_fingerprint {
        facts.push(("fingerprint", fingerprint.clone()));
    }
    let facts: Vec<_> = facts.into_iter().map(|(name, fact)| vec![name.to_owned(), fact]).collect();
    print_table(&["", ""], &facts);
    let events: Vec<_> = history
        .iter()
        .map(|event| {
            let who = event.worker.clone().or_else(|| event.by_user.map(|id| format!("user {id}")));
            vec![
                moment(event.at),
                event.event.as_str().to_owned(),
                or_none(event.fence.map(|fence| fence.to_string())),
                or_none(who),
                short(event.detail.as_deref().unwrap_or("")),
            ]
        })
        .collect();
    println!();
    print_table(&["at", "event", "lease", "by", ""], &events);
}

/// The state, and a line for each reason.
pub fn reasons(seen: &Seen, reasons: &[Reason]) {
    let state = match seen {
        Seen::Job(job) => job.state.as_str(),
        Seen::Follows(_) => "not accepted yet",
    };
    let rows: Vec<_> = reasons
        .iter()
        .map(|reason| {
            let says: String =
                reason.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            vec![reason.as_str().to_owned(), says]
        })
        .collect();
    print_table(&["reason", state], &rows);
}

pub fn groups(groups: &[DeadGroup]) {
    let rows: Vec<_> = groups
        .iter()
        .map(|group| {
            vec![
                group.fingerprint.clone(),
                group.jobs.to_string(),
                group.kind.clone(),
                moment(group.newest_created_at),
                short(&group.error),
            ]
        })
        .collect();
    print_table(&["fingerprint", "jobs", "kind", "newest accepted", "error of the newest"], &rows);
}

pub fn dead_letters(letters: &[DeadLetter]) {
    let rows: Vec<_> = letters
        .iter()
        .map(|letter| {
            vec![
                letter.queue.as_ref().map_or_else(|| "-".into(), |queue| queue.to_string()),
                letter.reason.clone().unwrap_or_else(|| "-".into()),
                letter.job_id.map_or_else(|| "-".into(), |id| id.to_string()),
                letter.size_bytes.to_string(),
                short(&letter.body),
            ]
        })
        .collect();
    print_table(&["queue", "reason", "job", "bytes", "body"], &rows);
}
