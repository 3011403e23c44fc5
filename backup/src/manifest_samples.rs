//! Manifests for the tests of what is planned from them.

use crate::manifest::{Manifest, StreamNote, VERSION, WalRange};
use crate::postgres::Surroundings;
use crate::stores::BackupClass;
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

pub fn at(hours: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::hours(hours)
}

/// Taken from `hours` to an hour later.
pub fn manifest(class: BackupClass, id: u128, hours: i64) -> Manifest {
    Manifest {
        v: VERSION,
        id: Uuid::from_u128(id),
        class,
        cluster: "main".into(),
        note: None,
        tenants: vec![],
        group: None,
        program_version: "0".into(),
        started_at: at(hours),
        finished_at: at(hours + 1),
        of: Surroundings {
            database: "live".into(),
            role: "postgres".into(),
            system_identifier: "7".into(),
            server_version: "15.1".into(),
            server_major: 15,
            encoding: "UTF8".into(),
            collate: "C".into(),
            ctype: "C".into(),
            roles: vec!["owner".into()],
            migration: None,
        },
        snapshot: None,
        tables: vec![],
        wal: None,
        streams: vec![StreamNote {
            name: "dump".into(),
            plain_bytes: 1000,
            sealed_bytes: 100,
            sha256: "00".repeat(32),
            packs: vec![],
        }],
    }
}

/// A base backup with WAL from segment `first` to the end of it, 16 MiB each.
pub fn base(id: u128, hours: i64, timeline: u32, first: u64) -> Manifest {
    let segment_bytes = 16 << 20;
    let lsn = |bytes: u64| crate::wal::Lsn(bytes).to_string();
    Manifest {
        wal: Some(WalRange {
            timeline,
            start_lsn: lsn(first * segment_bytes + 40),
            end_lsn: lsn((first + 1) * segment_bytes),
            segment_bytes,
            is_included: true,
        }),
        ..manifest(BackupClass::Base, id, hours)
    }
}
