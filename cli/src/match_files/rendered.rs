//! A file made of pieces: rendered on all threads, and written in order while the next ones are rendered.

use super::failure::{Doing, Failure};
use super::progress::Interrupt;
use rayon::prelude::*;
use std::fmt::Arguments;
use std::fs::File;
use std::io::{self, Write};
use std::sync::mpsc;

/// How a list is cut.
pub struct Pieces<'a, T> {
    pub of: &'a [T],
    /// Items of a piece, the last one's excepted.
    pub len: usize,
    /// Pieces rendered side by side. About three times as many are in memory at most.
    pub at_once: usize,
}

/// `render` is given a piece and the number of items before it. Gives the file back.
pub fn write<'t, T: Sync>(
    mut file: File,
    pieces: Pieces<'t, T>,
    doing: Arguments<'_>,
    interrupt: &Interrupt,
    render: impl Fn(usize, &'t [T]) -> io::Result<Vec<u8>> + Sync,
) -> Result<File, Failure> {
    let Pieces { of, len, at_once } = pieces;
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::sync_channel::<Vec<Vec<u8>>>(1);
        let writer = scope.spawn(move || -> io::Result<File> {
            receiver.into_iter().flatten().try_for_each(|piece| file.write_all(&piece))?;
            Ok(file)
        });
        for (i, wave) in of.chunks(len * at_once).enumerate() {
            interrupt.check()?;
            let first = i * len * at_once;
            let rendered = wave.par_chunks(len).enumerate().map(|(j, piece)| render(first + j * len, piece));
            let rendered: Vec<_> = rendered.collect::<io::Result<_>>().doing(doing)?;
            if sender.send(rendered).is_err() {
                // The writer has met an error, which it brings back.
                break;
            }
        }
        drop(sender);
        let written = writer.join().unwrap_or_else(|_| Err(io::Error::other("writing panicked")));
        written.doing(doing)
    })
}
