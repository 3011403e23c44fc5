//! The best choice of one piece: a flow of least cost, found by successive shortest paths.
//!
//! Every left node sends its records along pairs to right nodes; a pair's cost is its worth, negative.
//! Records that stay alone go the direct way, which costs nothing. Paths are found by Dijkstra's method with
//! potentials (Ahuja, Magnanti, Orlin: Network Flows, 1993, section 9.7; for the assignment problem this is
//! what Jonker and Volgenant do in 1987). Whole numbers throughout.

use super::pieces::Piece;
use super::{Chosen, Selection, Stakes};
use crate::watch::steps::steps;
use crate::{Cancelled, Pulse};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

pub(super) const FAR: i64 = i64::MAX;

/// A pair as the flow sees it.
#[derive(Debug, Clone)]
pub(super) struct Arc {
    pub left: u32,
    /// Behind the left nodes.
    pub right: u32,
    pub worth: i64,
    /// Records it could join at most; 0 when it is left out.
    pub room: u32,
    pub flow: u32,
}

/// Left nodes, right nodes, and one more: nobody, where unmatched records are.
#[derive(Debug, Clone)]
pub(super) struct Network {
    pub lefts: u32,
    pub arcs: Vec<Arc>,
    /// `arcs_of[starts[n]..starts[n + 1]]`: the arcs at node n.
    arcs_of: Vec<u32>,
    starts: Vec<u32>,
    pub capacity: Vec<u32>,
    pub used: Vec<u32>,
    /// By node, nobody last (always 0). Every step that can be taken costs nothing or more once
    /// the potentials of its ends are counted in.
    pub potential: Vec<i64>,
}

/// Adds what is certain, what stays open and what is tied.
pub(super) fn select(
    piece: &Piece,
    stakes: Stakes,
    selection: &mut Selection,
    pulse: &mut Pulse<'_>,
) -> Result<(), Cancelled> {
    let mut network = Network::of(piece, stakes);
    network.solve(pulse)?;
    let margin = i64::from(stakes.margin.millionths());
    let certain = network.certain(margin, pulse)?;
    let mut left_over = piece.capacity.clone();
    for (arc, &count) in network.arcs.iter().zip(&certain) {
        left_over[arc.left as usize] -= count;
        left_over[arc.right as usize] -= count;
    }
    let growing = network.growing(margin, pulse)?;
    for (i, (arc, &pair)) in network.arcs.iter().zip(&piece.pairs).enumerate() {
        if certain[i] > 0 {
            selection.chosen.push(Chosen { pair, count: certain[i] });
        }
        if left_over[arc.left as usize] > 0 && left_over[arc.right as usize] > 0 {
            selection.open.push(pair);
            if arc.flow > certain[i] || growing[i] {
                selection.tied.push(pair);
            }
        }
    }
    Ok(())
}

impl Network {
    fn of(piece: &Piece, stakes: Stakes) -> Self {
        let nodes = piece.capacity.len();
        let arcs: Vec<Arc> = std::iter::zip(&piece.ends, &piece.pairs)
            .map(|(&(left, right), pair)| {
                let right = piece.lefts + right;
                let room = piece.capacity[left as usize].min(piece.capacity[right as usize]);
                Arc { left, right, worth: stakes.worth(pair), room, flow: 0 }
            })
            .collect();
        let mut starts = vec![0u32; nodes + 1];
        for end in arcs.iter().flat_map(|arc| [arc.left, arc.right]) {
            starts[end as usize + 1] += 1;
        }
        (0..nodes).for_each(|n| starts[n + 1] += starts[n]);
        let (mut places, mut arcs_of) = (starts.clone(), vec![0; arcs.len() * 2]);
        for (i, arc) in arcs.iter().enumerate() {
            for end in [arc.left, arc.right] {
                arcs_of[places[end as usize] as usize] = i as u32;
                places[end as usize] += 1;
            }
        }
        let mut potential = vec![0; nodes + 1];
        for arc in &arcs {
            potential[arc.right as usize] = potential[arc.right as usize].min(-arc.worth);
            potential[nodes] = potential[nodes].min(-arc.worth);
        }
        Network {
            lefts: piece.lefts,
            arcs,
            arcs_of,
            starts,
            capacity: piece.capacity.clone(),
            used: vec![0; nodes],
            potential,
        }
    }

