//! From the stores into a scratch database, and proved there: the part that every restore of a full backup shares.
//!
//! It may end at any moment by a signal that nobody hears, and the next one goes on with what is whole: the fetched
//! objects or the dump on disk, the loaded database in the cluster. What is half is made anew. Proving always happens,
//! from its beginning: it is what makes the rest trustworthy.

use super::fetching::{Failed, Fetching};
use super::plan::{Step, staging};
use super::proof::{Check, prove};
use super::report::Stopwatch;
use super::staged::StagedDump;
use crate::engine::{Engine, Run};
use crate::error::Result;
use crate::kinds::full::{STREAM, load, read_tar};
use crate::manifest::Manifest;
use crate::postgres::{ScratchDatabase, Target, sweep_scratch_databases};
use crate::seal::DataKey;

pub(super) struct Staging<'s> {
    pub engine: &'s Engine,
    /// Any database of the cluster to restore into.
    pub server: &'s Target,
    pub manifest: &'s Manifest,
    pub key: &'s DataKey,
    /// Objects get the owners they had.
    pub owners: bool,
    pub jobs: usize,
    /// Go on with what a restore of this backup has left that was killed. A drill does not: it proves that all of it works.
    pub takes_up: bool,
    pub run: &'s Run,
}

impl Staging<'_> {
    /// The database that holds it, and what was found in it. When it fails, everything is gone.
    pub async fn perform(&self, watch: &mut Stopwatch) -> Result<(ScratchDatabase, Vec<Check>)> {
        for name in sweep_scratch_databases(self.server).await? {
            tracing::info!(name, "removed a scratch database that somebody left");
        }
        let [fetch, loading, proving] = staging(self.manifest, self.jobs);
        let scratch = match self.left_behind().await? {
            Some(scratch) => {
                watch.done(&Step::TakeUp { what: "the loaded database".into() });
                scratch
            }
            None => {
                let dump = self.fetched(watch, &fetch).await?;
                let scratch = self.loaded(&dump).await?;
                watch.done(&loading);
                scratch
            }
        };
        match prove(&scratch.target, self.manifest, self.jobs, self.run).await {
            Ok(checks) => {
                watch.done(&proving);
                Ok((scratch, checks))
            }
            Err(error) => {
                remove(scratch).await;
                Err(error)
            }
        }
    }

    async fn left_behind(&self) -> Result<Option<ScratchDatabase>> {
        if !self.takes_up {
            return Ok(None);
        }
        let found = ScratchDatabase::take_up(self.server, self.manifest.id, self.owners).await?;
        if found.is_some() {
            // Killed before it was removed, perhaps.
            drop(StagedDump::take(&self.engine.settings.scratch_dir, self.manifest.id)?);
        }
        Ok(found)
    }

    async fn fetched(&self, watch: &mut Stopwatch, step: &Step) -> Result<StagedDump> {
        let dump = StagedDump::take(&self.engine.settings.scratch_dir, self.manifest.id)?;
        if self.takes_up && dump.is_whole() {
            watch.done(&Step::TakeUp { what: "the fetched dump".into() });
            return Ok(dump);
        }
        self.run.enter("fetching");
        dump.empty()?;
        let into = dump.dir();
        let fetching = Fetching {
            engine: self.engine,
            backup: self.manifest.id,
            note: self.manifest.stream(STREAM)?,
            key: self.key,
            run: self.run,
            kept_in: self.takes_up.then(|| dump.packs()),
            room_bytes: self.manifest.plain_bytes(),
        };
        match fetching.open(watch, move |plain| read_tar(plain, &into)).await {
            Ok(()) => dump.mark_whole()?,
            Err(Failed { error, is_kept }) => {
                if is_kept {
                    dump.leave();
                }
                return Err(error);
            }
        }
        watch.done(step);
        Ok(dump)
    }

    async fn loaded(&self, dump: &StagedDump) -> Result<ScratchDatabase> {
        self.run.enter("loading");
        let of = &self.manifest.of;
        let mut scratch = ScratchDatabase::create(self.server, of).await?;
        let loading = async {
            load(&dump.dir(), &scratch.target, of.server_major, self.jobs, self.owners, self.run).await?;
            scratch.mark_loaded(self.manifest.id, self.owners).await
        };
        match loading.await {
            Ok(()) => Ok(scratch),
            Err(error) => {
                remove(scratch).await;
                Err(error)
            }
        }
    }
}

async fn remove(scratch: ScratchDatabase) {
    if let Err(error) = scratch.remove().await {
        tracing::warn!(error = %shared::chain(&error), "a scratch database stays until the next sweep");
    }
}
