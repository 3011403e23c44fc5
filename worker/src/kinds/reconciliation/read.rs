//! Reading both sides from the object store.

use super::{Bench, READ_PERCENT};
use crate::body::JobError;
use matching::{Records, Side, TextStore};
use shared::objects::Objects;
use shared::store::data_sources::SourceToRead;
use sources::{Mapping, MemoryLimit, ReadError, ReadLimits, RejectedLine, read_records_keeping};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};

/// One side, as its file gave it.
pub(super) struct SideRead {
    pub records: Records,
    pub rejected: Vec<RejectedLine>,
}

pub(super) struct BothRead {
    pub left: SideRead,
    pub right: SideRead,
}

/// Bytes read of both files, for one progress bar.
struct Meter<'b> {
    bench: &'b Bench,
    bytes: AtomicU64,
    lines: AtomicU64,
    bytes_total: u64,
}

/// Reads both files at once. What is wrong with either is told for both.
pub(super) fn both_sides(
    bench: &Bench,
    objects: &Objects,
    memory: &MemoryLimit,
    left: &SourceToRead,
    right: &SourceToRead,
) -> Result<BothRead, JobError> {
    let meter = Meter {
        bench,
        bytes: AtomicU64::new(0),
        lines: AtomicU64::new(0),
        bytes_total: (left.size_bytes + right.size_bytes).max(1),
    };
    let (left, right) = rayon::join(
        || read_side(&meter, objects, memory, Side::Left, left),
        || read_side(&meter, objects, memory, Side::Right, right),
    );
    match (left, right) {
        (Ok(left), Ok(right)) => Ok(BothRead { left, right }),
        (Err(JobError::Discard { says: left }), Err(JobError::Discard { says: right })) => {
            Err(JobError::Discard { says: format!("{left}; {right}") })
        }
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

/// See [`MemoryLimit::text_store`]. The owner of the job reads what an error says; which folder it is, is for the operator.
pub(super) fn text_store(memory: &MemoryLimit) -> Result<Option<Box<dyn TextStore>>, JobError> {
    memory.text_store().map_err(|error| {
        tracing::warn!(error = shared::chain(&error), "texts that do not fit into memory cannot be kept");
        JobError::Retry { says: "no temporary file can be made for texts that do not fit into memory".into() }
    })
}

fn read_side(
    meter: &Meter<'_>,
    objects: &Objects,
    memory: &MemoryLimit,
    side: Side,
    source: &SourceToRead,
) -> Result<SideRead, JobError> {
    let place = format!("{} side, data source {:?} ({})", side.as_str(), source.name, source.file_name);
    let mapping: Mapping = serde_json::from_value(source.mapping.clone()).map_err(|error| {
        JobError::Discard { says: format!("{place}: the stored mapping is not readable: {error}") }
    })?;
    let file = objects.open(&source.object_key).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => JobError::Discard { says: format!("{place}: the file is gone") },
        _ => JobError::retry(&place, &error),
    })?;
    let store = text_store(memory)?;
    let (mut bytes_before, mut lines_before) = (0, 0);
    let mut watch = |progress: sources::ReadProgress| {
        let bytes = meter.bytes.fetch_add(progress.bytes - bytes_before, Ordering::Relaxed) + progress.bytes
            - bytes_before;
        let lines = meter.lines.fetch_add(progress.lines - lines_before, Ordering::Relaxed) + progress.lines
            - lines_before;
        (bytes_before, lines_before) = (progress.bytes, progress.lines);
        let share = (bytes as f32 / meter.bytes_total as f32).min(1.0);
        meter.bench.report("reading", READ_PERCENT * share, lines, 0);
        if meter.bench.is_stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    match read_records_keeping(file, &mapping, &ReadLimits::default(), store, &mut watch) {
        Ok(mut read) => {
            // What a statement's own balances say against it is shown where rejected lines are.
            let warnings = read.warnings();
            read.rejected.extend(warnings);
            Ok(SideRead { records: read.records, rejected: read.rejected })
        }
        Err(ReadError::Cancelled) => Err(JobError::Stopped),
        Err(ReadError::Io(error)) => Err(JobError::retry(&place, &error)),
        // The file or its mapping: the same next time.
        Err(error) => Err(JobError::Discard { says: format!("{place}: {}", shared::chain(&error)) }),
    }
}
