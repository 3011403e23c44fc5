//! Writes a backup to all stores at once: packs first, the manifest last.

use super::Stores;
use super::error::StoreError;
use super::kept::Kept;
use super::lane::{EDGE_BYTES, Ended, Lane, Piece};
use super::names::{BackupFolder, NameError, ObjectName};
use super::pack::{Pack, Sha256Hex};
use super::store::{StoreKind, StoreName};
use bytes::{Bytes, BytesMut};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A backup that is being written.
///
/// Memory: parts are shared by all lanes, and a lane keeps at most its queue, the part that it is sending, and the
/// first one of a pack: `queue_parts + 3` parts with the one that is being filled, however many stores there are.
///
/// A store that fails three times, or does not take a part for `lag_max` while another one does, gets nothing more of
/// this backup; what it misses is owed to it. While fewer than two stores take part, and the one left is not a disk
/// that was alone from the start, packs go to the spool as well.
///
/// Dropping it stops all uploads; packs that are complete stay in the stores, unseen for lack of a manifest, until
/// [`Stores::sweep`]. [`Self::abandon`] removes them at once.
pub struct Fanout {
    pub(super) stores: Stores,
    pub(super) folder: BackupFolder,
    pub(super) lanes: Vec<Lane>,
    pub(super) spool: Option<Lane>,
    pub(super) stream: Option<String>,
    /// Of the stream so far.
    packs: Vec<Pack>,
    /// Of all streams so far.
    pub(super) all: Vec<Pack>,
    pack: Option<Building>,
}

#[derive(Debug, thiserror::Error)]
pub enum FanoutError {
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("no stream was begun")]
    NoStream,
    #[error("the stream {0:?} has not ended")]
    Unended(String),
    /// The backup cannot be completed: start over when a store is back.
    #[error("no store takes the backup any more: {}", .why.join("; "))]
    NoStore { why: Vec<String> },
    #[error("{object} is whole in no store: {}", .why.join("; "))]
    Lost { object: ObjectName, why: Vec<String> },
    /// Another run has written a manifest under this id.
    #[error("{0} has another manifest already")]
    Committed(StoreName),
    #[error("writing down what is owed to the stores")]
    Spool(#[source] StoreError),
}

/// The pack that is being filled.
struct Building {
    object: ObjectName,
    part: BytesMut,
    size_bytes: u64,
    digest: Sha256,
    first: BytesMut,
    last: BytesMut,
    spooled: bool,
}

impl Fanout {
    pub(super) fn start(stores: Stores, folder: BackupFolder) -> Self {
        let settings = stores.settings();
        let lane = |kept: &Arc<Kept>| Lane::start(kept.clone(), settings.tries, settings.queue_parts);
        let lanes = stores.kept().iter().map(lane).collect();
        let spool = stores.spool().map(|spool| lane(spool.kept()));
        Self { folder, lanes, spool, stream: None, packs: vec![], all: vec![], pack: None, stores }
    }

    /// Begins a stream: what is written until [`Self::end`] is one sequence of bytes. `name` is 1 to 64 of
    /// `a-z0-9-`, and no other stream's of this backup.
    pub fn begin(&mut self, name: &str) -> Result<(), FanoutError> {
        if let Some(open) = &self.stream {
            return Err(FanoutError::Unended(open.clone()));
        }
        self.folder.pack(name, 1)?;
        self.stream = Some(name.into());
        Ok(())
    }

    /// Adds bytes to the stream. Waits while the stores are slower than the producer.
    pub async fn write(&mut self, mut bytes: Bytes) -> Result<(), FanoutError> {
        let (part_bytes, pack_bytes) = (self.stores.settings().part_bytes, self.stores.settings().pack_bytes);
        while !bytes.is_empty() {
            if self.pack.is_none() {
                self.begin_pack().await?;
            }
            let pack = self.pack.as_mut().expect("begun above");
            let room = (pack_bytes - pack.size_bytes).min((part_bytes - pack.part.len()) as u64);
            let taken = bytes.split_to(bytes.len().min(room as usize));
            pack.add(&taken);
            let full = pack.size_bytes == pack_bytes;
            if pack.part.len() == part_bytes {
                let part = std::mem::replace(&mut pack.part, BytesMut::with_capacity(part_bytes)).freeze();
                self.send(|| Piece::Part(part.clone())).await?;
            }
            if full {
                self.end_pack().await?;
            }
        }
        Ok(())
    }

    /// Ends the stream; gives its packs in order, for the manifest. A stream without bytes has none.
    pub async fn end(&mut self) -> Result<Vec<Pack>, FanoutError> {
        self.stream.as_ref().ok_or(FanoutError::NoStream)?;
        self.end_pack().await?;
        self.stream = None;
        let packs = std::mem::take(&mut self.packs);
        self.all.extend_from_slice(&packs);
        Ok(packs)
    }

