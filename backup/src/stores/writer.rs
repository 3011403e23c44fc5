//! A fan-out for threads that block: what a `Sealer` writes to.

use super::fanout::Fanout;
use bytes::Bytes;
use std::io::{self, Write};
use tokio::runtime::Handle;

/// Writes to the stream that was begun. Use it on blocking threads only (`spawn_blocking`): on others it panics, as
/// everything does that blocks there. Errors carry the [`super::FanoutError`].
pub struct StreamWriter {
    fanout: Fanout,
    runtime: Handle,
}

impl StreamWriter {
    pub fn new(fanout: Fanout, runtime: Handle) -> Self {
        Self { fanout, runtime }
    }

    pub fn into_inner(self) -> Fanout {
        self.fanout
    }
}

impl Write for StreamWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.fanout.write(Bytes::copy_from_slice(bytes));
        self.runtime.block_on(written).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    /// Nothing waits here for more than its part to be full; [`Fanout::end`] is what completes a stream.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
