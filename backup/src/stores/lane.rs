//! One store's side of a fan-out: takes the pieces in order and never makes the others wait for longer than its queue.

use super::error::StoreError;
use super::kept::{Kept, Tries, tried};
use super::names::ObjectName;
use super::pack::Pack;
use super::store::{Creation, Store, Upload};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// What the producer sends to every lane.
pub(super) enum Piece {
    Begin(ObjectName),
    /// Shared with the other lanes.
    Part(Bytes),
    End(Ended),
    /// Answered when everything before it is done.
    Flush(oneshot::Sender<()>),
}

/// A pack that is complete, with enough of it to see later that a store really has it.
#[derive(Clone)]
pub(super) struct Ended {
    pub pack: Pack,
    pub first: Bytes,
    pub last: Bytes,
}

/// The producer's end.
pub(super) struct Lane {
    pub kept: Arc<Kept>,
    pub pieces: mpsc::Sender<Piece>,
    pub shared: Arc<LaneShared>,
    _running: AbortOnDropHandle<()>,
}

pub(super) struct LaneShared {
    /// Ends what the lane is doing; its store gets nothing more of this backup.
    give_up: CancellationToken,
    report: Mutex<Report>,
}

#[derive(Default)]
pub(super) struct Report {
    /// Packs that the store holds, read back.
    pub held: HashSet<ObjectName>,
    /// Why the store gets nothing more of this backup.
    pub failed: Option<String>,
}

/// What is read back of both ends of a pack.
pub(super) const EDGE_BYTES: usize = 4 << 10;
/// Aborting is a courtesy: what it leaves is found later.
const ABORT_MAX: Duration = Duration::from_secs(10);

impl Lane {
    /// `queue_parts`: that wait for the store beside the one it is taking.
    pub fn start(kept: Arc<Kept>, tries: Tries, queue_parts: usize) -> Self {
        let (pieces, queue) = mpsc::channel(queue_parts);
        let shared =
            Arc::new(LaneShared { give_up: CancellationToken::new(), report: Mutex::new(Report::default()) });
        let side = Side { kept: kept.clone(), tries, shared: shared.clone(), upload: None };
        let running = AbortOnDropHandle::new(tokio::spawn(side.run(queue)));
        Self { kept, pieces, shared, _running: running }
    }

    pub fn has_failed(&self) -> bool {
        self.shared.report().failed.is_some()
    }

    /// Waits until everything is taken. A lane that takes nothing for `lag_max`, while another one has nothing left to
    /// take, is left behind.
    pub async fn flush(&self, lag_max: Duration, is_another_done: &AtomicBool) {
        let (done, is_done) = oneshot::channel();
        let flushed = async {
            if self.pieces.send(Piece::Flush(done)).await.is_ok() {
                let _ = is_done.await;
            }
        };
        let mut flushed = pin!(flushed);
        loop {
            let waiting = self.pieces.capacity();
            if tokio::time::timeout(lag_max, &mut flushed).await.is_ok() {
                if !self.has_failed() {
                    is_another_done.store(true, Ordering::Relaxed);
                }
                return;
            }
            if is_another_done.load(Ordering::Relaxed) && self.pieces.capacity() == waiting {
                self.give_up("it lags behind the other stores");
            }
        }
    }

    /// The store gets nothing more of this backup, and what it is answering is cut off.
    pub fn give_up(&self, why: &str) {
        self.shared.fail(&self.kept, why);
        self.shared.give_up.cancel();
    }

    /// The store gets nothing more of this backup once it has answered.
    pub fn take_no_more(&self, why: &str) {
        self.shared.fail(&self.kept, why);
    }
}

impl LaneShared {
    pub fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, kept: &Kept, why: &str) {
        let mut report = self.report();
        if report.failed.is_none() {
            tracing::warn!(store = %kept.name, why, "a store gets nothing more of this backup for now");
            report.failed = Some(why.to_owned());
        }
    }
}

/// The store's end.
struct Side {
    kept: Arc<Kept>,
    tries: Tries,
    shared: Arc<LaneShared>,
    upload: Option<Upload>,
}

