//! What all near best choices have in common, asked of a solved [`Network`].
//!
//! Every other choice differs from the best one by rounds: walks along steps that can be taken, through
//! nobody where records become or stop being alone. With the potentials counted in, no step costs less than
//! nothing, so that a search for rounds within the margin never looks beyond it.

use super::exact::Network;
use super::walks::Search;
use crate::{Cancelled, Pulse};

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
