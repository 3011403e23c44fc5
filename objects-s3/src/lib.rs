//! A bucket behind any S3-compatible endpoint: AWS, R2, B2, MinIO, Ceph.
//!
//! The only crate that knows the AWS SDK, which takes long to build. It tries each request once: how often and when to
//! try again is decided by whoever knows what else could be done. Requests are of the plainest kind that all endpoints
//! understand: no checksum trailers, no continued checksums over parts, deletion one by one.

mod bucket;
mod error;
mod listing;
mod lock;
mod upload;

pub use bucket::{Bucket, BucketSettings, Creation, Head};
pub use error::S3Error;
pub use listing::{Listed, Page, UnfinishedUpload};
pub use lock::{Lock, LockMode};
pub use upload::Upload;

/// Every part of an upload but the last has this size: R2 demands equal ones, and S3 allows 10,000 of them.
pub const PART_BYTES: usize = 16 << 20;