impl Side {
    async fn run(mut self, mut queue: mpsc::Receiver<Piece>) {
        while let Some(piece) = queue.recv().await {
            // A lane that has failed goes on emptying its queue, so that nobody waits for it.
            match piece {
                Piece::Flush(done) => {
                    if self.shared.report().failed.is_some() {
                        self.abort().await;
                    }
                    let _ = done.send(());
                }
                _ if self.shared.report().failed.is_some() => self.abort().await,
                piece => {
                    let give_up = self.shared.give_up.clone();
                    let taken = tokio::select! {
                        biased;
                        () = give_up.cancelled() => None,
                        taken = self.take(piece) => Some(taken),
                    };
                    if let Some(Err(error)) = &taken {
                        self.shared.fail(&self.kept, &error.to_string());
                    }
                    if !matches!(taken, Some(Ok(()))) {
                        self.abort().await;
                    }
                }
            }
        }
        // The producer is gone in the middle of a pack.
        self.abort().await;
    }

    async fn take(&mut self, piece: Piece) -> Result<(), StoreError> {
        match piece {
            Piece::Begin(name) => {
                self.upload = Some(self.kept.store.upload(&name, Creation::Only));
                Ok(())
            }
            Piece::Part(bytes) => {
                let Some(upload) = &mut self.upload else { return Ok(()) };
                tried!(self.kept, self.tries, upload.part(bytes.clone()))
            }
            Piece::End(ended) => {
                let Some(upload) = &mut self.upload else { return Ok(()) };
                match tried!(self.kept, self.tries, upload.finish()) {
                    // The answer to an earlier try was lost, or another run used the name: the content tells.
                    Err(StoreError::Exists) => {
                        digest_is_right(&self.kept, self.tries, &ended.pack).await?;
                    }
                    other => other?,
                }
                self.upload = None;
                edges_are_right(&self.kept, self.tries, &ended).await?;
                self.shared.report().held.insert(ended.pack.object);
                Ok(())
            }
            Piece::Flush(_) => Ok(()),
        }
    }

    async fn abort(&mut self) {
        let Some(upload) = self.upload.take() else { return };
        if !matches!(tokio::time::timeout(ABORT_MAX, upload.abort()).await, Ok(Ok(()))) {
            tracing::debug!(store = %self.kept.name, "an unfinished upload is left for the sweeper");
        }
    }
}

/// Whether the store gives the pack's both ends back, and its size: cheap enough to be done always.
async fn edges_are_right(kept: &Kept, tries: Tries, ended: &Ended) -> Result<(), StoreError> {
    tried!(kept, tries, edges_are_right_once(&kept.store, ended))
}

async fn edges_are_right_once(store: &Store, ended: &Ended) -> Result<(), StoreError> {
    let Pack { object, size_bytes, .. } = &ended.pack;
    let found = store.head(object).await?.size_bytes;
    if found != *size_bytes {
        return Err(StoreError::damaged(format!("{size_bytes} bytes were sent, {found} are there")));
    }
    let ends = [(0, &ended.first), (size_bytes - ended.last.len() as u64, &ended.last)];
    for (at, expected) in ends.into_iter().filter(|(_, expected)| !expected.is_empty()) {
        let range = at..at + expected.len() as u64;
        let mut chunks = store.get(object, Some(range)).await?;
        let mut read = BytesMut::new();
        while let Some(chunk) = chunks.next().await {
            read.extend_from_slice(&chunk?);
            if read.len() > expected.len() {
                break;
            }
        }
        if read != *expected {
            return Err(StoreError::damaged("other bytes come back than were sent"));
        }
    }
    Ok(())
}

/// Reads the whole object and gives none of it out.
pub(super) async fn digest_is_right(kept: &Kept, tries: Tries, pack: &Pack) -> Result<(), StoreError> {
    tried!(kept, tries, digest_is_right_once(&kept.store, pack))
}

async fn digest_is_right_once(store: &Store, pack: &Pack) -> Result<(), StoreError> {
    let (mut digest, mut size_bytes) = (Sha256::new(), 0);
    let mut chunks = store.get(&pack.object, None).await?;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        size_bytes += chunk.len() as u64;
        if size_bytes > pack.size_bytes {
            break;
        }
        digest.update(&chunk);
    }
    if size_bytes == pack.size_bytes && *digest.finalize() == pack.sha256.0 {
        Ok(())
    } else {
        Err(StoreError::damaged("its digest is not what it must be"))
    }
}
