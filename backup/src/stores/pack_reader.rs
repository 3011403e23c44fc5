//! Packs as one stream of bytes.

use super::Stores;
use super::pack::Pack;
use super::pack_folder::PackFolder;
use super::reading::ReadError;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;

/// Reads packs one after the other; see [`Stores::read_packs`].
pub struct PackReader {
    stores: Stores,
    waiting: VecDeque<Pack>,
    fetching: VecDeque<AbortOnDropHandle<Result<File, ReadError>>>,
    current: Option<File>,
    folder: Option<PackFolder>,
    ahead: usize,
    runtime: Handle,
}

impl Stores {
    /// The bytes of all packs one after the other, for a blocking thread: `ahead` of them are fetched while one is
    /// read. Disk: `ahead + 1` packs; with `folder`, where they stay, all of them.
    pub fn read_packs(
        &self,
        packs: Vec<Pack>,
        ahead: usize,
        folder: Option<PackFolder>,
        runtime: Handle,
    ) -> PackReader {
        PackReader {
            stores: self.clone(),
            waiting: packs.into(),
            fetching: VecDeque::new(),
            current: None,
            folder,
            ahead,
            runtime,
        }
    }
}

impl PackReader {
    fn fetch(&mut self, pack: Pack) {
        let (stores, folder) = (self.stores.clone(), self.folder.clone());
        let fetched = self.runtime.spawn(async move {
            match folder {
                Some(folder) => stores.fetch_into(&pack, &folder).await,
                None => stores.fetch(&pack).await,
            }
        });
        self.fetching.push_back(AbortOnDropHandle::new(fetched));
    }
}

impl Read for PackReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        loop {
            if let Some(file) = &mut self.current {
                match file.read(into)? {
                    0 => self.current = None,
                    length => return Ok(length),
                }
            }
            while self.fetching.len() <= self.ahead
                && let Some(pack) = self.waiting.pop_front()
            {
                self.fetch(pack);
            }
            let Some(next) = self.fetching.pop_front() else { return Ok(0) };
            let fetched = self.runtime.block_on(next).map_err(io::Error::other)?;
            self.current = Some(fetched.map_err(io::Error::other)?);
        }
    }
}
