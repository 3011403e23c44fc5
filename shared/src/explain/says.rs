//! Each reason as a sentence for a person.

use super::{COUNTED_MAX, Reason, SeenDoorbell, SeenLimit};
use chrono::{DateTime, SecondsFormat, Utc};
use std::fmt;

fn at(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn or_never(moment: Option<DateTime<Utc>>) -> String {
    moment.map_or_else(|| "never".into(), at)
}

/// The first line, without a full stop at its end.
fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or("").trim_end_matches('.')
}

fn because(error: &Option<String>) -> String {
    error.as_ref().map_or_else(String::new, |error| format!(": {}", first_line(error)))
}

fn counted(n: i64) -> String {
    if n >= COUNTED_MAX { format!("at least {n}") } else { n.to_string() }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotDue { until } => write!(f, "It is not to start before {}.", at(*until)),
            Self::BetweenAttempts { until, attempt, attempts_max, error } => write!(
                f,
                "Attempt {attempt} of {attempts_max} failed; the next one starts at {}{}.",
                at(*until),
                because(error)
            ),
            Self::Snoozed { until, says } => {
                write!(f, "It put itself off until {}, uncounted{}.", at(*until), because(says))
            }
            Self::NotStaged { since } => write!(
                f,
                "It is due since {}, and no scheduler has made it available: is one running?",
                at(*since)
            ),
            Self::QueuePaused { queue, since, by, says } => {
                write!(f, "Queue {queue} is paused by {by} since {}: {}.", at(*since), first_line(says))
            }
            Self::LimitReached(limit) => limit_reached(f, limit),
            Self::NoWorker { kind, last_heartbeat_at: None } => {
                write!(f, "No worker that knows {kind} has been seen: start one that serves this queue.")
            }
            Self::NoWorker { kind, last_heartbeat_at: Some(last) } => {
                write!(f, "No live worker knows {kind}; the last one was heard of at {}.", at(*last))
            }
            Self::WorkersBusy { workers: 1, slots } => {
                write!(f, "The one worker of its kind has all {slots} slots taken.")
            }
            Self::WorkersBusy { workers, slots } => {
                write!(f, "All {slots} slots of the {workers} workers of its kind are taken.")
            }
            Self::WaitsItsTurn(doorbell) => waits_its_turn(f, doorbell),
            Self::RelaySilent { since, last_looked_at } => write!(
                f,
                "Its doorbell waits to be sent since {}, and no relay looks after this queue (last: {}): is a \
                 scheduler running?",
                at(*since),
                or_never(*last_looked_at)
            ),
            Self::BrokerAway { says, last_confirmed_at } => write!(
                f,
                "The relay does not get its doorbell to the broker, which last took one of this queue: {}. {}.",
                or_never(*last_confirmed_at),
                first_line(says)
            ),
            Self::DoorbellUnanswered { since, rings_again_at } => write!(
                f,
                "Its doorbell was asked for at {} and sent; no worker has answered yet. It rings again at {}.",
                at(*since),
                at(*rings_again_at)
            ),
            Self::Leased { worker, until, worker_heartbeat_at } => write!(
                f,
                "Worker {worker} runs it and has its lease until {} unless renewed; it was last heard of: {}.",
                at(*until),
                or_never(*worker_heartbeat_at)
            ),
            Self::LeaseExpired { worker, since } => write!(
                f,
                "Worker {worker} went silent, its lease ran out at {}; a scheduler gives the job to another.",
                at(*since)
            ),
            Self::CancelRequested { since, worker } => write!(
                f,
                "It was asked to stop at {}; {} notices within about a second.",
                at(*since),
                worker.as_deref().unwrap_or("its worker")
            ),
            Self::FollowsBatch(batch) => write!(
                f,
                "It follows batch {} ({}), of which {} of {} jobs are not final yet.",
                batch.batch_id, batch.name, batch.unfinished, batch.jobs
            ),
            Self::Completed { at: when } => write!(f, "It completed at {}.", or_never(*when)),
            Self::Cancelled { at: when } => write!(f, "It was cancelled at {}.", or_never(*when)),
            Self::Dead { at: when, error } => {
                write!(f, "It is dead since {}{}.", or_never(*when), because(error))
            }
        }
    }
}

fn limit_reached(f: &mut fmt::Formatter<'_>, limit: &SeenLimit) -> fmt::Result {
    let of = if limit.subject.is_empty() { String::new() } else { format!(" of {}", limit.subject) };
    if limit.jobs_max == 0 {
        return write!(f, "The {} limit{of} lets none run.", limit.scope.as_str());
    }
    write!(
        f,
        "The {} limit{of} is reached: {} of {} run",
        limit.scope.as_str(),
        limit.taken,
        limit.jobs_max
    )?;
    for (n, holder) in limit.holders.iter().enumerate() {
        write!(f, "{}{}", if n == 0 { " (" } else { ", " }, holder.job_id)?;
    }
    f.write_str(if limit.holders.is_empty() { "." } else { ")." })
}

fn waits_its_turn(f: &mut fmt::Formatter<'_>, doorbell: &SeenDoorbell) -> fmt::Result {
    write!(
        f,
        "It waits its turn since {}: {} of the same project, priority and key before it, {} of a higher priority, and \
         {} other projects take turns with its own.",
        at(doorbell.waiting_since),
        counted(doorbell.ahead_in_lane),
        counted(doorbell.of_higher_priority),
        doorbell.other_projects
    )
}
