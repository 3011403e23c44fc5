//! Events with all they carry, and how each reads.

use super::EventKind;
use crate::ids::{BackupId, DecisionId, JobId, UserId};
use crate::store::projects::ProjectRole;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What happened. Stored as JSON with its name as `type`; a member that a newer version adds needs a default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Event {
    /// Jobs gave up. A trigger writes one for each; those of a project that come together are told together.
    #[serde(rename = "job.dead")]
    JobDead {
        job_id: JobId,
        kind: String,
        attempts: i32,
        error: Option<String>,
        /// How many altogether.
        jobs: u32,
    },
    #[serde(rename = "reconciliation.finished")]
    ReconciliationFinished {
        job_id: JobId,
        name: String,
        /// Null: a schedule or a batch.
        submitted_by: Option<UserId>,
        left_records: i64,
        right_records: i64,
        matches: i64,
        suggested: i64,
        exceptions: i64,
        rejected_lines: i64,
        /// By currency: what is unmatched on the left, and on the right, as decimal text.
        unmatched: Vec<Unmatched>,
    },
    #[serde(rename = "exception.assigned")]
    ExceptionAssigned { job_id: JobId, assignee: UserId, by: UserId, items: u32, comment: Option<String> },
    #[serde(rename = "approval.wanted")]
    ApprovalWanted {
        decision_id: DecisionId,
        job_id: JobId,
        by: UserId,
        /// What is to be done: `write_off`.
        action: String,
        items: u32,
    },
    #[serde(rename = "backup.failed")]
    BackupFailed { backup_id: BackupId, class: String, error: Option<String> },
    #[serde(rename = "backup.stale")]
    BackupStale { class: String, last_at: Option<DateTime<Utc>>, age_max_s: u64 },
    #[serde(rename = "backup.verification_failed")]
    BackupVerificationFailed { backup_id: BackupId, class: String },
    #[serde(rename = "backup.stores_down")]
    StoresDown { stores: Vec<String> },
    #[serde(rename = "backup.size_deviates")]
    BackupSizeDeviates { backup_id: BackupId, class: String, bytes: u64, usual_bytes: u64 },
    #[serde(rename = "backup.slow")]
    BackupSlow { backup_id: BackupId, class: String, seconds: u64, seconds_max: u64 },
    #[serde(rename = "backup.store_filling")]
    StoreFilling { store: String, used_percent: u32 },
    #[serde(rename = "backup.store_down")]
    StoreDown { store: String, why: String },
    #[serde(rename = "backup.harmed")]
    BackupHarmed { backups: u64 },
    #[serde(rename = "backup.restore_not_proven")]
    RestoreNotProven { last_at: Option<DateTime<Utc>> },
    /// More than the promise is not archived; `since`: up to when everything is.
    #[serde(rename = "wal.behind")]
    WalBehind { bytes: u64, since: Option<DateTime<Utc>> },
    #[serde(rename = "wal.archiving_fails")]
    WalArchivingFails { last_at: Option<DateTime<Utc>> },
    /// Archiving is slower than writing, and the database's disk fills.
    #[serde(rename = "wal.piles_up")]
    WalPilesUp { bytes: u64, bytes_max: u64 },
    /// Segments between archived ones are in no store.
    #[serde(rename = "wal.missing")]
    WalMissing { segments: u64, first: String },
    #[serde(rename = "webhook.disabled")]
    WebhookDisabled {
        webhook_id: uuid::Uuid,
        /// Scheme and host; the rest may be secret.
        host: String,
        why: String,
    },
    #[serde(rename = "login.suspicious")]
    LoginSuspicious { user_id: UserId, what: String, ip: Option<String>, user_agent: Option<String> },
    /// An alert's condition is over, or somebody says so.
    #[serde(rename = "condition.over")]
    ConditionOver { condition: String, event: String, says: String },
    /// Several notifications in one.
    #[serde(rename = "notification.digest")]
    Digest { user_id: UserId, items: Vec<DigestItem>, more: u32 },
    #[serde(rename = "notification.test")]
    Test { user_id: UserId },
}

/// What a reconciliation could not match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unmatched {
    pub currency: String,
    pub left: String,
    pub right: String,
}

/// One of the notifications in a digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestItem {
    pub at: DateTime<Utc>,
    pub title: String,
    pub link: Option<String>,
}

/// Whom an event is for. Machines get events by their own rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    Person(UserId),
    /// Members of the event's project from this role on, but for one; without a project, platform administrators.
    Members(ProjectRole, Option<UserId>),
    PlatformAdministrators,
}

/// A figure or name that belongs to an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    pub label: &'static str,
    pub value: String,
}

/// An event as people read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// At most 200 characters, one line.
    pub title: String,
    /// A sentence or two, at most 4000 characters; may be empty.
    pub says: String,
    pub facts: Vec<Fact>,
    /// A path of the pages.
    pub link: Option<String>,
}

