//! How well the backups are: a score with its factors, and the conditions that somebody must be told of. Pure functions
//! of what the records say.

use crate::wal::{Lsn, WalFile};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use shared::store::backups::{
    Archiver, BackupKind, BackupRemoval, BackupStoreRecord, ClassFigures, Verifications, WalArchive,
};
use shared::store::{Store, StoreError};

/// What the records say.
#[derive(Debug, Clone)]
pub struct Facts {
    pub classes: Vec<ClassFigures>,
    pub verifications: Verifications,
    pub last_proven_restore_at: Option<DateTime<Utc>>,
    pub stores: Vec<BackupStoreRecord>,
    pub archiver: Archiver,
    /// `None`: no worker has looked yet, or WAL is not archived.
    pub wal_archive: Option<WalArchive>,
    /// `None`: nothing was ever removed.
    pub removal: Option<BackupRemoval>,
    /// Of the backups that are there.
    pub oldest_at: Option<DateTime<Utc>>,
    /// Since when there should be backups: since their schedules are there.
    pub expected_since: Option<DateTime<Utc>>,
    /// A backup that takes longer is worth a warning.
    pub slow_after: TimeDelta,
}

/// 0 to 100: the sum of the factors.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Health {
    pub score: u8,
    pub factors: Vec<Factor>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Factor {
    /// `recent_backup`, `stores`, `integrity`, `proven_restore`, `wal`.
    pub name: &'static str,
    pub points: u8,
    pub points_max: u8,
    /// Why, in words.
    pub says: String,
}

/// How far the archive of WAL is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalReach {
    /// Up to then everything that was written is archived; `None`: nothing ever was.
    pub complete_until: Option<DateTime<Utc>>,
    pub behind_bytes: u64,
}

/// The newest backup may be so old.
pub const STALE_AFTER: TimeDelta = TimeDelta::hours(2);
/// The drill is monthly; two days for a month of 31 and a drill that takes its time.
pub const UNPROVEN_AFTER: TimeDelta = TimeDelta::days(33);
/// The promise: at most five minutes are lost.
pub const WAL_BEHIND_AFTER: TimeDelta = TimeDelta::minutes(5);
const STORE_FULL_FROM: f64 = 0.8;
/// A server that is left alone writes this little, and does not begin a new segment for it.
const IDLE_BYTES: u64 = 64 << 10;

impl Facts {
    pub async fn read(store: &Store, slow_after: TimeDelta) -> Result<Self, StoreError> {
        Ok(Self {
            classes: store.backup_figures().await?,
            verifications: store.backup_verifications().await?,
            last_proven_restore_at: store.last_proven_restore().await?,
            stores: store.backup_stores().await?,
            archiver: store.archiver().await?,
            wal_archive: store.wal_archive().await?,
            removal: store.backup_removal().await?,
            oldest_at: store.oldest_backup_at().await?,
            expected_since: store.backups_expected_since().await?,
            slow_after,
        })
    }

    /// Of the newest backup that holds everything, logically or physically.
    pub fn last_complete_at(&self) -> Option<DateTime<Utc>> {
        let complete = |f: &&ClassFigures| matches!(f.class, BackupKind::Full | BackupKind::Base);
        self.classes.iter().filter(complete).filter_map(|figures| figures.last_finished_at).max()
    }

    /// `None`: WAL is not archived, or the server does not say.
    pub fn wal_reach(&self, now: DateTime<Utc>) -> Option<WalReach> {
        let Archiver { is_on, segment_bytes, position, last_archived, last_archived_at, .. } = &self.archiver;
        let position: Lsn = position.as_ref()?.parse().ok()?;
        let segment_bytes = segment_bytes.unsigned_abs();
        if !is_on || segment_bytes == 0 {
            return None;
        }
        let file: Option<WalFile> = last_archived.as_ref().and_then(|name| name.parse().ok());
        let Some(number) = file.and_then(|file| file.number(segment_bytes)) else {
            return Some(WalReach { complete_until: *last_archived_at, behind_bytes: position.0 });
        };
        let behind_bytes = position.0.saturating_sub((number + 1) * segment_bytes);
        let complete_until = if behind_bytes <= IDLE_BYTES { Some(now) } else { *last_archived_at };
        Some(WalReach { complete_until, behind_bytes })
    }
}

/// The score.
pub fn judge(facts: &Facts, now: DateTime<Utc>) -> Health {
    let factors =
        vec![recent(facts, now), stores(facts), integrity(facts, now), proven(facts, now), wal(facts, now)];
    Health { score: factors.iter().map(|factor| factor.points).sum(), factors }
}

/// All of the points up to `good`, none from `bad` on, and a straight line between.
fn fading(points_max: u8, age: TimeDelta, good: TimeDelta, bad: TimeDelta) -> u8 {
    let (age, good, bad) = (age.num_seconds() as f64, good.num_seconds() as f64, bad.num_seconds() as f64);
    let share = ((bad - age) / (bad - good)).clamp(0.0, 1.0);
    (share * f64::from(points_max)).round() as u8
}

