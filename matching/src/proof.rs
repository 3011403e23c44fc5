//! The balance proof: what came in equals what is matched plus what is not, currency by currency.

use crate::plan::Plan;
use crate::{
    Cancelled, Currency, CurrencyProof, Exception, Match, OpenRemainder, Pulse, Records, Side, Watch,
};

/// Adds up totals from the records, matched sums from the matches and unmatched ones from the exceptions,
/// each on its own, so that a record lost or counted twice on the way would show in the residual.
pub(crate) fn prove(
    left: &Records,
    right: &Records,
    plans: &[Plan<'_>],
    (matches, exceptions): (&[Match], &[Exception]),
    watch: Watch<'_>,
) -> Result<Vec<CurrencyProof>, Cancelled> {
    let (mut proofs, mut pulse) = (Vec::<CurrencyProof>::new(), Pulse::new(watch));
    for row in left.rows() {
        pulse.beat(4)?;
        let proof = proof_of(&mut proofs, left.currency(row));
        proof.left_count += 1;
        proof.left_total += i128::from(left.amount(row));
    }
    for row in right.rows() {
        pulse.beat(4)?;
        let proof = proof_of(&mut proofs, right.currency(row));
        proof.right_count += 1;
        proof.right_total += i128::from(right.amount(row));
    }
    for m in matches {
        pulse.beat(8 * (m.left.len() + m.right.len()) as u32)?;
        let plan = plans.get(usize::from(m.pass));
        let flips = plan.is_some_and(|plan| plan.allowance.flip_sign);
        let mut is_converted = false;
        for (side, records, rows) in [(Side::Left, left, &m.left), (Side::Right, right, &m.right)] {
            for &row in rows {
                let (own, amount) = (records.currency(row), i128::from(records.amount(row)));
                let proof = proof_of(&mut proofs, own);
                if side == Side::Left {
                    proof.left_matched += amount;
                } else {
                    proof.right_matched += amount;
                    proof.right_flipped += if flips { amount } else { 0 };
                }
                if own != m.currency {
                    is_converted = true;
                    proof.converted_out += compared_sign(side, flips) * amount;
                }
            }
        }
        if let (true, Some(plan)) = (is_converted, plan) {
            // Worked out once more from the table, not derived from the difference.
            let worth = |records, rows| {
                let conversions = plan.conversions(m.currency, records, rows).into_iter();
                conversions.map(|(_, conversion)| i128::from(conversion.converted)).sum::<i128>()
            };
            let (of_left, of_right) = (worth(left, &*m.left), worth(right, &*m.right));
            let proof = proof_of(&mut proofs, m.currency);
            proof.converted_in += of_left + compared_sign(Side::Right, flips) * of_right;
            proof.converted_difference += i128::from(m.difference);
        }
        let proof = proof_of(&mut proofs, m.currency);
        proof.matched_difference += i128::from(m.difference);
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
        pulse.beat(8)?;
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
    Ok(proofs)
}

/// How an amount counts in what is compared: left minus right, or plus where signs are flipped.
fn compared_sign(side: Side, flips: bool) -> i128 {
    if side == Side::Left || flips { 1 } else { -1 }
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
            converted_difference: 0,
        });
        proofs.len() - 1
    });
    &mut proofs[place]
}
