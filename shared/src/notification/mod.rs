//! What people and machines are told: the kinds of events, how grave each is, and over which channels it goes unless
//! somebody wants it otherwise. Pure; [`crate::store::notifications`] keeps and addresses them, `worker` sends.

mod event;
mod timing;

pub use event::{Audience, DigestItem, Event, Fact, Message, Unmatched};
pub use timing::{QuietHours, Timing, Wishes};

use serde::{Deserialize, Serialize};

/// The one table of events. Names are stable: people choose by them, webhooks send them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum EventKind {
    #[serde(rename = "job.dead")]
    JobDead,
    #[serde(rename = "reconciliation.finished")]
    ReconciliationFinished,
    #[serde(rename = "exception.assigned")]
    ExceptionAssigned,
    #[serde(rename = "approval.wanted")]
    ApprovalWanted,
    #[serde(rename = "backup.failed")]
    BackupFailed,
    #[serde(rename = "backup.stale")]
    BackupStale,
    #[serde(rename = "backup.verification_failed")]
    BackupVerificationFailed,
    #[serde(rename = "backup.stores_down")]
    StoresDown,
    #[serde(rename = "backup.size_deviates")]
    BackupSizeDeviates,
    #[serde(rename = "backup.slow")]
    BackupSlow,
    #[serde(rename = "backup.store_filling")]
    StoreFilling,
    #[serde(rename = "backup.store_down")]
    StoreDown,
    #[serde(rename = "backup.harmed")]
    BackupHarmed,
    #[serde(rename = "backup.restore_not_proven")]
    RestoreNotProven,
    #[serde(rename = "wal.behind")]
    WalBehind,
    #[serde(rename = "wal.archiving_fails")]
    WalArchivingFails,
    #[serde(rename = "wal.piles_up")]
    WalPilesUp,
    #[serde(rename = "wal.missing")]
    WalMissing,
    #[serde(rename = "webhook.disabled")]
    WebhookDisabled,
    #[serde(rename = "login.suspicious")]
    LoginSuspicious,
    #[serde(rename = "condition.over")]
    ConditionOver,
    #[serde(rename = "notification.digest")]
    Digest,
    #[serde(rename = "notification.test")]
    Test,
}

/// Postgres has the same type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "notification_severity", rename_all = "snake_case")]
pub enum Severity {
    Info,
    Warning,
    /// Ignores quiet hours and digests.
    Critical,
}

/// Ways out of the system. Postgres has the same type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "notification_channel", rename_all = "snake_case")]
pub enum Channel {
    Email,
    Sms,
    Slack,
    Pagerduty,
    Webhook,
}

/// What a person chooses about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PersonalChannel {
    Inbox,
    Email,
    Sms,
}

/// When somebody is told. Postgres has the same type, `notification_mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "notification_mode", rename_all = "snake_case")]
pub enum Mode {
    Off,
    /// But not in quiet hours.
    AtOnce,
    /// In a digest, on the hour.
    Hourly,
    /// In a digest, at the person's time of day.
    Daily,
}

impl Mode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::AtOnce => "at_once",
            Self::Hourly => "hourly",
            Self::Daily => "daily",
        }
    }
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl Channel {
    pub const ALL: [Channel; 5] = [Self::Email, Self::Sms, Self::Slack, Self::Pagerduty, Self::Webhook];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
            Self::Slack => "slack",
            Self::Pagerduty => "pagerduty",
            Self::Webhook => "webhook",
        }
    }
}

impl PersonalChannel {
    pub const ALL: [PersonalChannel; 3] = [Self::Inbox, Self::Email, Self::Sms];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inbox => "inbox",
            Self::Email => "email",
            Self::Sms => "sms",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == word)
    }
}

