//! What the passes so far have left, side by side.

use crate::twins::{Node, Twins, by_id};
use crate::{Records, Row, Side};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;

/// Records that one thread looks at in one go.
const PIECE_ROWS: Row = 1 << 14;

/// Both sides with the records that have no match yet.
pub(crate) struct Remainder<'r> {
    pub left: Rest<'r>,
    pub right: Rest<'r>,
}

/// One side's records, which of them are free, and its twins.
pub(crate) struct Rest<'r> {
    pub records: &'r Records,
    pub twins: Arc<Twins>,
    free: Vec<bool>,
    free_count: usize,
}

impl<'r> Remainder<'r> {
    pub fn side(&self, side: Side) -> &Rest<'r> {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
    }

    /// Records of both sides that have a match.
    pub fn matched_count(&self) -> u64 {
        let of = |rest: &Rest<'_>| (rest.records.len() - rest.free_count) as u64;
        of(&self.left) + of(&self.right)
    }
}

impl<'r> Rest<'r> {
    pub fn new(records: &'r Records, twins: Twins) -> Self {
        let twins = Arc::new(twins);
        Rest { records, twins, free: vec![true; records.len()], free_count: records.len() }
    }

    /// The same records, told apart in another way.
    pub fn with_twins(&self, twins: Arc<Twins>) -> Self {
        Rest { records: self.records, twins, free: self.free.clone(), free_count: self.free_count }
    }

    pub fn is_free(&self, row: Row) -> bool {
        self.free[row as usize]
    }

    /// The record has a match now.
    pub fn take(&mut self, row: Row) {
        debug_assert!(self.free[row as usize], "a record ends in one match only");
        self.free[row as usize] = false;
        self.free_count -= 1;
    }

    pub fn free_rows(&self) -> impl Iterator<Item = Row> + '_ {
        self.records.rows().filter(|&row| self.is_free(row))
    }

    /// Nodes with at least one free record.
    pub fn free_nodes(&self) -> Vec<Node> {
        self.nodes_by_piece().flat_map_iter(|piece| piece.filter(|&node| self.is_free_node(node))).collect()
    }

    pub fn free_nodes_count(&self) -> usize {
        self.nodes_by_piece().map(|piece| piece.filter(|&node| self.is_free_node(node)).count()).sum()
    }

    fn nodes_by_piece(&self) -> impl IndexedParallelIterator<Item = Range<Node>> {
        let rows = self.free.len() as Row;
        let piece = move |first: Row| {
            first * PIECE_ROWS..rows.min(first.saturating_add(1).saturating_mul(PIECE_ROWS))
        };
        (0..rows.div_ceil(PIECE_ROWS)).into_par_iter().map(piece)
    }

    fn is_free_node(&self, row: Row) -> bool {
        match self.twins.of_node(row) {
            Some(rows) => rows.iter().any(|&r| self.is_free(r)),
            None => self.is_free(row) && self.twins.node(row) == row,
        }
    }

    /// The record is free, or a twin is that it stands for.
    pub fn stands_for_free(&self, row: Row) -> bool {
        self.is_free(row) || self.is_free_node(row)
    }

    /// Free records of the node.
    pub fn capacity(&self, node: Node) -> u32 {
        match self.twins.of_node(node) {
            Some(rows) => rows.iter().filter(|&&r| self.is_free(r)).count() as u32,
            None => u32::from(self.is_free(node)),
        }
    }

    /// The free records of the node, by id.
    pub fn free_of_node(&self, node: Node) -> Vec<Row> {
        let rows = self.twins.of_node(node).unwrap_or(std::slice::from_ref(&node));
        rows.iter().copied().filter(|&r| self.is_free(r)).collect()
    }

    pub fn by_id(&self, a: Row, b: Row) -> std::cmp::Ordering {
        by_id(self.records, a, b)
    }
}
