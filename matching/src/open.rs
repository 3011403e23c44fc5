//! What a pass could not decide, kept in case later passes take the competition away.

use crate::Row;
use crate::Side;
use crate::groups::Group;
use crate::remainder::Remainder;
use crate::select::Pair;

/// The undecided pairs of one pass.
#[derive(Debug, Default)]
pub(crate) struct Open {
    pub plan: usize,
    pub pairs: Vec<Pair>,
    /// Those of them that are as good as each other.
    pub tied: Vec<Pair>,
    pub between: Between,
}

/// What the two numbers of a pair stand for.
#[derive(Debug, Default)]
pub(crate) enum Between {
    /// Nodes of the left and the right side.
    #[default]
    Records,
    /// `left` is a node of side `one`, `right` the index of a group of the other side.
    Sums { one: Side, groups: Vec<Group> },
    /// The index of a group of either side.
    Groups { left: Vec<Group>, right: Vec<Group> },
}

/// Which of a pair's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    First,
    Second,
}

impl End {
    pub const BOTH: [End; 2] = [End::First, End::Second];

    pub fn of(self, pair: &Pair) -> u32 {
        if self == End::First { pair.left } else { pair.right }
    }

    pub fn other(self) -> End {
        if self == End::First { End::Second } else { End::First }
    }
}

impl Between {
    pub fn side(&self, end: End) -> Side {
        match (self, end) {
            (Between::Sums { one, .. }, End::First) => *one,
            (Between::Sums { one, .. }, End::Second) => one.other(),
            (_, End::First) => Side::Left,
            (_, End::Second) => Side::Right,
        }
    }

    /// How many ends of either side were to be joined, of so many free nodes of the left and the right side.
    pub fn counts(&self, (left, right): (usize, usize)) -> (usize, usize) {
        match self {
            Between::Records => (left, right),
            Between::Sums { one: Side::Left, groups } => (left, groups.len()),
            Between::Sums { one: Side::Right, groups } => (groups.len(), right),
            Between::Groups { left, right } => (left.len(), right.len()),
        }
    }

    pub fn is_grouped(&self, end: End) -> bool {
        match self {
            Between::Records => false,
            Between::Sums { .. } => end == End::Second,
            Between::Groups { .. } => true,
        }
    }

    /// The group at this end, unless it is a node.
    pub fn group(&self, end: End, pair: &Pair) -> Option<&Group> {
        match (self, end) {
            (Between::Records, _) | (Between::Sums { .. }, End::First) => None,
            (Between::Sums { groups, .. }, End::Second) => groups.get(pair.right as usize),
            (Between::Groups { left, .. }, End::First) => left.get(pair.left as usize),
            (Between::Groups { right, .. }, End::Second) => right.get(pair.right as usize),
        }
    }

    /// The free records at this end, each in a list of its own, or all of a group in one.
    pub fn rows(&self, remainder: &Remainder<'_>, end: End, pair: &Pair) -> Vec<Vec<Row>> {
        match self.group(end, pair) {
            Some(group) => vec![group.rows.clone()],
            None => {
                let rows = remainder.side(self.side(end)).free_of_node(end.of(pair));
                rows.into_iter().map(|row| vec![row]).collect()
            }
        }
    }

    /// Whether there are free records at both ends still; all of them, of a group.
    pub fn is_open(&self, remainder: &Remainder<'_>, pair: &Pair) -> bool {
        End::BOTH.into_iter().all(|end| {
            let rest = remainder.side(self.side(end));
            match self.group(end, pair) {
                Some(group) => group.rows.iter().all(|&row| rest.is_free(row)),
                None => rest.capacity(end.of(pair)) > 0,
            }
        })
    }
}