impl EventKind {
    pub const ALL: [EventKind; 23] = [
        Self::JobDead,
        Self::ReconciliationFinished,
        Self::ExceptionAssigned,
        Self::ApprovalWanted,
        Self::BackupFailed,
        Self::BackupStale,
        Self::BackupVerificationFailed,
        Self::StoresDown,
        Self::BackupSizeDeviates,
        Self::BackupSlow,
        Self::StoreFilling,
        Self::StoreDown,
        Self::BackupHarmed,
        Self::RestoreNotProven,
        Self::WalBehind,
        Self::WalArchivingFails,
        Self::WalPilesUp,
        Self::WalMissing,
        Self::WebhookDisabled,
        Self::LoginSuspicious,
        Self::ConditionOver,
        Self::Digest,
        Self::Test,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::JobDead => "job.dead",
            Self::ReconciliationFinished => "reconciliation.finished",
            Self::ExceptionAssigned => "exception.assigned",
            Self::ApprovalWanted => "approval.wanted",
            Self::BackupFailed => "backup.failed",
            Self::BackupStale => "backup.stale",
            Self::BackupVerificationFailed => "backup.verification_failed",
            Self::StoresDown => "backup.stores_down",
            Self::BackupSizeDeviates => "backup.size_deviates",
            Self::BackupSlow => "backup.slow",
            Self::StoreFilling => "backup.store_filling",
            Self::StoreDown => "backup.store_down",
            Self::BackupHarmed => "backup.harmed",
            Self::RestoreNotProven => "backup.restore_not_proven",
            Self::WalBehind => "wal.behind",
            Self::WalArchivingFails => "wal.archiving_fails",
            Self::WalPilesUp => "wal.piles_up",
            Self::WalMissing => "wal.missing",
            Self::WebhookDisabled => "webhook.disabled",
            Self::LoginSuspicious => "login.suspicious",
            Self::ConditionOver => "condition.over",
            Self::Digest => "notification.digest",
            Self::Test => "notification.test",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether people choose about it: digests and tests are what somebody has asked for.
    pub fn is_chosen(self) -> bool {
        !matches!(self, Self::Digest | Self::Test)
    }

    pub fn severity(self) -> Severity {
        match self {
            Self::BackupFailed
            | Self::BackupStale
            | Self::BackupVerificationFailed
            | Self::StoresDown
            | Self::WalBehind
            | Self::WalArchivingFails
            | Self::WalPilesUp
            | Self::WalMissing => Severity::Critical,
            Self::JobDead
            | Self::BackupSizeDeviates
            | Self::BackupSlow
            | Self::StoreFilling
            | Self::StoreDown
            | Self::BackupHarmed
            | Self::RestoreNotProven
            | Self::WebhookDisabled
            | Self::LoginSuspicious => Severity::Warning,
            Self::ReconciliationFinished
            | Self::ExceptionAssigned
            | Self::ApprovalWanted
            | Self::ConditionOver
            | Self::Digest
            | Self::Test => Severity::Info,
        }
    }

    /// What somebody gets who has chosen nothing.
    pub fn default_mode(self, channel: PersonalChannel) -> Mode {
        match (channel, self) {
            (PersonalChannel::Inbox, _) => Mode::AtOnce,
            // Runs come by the dozen, in the night at that.
            (PersonalChannel::Email, Self::ReconciliationFinished) => Mode::Hourly,
            (PersonalChannel::Email, Self::ConditionOver) => Mode::Off,
            (PersonalChannel::Email, _) => Mode::AtOnce,
            // It costs money and wakes people.
            (PersonalChannel::Sms, _) if self.severity() == Severity::Critical => Mode::AtOnce,
            (PersonalChannel::Sms, _) => Mode::Off,
        }
    }

    /// Whether it is about the installation and not about somebody's work: told to Slack, too.
    pub fn is_operational(self) -> bool {
        !matches!(
            self,
            Self::ReconciliationFinished
                | Self::ExceptionAssigned
                | Self::ApprovalWanted
                | Self::LoginSuspicious
                | Self::Digest
                | Self::Test
        )
    }

    /// Whether webhooks get it: not what concerns one person only.
    pub fn is_for_webhooks(self) -> bool {
        !matches!(self, Self::LoginSuspicious | Self::Digest | Self::Test)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_once_and_read_back() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::parse(kind.as_str()), Some(kind));
            let json = serde_json::to_value(kind).unwrap();
            assert_eq!(json, kind.as_str());
        }
    }

    #[test]
    fn what_is_critical_is_told_at_once_over_everything_a_person_has() {
        for kind in EventKind::ALL.into_iter().filter(|kind| kind.severity() == Severity::Critical) {
            assert!(kind.is_operational());
            for channel in PersonalChannel::ALL {
                assert_eq!(kind.default_mode(channel), Mode::AtOnce);
            }
        }
    }
}
