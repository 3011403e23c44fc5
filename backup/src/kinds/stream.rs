//! Between what blocks (dumps, compression, encryption) and what does not (the stores).

use crate::engine::{Run, Settings};
use crate::error::{Doing, Error, Result, stores_failed};
use crate::manifest::StreamNote;
use crate::seal::{DataKey, Opener, Place, Sealer};
use crate::stores::{Fanout, PackFolder, Stores};
use bytes::{Bytes, BytesMut};
use std::io::{self, Read, Write};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::runtime::Handle;

/// Sealed bytes go to the stores in pieces of this size.
const PIECE_BYTES: usize = 1 << 20;

/// Seals what `produce` writes, and sends it to the stores as it comes: memory is a few pieces, whatever the size.
/// The fan-out comes back for the next stream; after an error it is dropped, which abandons the backup.
pub(crate) async fn seal_stream<T: Send + 'static>(
    mut fanout: Fanout,
    place: Place,
    key: &DataKey,
    settings: &Settings,
    run: &Run,
    produce: impl FnOnce(&mut dyn Write) -> io::Result<T> + Send + 'static,
) -> Result<(Fanout, StreamNote, T)> {
    let name = place.object.clone();
    let doing = format!("writing part {name:?} of the backup");
    fanout.begin(&name).map_err(stores_failed)?;
    let (key, level, threads, run) = (key.clone(), settings.level, settings.threads, run.clone());
    let handle = Handle::current();
    let sealing = tokio::task::spawn_blocking(move || -> io::Result<_> {
        let out = Out { fanout, handle, run: run.clone(), piece: BytesMut::with_capacity(PIECE_BYTES) };
        let sealer = Sealer::new(out, &key, &place, level, threads)?;
        let mut counted = Counted { sealer, run };
        let produced = produce(&mut counted)?;
        let (out, sealed) = counted.sealer.finish()?;
        Ok((out.fanout, sealed, produced))
    });
    let (mut fanout, sealed, produced) =
        sealing.await.map_err(|error| io::Error::other(error.to_string())).doing(&doing)?.doing(&doing)?;
    let packs = fanout.end().await.map_err(stores_failed)?;
    let note = StreamNote {
        name,
        plain_bytes: sealed.plain_bytes,
        sealed_bytes: sealed.sealed_bytes,
        sha256: hex(&sealed.sha256),
        packs,
    };
    Ok((fanout, note, produced))
}

/// Counts plain bytes, and ends when the run was stopped.
struct Counted<W: Write> {
    sealer: Sealer<W>,
    run: Run,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, plain: &[u8]) -> io::Result<usize> {
        if self.run.stop.is_cancelled() {
            return Err(Error::Stopped.into());
        }
        let taken = self.sealer.write(plain)?;
        self.run.count(taken);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sealer.flush()
    }
}

struct Out {
    fanout: Fanout,
    handle: Handle,
    run: Run,
    piece: BytesMut,
}

impl Out {
    fn send(&mut self, piece: Bytes) -> io::Result<()> {
        if self.run.stop.is_cancelled() {
            return Err(Error::Stopped.into());
        }
        self.handle.block_on(self.fanout.write(piece)).map_err(|error| io::Error::from(stores_failed(error)))
    }
}

impl Write for Out {
    fn write(&mut self, sealed: &[u8]) -> io::Result<usize> {
        let taken = sealed.len().min(PIECE_BYTES - self.piece.len());
        self.piece.extend_from_slice(&sealed[..taken]);
        if self.piece.len() == PIECE_BYTES {
            let full = std::mem::replace(&mut self.piece, BytesMut::with_capacity(PIECE_BYTES));
            self.send(full.freeze())?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        let rest = std::mem::take(&mut self.piece);
        if rest.is_empty() { Ok(()) } else { self.send(rest.freeze()) }
    }
}

/// Opens a stream of a backup, and lets `consume` read its plain bytes on a thread where it may block. When it
/// returns, everything was read, and found to be what was sealed. `packs`: where what is fetched stays, and what is there
/// already is not fetched.
pub(crate) async fn open_stream<T: Send + 'static>(
    stores: &Stores,
    backup: uuid::Uuid,
    note: &StreamNote,
    key: &DataKey,
    run: &Run,
    packs: Option<PackFolder>,
    consume: impl FnOnce(&mut dyn Read) -> io::Result<T> + Send + 'static,
) -> Result<T> {
    let what = format!("part {:?} of backup {backup}", note.name);
    let sealed = stores.read_packs(note.packs.clone(), 1, packs, Handle::current());
    let place = Place { backup, object: note.name.clone() };
    let (key, run, plain_bytes) = (key.clone(), run.clone(), note.plain_bytes);
    let opening = tokio::task::spawn_blocking(move || -> io::Result<T> {
        let mut plain = Plain { opener: Opener::new(sealed, &key, &place)?, run, bytes: 0 };
        let consumed = consume(&mut plain)?;
        // Only the end says that nothing was cut off.
        io::copy(&mut plain, &mut io::sink())?;
        if plain.bytes != plain_bytes {
            let how = format!("{} bytes instead of {plain_bytes}", plain.bytes);
            return Err(Error::Damaged { what: place.object, how }.into());
        }
        Ok(consumed)
    });
    opening.await.map_err(|error| io::Error::other(error.to_string())).doing(&what)?.doing(&what)
}

struct Plain<R: Read> {
    opener: Opener<R>,
    run: Run,
    bytes: u64,
}

impl<R: Read> Read for Plain<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.run.stop.is_cancelled() {
            return Err(Error::Stopped.into());
        }
        let read = self.opener.read(into)?;
        self.bytes += read as u64;
        self.run.count(read);
        Ok(read)
    }
}

/// Reads a child's output from a thread that may block.
pub(crate) struct Blocking<R> {
    reader: R,
    handle: Handle,
}

impl<R: AsyncRead + Unpin> Blocking<R> {
    pub fn new(reader: R) -> Self {
        Self { reader, handle: Handle::current() }
    }
}

impl<R: AsyncRead + Unpin> Read for Blocking<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.handle.block_on(self.reader.read(into))
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
