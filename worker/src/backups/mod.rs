//! What a worker has for backups: the engine, opened once, and two loops of its own.
//!
//! Unlike the matching core this works on the outside: PostgreSQL's programs, disks and object stores. A backup is a
//! fact once its manifest is in the stores, whatever becomes of the job that took it; so the bodies record it outside
//! of the job's fenced transactions, and what a lost lease could spoil is nothing.

mod running;
mod watcher;

pub use running::{Supervised, job_error};

use ::backup::engine::{Engine, Protected, key_ring};
use ::backup::error::Error;
use ::backup::postgres::Target;
use shared::config;
use shared::store::Store;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Cheap to clone.
#[derive(Clone)]
pub struct Backups(Arc<Inner>);

struct Inner {
    config: config::Backup,
    store: Store,
    engine: OnceLock<Engine>,
}

/// Rounds of the synchroniser, when nobody wakes it.
const SYNCHRONISE_PERIOD: Duration = Duration::from_secs(60);

impl Backups {
    /// `store`: of the database that is backed up, which is the one that the worker works for.
    pub fn new(config: &config::Backup, store: Store) -> Self {
        Self(Arc::new(Inner { config: config.clone(), store, engine: OnceLock::new() }))
    }

    pub fn config(&self) -> &config::Backup {
        &self.0.config
    }

    pub fn is_configured(&self) -> bool {
        !self.0.config.stores.is_empty()
    }

    /// The engine with the keys as they are now. The stores are opened once, so that everything in this process sees
    /// the same state of them.
    pub fn engine(&self) -> Result<Engine, Error> {
        let keys = key_ring(&self.0.config)?;
        if let Some(engine) = self.0.engine.get() {
            return Ok(Engine { keys, ..engine.clone() });
        }
        let engine = Engine::open(&self.0.config, None)?;
        Ok(Engine { keys, ..self.0.engine.get_or_init(|| engine).clone() })
    }

    /// The database as the worker reaches it now: its password may have changed.
    pub fn target(&self) -> Target {
        Target::new(self.0.store.connect_options())
    }

    pub fn protected(&self) -> Result<Protected, Error> {
        Ok(Protected { engine: self.engine()?, target: self.target() })
    }

    /// Brings stores what they are owed, and looks after records, figures and alarms, until `stop`. Without stores
    /// there is nothing to do.
    pub async fn look_after(self, stop: CancellationToken) {
        if !self.is_configured() {
            return;
        }
        let engine = loop {
            match self.engine() {
                Ok(engine) => break engine,
                Err(error) => tracing::error!(error = shared::chain(&error), "backups cannot be taken"),
            }
            // A secret that is missing may be put there.
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(SYNCHRONISE_PERIOD) => {}
            }
        };
        let synchronising = engine.stores.synchronise_until(stop.clone(), SYNCHRONISE_PERIOD);
        tokio::join!(synchronising, watcher::watch_until(&self, &engine, stop.clone()));
    }
}
