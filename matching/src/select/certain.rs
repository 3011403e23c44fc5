//! What all near best choices have in common, asked of a solved [`Network`].
//!
//! Every other choice differs from the best one by rounds: walks along steps that can be taken, through
//! nobody where records become or stop being alone. With the potentials counted in, no step costs less than
//! nothing, so that a search for rounds within the margin never looks beyond it.

use super::exact::{FAR, Network};
use crate::{Cancelled, Pulse};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

impl Network {
    /// Of each arc, how many records every choice has on it that is worse by at most `margin`.
    pub fn certain(&self, margin: i64, pulse: &mut Pulse<'_>) -> Result<Vec<u32>, Cancelled> {
        let mut search = Search::new(self);
        let mut certain = Vec::with_capacity(self.arcs.len());
        for (i, arc) in self.arcs.iter().enumerate() {
            let flow = arc.flow;
            if flow == 0 {
                certain.push(0);
                continue;
            }
            let reach = margin + self.cost(arc);
            let found = search.way(self, (arc.left, arc.right), i as u32, reach, pulse)?;
            certain.push(match (found, flow) {
                (None, _) => flow,
                (Some(_), 1) => 0,
                (Some(_), _) => flow - self.clone().withdraw(i as u32, margin, pulse)?,
            });
        }
        Ok(certain)
    }

    /// Of each arc, whether a choice that is worse by at most `margin` has more records on it.
    pub fn growing(&self, margin: i64, pulse: &mut Pulse<'_>) -> Result<Vec<bool>, Cancelled> {
        let mut search = Search::new(self);
        let mut growing = vec![false; self.arcs.len()];
        for right in self.lefts..self.nobody() {
            let mut wanted: Vec<(u32, u32, i64)> = vec![];
            for &i in self.arcs_at(right) {
                let arc = &self.arcs[i as usize];
                let reach = margin - self.cost(arc);
                if arc.flow >= arc.room || reach < 0 {
                    continue;
                }
                if arc.flow > 0 {
                    // Its own way back is no way round.
                    let found = search.way(self, (arc.right, arc.left), i, reach, pulse)?;
                    growing[i as usize] = found.is_some();
                } else {
                    wanted.push((i, arc.left, reach));
                }
            }
            search.ways(self, right, &wanted, &mut growing, pulse)?;
        }
        Ok(growing)
    }

    /// How many records can be taken off the arc while the choice gets worse by at most `margin` in all. The
    /// network is worthless afterwards.
    fn withdraw(mut self, arc: u32, margin: i64, pulse: &mut Pulse<'_>) -> Result<u32, Cancelled> {
        let flow = self.arcs[arc as usize].flow;
        let (left, right, worth) = {
            let arc = &mut self.arcs[arc as usize];
            (arc.room, arc.flow) = (0, 0);
            (arc.left, arc.right, arc.worth)
        };
        let (mut taken, mut budget) = (0, margin);
        let mut search = Search::new(&self);
        while taken < flow {
            // Of the first way round; potentials change the cost of the steps, not of the whole.
            let base = worth + self.potential[right as usize] - self.potential[left as usize];
            let Some(length) = search.way(&self, (left, right), arc, budget - base, pulse)? else { break };
            let cost = base + length;
            let path = search.path(left, right);
            let fits = path.iter().map(|step| step.fits(&self)).min().unwrap_or(0);
            let affordable =
                if cost == 0 { u32::MAX } else { (budget / cost).try_into().unwrap_or(u32::MAX) };
            let count = fits.min(affordable).min(flow - taken);
            if count == 0 {
                break;
            }
            budget -= cost * i64::from(count);
            taken += count;
            search.shift(&mut self, length);
            path.iter().for_each(|step| step.take(&mut self, count));
        }
        Ok(taken)
    }
}

/// A step from one node to the next.
#[derive(Debug, Clone, Copy)]
enum Step {
    Forward(u32),
    Back(u32),
    /// A left record stops being alone, or a right one becomes it.
    Join(u32),
    Leave(u32),
}

impl Step {
    fn fits(self, network: &Network) -> u32 {
        match self {
            Step::Forward(i) => network.arcs[i as usize].room - network.arcs[i as usize].flow,
            Step::Back(i) => network.arcs[i as usize].flow,
            Step::Join(node) => network.capacity[node as usize] - network.used[node as usize],
            Step::Leave(node) => network.used[node as usize],
        }
    }

    fn take(self, network: &mut Network, count: u32) {
        match self {
            Step::Forward(i) => network.arcs[i as usize].flow += count,
            Step::Back(i) => network.arcs[i as usize].flow -= count,
            Step::Join(node) => network.used[node as usize] += count,
            Step::Leave(node) => network.used[node as usize] -= count,
        }
    }
}

/// Room for one search after the other.
struct Search {
    distance: Vec<i64>,
    came_by: Vec<Option<(u32, Step)>>,
    touched: Vec<u32>,
    heap: BinaryHeap<(Reverse<i64>, u32)>,
}

impl Search {
    fn new(network: &Network) -> Self {
        let nodes = network.nobody() as usize + 1;
        Search {
            distance: vec![FAR; nodes],
            came_by: vec![None; nodes],
            touched: vec![],
            heap: BinaryHeap::new(),
        }
    }

    /// The length of a shortest way that does without arc `without`, when it is at most `reach`.
    fn way(
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
    fn ways(
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

    fn path(&self, from: u32, to: u32) -> Vec<Step> {
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
    fn shift(&self, network: &mut Network, length: i64) {
        for (potential, distance) in network.potential.iter_mut().zip(&self.distance) {
            *potential += (*distance).min(length);
        }
    }
}
