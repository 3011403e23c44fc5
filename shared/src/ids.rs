//! Ids with types, so that one cannot be passed where another is meant. All are UUIDv7: ordered by the time
//! they were made, which keeps indexes tight and lets results be partitioned by id.

use chrono::{DateTime, Utc};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
            serde::Serialize, serde::Deserialize, sqlx::Type,
        )]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

id!(
    /// One job; also the id of the reconciliation it performs.
    JobId
);
id!(UserId);
id!(
    /// One project: the tenant everything belongs to.
    ProjectId
);
id!(FileId);
id!(
    /// Jobs accepted together.
    BatchId
);
id!(DataSourceId);
id!(
    /// Keeps projects together.
    OrganisationId
);
id!(
    /// One login.
    SessionId
);
id!(InvitationId);
id!(ApiKeyId);
id!(ScheduleId);
id!(
    /// What somebody decided about results.
    DecisionId
);
id!(
    /// One backup, in every store and in the records.
    BackupId
);
id!(
    /// One restore or restore drill in the records.
    RestoreId
);
id!(
    /// Something that somebody is told.
    NotificationId
);
id!(
    /// One notification to one recipient over one channel.
    DeliveryId
);
id!(
    /// An address of another system.
    WebhookId
);
id!(AlertId);
id!(
    /// Something that is wrong with backups, from when to when.
    BackupAlertId
);

/// The smallest id that could have been made at or after `at`: the boundary of a partition of results.
pub fn first_id_at(at: DateTime<Utc>) -> Uuid {
    let millis = at.timestamp_millis().max(0) as u128;
    Uuid::from_u128(millis << 80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_a_moment_lie_between_its_boundaries() {
        let id = JobId::new().0;
        let (seconds, nanos) = id.get_timestamp().expect("version 7").to_unix();
        let made_at = DateTime::from_timestamp(seconds as i64, nanos).expect("in range");
        assert!(first_id_at(made_at) <= id);
        assert!(id < first_id_at(made_at + chrono::TimeDelta::seconds(1)));
    }
}
