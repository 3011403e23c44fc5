//! How alike texts must be.

use crate::Side;
use serde::{Deserialize, Serialize};

/// Similarity of free texts, 0 to 1: the share of the shorter text's words that the other one has too,
/// misspelt and cut-off words in part. Words count the less the more records have them (`GmbH`,
/// `TRANSFER`), and references are held against a pair only where both texts have some.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TextRule {
    /// Text fields of the left side, joined with a space.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 8)))]
    pub left: Vec<String>,
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 8)))]
    pub right: Vec<String>,
    /// Pairs below are not candidates.
    #[cfg_attr(feature = "schema", schemars(range(min = 0.0, max = 1.0)))]
    pub min: f64,
    /// Pairs below `min` are candidates all the same, without evidence from their texts, where the text of
    /// this side has no word that any record of the other side has: `SQ *9XK2` says nothing about who paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent: Option<Side>,
}
