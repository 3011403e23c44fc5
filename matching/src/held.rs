//! Records that an earlier pass left tied: later, weaker passes may only decide between the tied ones.

use crate::Side;
use crate::keys::RowSet;
use crate::select::Pair;
use crate::twins::Node;

/// What later passes must respect.
#[derive(Debug, Default)]
pub(crate) struct Held {
    left: RowSet,
    right: RowSet,
    pairs: RowSet<(Node, Node)>,
}

impl Held {
    /// A tie between single records.
    pub fn hold_pair(&mut self, pair: &Pair) {
        self.left.insert(pair.left);
        self.right.insert(pair.right);
        self.pairs.insert((pair.left, pair.right));
    }

    /// A record whose tie is between groups: no single record may have it.
    pub fn hold(&mut self, side: Side, node: Node) {
        match side {
            Side::Left => self.left.insert(node),
            Side::Right => self.right.insert(node),
        };
    }

    /// Whether any tie is about it.
    pub fn holds(&self, side: Side, node: Node) -> bool {
        match side {
            Side::Left => self.left.contains(&node),
            Side::Right => self.right.contains(&node),
        }
    }

    pub fn allows(&self, left: Node, right: Node) -> bool {
        if self.left.is_empty() && self.right.is_empty() {
            return true;
        }
        !(self.left.contains(&left) || self.right.contains(&right)) || self.pairs.contains(&(left, right))
    }
}