    /// Bytes of complete packs so far, for progress.
    pub fn bytes_packed(&self) -> u64 {
        self.all.iter().chain(&self.packs).map(|pack| pack.size_bytes).sum()
    }

    async fn begin_pack(&mut self) -> Result<(), FanoutError> {
        let stream = self.stream.as_ref().ok_or(FanoutError::NoStream)?;
        let object = self.folder.pack(stream, self.packs.len() as u32 + 1)?;
        let spooled = self.needs_spool();
        let writing = self.lanes.iter().any(|lane| !lane.has_failed());
        let spooling = spooled && self.spool.as_ref().is_some_and(|spool| !spool.has_failed());
        if !writing && !spooling {
            return Err(FanoutError::NoStore { why: self.failures() });
        }
        self.pack = Some(Building {
            object: object.clone(),
            part: BytesMut::with_capacity(self.stores.settings().part_bytes),
            size_bytes: 0,
            digest: Sha256::new(),
            first: BytesMut::new(),
            last: BytesMut::new(),
            spooled,
        });
        self.send(|| Piece::Begin(object.clone())).await
    }

    async fn end_pack(&mut self) -> Result<(), FanoutError> {
        let Some(pack) = &mut self.pack else { return Ok(()) };
        if !pack.part.is_empty() {
            let part = pack.part.split().freeze();
            self.send(|| Piece::Part(part.clone())).await?;
        }
        let Some(pack) = &mut self.pack else { return Ok(()) };
        let sha256 = Sha256Hex(std::mem::take(&mut pack.digest).finalize().into());
        let (first, last) = (pack.first.split().freeze(), pack.last.split().freeze());
        let done = Pack { object: pack.object.clone(), size_bytes: pack.size_bytes, sha256 };
        let ended = Ended { pack: done.clone(), first, last };
        self.send(|| Piece::End(ended.clone())).await?;
        self.pack = None;
        self.packs.push(done);
        self.clear_spool().await;
        Ok(())
    }

    /// To every lane, waiting for those whose queue is full. One that lags behind the others is left behind.
    async fn send(&mut self, piece: impl Fn() -> Piece) -> Result<(), FanoutError> {
        let spooled = self.pack.as_ref().is_some_and(|pack| pack.spooled);
        let spool = self.spool.iter().filter(|_| spooled);
        for lane in self.lanes.iter().chain(spool) {
            loop {
                let lag_max = self.stores.settings().lag_max;
                match tokio::time::timeout(lag_max, lane.pieces.reserve()).await {
                    Ok(Ok(permit)) => permit.send(piece()),
                    // Its end only goes when it panicked.
                    Ok(Err(_)) => lane.give_up("its lane has ended"),
                    Err(_) if self.is_ahead_of(lane) => lane.give_up("it lags behind the other stores"),
                    Err(_) => continue,
                }
                break;
            }
        }
        Ok(())
    }

    /// Whether another store has room: then it is not the producer's turn to wait.
    fn is_ahead_of(&self, slow: &Lane) -> bool {
        let others = self.lanes.iter().filter(|lane| !std::ptr::eq(*lane, slow));
        others.into_iter().any(|lane| !lane.has_failed() && lane.pieces.capacity() > 0)
    }

    fn needs_spool(&self) -> bool {
        let mut writing = self.lanes.iter().filter(|lane| !lane.has_failed());
        match (writing.next(), writing.next()) {
            (Some(only), None) => self.lanes.len() > 1 || only.kept.store.kind() != StoreKind::Disk,
            (None, _) => true,
            (Some(_), Some(_)) => false,
        }
    }

    pub(super) async fn flush(&self) {
        let (lag_max, is_one_done) = (self.stores.settings().lag_max, AtomicBool::new(false));
        let lanes = self.lanes.iter().chain(&self.spool);
        futures_util::future::join_all(lanes.map(|lane| lane.flush(lag_max, &is_one_done))).await;
    }

    pub(super) fn failures(&self) -> Vec<String> {
        let lanes = self.lanes.iter().chain(&self.spool);
        lanes
            .filter_map(|l| Some(format!("{}: {}", l.kept.name, l.shared.report().failed.as_ref()?)))
            .collect()
    }
}

impl Building {
    fn add(&mut self, bytes: &[u8]) {
        self.size_bytes += bytes.len() as u64;
        self.digest.update(bytes);
        self.part.extend_from_slice(bytes);
        let room = EDGE_BYTES - self.first.len();
        self.first.extend_from_slice(&bytes[..room.min(bytes.len())]);
        if bytes.len() >= EDGE_BYTES {
            self.last.clear();
        } else {
            let surplus = (self.last.len() + bytes.len()).saturating_sub(EDGE_BYTES);
            let kept = self.last.split_off(surplus);
            self.last = kept;
        }
        self.last.extend_from_slice(&bytes[bytes.len().saturating_sub(EDGE_BYTES)..]);
    }
}
