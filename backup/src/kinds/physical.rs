//! The whole cluster, file by file: `pg_basebackup`, with the WAL that makes it consistent.
//!
//! Together with the archive of WAL it leads to every moment since. The tar is checked against PostgreSQL's own
//! manifest while it is sealed, so that a file that was cut off on the way is found now and not when it is needed.

use super::stream::Blocking;
use super::{Created, Writer};
use crate::engine::{Protected, Run};
use crate::error::{Doing, Error, Result};
use crate::manifest::{TableNote, WalRange};
use crate::postgres::{
    Programs, Snapshot, SnapshotNote, Surroundings, Target, close, figures_of, run_with, tables,
};
use crate::stores::BackupClass;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use sqlx::Row;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};

/// The only part: a tar of the data directory.
pub const STREAM: &str = "base";
const DIGEST_SESSIONS: usize = 2;
/// PostgreSQL's manifest of a cluster of a million files has 200 MB.
const MANIFEST_BYTES_MAX: u64 = 1 << 30;

/// Takes a base backup. The role needs REPLICATION; a cluster with tablespaces elsewhere is refused by pg_basebackup.
///
/// After it, where WAL is archived, a snapshot with an exact position is taken with the digests of all tables, so
/// that a recovery to that position can be proved row for row.
pub async fn create(protected: &Protected, note: Option<String>, progress: &Run) -> Result<Created> {
    progress.enter("asking the server");
    let mut session = protected.target.connect().await?;
    let of = Surroundings::read(&mut session).await?;
    let settings = Archiving::read(&mut session).await?;
    close(session).await;

    let mut writer = Writer::begin(&protected.engine, BackupClass::Base)?;
    let made = async {
        progress.enter("copying the cluster");
        let range = copy_cluster(&mut writer, protected, &of, settings.segment_bytes, progress).await?;
        let known = if settings.is_on { at_exact_position(&protected.target, progress).await? } else { None };
        Ok((range, known))
    };
    match made.await {
        Ok((range, known)) => {
            let mut manifest = writer.manifest(of);
            manifest.note = note;
            manifest.wal = Some(range);
            if let Some((snapshot, tables)) = known {
                (manifest.snapshot, manifest.tables) = (Some(snapshot), tables);
            }
            writer.commit(manifest, progress).await
        }
        Err(error) => {
            writer.abandon().await;
            Err(error)
        }
    }
}

struct Archiving {
    is_on: bool,
    segment_bytes: u64,
}

impl Archiving {
    async fn read(session: &mut sqlx::PgConnection) -> Result<Self> {
        let doing = "asking how WAL is archived";
        let row = sqlx::query(
            "SELECT current_setting('archive_mode') <> 'off' AS is_on,
                    pg_size_bytes(current_setting('wal_segment_size')) AS bytes",
        )
        .fetch_one(session)
        .await
        .doing(doing)?;
        let bytes: i64 = row.try_get("bytes").doing(doing)?;
        Ok(Self { is_on: row.try_get("is_on").doing(doing)?, segment_bytes: bytes.unsigned_abs() })
    }
}

async fn copy_cluster(
    writer: &mut Writer,
    protected: &Protected,
    of: &Surroundings,
    segment_bytes: u64,
    progress: &Run,
) -> Result<WalRange> {
    let programs = Programs::for_client(of.server_major)?;
    let mut command = programs.command("pg_basebackup", Some(&protected.target));
    command.args(["--pgdata=-", "--format=tar", "--wal-method=fetch", "--checkpoint=fast"]);
    command.args(["--manifest-checksums=SHA256", "--label=counterfoil"]);
    command.stdout(std::process::Stdio::piped());
    run_with(command, &progress.stop, async |stdout| {
        let output = Blocking::new(stdout.ok_or_else(|| Error::Program {
            program: "pg_basebackup".into(),
            said: "its output is not there".into(),
        })?);
        writer
            .stream(STREAM, progress, move |out| {
                let ranges = check_tar(Tee { from: output, to: out }, |_, _| Ok(()))?;
                Ok(ranges)
            })
            .await
    })
    .await?
    .to_range(segment_bytes)
}

/// A moment whose WAL position is exact, with the figures of all tables; and the switch that sends its segment to
/// the archive now. `None` when the database is never still for so long.
async fn at_exact_position(
    target: &Target,
    progress: &Run,
) -> Result<Option<(SnapshotNote, Vec<TableNote>)>> {
    progress.enter("computing digests");
    let snapshot = Snapshot::export(target).await?;
    if !snapshot.note.lsn_is_exact {
        tracing::warn!("the database was never still: this base backup is proved by its checks alone");
        snapshot.release().await;
        return Ok(None);
    }
    let mut session = snapshot.session().await?;
    let found = tables(&mut session).await?;
    close(session).await;
    let figures = figures_of(&snapshot, &found, DIGEST_SESSIONS, &progress.stop).await?;
    let note = snapshot.note.clone();
    snapshot.release().await;
    let mut session = target.connect().await?;
    // Recovery stops at the first record past a position: there has to be one.
    sqlx::query("SELECT pg_logical_emit_message(false, 'counterfoil', 'backup'), pg_switch_wal()")
        .execute(&mut session)
        .await
        .doing("switching to the next WAL segment")?;
    close(session).await;
    let tables = figures
        .into_iter()
        .zip(found)
        .map(|(figures, table)| TableNote { figures, columns: table.columns })
        .collect();
    Ok(Some((note, tables)))
}