    pub fn nobody(&self) -> u32 {
        self.capacity.len() as u32
    }

    pub fn arcs_at(&self, node: u32) -> &[u32] {
        &self.arcs_of[self.starts[node as usize] as usize..self.starts[node as usize + 1] as usize]
    }

    pub fn has_room(&self, node: u32) -> bool {
        self.used[node as usize] < self.capacity[node as usize]
    }

    /// What one more record on the arc costs, potentials counted in; the negative for one less.
    pub fn cost(&self, arc: &Arc) -> i64 {
        self.potential[arc.left as usize] - self.potential[arc.right as usize] - arc.worth
    }

    /// At most one path per record, each at most the work of looking at all arcs twice.
    ///
    /// While it runs the last potential is that of the place where records arrive; in the end it is 0 and
    /// the place is nobody.
    fn solve(&mut self, pulse: &mut Pulse<'_>) -> Result<(), Cancelled> {
        let nodes = self.capacity.len();
        let (mut distance, mut came_by) = (vec![FAR; nodes], vec![u32::MAX; nodes]);
        let mut heap = BinaryHeap::new();
        loop {
            distance.fill(FAR);
            came_by.fill(u32::MAX);
            heap.clear();
            for left in (0..self.lefts).filter(|&n| self.has_room(n)) {
                distance[left as usize] = -self.potential[left as usize];
                heap.push((Reverse(distance[left as usize]), left));
            }
            // The direct way to stay alone.
            let (mut best, mut last) = (-self.potential[nodes], None);
            while let Some((Reverse(so_far), node)) = heap.pop() {
                if so_far >= best {
                    break;
                }
                if so_far > distance[node as usize] {
                    continue;
                }
                let is_left = node < self.lefts;
                if !is_left && self.has_room(node) {
                    let arrived = so_far + self.potential[node as usize] - self.potential[nodes];
                    if arrived < best {
                        (best, last) = (arrived, Some(node));
                    }
                }
                pulse.beat(self.arcs_at(node).len() as u32)?;
                for &i in self.arcs_at(node) {
                    steps(1);
                    let arc = &self.arcs[i as usize];
                    let (is_open, next, step) = if is_left {
                        (arc.flow < arc.room, arc.right, self.cost(arc))
                    } else {
                        (arc.flow > 0, arc.left, -self.cost(arc))
                    };
                    if is_open && so_far + step < distance[next as usize] {
                        distance[next as usize] = so_far + step;
                        came_by[next as usize] = i;
                        heap.push((Reverse(so_far + step), next));
                    }
                }
            }
            for (potential, distance) in self.potential.iter_mut().zip(&distance) {
                *potential += (*distance).min(best);
            }
            self.potential[nodes] += best;
            match last {
                Some(last) => self.send(last, &came_by),
                None => return Ok(()),
            }
        }
    }

    /// As many records as fit, along the path that ends at right node `last`.
    fn send(&mut self, last: u32, came_by: &[u32]) {
        let mut path = vec![];
        let mut node = last;
        while came_by[node as usize] != u32::MAX {
            let arc = &self.arcs[came_by[node as usize] as usize];
            path.push((came_by[node as usize], node == arc.right));
            node = if node == arc.right { arc.left } else { arc.right };
        }
        let free = |node: u32| self.capacity[node as usize] - self.used[node as usize];
        let fits = path.iter().map(|&(i, forward)| {
            let arc = &self.arcs[i as usize];
            if forward { arc.room - arc.flow } else { arc.flow }
        });
        let count = fits.chain([free(last), free(node)]).min().unwrap_or(0);
        for (i, forward) in path {
            let flow = &mut self.arcs[i as usize].flow;
            *flow = if forward { *flow + count } else { *flow - count };
        }
        self.used[last as usize] += count;
        self.used[node as usize] += count;
    }
}

#[cfg(test)]
pub(super) fn best_worth(piece: &Piece, stakes: Stakes) -> i64 {
    let mut network = Network::of(piece, stakes);
    network.solve(&mut Pulse::new(crate::Watch::none())).expect("nobody stops it");
    network.arcs.iter().map(|arc| arc.worth * i64::from(arc.flow)).sum()
}
