//! Walks through a solved [`Network`] along steps that can be taken.
//!
//! With the potentials counted in, no step costs less than nothing, so that a search within a reach never
//! looks beyond it.

use super::exact::{FAR, Network};
use crate::{Cancelled, Pulse};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A step from one node to the next.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    Forward(u32),
    Back(u32),
    /// A left record stops being alone, or a right one becomes it.
    Join(u32),
    Leave(u32),
}

impl Step {
    pub fn fits(self, network: &Network) -> u32 {
        match self {
            Step::Forward(i) => network.arcs[i as usize].room - network.arcs[i as usize].flow,
            Step::Back(i) => network.arcs[i as usize].flow,
            Step::Join(node) => network.capacity[node as usize] - network.used[node as usize],
            Step::Leave(node) => network.used[node as usize],
        }
    }

    pub fn take(self, network: &mut Network, count: u32) {
        match self {
            Step::Forward(i) => network.arcs[i as usize].flow += count,
            Step::Back(i) => network.arcs[i as usize].flow -= count,
            Step::Join(node) => network.used[node as usize] += count,
            Step::Leave(node) => network.used[node as usize] -= count,
        }
    }
}

/// Room for one search after the other.
pub(super) struct Search {
    distance: Vec<i64>,
    came_by: Vec<Option<(u32, Step)>>,
    touched: Vec<u32>,
    heap: BinaryHeap<(Reverse<i64>, u32)>,
}

impl Search {
    pub fn new(network: &Network) -> Self {
        let nodes = network.nobody() as usize + 1;
        Search {
            distance: vec![FAR; nodes],
            came_by: vec![None; nodes],
            touched: vec![],
            heap: BinaryHeap::new(),
        }
    }

    /// The length of a shortest way that does without arc `without`, when it is at most `reach`.
    pub fn way(
        &mut self,
        network: &Network,
        (from, to): (u32, u32),
        without: u32,
        reach: i64,
        pulse: &mut Pulse<'_>,
    ) -> Result<Option<i64>, Cancelled> {
        self.start(from);
        while let Some((Reverse(so_far), node)) = self.heap.pop() {
            if node == to {
                return Ok(Some(so_far));
            }
            if so_far == self.distance[node as usize] {
                self.step(network, node, so_far, without, reach, pulse)?;
            }
        }
        Ok(None)
    }

    /// Marks those of the `wanted` arcs (arc, its left node, reach) whose left node is in reach of `from`.
    pub fn ways(
        &mut self,
        network: &Network,
        from: u32,
        wanted: &[(u32, u32, i64)],
        found: &mut [bool],
        pulse: &mut Pulse<'_>,
    ) -> Result<(), Cancelled> {
        let Some(reach) = wanted.iter().map(|&(_, _, reach)| reach).max() else { return Ok(()) };
        self.start(from);
        let mut missing = wanted.len();
        while let Some((Reverse(so_far), node)) = self.heap.pop() {
            if so_far == self.distance[node as usize] {
                self.step(network, node, so_far, u32::MAX, reach, pulse)?;
            }
            // Left nodes are entered from rights, one each, or all at once from nobody: seldom enough to
            // look at all that are wanted, and often the first look shows them all.
            if node >= network.lefts {
                pulse.beat(missing as u32)?;
                for &(arc, left, reach) in wanted {
                    if !found[arc as usize] && self.distance[left as usize] <= reach {
                        found[arc as usize] = true;
                        missing -= 1;
                    }
                }
                if missing == 0 {
                    break;
                }
            }
        }
        Ok(())
    }

    fn start(&mut self, from: u32) {
        for node in self.touched.drain(..) {
            self.distance[node as usize] = FAR;
            self.came_by[node as usize] = None;
        }
        self.heap.clear();
        self.distance[from as usize] = 0;
        self.touched.push(from);
        self.heap.push((Reverse(0), from));
    }

    fn step(
        &mut self,
        network: &Network,
        node: u32,
        so_far: i64,
        without: u32,
        reach: i64,
        pulse: &mut Pulse<'_>,
    ) -> Result<(), Cancelled> {
        let (nobody, potential) = (network.nobody(), &network.potential);
        if node == nobody {
            pulse.beat(nobody)?;
            for left in (0..network.lefts).filter(|&left| network.has_room(left)) {
                self.reach(
                    left,
                    so_far + potential[nobody as usize] - potential[left as usize],
                    (node, Step::Join(left)),
                    reach,
                );
            }
            for right in (network.lefts..nobody).filter(|&right| network.used[right as usize] > 0) {
                self.reach(
                    right,
                    so_far + potential[nobody as usize] - potential[right as usize],
                    (node, Step::Leave(right)),
                    reach,
                );
            }
            return Ok(());
        }
        let is_left = node < network.lefts;
        pulse.beat(network.arcs_at(node).len() as u32)?;
        for &i in network.arcs_at(node).iter().filter(|&&i| i != without) {
            let arc = &network.arcs[i as usize];
            if is_left && arc.flow < arc.room {
                self.reach(arc.right, so_far + network.cost(arc), (node, Step::Forward(i)), reach);
            }
            if !is_left && arc.flow > 0 {
                self.reach(arc.left, so_far - network.cost(arc), (node, Step::Back(i)), reach);
            }
        }
        if is_left && network.used[node as usize] > 0 {
            self.reach(
                nobody,
                so_far + potential[node as usize] - potential[nobody as usize],
                (node, Step::Leave(node)),
                reach,
            );
        }
        if !is_left && network.has_room(node) {
            self.reach(
                nobody,
                so_far + potential[node as usize] - potential[nobody as usize],
                (node, Step::Join(node)),
                reach,
            );
        }
        Ok(())
    }

    fn reach(&mut self, node: u32, distance: i64, came_by: (u32, Step), reach: i64) {
        let known = &mut self.distance[node as usize];
        if distance > reach || distance >= *known {
            return;
        }
        if *known == FAR {
            self.touched.push(node);
        }
        *known = distance;
        self.came_by[node as usize] = Some(came_by);
        self.heap.push((Reverse(distance), node));
    }

    pub fn path(&self, from: u32, to: u32) -> Vec<Step> {
        let (mut path, mut node) = (vec![], to);
        while node != from
            && let Some((before, step)) = self.came_by[node as usize]
        {
            path.push(step);
            node = before;
        }
        path
    }

    /// Keeps every step's cost at nothing or more after records go the way of this `length`.
    pub fn shift(&self, network: &mut Network, length: i64) {
        for (potential, distance) in network.potential.iter_mut().zip(&self.distance) {
            *potential += (*distance).min(length);
        }
    }
}
