//! The bridge between both sides' totals.

use crate::Currency;

/// The bridge of one currency, minor units, every amount with the sign its file gave it.
///
/// `left_total == left_matched + left_unmatched`, likewise right, and
/// `left_matched - right_matched + 2 * right_flipped - converted_out + converted_in == matched_difference`: where a
/// pass negates the right amounts (`flip_sign`), a difference is left *plus* right, and the third term says so;
/// where it converts, an amount leaves its own currency and arrives in that of the match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CurrencyProof {
    pub currency: Currency,
    pub left_count: u64,
    pub right_count: u64,
    pub left_total: i128,
    pub right_total: i128,
    pub left_matched: i128,
    pub right_matched: i128,
    pub left_unmatched: i128,
    pub right_unmatched: i128,
    /// Sum of [`crate::Match::difference`] of this currency, added up match by match (not derived from the totals).
    pub matched_difference: i128,
    /// The part of `right_matched` that was matched with its sign flipped. 0 without such a pass.
    pub right_flipped: i128,
    /// The part of `left_matched` that stays open: the sum of [`crate::Match::remainder`] of that side.
    pub open_remainder_left: i128,
    pub open_remainder_right: i128,
    /// Amounts of this currency that were compared in another one, and stand there as `converted_in`: left ones less
    /// right ones (with their sign flipped where the pass flips it).
    pub converted_out: i128,
    /// Amounts of other currencies, converted into this one to be compared; left ones less right ones.
    pub converted_in: i128,
    /// The part of `matched_difference` that matches with a converted amount left: what rates, rounding and the
    /// pass's allowance account for.
    pub converted_difference: i128,
}

impl CurrencyProof {
    /// `left_total - right_total` less everything that explains it: matched differences, flipped signs and
    /// unmatched records of either side. Zero, or money is unaccounted for.
    ///
    /// Open remainders are part of the matched differences: they explain these, not the totals.
    pub fn residual(&self) -> i128 {
        (self.left_total - self.right_total) - self.matched_difference - self.left_unmatched
            + self.right_unmatched
            + 2 * self.right_flipped
            - self.converted_out
            + self.converted_in
    }
}
