//! Which WAL is there, and where it has holes: a function of names and histories.

use super::file::{Lsn, WalFile};
use crate::error::Result;
use crate::stores::{Cluster, Stores};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Segments of a timeline without a hole between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Run {
    pub timeline: u32,
    /// Numbers within the timeline, both included.
    pub first: u64,
    pub last: u64,
}

/// Which timeline another one branched off from, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    pub timeline: u32,
    /// Ancestors, oldest first, each with the position at which the next one began.
    pub ancestors: Vec<(u32, Lsn)>,
}

/// What is archived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Coverage {
    pub segment_bytes: u64,
    /// By timeline and number.
    pub runs: Vec<Run>,
}

/// Runs of segments among `files`. n log n.
pub fn coverage_of(files: impl IntoIterator<Item = WalFile>, segment_bytes: u64) -> Coverage {
    let mut numbers = BTreeMap::<u32, BTreeSet<u64>>::new();
    for file in files {
        if let (WalFile::Segment { timeline, .. }, Some(number)) = (file, file.number(segment_bytes)) {
            numbers.entry(timeline).or_default().insert(number);
        }
    }
    let mut runs = Vec::<Run>::new();
    for (timeline, numbers) in numbers {
        for number in numbers {
            match runs.last_mut() {
                Some(run) if run.timeline == timeline && run.last + 1 == number => run.last = number,
                _ => runs.push(Run { timeline, first: number, last: number }),
            }
        }
    }
    Coverage { segment_bytes, runs }
}

impl Coverage {
    /// Segments that are missing between the first and the last of each timeline.
    pub fn gaps(&self) -> Vec<Run> {
        self.runs
            .windows(2)
            .filter(|pair| pair[0].timeline == pair[1].timeline)
            .map(|pair| Run { timeline: pair[0].timeline, first: pair[0].last + 1, last: pair[1].first - 1 })
            .collect()
    }

    /// The end of what can be replayed from `start` on `timeline` without a hole, and without leaving the timeline;
    /// `None` when the segment of `start` itself is missing.
    pub fn reaches_from(&self, timeline: u32, start: Lsn) -> Option<Lsn> {
        let number = start.0 / self.segment_bytes;
        let run =
            self.runs.iter().find(|r| r.timeline == timeline && (r.first..=r.last).contains(&number))?;
        Some(Lsn((run.last + 1) * self.segment_bytes))
    }
}

impl History {
    /// Of a `.history` file: lines of `timeline  position  reason`, and comments.
    pub fn parse(timeline: u32, text: &str) -> Self {
        let ancestors = text
            .lines()
            .filter_map(|line| {
                let mut words = line.split_whitespace();
                Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
            })
            .collect();
        Self { timeline, ancestors }
    }
}

/// Asks the stores; what any of those that answer has is there.
pub async fn read_coverage(stores: &Stores, cluster: &Cluster, segment_bytes: u64) -> Result<Coverage> {
    let listing = stores.list(&cluster.wal_prefix()).await;
    if let ([(_, _), ..], true) = (listing.unanswered.as_slice(), listing.objects.is_empty()) {
        return Err(crate::error::none_answered(&listing));
    }
    let files = listing.objects.keys().filter_map(|name| name.as_str().rsplit('/').next()?.parse().ok());
    Ok(coverage_of(files, segment_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_found_within_a_timeline_and_not_between_two() {
        let at = |timeline, number| WalFile::numbered(timeline, number, 16 << 20);
        let files = [at(1, 1), at(1, 2), at(1, 5), at(2, 9), at(1, 3), at(2, 10), at(1, 8)];
        let coverage = coverage_of(files, 16 << 20);
        let run = |timeline, first, last| Run { timeline, first, last };
        assert_eq!(coverage.runs, [run(1, 1, 3), run(1, 5, 5), run(1, 8, 8), run(2, 9, 10)]);
        assert_eq!(coverage.gaps(), [run(1, 4, 4), run(1, 6, 7)]);
        assert_eq!(coverage.reaches_from(1, Lsn(2 * (16 << 20) + 40)), Some(Lsn(4 * (16 << 20))));
        assert_eq!(coverage.reaches_from(1, Lsn(4 * (16 << 20))), None);
    }

    #[test]
    fn a_history_names_the_ancestors() {
        let text = "1\t0/3000148\tno recovery target specified\n\n2\t1/5000000\tat restore point \"x\"\n";
        let history = History::parse(3, text);
        assert_eq!(history.ancestors, [(1, Lsn(0x3000148)), (2, Lsn((1 << 32) + 0x5000000))]);
    }
}