fn recent(facts: &Facts, now: DateTime<Utc>) -> Factor {
    let (points, says) = match facts.last_complete_at() {
        None => (0, "there is no backup of everything".to_owned()),
        Some(at) => (
            fading(30, now - at, STALE_AFTER, TimeDelta::hours(26)),
            format!("the newest backup of everything is {} old", words(now - at)),
        ),
    };
    Factor { name: "recent_backup", points, points_max: 30, says }
}

fn stores(facts: &Facts) -> Factor {
    let of = |points, says| Factor { name: "stores", points, points_max: 20, says };
    if facts.stores.is_empty() {
        return of(0, "no worker has looked at a store: is backup.stores set?".into());
    }
    let count = facts.stores.len();
    let up = facts.stores.iter().filter(|store| store.is_reachable).count();
    let owed: i64 = facts.stores.iter().map(|store| store.owed_objects).sum();
    let full =
        facts.stores.iter().filter(|s| s.share_used.is_some_and(|used| used > STORE_FULL_FROM)).count();
    let points = u8::try_from(8 * up / count).unwrap_or(0)
        + if up == 0 || owed > 0 { 0 } else { 4 }
        + if up == 0 || full > 0 { 0 } else { 3 }
        + if up < 2 { 0 } else { 5 };
    let mut says = format!("{up} of {count} stores answer");
    if count == 1 {
        says += "; one alone is a single point of failure";
    }
    if owed > 0 {
        says += &format!("; {owed} objects wait for a store");
    }
    if full > 0 {
        says += &format!("; {full} stores are more than 80 % full");
    }
    of(points, says)
}

/// What was never verified has none of the points, what was verified long ago has half.
fn integrity(facts: &Facts, now: DateTime<Utc>) -> Factor {
    let Verifications { backups, lost, harmed, unverified, long_unverified, oldest_verified_at, .. } =
        facts.verifications;
    let (points, says) = if backups == 0 {
        (0, "there is nothing to verify".to_owned())
    } else if lost > 0 {
        (0, format!("{lost} of {backups} backups are damaged in every store"))
    } else if harmed > 0 {
        (10, format!("{harmed} of {backups} backups have a copy that is missing or damaged"))
    } else if let Some(oldest_at) = oldest_verified_at {
        let age = now - oldest_at;
        let of_verified = 10 + fading(10, age, TimeDelta::hours(26), TimeDelta::days(14));
        let share = (backups - unverified) as f64 / backups as f64;
        let points = (share * f64::from(of_verified)).round() as u8;
        let points = if long_unverified > 0 { points.min(10) } else { points };
        (points, verified_words(&facts.verifications, age))
    } else if backups == 1 {
        (0, "the only backup was never verified".to_owned())
    } else {
        (0, format!("none of {backups} backups was ever verified"))
    };
    Factor { name: "integrity", points, points_max: 20, says }
}

fn verified_words(of: &Verifications, age: TimeDelta) -> String {
    let (backups, age) = (of.backups, words(age));
    if of.unverified == 0 {
        return format!("all {backups} backups are whole, as of {age} ago or later");
    }
    let long = if of.long_unverified > 0 {
        format!(", {} of them older than three hours", of.long_unverified)
    } else {
        String::new()
    };
    format!(
        "{} of {backups} backups were never verified{long}; the others are whole, as of {age} ago or later",
        of.unverified
    )
}

fn proven(facts: &Facts, now: DateTime<Utc>) -> Factor {
    let (points, says) = match facts.last_proven_restore_at {
        None => (0, "no backup was ever restored and found equal".to_owned()),
        Some(at) => (
            fading(20, now - at, UNPROVEN_AFTER, UNPROVEN_AFTER * 2),
            format!("a restore was proven {} ago", words(now - at)),
        ),
    };
    Factor { name: "proven_restore", points, points_max: 20, says }
}

fn wal(facts: &Facts, now: DateTime<Utc>) -> Factor {
    let missing = facts.wal_archive.as_ref().map_or(0, |archive| archive.missing_segments);
    let (points, says) = match facts.wal_reach(now) {
        _ if missing > 0 => (0, format!("{missing} segments of archived WAL are missing")),
        None => (0, "WAL is not archived: what was written since the newest backup would be lost".to_owned()),
        Some(WalReach { complete_until: None, .. }) => (0, "no WAL was archived yet".to_owned()),
        Some(WalReach { complete_until: Some(at), behind_bytes }) => (
            fading(10, now - at, WAL_BEHIND_AFTER, TimeDelta::hours(1)),
            format!("the archive of WAL is {} and {behind_bytes} bytes behind", words(now - at)),
        ),
    };
    Factor { name: "wal", points, points_max: 10, says }
}

fn words(age: TimeDelta) -> String {
    let seconds = age.num_seconds().max(0);
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

mod alarms;

pub use alarms::alarms;

#[cfg(test)]
mod tests;
