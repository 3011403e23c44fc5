//! The balance proof: what came in equals what is matched plus what is not, currency by currency.

use crate::plan::Plan;
use crate::{Currency, CurrencyProof, Exception, Match, OpenRemainder, Records, Side};

/// Adds up totals from the records, matched sums from the matches and unmatched ones from the exceptions,
/// each on its own, so that a record lost or counted twice on the way would show in the residual.
pub(crate) fn prove(
    left: &Records,
    right: &Records,
    plans: &[Plan<'_>],
    matches: &[Match],
    exceptions: &[Exception],
) -> Vec<CurrencyProof> {
    let mut proofs: Vec<CurrencyProof> = vec![];
    for row in left.rows() {
        let proof = proof_of(&mut proofs, left.currency(row));
        proof.left_count += 1;
        proof.left_total += i128::from(left.amount(row));
    }
    for row in right.rows() {
        let proof = proof_of(&mut proofs, right.currency(row));
        proof.right_count += 1;
        proof.right_total += i128::from(right.amount(row));
    }
    for m in matches {
        let proof = proof_of(&mut proofs, m.currency);
        let right_sum: i128 = m.right.iter().map(|&r| i128::from(right.amount(r))).sum();
        let left_sum = m.left.iter().map(|&r| i128::from(left.amount(r))).sum::<i128>();
        // A match without left records is one of netting.
        let left_currency = m.left.first().map_or(m.currency, |&row| left.currency(row));
        if left_currency == m.currency {
            proof.left_matched += left_sum;
        } else {
            // Worked out once more from the table, not derived from the difference.
            let conversion = plans
                .get(usize::from(m.pass))
                .and_then(|plan| plan.conversion((left, m.left[0]), (right, m.right[0])));
            proof.converted_in += conversion.map_or(0, |conversion| i128::from(conversion.converted));
            let own = proof_of(&mut proofs, left_currency);
            own.left_matched += left_sum;
            own.converted_out += left_sum;
        }
        let proof = proof_of(&mut proofs, m.currency);
        proof.right_matched += right_sum;
        proof.matched_difference += i128::from(m.difference);
        if plans.get(usize::from(m.pass)).is_some_and(|plan| plan.allowance.flip_sign) {
            proof.right_flipped += right_sum;
        }
        match m.remainder() {
            Some(OpenRemainder { side: Side::Left, amount }) => {
                proof.open_remainder_left += i128::from(amount)
            }
            Some(OpenRemainder { side: Side::Right, amount }) => {
                proof.open_remainder_right += i128::from(amount)
            }
            None => {}
        }
    }
    for exception in exceptions {
        match exception.side {
            Side::Left => {
                proof_of(&mut proofs, left.currency(exception.row)).left_unmatched +=
                    i128::from(left.amount(exception.row));
            }
            Side::Right => {
                proof_of(&mut proofs, right.currency(exception.row)).right_unmatched +=
                    i128::from(right.amount(exception.row));
            }
        }
    }
    proofs.sort_unstable_by_key(|proof| proof.currency);
    proofs
}

/// A run has few currencies, and neighbours mostly share theirs.
pub(crate) fn proof_of(proofs: &mut Vec<CurrencyProof>, currency: Currency) -> &mut CurrencyProof {
    let place = proofs.iter().position(|proof| proof.currency == currency).unwrap_or_else(|| {
        proofs.push(CurrencyProof {
            currency,
            left_count: 0,
            right_count: 0,
            left_total: 0,
            right_total: 0,
            left_matched: 0,
            right_matched: 0,
            left_unmatched: 0,
            right_unmatched: 0,
            matched_difference: 0,
            right_flipped: 0,
            open_remainder_left: 0,
            open_remainder_right: 0,
            converted_out: 0,
            converted_in: 0,
        });
        proofs.len() - 1
    });
    &mut proofs[place]
}
