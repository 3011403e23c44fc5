//! A backup being written: its key, its packs, and at the end its manifest.

use super::stream::seal_stream;
use crate::engine::{Engine, Run};
use crate::error::{Error, Result};
use crate::manifest::{Manifest, StreamNote, VERSION};
use crate::postgres::Surroundings;
use crate::seal::{DataKey, Place};
use crate::stores::{BackupClass, BackupFolder, Commit, Fanout};
use chrono::{DateTime, Utc};
use std::io::{self, Write};
use uuid::Uuid;

/// A committed backup.
#[derive(Debug)]
pub struct Created {
    pub manifest: Manifest,
    pub commit: Commit,
}

/// A backup that does not count yet. Dropped or abandoned, it leaves nothing behind, as far as the stores answer;
/// what a killed process leaves has no manifest, and is swept.
pub(crate) struct Writer {
    engine: Engine,
    folder: BackupFolder,
    key: DataKey,
    started_at: DateTime<Utc>,
    /// `None` only while a stream is being written, or after one has failed with it.
    fanout: Option<Fanout>,
    streams: Vec<StreamNote>,
}

impl Writer {
    pub fn begin(engine: &Engine, class: BackupClass) -> Result<Self> {
        let folder = BackupFolder { cluster: engine.cluster.clone(), class, id: Uuid::now_v7() };
        let fanout = engine.stores.fanout(folder.clone());
        Ok(Self {
            engine: engine.clone(),
            folder,
            key: DataKey::generate()?,
            started_at: Utc::now(),
            fanout: Some(fanout),
            streams: vec![],
        })
    }

    /// Seals what `produce` writes. It runs on a thread where it may block.
    pub async fn stream<T: Send + 'static>(
        &mut self,
        name: &str,
        run: &Run,
        produce: impl FnOnce(&mut dyn Write) -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let fanout = self.fanout.take().ok_or_else(|| Error::Stores("an earlier part has failed".into()))?;
        let place = Place { backup: self.folder.id, object: name.into() };
        let (fanout, note, produced) =
            seal_stream(fanout, place, &self.key, &self.engine.settings, run, produce).await?;
        self.fanout = Some(fanout);
        self.streams.push(note);
        Ok(produced)
    }

    /// What is the same in the manifest of every kind.
    pub fn manifest(&self, of: Surroundings) -> Manifest {
        Manifest {
            v: VERSION,
            id: self.folder.id,
            class: self.folder.class,
            cluster: self.folder.cluster.to_string(),
            note: None,
            tenants: vec![],
            group: None,
            program_version: env!("CARGO_PKG_VERSION").into(),
            started_at: self.started_at,
            finished_at: Utc::now(),
            of,
            snapshot: None,
            tables: vec![],
            wal: None,
            streams: self.streams.clone(),
        }
    }

    /// From here on it is a backup.
    pub async fn commit(mut self, manifest: Manifest, run: &Run) -> Result<Created> {
        run.enter("committing");
        let fanout = self.fanout.take().ok_or_else(|| Error::Stores("an earlier part has failed".into()))?;
        if run.stop.is_cancelled() {
            fanout.abandon().await;
            return Err(Error::Stopped);
        }
        let wrapped = self.engine.keys.wrap(self.folder.id, &self.key)?;
        let sealed = manifest.seal(&self.key, &wrapped)?;
        let commit = fanout.commit(sealed.into()).await.map_err(crate::error::stores_failed)?;
        Ok(Created { manifest, commit })
    }

    /// Removes what is in the stores already. For the way out of an error.
    pub async fn abandon(mut self) {
        if let Some(fanout) = self.fanout.take() {
            fanout.abandon().await;
        }
    }
}
