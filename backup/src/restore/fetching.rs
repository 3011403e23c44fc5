//! A stream of a backup out of the stores. What was fetched of it stays on disk until all of it was used, so that a
//! restore that was killed, or that the stores left alone, goes on with it.

use super::report::Stopwatch;
use super::{Step, TAKEN_UP_WITHIN};
use crate::engine::{Engine, Run};
use crate::error::{Doing, Error, Result};
use crate::kinds::stream::open_stream;
use crate::manifest::StreamNote;
use crate::seal::DataKey;
use crate::stores::PackFolder;
use std::io::{self, Read};
use std::path::PathBuf;
use uuid::Uuid;

pub(super) struct Fetching<'f> {
    pub engine: &'f Engine,
    pub backup: Uuid,
    pub note: &'f StreamNote,
    pub key: &'f DataKey,
    pub run: &'f Run,
    /// Where fetched objects stay, as long as `room_bytes` more fit beside them; in a folder that is ours and locked.
    /// `None`: nowhere, and nothing is taken up.
    pub kept_in: Option<PathBuf>,
    /// What is written to the same disk while they are there.
    pub room_bytes: u64,
}

/// Whether what was fetched is still there, for another try.
#[derive(Debug)]
pub(super) struct Failed {
    pub error: Error,
    pub is_kept: bool,
}

impl Fetching<'_> {
    /// As [`open_stream`]. Afterwards the fetched objects are still there; whoever knows that nobody needs them again
    /// removes them.
    pub async fn open<T: Send + 'static>(
        self,
        watch: &mut Stopwatch,
        consume: impl FnOnce(&mut dyn Read) -> io::Result<T> + Send + 'static,
    ) -> std::result::Result<T, Failed> {
        let packs = self.folder().map_err(|error| Failed { error, is_kept: false })?;
        let Self { engine, backup, note, key, run, .. } = self;
        let opened = open_stream(&engine.stores, backup, note, key, run, packs.clone(), consume).await;
        let taken_up = packs.as_ref().map_or(0, PackFolder::taken_up);
        if taken_up > 0 {
            let what = format!("{taken_up} of {} fetched objects", note.packs.len());
            watch.note(&Step::TakeUp { what });
        }
        opened.map_err(|error| match error {
            // Another time they do, perhaps.
            Error::Stores(why) if packs.is_some() => Failed {
                error: Error::Stores(format!(
                    "{why}. What was fetched is kept: the same restore {TAKEN_UP_WITHIN} goes on with it"
                )),
                is_kept: true,
            },
            error => Failed { error, is_kept: false },
        })
    }

    fn folder(&self) -> Result<Option<PackFolder>> {
        let Some(dir) = &self.kept_in else { return Ok(None) };
        let doing = || format!("making {}", dir.display());
        PackFolder::open_with_room(dir.clone(), &self.note.packs, self.room_bytes).doing(doing())
    }
}
