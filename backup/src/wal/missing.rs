//! Holes in the archive that matter: segments between what base backups start from and what is archived, also over the
//! switch from one timeline to the next. A function of names, histories and what is needed.

use super::coverage::{Coverage, History, Run};
use super::file::Lsn;
use std::collections::BTreeMap;

/// What a timeline must have.
#[derive(Debug, Clone, Copy)]
struct Needed {
    from: u64,
    /// Up to there at least: a later timeline branches off behind it.
    through: Option<u64>,
}

/// Segments that recovery from `starts` (timeline and position of each) would ask for in vain, before the end of the
/// archive. What is missing before the first archived segment of a timeline is no hole: archiving was switched on
/// later. n log n.
pub fn missing(coverage: &Coverage, histories: &[History], starts: &[(u32, Lsn)]) -> Vec<Run> {
    let segment = |at: Lsn| at.0 / coverage.segment_bytes;
    let mut needed = BTreeMap::<u32, Needed>::new();
    let from = |needed: &mut BTreeMap<u32, Needed>, timeline: u32, number: u64| {
        let of = needed.entry(timeline).or_insert(Needed { from: number, through: None });
        of.from = of.from.min(number);
    };
    for (timeline, start) in starts {
        from(&mut needed, *timeline, segment(*start));
    }
    // Ancestors have lower numbers: whatever a timeline branched off from is known by then.
    let mut histories: Vec<&History> = histories.iter().collect();
    histories.sort_by_key(|history| history.timeline);
    for history in histories {
        let Some((_, branched_at)) = history.ancestors.last() else { continue };
        // A position at which a cluster from one of the starts was.
        let is_reached = history
            .ancestors
            .iter()
            .any(|(ancestor, at)| needed.get(ancestor).is_some_and(|of| of.from <= segment(*at)));
        if !is_reached {
            continue;
        }
        for (ancestor, at) in &history.ancestors {
            // The segment of the switch itself goes on under the name of the next timeline.
            if let (Some(of), Some(last)) = (needed.get_mut(ancestor), segment(*at).checked_sub(1)) {
                of.through = of.through.max(Some(last).filter(|last| *last >= of.from));
            }
        }
        from(&mut needed, history.timeline, segment(*branched_at));
    }
    let begins_with_a_switch = |timeline: u32| !starts.iter().any(|(of, _)| *of == timeline);
    needed
        .into_iter()
        .flat_map(|(timeline, of)| holes(coverage, timeline, of, begins_with_a_switch(timeline)))
        .collect()
}

fn holes(coverage: &Coverage, timeline: u32, of: Needed, from_the_first: bool) -> Vec<Run> {
    let runs: Vec<&Run> = coverage.runs.iter().filter(|run| run.timeline == timeline).collect();
    let Some(first) = runs.first() else { return vec![] };
    let mut next = if from_the_first { of.from } else { of.from.max(first.first) };
    let mut found = vec![];
    for run in runs {
        if run.last < next {
            continue;
        }
        if run.first > next {
            found.push(Run { timeline, first: next, last: run.first - 1 });
        }
        next = run.last + 1;
    }
    if let Some(through) = of.through.filter(|through| *through >= next) {
        found.push(Run { timeline, first: next, last: through });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::coverage::coverage_of;
    use super::super::file::WalFile;
    use super::*;

    const SEGMENT: u64 = 16 << 20;

    /// `archived`: timeline and numbers; `switches`: timeline, ancestor, and the segment in which it branched off.
    fn found(archived: &[(u32, &[u64])], switches: &[(u32, u32, u64)], starts: &[(u32, u64)]) -> String {
        let files = archived
            .iter()
            .flat_map(|(tli, numbers)| numbers.iter().map(|n| WalFile::numbered(*tli, *n, SEGMENT)));
        let at = |number: u64| Lsn(number * SEGMENT + 100);
        let histories: Vec<History> = switches
            .iter()
            .map(|(timeline, ancestor, number)| History {
                timeline: *timeline,
                ancestors: vec![(*ancestor, at(*number))],
            })
            .collect();
        let starts: Vec<(u32, Lsn)> =
            starts.iter().map(|(timeline, number)| (*timeline, at(*number))).collect();
        let holes = missing(&coverage_of(files, SEGMENT), &histories, &starts);
        holes
            .iter()
            .map(|run| format!("{}:{}-{}", run.timeline, run.first, run.last))
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn only_what_recovery_would_ask_for_is_missing() {
        #[rustfmt::skip]
        let table = [
            // What is archived, switches, starts, and what is missing.
            (found(&[(1, &[1, 2, 3])], &[], &[(1, 2)]), ""),
            (found(&[(1, &[1, 2, 5])], &[], &[(1, 2)]), "1:3-4"),
            (found(&[(1, &[1, 2, 5])], &[], &[(1, 5)]), ""),
            (found(&[(1, &[1, 2, 5])], &[], &[]), ""),
            // The first segment itself, with older ones beside it; and archiving that was switched on later.
            (found(&[(1, &[1, 4])], &[], &[(1, 2)]), "1:2-3"),
            (found(&[(1, &[4, 5])], &[], &[(1, 2)]), ""),
            // A switch within segment 3: it goes on as segment 3 of timeline 2.
            (found(&[(1, &[1, 2]), (2, &[3, 4])], &[(2, 1, 3)], &[(1, 1)]), ""),
            (found(&[(1, &[1]), (2, &[3, 4])], &[(2, 1, 3)], &[(1, 1)]), "1:2-2"),
            (found(&[(1, &[1, 2]), (2, &[4])], &[(2, 1, 3)], &[(1, 1)]), "2:3-3"),
            // Branched off before the start, and a timeline that nobody needs.
            (found(&[(1, &[1, 2, 3, 4]), (2, &[9])], &[(2, 1, 2)], &[(1, 3)]), ""),
            (found(&[(1, &[1, 3]), (2, &[5, 6])], &[], &[(2, 5)]), ""),
        ];
        for (number, (found, expected)) in table.iter().enumerate() {
            assert_eq!(found, expected, "line {number}");
        }
    }
}
