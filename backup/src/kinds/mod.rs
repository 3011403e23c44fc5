//! The kinds of backups, one module each. All go the same way: take a snapshot, produce a stream of plain bytes, seal
//! it into packs in all stores, and write the manifest last.

pub mod configuration;
pub mod full;
pub mod physical;
pub mod tenant;

mod parts;
pub(crate) mod stream;
mod writer;

pub use parts::PART_BYTES;
pub(crate) use parts::{PartsReader, PartsWriter};
pub use writer::Created;
pub(crate) use writer::Writer;