impl Event {
    pub fn kind(&self) -> EventKind {
        match self {
            Self::JobDead { .. } => EventKind::JobDead,
            Self::ReconciliationFinished { .. } => EventKind::ReconciliationFinished,
            Self::ExceptionAssigned { .. } => EventKind::ExceptionAssigned,
            Self::ApprovalWanted { .. } => EventKind::ApprovalWanted,
            Self::BackupFailed { .. } => EventKind::BackupFailed,
            Self::BackupStale { .. } => EventKind::BackupStale,
            Self::BackupVerificationFailed { .. } => EventKind::BackupVerificationFailed,
            Self::StoresDown { .. } => EventKind::StoresDown,
            Self::BackupSizeDeviates { .. } => EventKind::BackupSizeDeviates,
            Self::BackupSlow { .. } => EventKind::BackupSlow,
            Self::StoreFilling { .. } => EventKind::StoreFilling,
            Self::StoreDown { .. } => EventKind::StoreDown,
            Self::BackupHarmed { .. } => EventKind::BackupHarmed,
            Self::RestoreNotProven { .. } => EventKind::RestoreNotProven,
            Self::WalBehind { .. } => EventKind::WalBehind,
            Self::WalArchivingFails { .. } => EventKind::WalArchivingFails,
            Self::WalPilesUp { .. } => EventKind::WalPilesUp,
            Self::WalMissing { .. } => EventKind::WalMissing,
            Self::WebhookDisabled { .. } => EventKind::WebhookDisabled,
            Self::LoginSuspicious { .. } => EventKind::LoginSuspicious,
            Self::ConditionOver { .. } => EventKind::ConditionOver,
            Self::Digest { .. } => EventKind::Digest,
            Self::Test { .. } => EventKind::Test,
        }
    }

    pub fn audience(&self) -> Audience {
        match self {
            Self::JobDead { .. } => Audience::Members(ProjectRole::Operator, None),
            Self::ReconciliationFinished { submitted_by: Some(user), .. } => Audience::Person(*user),
            Self::ReconciliationFinished { .. } => Audience::Members(ProjectRole::Operator, None),
            Self::ExceptionAssigned { assignee, .. } => Audience::Person(*assignee),
            Self::ApprovalWanted { by, .. } => Audience::Members(ProjectRole::Approver, Some(*by)),
            Self::WebhookDisabled { .. } | Self::ConditionOver { .. } => {
                Audience::Members(ProjectRole::Admin, None)
            }
            Self::LoginSuspicious { user_id, .. } | Self::Digest { user_id, .. } | Self::Test { user_id } => {
                Audience::Person(*user_id)
            }
            Self::BackupFailed { .. }
            | Self::BackupStale { .. }
            | Self::BackupVerificationFailed { .. }
            | Self::StoresDown { .. }
            | Self::BackupSizeDeviates { .. }
            | Self::BackupSlow { .. }
            | Self::StoreFilling { .. }
            | Self::StoreDown { .. }
            | Self::BackupHarmed { .. }
            | Self::RestoreNotProven { .. }
            | Self::WalBehind { .. }
            | Self::WalArchivingFails { .. }
            | Self::WalPilesUp { .. }
            | Self::WalMissing { .. } => Audience::PlatformAdministrators,
        }
    }

    /// What lasts until somebody does something about it, by a name that all occurrences of it share. Events with one
    /// open an alert, and PagerDuty groups by it.
    pub fn condition(&self) -> Option<String> {
        match self {
            Self::BackupFailed { class, .. } => Some(format!("backup.failed:{class}")),
            Self::BackupStale { class, .. } => Some(format!("backup.stale:{class}")),
            Self::BackupVerificationFailed { backup_id, .. } => {
                Some(format!("backup.verification_failed:{backup_id}"))
            }
            Self::StoresDown { .. } => Some("backup.stores_down".into()),
            Self::BackupSizeDeviates { class, .. } => Some(format!("backup.size_deviates:{class}")),
            Self::BackupSlow { class, .. } => Some(format!("backup.slow:{class}")),
            Self::StoreFilling { store, .. } => Some(format!("backup.store_filling:{store}")),
            Self::StoreDown { store, .. } => Some(format!("backup.store_down:{store}")),
            Self::BackupHarmed { .. }
            | Self::RestoreNotProven { .. }
            | Self::WalBehind { .. }
            | Self::WalArchivingFails { .. }
            | Self::WalPilesUp { .. }
            | Self::WalMissing { .. } => Some(self.kind().as_str().into()),
            Self::WebhookDisabled { webhook_id, .. } => Some(format!("webhook.disabled:{webhook_id}")),
            _ => None,
        }
    }

