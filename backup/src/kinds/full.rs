//! The whole database, logically: `pg_dump` in directory format, several processes at once, as one tar.

use super::{Created, Writer};
use crate::engine::{Protected, Run};
use crate::error::{Doing, Error, Result};
use crate::manifest::TableNote;
use crate::postgres::{Programs, ScratchDir, Snapshot, Surroundings, close, figures_of, run, tables};
use crate::stores::BackupClass;
use shared::store::reach::{MAKE_ROLES, SYSTEM_ROLE};
use sqlx::Executor;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The only part: the directory as a tar.
pub const STREAM: &str = "dump";
/// Sessions that compute digests while the dump runs.
const DIGEST_SESSIONS: usize = 2;

/// Takes a backup of the whole database. `note`: why, in words.
///
/// The dump is staged on disk, uncompressed, because only a directory can be dumped by several processes; it is gone
/// when this returns, and so is everything else unless a backup was committed.
pub async fn create(protected: &Protected, note: Option<String>, progress: &Run) -> Result<Created> {
    progress.enter("reading the catalogue");
    let mut writer = Writer::begin(&protected.engine, BackupClass::Full)?;
    match create_in(&mut writer, protected, note, progress).await {
        Ok(manifest) => writer.commit(manifest, progress).await,
        Err(error) => {
            writer.abandon().await;
            Err(error)
        }
    }
}

async fn create_in(
    writer: &mut Writer,
    protected: &Protected,
    note: Option<String>,
    progress: &Run,
) -> Result<crate::manifest::Manifest> {
    let Protected { engine, target } = protected;
    let snapshot = Snapshot::export(target).await?;
    let mut session = snapshot.session().await?;
    let of = Surroundings::read(&mut session).await?;
    let found = tables(&mut session).await?;
    // An owner that is no superuser is under row security, too. As a member of this role it sees every row; anybody else
    // is refused by pg_dump itself rather than given less.
    let sees_all_rows: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1 AND pg_has_role(oid, 'USAGE'))",
    )
    .bind(SYSTEM_ROLE)
    .fetch_one(&mut session)
    .await
    .doing("looking at the rights of the role")?;
    close(session).await;

    progress.enter("dumping");
    let scratch = ScratchDir::create(&engine.settings.scratch_dir)?;
    let dir = scratch.path().join("dump");
    let dump = async {
        let programs = Programs::for_client(of.server_major)?;
        let mut command = programs.command("pg_dump", Some(target));
        command.args(["--format=directory", "--compress=0", "--no-sync", "--encoding=UTF8"]);
        command.arg(format!("--jobs={}", engine.settings.jobs)).arg(format!("--snapshot={}", snapshot.id));
        if sees_all_rows {
            command.arg("--enable-row-security");
        }
        command.arg("--file").arg(&dir);
        run(command, &progress.stop).await
    };
    let figures = figures_of(&snapshot, &found, DIGEST_SESSIONS, &progress.stop);
    let ((), figures) = tokio::try_join!(dump, figures)?;
    let taken = snapshot.note.clone();
    // From here on nothing reads the database: vacuum may go on.
    snapshot.release().await;

    progress.enter("sealing");
    writer.stream(STREAM, progress, move |out| write_tar(&dir, out)).await?;
    drop(scratch);

    let mut manifest = writer.manifest(of);
    manifest.note = note;
    manifest.snapshot = Some(taken);
    manifest.tables = figures
        .into_iter()
        .zip(found)
        .map(|(figures, table)| TableNote { figures, columns: table.columns })
        .collect();
    Ok(manifest)
}

/// The files of a folder without folders, by name, so that equal dumps are equal tars.
fn write_tar(dir: &Path, out: &mut dyn Write) -> io::Result<()> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(dir)?.map(|found| found.map(|found| found.path())).collect::<io::Result<_>>()?;
    files.sort_unstable();
    let mut tar = tar::Builder::new(out);
    tar.mode(tar::HeaderMode::Deterministic);
    for path in files {
        let name = path.file_name().unwrap_or_default();
        tar.append_file(name, &mut fs::File::open(&path)?)?;
        // Read once: its room may be needed.
        fs::remove_file(&path)?;
    }
    tar.into_inner().map(drop)
}

/// Unpacks what [`write_tar`] wrote. A name with a folder in it, or anything but a plain file, is damage.
pub(crate) fn read_tar(from: &mut dyn io::Read, dir: &Path) -> io::Result<()> {
    let mut tar = tar::Archive::new(from);
    for entry in tar.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let is_plain = path.components().count() == 1 && entry.header().entry_type().is_file();
        let Some(name) = path.file_name().filter(|_| is_plain) else {
            let how = format!("{} in it is not a plain file", path.display());
            return Err(Error::Damaged { what: "the dump".into(), how }.into());
        };
        let mut file = fs::File::create_new(dir.join(name))?;
        io::copy(&mut entry, &mut file)?;
    }
    Ok(())
}

/// Loads a dump directory into an empty database by `pg_restore`, several processes at once. `owners`: whether
/// objects get the owners and privileges they had; otherwise everything belongs to the role that loads.
pub(crate) async fn load(
    dir: &Path,
    into: &crate::postgres::Target,
    server_major: u32,
    jobs: usize,
    owners: bool,
    progress: &Run,
) -> Result<()> {
    let programs = Programs::for_client(server_major)?;
    let mut session = into.connect().await?;
    if let Err(error) = session.execute(MAKE_ROLES).await {
        // A dump that needs them fails by itself, and names them; an older one does not.
        tracing::warn!(%error, "the roles of row security could not be made");
    }
    let mut command = programs.command("pg_restore", Some(into));
    command.arg("--exit-on-error").arg(format!("--jobs={jobs}")).arg("--dbname").arg(into.database());
    if !owners {
        command.args(["--no-owner", "--no-privileges"]);
    }
    command.arg(dir);
    run(command, &progress.stop).await?;
    let has_rights: bool = sqlx::query_scalar("SELECT to_regprocedure('public.grant_rights()') IS NOT NULL")
        .fetch_one(&mut session)
        .await
        .doing("looking for the rights")?;
    if has_rights {
        session.execute("SELECT public.grant_rights()").await.doing("granting the rights")?;
    }
    close(session).await;
    Ok(())
}
