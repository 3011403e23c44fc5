//! The connected pieces of the graph of pairs, each with its nodes numbered from 0.

use super::{Ends, NODES_MAX, Pair, RECORDS_MAX};
use crate::{Cancelled, Confidence, Pulse, sorted};
use std::ops::Range;

/// All contested pairs, piece by piece.
pub(super) struct Pieces {
    pub pairs: Vec<Pair>,
    pub ranges: Vec<Range<usize>>,
}

impl Pieces {
    /// `scratch`: one number per left and right node; whatever they hold is overwritten.
    pub fn of(
        mut pairs: Vec<Pair>,
        scratch: (Vec<u32>, Vec<u32>),
        pulse: &mut Pulse<'_>,
    ) -> Result<Self, Cancelled> {
        let (mut lefts, mut rights) = scratch;
        // A node's parent is a node of its piece with a smaller number, rights counted behind the lefts.
        for (i, parent) in lefts.iter_mut().enumerate() {
            *parent = i as u32;
        }
        let mut parents = lefts;
        let left_len = parents.len() as u32;
        for (i, parent) in rights.iter_mut().enumerate() {
            *parent = left_len + i as u32;
        }
        parents.append(&mut rights);
        for pair in &pairs {
            pulse.beat(4)?;
            let (a, b) = (root(&mut parents, pair.left), root(&mut parents, left_len + pair.right));
            parents[a.max(b) as usize] = a.min(b);
        }
        for pair in &pairs {
            pulse.beat(4)?;
            let piece = root(&mut parents, pair.left);
            parents[pair.left as usize] = piece;
        }
        // The piece of a pair is that of its left node, which now says it itself.
        let piece = |pair: &Pair| parents[pair.left as usize];
        sorted::sort_by_key(&mut pairs, pulse.watch(), |pair| (piece(pair), pair.left, pair.right))?;
        let (mut ranges, mut start) = (vec![], 0);
        for same in pairs.chunk_by(|a, b| piece(a) == piece(b)) {
            ranges.push(start..start + same.len());
            start += same.len();
        }
        Ok(Pieces { pairs, ranges })
    }
}

/// Halves the way for those who come later.
fn root(parents: &mut [u32], mut node: u32) -> u32 {
    while parents[node as usize] != node {
        let above = parents[parents[node as usize] as usize];
        parents[node as usize] = above;
        node = above;
    }
    node
}

/// One connected piece.
pub(super) struct Piece {
    pub pairs: Vec<Pair>,
    /// Left and right node of each pair, both counted from 0.
    pub ends: Vec<(u32, u32)>,
    /// How many left nodes there are.
    pub lefts: u32,
    /// Free records by node, lefts first.
    pub capacity: Vec<u32>,
    pub frozen: Vec<bool>,
    pub margin: Confidence,
}

impl Piece {
    pub fn of(pairs: &[Pair], ends: &Ends<'_>, margin: Confidence) -> Self {
        let distinct = |of: fn(&Pair) -> u32| {
            let mut all: Vec<u32> = pairs.iter().map(of).collect();
            all.sort_unstable();
            all.dedup();
            all
        };
        let (lefts, rights) = (distinct(|p| p.left), distinct(|p| p.right));
        // Collected from the same pairs: always found.
        let number = |of: &[u32], node: u32| of.partition_point(|&other| other < node) as u32;
        let capacity = lefts.iter().map(|&n| (ends.left_capacity)(n));
        Piece {
            ends: pairs.iter().map(|p| (number(&lefts, p.left), number(&rights, p.right))).collect(),
            capacity: capacity.chain(rights.iter().map(|&n| (ends.right_capacity)(n))).collect(),
            frozen: lefts
                .iter()
                .map(|_| false)
                .chain(rights.iter().map(|&n| (ends.right_frozen)(n)))
                .collect(),
            lefts: lefts.len() as u32,
            pairs: pairs.to_vec(),
            margin,
        }
    }

    pub fn is_frozen(&self) -> bool {
        self.frozen.contains(&true)
    }

    pub fn is_large(&self) -> bool {
        let (lefts, nodes) = (self.lefts as usize, self.capacity.len());
        if lefts > NODES_MAX || nodes - lefts > NODES_MAX {
            return true;
        }
        // A thousand twins before one partner are one record's choice.
        let mut wanted = vec![0u64; nodes];
        for &(left, right) in &self.ends {
            let right = (self.lefts + right) as usize;
            wanted[left as usize] += u64::from(self.capacity[right]);
            wanted[right] += u64::from(self.capacity[left as usize]);
        }
        let records =
            |nodes: Range<usize>| -> u64 { nodes.map(|n| wanted[n].min(u64::from(self.capacity[n]))).sum() };
        records(0..lefts) > RECORDS_MAX || records(lefts..nodes) > RECORDS_MAX
    }
}