    /// As people read it.
    pub fn message(&self) -> Message {
        let mut message = self.unbounded_message();
        message.title = line(&message.title, 200);
        message.says = cut(&message.says.replace('\0', ""), 4000);
        for fact in &mut message.facts {
            fact.value = line(&fact.value, 500);
        }
        message
    }

    fn unbounded_message(&self) -> Message {
        match self {
            Self::JobDead { job_id, kind, attempts, error, jobs } => {
                let title = match jobs {
                    0 | 1 => format!("A job of the kind {kind} is dead"),
                    n => format!("{n} jobs are dead, the last of the kind {kind}"),
                };
                let says = error.clone().unwrap_or_default();
                let facts = vec![fact("Job", job_id), fact("Attempts", attempts)];
                Message { title, says, facts, link: Some(format!("/jobs/{job_id}")) }
            }
            Self::ReconciliationFinished {
                job_id,
                name,
                left_records,
                right_records,
                matches,
                suggested,
                exceptions,
                rejected_lines,
                unmatched,
                ..
            } => {
                let name = if name.is_empty() { "A reconciliation" } else { name };
                let title = format!("{name}: {matches} matches, {exceptions} exceptions");
                let mut facts = vec![
                    fact("Records on the left", left_records),
                    fact("Records on the right", right_records),
                    fact("Matches", matches),
                    fact("Of them only suggested", suggested),
                    fact("Exceptions", exceptions),
                    fact("Rejected lines", rejected_lines),
                ];
                facts.extend(unmatched.iter().map(|u| {
                    let value = format!("{} left, {} right", u.left, u.right);
                    Fact { label: "Unmatched", value: format!("{} {value}", u.currency) }
                }));
                let link = Some(format!("/reconciliations/{job_id}"));
                Message { title, says: "The reconciliation has finished.".into(), facts, link }
            }
            Self::ExceptionAssigned { job_id, items, comment, .. } => {
                let title = match items {
                    1 => "An item was assigned to you".into(),
                    n => format!("{n} items were assigned to you"),
                };
                let says = comment.clone().unwrap_or_default();
                Message { title, says, facts: vec![], link: Some(format!("/reconciliations/{job_id}")) }
            }
            Self::ApprovalWanted { decision_id, job_id, action, items, .. } => {
                let action = action.replace('_', " ");
                let title = format!("A decision waits for a second person: {action}");
                let facts = vec![fact("Decision", decision_id), fact("Items", items)];
                let says = "It takes effect once somebody else approves it.".into();
                Message { title, says, facts, link: Some(format!("/reconciliations/{job_id}")) }
            }
            Self::BackupFailed { backup_id, class, error } => Message {
                title: format!("The {class} backup failed"),
                says: error.clone().unwrap_or_default(),
                facts: vec![fact("Backup", backup_id)],
                link: None,
            },
            Self::BackupStale { class, last_at, age_max_s } => {
                let says = match last_at {
                    Some(at) => format!("The last one is of {}.", at.format("%Y-%m-%d %H:%M UTC")),
                    None => "There is none.".into(),
                };
                let title = format!("There is no {class} backup of the last {} minutes", age_max_s / 60);
                Message { title, says, facts: vec![], link: None }
            }
            Self::BackupVerificationFailed { backup_id, class } => Message {
                title: format!("A {class} backup cannot be restored"),
                says: "Its verification failed: `counterfoil backup list` shows it, another one has to take \
                       its place."
                    .into(),
                facts: vec![fact("Backup", backup_id)],
                link: None,
            },
            Self::StoresDown { stores } => Message {
                title: "No store of backups answers".into(),
                says: "What is backed up waits on the local disk.".into(),
                facts: vec![fact("Stores", &stores.join(", "))],
                link: None,
            },
            Self::BackupSizeDeviates { backup_id, class, bytes, usual_bytes } => Message {
                title: format!("The size of the {class} backup is unusual"),
                says: "It deviates from the last ones by more than a fifth.".into(),
                facts: vec![fact("Backup", backup_id), fact("Bytes", bytes), fact("Usually", usual_bytes)],
                link: None,
            },
            Self::BackupSlow { backup_id, class, seconds, seconds_max } => Message {
                title: format!("The {class} backup took {seconds} s"),
                says: format!("It should take at most {seconds_max} s."),
                facts: vec![fact("Backup", backup_id)],
                link: None,
            },
            Self::StoreFilling { store, used_percent } => Message {
                title: format!("The store {store} is {used_percent} % full"),
                says: "Make room, or let fewer backups stay.".into(),
                facts: vec![],
                link: None,
            },
            Self::StoreDown { store, why } => Message {
                title: format!("The store {store} of backups does not answer"),
                says: "Backups go to the others, and it gets what it missed when it is back.".into(),
                facts: vec![fact("Why", why)],
                link: None,
            },
            Self::BackupHarmed { backups } => Message {
                title: format!("{backups} backups have a copy that is missing or damaged"),
                says: "They can still be restored from another store, and the copy could not be replaced: \
                       `counterfoil backup verify --heal` tries again and says why."
                    .into(),
                facts: vec![],
                link: None,
            },
            Self::RestoreNotProven { last_at } => Message {
                title: "No restore was proven lately".into(),
                says: "`counterfoil backup drill` restores the newest backup and compares every table."
                    .into(),
                facts: vec![fact("Last proven", &moment(*last_at))],
                link: None,
            },
            Self::WalBehind { bytes, since } => Message {
                title: format!("{bytes} bytes of WAL are not archived"),
                says: "If the database's disk were lost now, more would be lost than promised.".into(),
                facts: vec![fact("Archived up to", &moment(*since))],
                link: None,
            },
            Self::WalArchivingFails { last_at } => Message {
                title: "Archiving WAL fails".into(),
                says: "PostgreSQL keeps what it cannot archive, and its disk fills; its log says why.".into(),
                facts: vec![fact("Last archived", &moment(*last_at))],
                link: None,
            },
            Self::WalPilesUp { bytes, bytes_max } => Message {
                title: "WAL is written faster than it is archived".into(),
                says: "What is not archived stays on the database's disk: make archiving faster or writing \
                       slower before it is full."
                    .into(),
                facts: vec![fact("Bytes that wait", bytes), fact("max_wal_size", bytes_max)],
                link: None,
            },
            Self::WalMissing { segments, first } => Message {
                title: format!("{segments} segments of archived WAL are missing"),
                says: "No moment after them can be reached from an older base backup: take a new one \
                       (`counterfoil backup create --kind base`), then find out who removed them."
                    .into(),
                facts: vec![fact("First", first)],
                link: None,
            },
            Self::WebhookDisabled { webhook_id, host, why } => Message {
                title: format!("A webhook to {host} was switched off"),
                says: format!("{why}. Nothing is sent to it until somebody switches it on again."),
                facts: vec![fact("Webhook", webhook_id)],
                link: None,
            },
            Self::LoginSuspicious { what, ip, user_agent, .. } => {
                let mut facts = vec![];
                facts.extend(ip.as_ref().map(|ip| fact("Address", ip)));
                facts.extend(user_agent.as_ref().map(|agent| fact("Program", agent)));
                let says = format!("{what} If that was not you, change your password.");
                Message { title: "Something is odd about your account".into(), says, facts, link: None }
            }
            Self::ConditionOver { says, .. } => {
                Message { title: format!("Over: {says}"), says: String::new(), facts: vec![], link: None }
            }
            Self::Digest { items, more, .. } => {
                let total = items.len() as u32 + more;
                let mut says: String = items
                    .iter()
                    .map(|item| format!("{}  {}\n", item.at.format("%Y-%m-%d %H:%M UTC"), item.title))
                    .collect();
                if *more > 0 {
                    says.push_str(&format!("… and {more} more, which are in your inbox\n"));
                }
                Message { title: format!("{total} notifications"), says, facts: vec![], link: None }
            }
            Self::Test { .. } => Message {
                title: "A test of your notifications".into(),
                says: "It arrived: notifications over this channel reach you.".into(),
                facts: vec![],
                link: None,
            },
        }
    }
}

