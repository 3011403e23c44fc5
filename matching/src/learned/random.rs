//! Pairs taken at random: what any two records have in common.

use super::fields::{Field, Part};
use crate::Cancelled;
use crate::candidates::Scope;
use crate::keys::KeyHasher;
use crate::sorted;
use rayon::prelude::*;
use std::ops::Range;

/// Agreements of pairs taken at random, the same ones whatever order the records are in. Level by level, as
/// shares, for each field; the second number is that of all pairs in one currency.
pub(super) fn levels(
    fields: &[Field],
    sides: [Part<'_>; 2],
    scope: &Scope<'_>,
) -> Result<(Vec<Vec<f64>>, f64), Cancelled> {
    const SAMPLE: usize = 1 << 17;
    let by_contents = |part: Part<'_>| {
        let places: Vec<u32> = (0..part.nodes.len() as u32).collect();
        let lists = places.par_chunks(4096).map(|places| {
            scope.watch.check()?;
            let contents = |&place: &u32| (contents(part, part.nodes[place as usize]), place);
            Ok(places.iter().map(contents).collect::<Vec<_>>())
        });
        let mut order: Vec<(u64, u32)> = lists.collect::<Result<Vec<_>, Cancelled>>()?.concat();
        sorted::sort(&mut order, scope.watch)?;
        Ok(order)
    };
    let (left, right) = (by_contents(sides[0])?, by_contents(sides[1])?);
    let all = left.len().saturating_mul(right.len());
    let pair = |i: usize| match all <= SAMPLE {
        true => (left[i / right.len()].1, right[i % right.len()].1),
        false => {
            let draw = spread(i as u64);
            let (l, r) = (draw >> 32, draw & 0xffff_ffff);
            let at = |draw: u64, of: usize| ((draw * of as u64) >> 32) as usize;
            (left[at(l, left.len())].1, right[at(r, right.len())].1)
        }
    };
    let draws: Vec<Range<usize>> = (0..all.min(SAMPLE).div_ceil(1024))
        .map(|i| i * 1024..((i + 1) * 1024).min(all.min(SAMPLE)))
        .collect();
    let zero = || (fields.iter().map(|f| vec![0u64; f.levels() + 1]).collect::<Vec<_>>(), 0u64);
    let counts = draws.into_par_iter().map(|draws| {
        scope.watch.check()?;
        let (mut counts, mut alike) = zero();
        for (l, r) in draws.map(pair) {
            let (a, b) = (sides[0].nodes[l as usize], sides[1].nodes[r as usize]);
            if sides[0].records.currency(a) != sides[1].records.currency(b) {
                continue;
            }
            alike += 1;
            for (field, counts) in fields.iter().zip(&mut counts) {
                counts[usize::from(field.compare(sides, l as usize, r as usize).level)] += 1;
            }
        }
        Ok((counts, alike))
    });
    let (counts, alike) = counts.try_reduce(zero, |mut a, b| {
        a.0.iter_mut().flatten().zip(b.0.iter().flatten()).for_each(|(a, b)| *a += b);
        Ok((a.0, a.1 + b.1))
    })?;
    let shares = counts.iter().map(|counts| {
        let some: u64 = counts[1..].iter().sum();
        counts.iter().map(|&n| if some == 0 { 0.0 } else { n as f64 / some as f64 }).collect()
    });
    let share_alike = if all == 0 { 0.0 } else { alike as f64 / all.min(SAMPLE) as f64 };
    Ok((shares.collect(), (all as f64 * share_alike).max(1.0)))
}

/// What a record says, without its id or line.
fn contents(part: Part<'_>, node: u32) -> u64 {
    let mut hasher = KeyHasher::new();
    hasher.number(part.records.amount(node).cast_unsigned());
    hasher.number(u64::from(part.records.date(node).cast_unsigned()));
    (0..part.records.field_names().len()).for_each(|f| hasher.part(part.records.field(f, node)));
    hasher.finish_u64()
}

/// Numbers without a pattern from consecutive ones (SplitMix64, Steele, Lea and Flood 2014).
fn spread(i: u64) -> u64 {
    let mut z = i.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
