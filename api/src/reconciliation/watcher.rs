//! Watching jobs for event streams: one question to the database for all of them, however many clients look.

use super::State;
use super::show::Progress;
use shared::ids::JobId;
use shared::store::Store;
use shared::store::jobs::JobView;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;

/// How old what a stream shows may be. One indexed question for all watched jobs takes about a millisecond, and none is
/// asked while nobody looks; people notice a delay from about 100 ms on, and making the page of the result takes most of
/// that.
const PERIOD: Duration = Duration::from_millis(25);

/// What a stream shows of a job.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    pub state: State,
    pub is_final: bool,
    pub attempt: i32,
    pub error: Option<String>,
    pub progress: Option<Progress>,
}

impl From<JobView> for Seen {
    fn from(job: JobView) -> Self {
        Self {
            state: job.state.into(),
            is_final: job.state.is_final(),
            attempt: job.attempt,
            error: job.error,
            progress: job.progress.map(|progress| progress.0.into()),
        }
    }
}

/// A handle; clones are the same watcher.
#[derive(Clone)]
pub(crate) struct Watcher(Arc<Inner>);

struct Inner {
    store: Store,
    places: Arc<Semaphore>,
    watched: Mutex<HashMap<JobId, watch::Sender<Seen>>>,
    /// Rung when the first job is watched after nobody was looking.
    anybody: Notify,
    stop: CancellationToken,
}

/// One stream's look at a job; its place is free again when this is dropped.
pub(crate) struct Watch {
    pub seen: watch::Receiver<Seen>,
    pub stop: CancellationToken,
    _place: Place,
}

/// Counts an open stream while it lives.
struct Place {
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        metrics::gauge!("counterfoil_event_streams_open").decrement(1.0);
    }
}

impl Watcher {
    pub fn new(store: Store, streams_max: usize, stop: CancellationToken) -> Self {
        Self(Arc::new(Inner {
            store,
            places: Arc::new(Semaphore::new(streams_max)),
            watched: Mutex::default(),
            anybody: Notify::new(),
            stop,
        }))
    }

    /// A look at `job`, which was read just now. `None`: too many streams are open.
    pub fn watch(&self, job: JobView) -> Option<Watch> {
        let place = self.0.places.clone().try_acquire_owned().ok()?;
        metrics::gauge!("counterfoil_event_streams_open").increment(1.0);
        let id = job.id;
        let seen = Seen::from(job);
        let mut watched = self.watched();
        let seen = match watched.get(&id) {
            // Others look already, and may have seen more than the caller.
            Some(sender) => sender.subscribe(),
            None => {
                let (sender, receiver) = watch::channel(seen);
                watched.insert(id, sender);
                receiver
            }
        };
        self.0.anybody.notify_one();
        Some(Watch { seen, stop: self.0.stop.clone(), _place: Place { _permit: place } })
    }

    /// Looks at all watched jobs every 25 ms while there are any, until `stop`. A database that is away only
    /// makes what the streams show older.
    pub async fn poll(self) {
        let polling = async {
            loop {
                if self.forget_unwatched().is_empty() {
                    self.0.anybody.notified().await;
                }
                self.look().await;
                tokio::time::sleep(PERIOD).await;
            }
        };
        tokio::select! {
            () = polling => {}
            () = self.0.stop.cancelled() => {}
        }
    }

    async fn look(&self) {
        let ids: Vec<JobId> = self.forget_unwatched().keys().copied().collect();
        let jobs = match self.0.store.jobs(&ids).await {
            Ok(jobs) => jobs,
            Err(error) => {
                tracing::warn!(error = shared::chain(&error), "looking at watched jobs failed");
                return;
            }
        };
        let mut watched = self.watched();
        let mut gone: HashSet<JobId> = ids.into_iter().collect();
        for job in jobs {
            gone.remove(&job.id);
            let (id, seen) = (job.id, Seen::from(job));
            if let Some(sender) = watched.get(&id) {
                let is_final = seen.is_final;
                sender.send_if_modified(|old| {
                    let modified = *old != seen;
                    *old = seen;
                    modified
                });
                // Without a sender the streams end, after the last change.
                if is_final {
                    watched.remove(&id);
                }
            }
        }
        // Deleted meanwhile.
        gone.iter().for_each(|id| drop(watched.remove(id)));
    }

    fn forget_unwatched(&self) -> MutexGuard<'_, HashMap<JobId, watch::Sender<Seen>>> {
        let mut watched = self.watched();
        watched.retain(|_, sender| sender.receiver_count() > 0);
        watched
    }

    fn watched(&self) -> MutexGuard<'_, HashMap<JobId, watch::Sender<Seen>>> {
        self.0.watched.lock().unwrap_or_else(|error| error.into_inner())
    }
}