fn fact(label: &'static str, value: &impl ToString) -> Fact {
    Fact { label, value: value.to_string() }
}

fn moment(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(|| "never".into(), |at| at.format("%Y-%m-%d %H:%M UTC").to_string())
}

/// One line: whatever would break it, in a header of a mail above all, is a blank.
fn line(text: &str, chars_max: usize) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    cut(text.trim(), chars_max)
}

fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => text.to_owned(),
        Some(_) => text.chars().take(chars_max - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_the_json_are_those_of_the_table() {
        let events = [
            Event::Test { user_id: UserId::new() },
            Event::StoresDown { stores: vec![] },
            Event::BackupStale { class: "full".into(), last_at: None, age_max_s: 7200 },
            Event::ConditionOver { condition: "x".into(), event: "y".into(), says: "z".into() },
        ];
        for event in events {
            let json = serde_json::to_value(&event).unwrap();
            assert_eq!(json["type"], event.kind().as_str());
            assert_eq!(serde_json::from_value::<Event>(json).unwrap(), event);
        }
    }

    #[test]
    fn a_title_is_one_line_of_bounded_length_whatever_is_in_it() {
        let name = format!("Bank\r\nBcc: eve@example.org {}", "ä".repeat(300));
        let event = Event::StoreFilling { store: name, used_percent: 81 };
        let title = event.message().title;
        assert_eq!(title.chars().count(), 200);
        assert!(!title.contains(['\r', '\n']) && title.ends_with('…'), "{title}");
    }
}