/// Passes on what it reads.
struct Tee<R: Read, W: Write> {
    from: R,
    to: W,
}

impl<R: Read, W: Write> Read for Tee<R, W> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(into)?;
        self.to.write_all(&into[..read])?;
        Ok(read)
    }
}

/// `backup_manifest`, as far as we need it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ServerManifest {
    files: Vec<ServerFile>,
    #[serde(rename = "WAL-Ranges")]
    wal_ranges: Vec<ServerRange>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ServerFile {
    path: Option<String>,
    #[serde(rename = "Encoded-Path")]
    encoded_path: Option<String>,
    size: u64,
    checksum: Option<String>,
}

#[derive(Deserialize)]
struct ServerRange {
    #[serde(rename = "Timeline")]
    timeline: u32,
    #[serde(rename = "Start-LSN")]
    start_lsn: String,
    #[serde(rename = "End-LSN")]
    end_lsn: String,
}

impl ServerManifest {
    fn to_range(&self, segment_bytes: u64) -> Result<WalRange> {
        match self.wal_ranges.as_slice() {
            [.., last] => Ok(WalRange {
                timeline: last.timeline,
                start_lsn: self.wal_ranges[0].start_lsn.clone(),
                end_lsn: last.end_lsn.clone(),
                segment_bytes,
                is_included: true,
            }),
            [] => Err(damaged("its manifest names no WAL")),
        }
    }
}

fn damaged(how: impl Into<String>) -> Error {
    Error::Damaged { what: "the base backup".into(), how: how.into() }
}

/// A member of the tar.
pub(crate) struct Member<'a> {
    pub header: &'a tar::Header,
    /// Relative, without `..`.
    pub path: &'a std::path::Path,
}

/// Reads the tar of a base backup to its end and compares every file with the manifest in it: present, as long, and
/// of that SHA-256. `each` gets every member with a reader of it, for files; what it does not read is read here.
pub(crate) fn check_tar<R: Read>(
    mut from: R,
    mut each: impl FnMut(&Member<'_>, Option<&mut dyn Read>) -> io::Result<()>,
) -> io::Result<ServerManifest> {
    let mut seen = BTreeMap::<String, (u64, String)>::new();
    let mut manifest = None;
    let mut tar = tar::Archive::new(&mut from);
    for entry in tar.entries()? {
        let mut entry = entry?;
        let header = entry.header().clone();
        let path = entry.path()?.into_owned();
        let is_safe = path
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_) | std::path::Component::CurDir));
        let kind = header.entry_type();
        if !is_safe || !(kind.is_file() || kind.is_dir()) {
            return Err(damaged(format!("{} in it is not a plain file or folder", path.display())).into());
        }
        let member = Member { header: &header, path: &path };
        if kind.is_dir() {
            each(&member, None)?;
            continue;
        }
        let name = path.to_string_lossy().trim_start_matches("./").to_owned();
        if name == "backup_manifest" {
            let mut json = vec![];
            entry.by_ref().take(MANIFEST_BYTES_MAX).read_to_end(&mut json)?;
            each(&member, Some(&mut json.as_slice()))?;
            let read: ServerManifest =
                serde_json::from_slice(&json).map_err(|error| damaged(format!("its manifest: {error}")))?;
            manifest = Some(read);
            continue;
        }
        let mut hashing = Hashing { from: &mut entry, digest: Sha256::new(), bytes: 0 };
        each(&member, Some(&mut hashing))?;
        io::copy(&mut hashing, &mut io::sink())?;
        seen.insert(name, (hashing.bytes, super::stream::hex(&hashing.digest.finalize())));
    }
    // The blocks after the last member.
    io::copy(&mut from, &mut io::sink())?;
    let manifest = manifest.ok_or_else(|| damaged("it has no manifest"))?;
    for file in &manifest.files {
        let Some(name) = file.name() else { return Err(damaged("its manifest names no file").into()) };
        let Some((bytes, digest)) = seen.remove(&name) else {
            return Err(damaged(format!("{name} is missing")).into());
        };
        if bytes != file.size || file.checksum.as_ref().is_some_and(|wanted| *wanted != digest) {
            return Err(damaged(format!("{name} is not what the server sent")).into());
        }
    }
    match seen.keys().find(|name| !name.starts_with("pg_wal/")) {
        Some(extra) => Err(damaged(format!("{extra} is not in its manifest")).into()),
        None => Ok(manifest),
    }
}

impl ServerFile {
    fn name(&self) -> Option<String> {
        if let Some(path) = &self.path {
            return Some(path.clone());
        }
        let hex = self.encoded_path.as_ref()?;
        let bytes: Option<Vec<u8>> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()).collect();
        Some(String::from_utf8_lossy(&bytes?).into_owned())
    }
}

struct Hashing<R: Read> {
    from: R,
    digest: Sha256,
    bytes: u64,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(into)?;
        self.digest.update(&into[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}
