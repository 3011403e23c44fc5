//! The balance proof: what came in equals what is matched plus what is not, currency by currency.

use crate::plan::Plan;
use crate::{
    Cancelled, Currency, CurrencyProof, Exception, Match, OpenRemainder, Pulse, Records, Side, Watch,
};
use rayon::prelude::*;

/// Matches added up by one thread at a time.
const PIECE_MATCHES: usize = 1 << 14;

/// Adds up totals from the records, matched sums from the matches and unmatched ones from the exceptions,
/// each on its own, so that a record lost or counted twice on the way would show in the residual.
pub(crate) fn prove(
    left: &Records,
    right: &Records,
    plans: &[Plan<'_>],
    (matches, exceptions): (&[Match], &[Exception]),
    watch: Watch<'_>,
) -> Result<Vec<CurrencyProof>, Cancelled> {
    let sides = Sides { left, right };
    let of_matches = || {
        let pieces = matches.par_chunks(PIECE_MATCHES).map(|piece| sides.matched(piece, plans, watch));
        pieces.try_reduce(Proofs::default, |proofs, more| Ok(proofs.with(more)))
    };
    let of_rows = || {
        let (of_left, of_right) =
            rayon::join(|| sides.totals(Side::Left, watch), || sides.totals(Side::Right, watch));
        Ok(of_left?.with(of_right?).with(sides.unmatched(exceptions, watch)?))
    };
    let (of_matches, of_rows) = rayon::join(of_matches, of_rows);
    let mut proofs = of_matches?.with(of_rows?).0;
    proofs.sort_unstable_by_key(|proof| proof.currency);
    Ok(proofs)
}

/// Sums of some of all, by currency. They are exact: the same however they were put together.
#[derive(Default)]
struct Proofs(Vec<CurrencyProof>);

impl Proofs {
    fn of(&mut self, currency: Currency) -> &mut CurrencyProof {
        proof_of(&mut self.0, currency)
    }

    fn with(mut self, others: Self) -> Self {
        for more in others.0 {
            let CurrencyProof {
                currency: _,
                left_count,
                right_count,
                left_total,
                right_total,
                left_matched,
                right_matched,
                left_unmatched,
                right_unmatched,
                matched_difference,
                right_flipped,
                open_remainder_left,
                open_remainder_right,
                converted_out,
                converted_in,
                converted_difference,
            } = self.of(more.currency);
            *left_count += more.left_count;
            *right_count += more.right_count;
            *left_total += more.left_total;
            *right_total += more.right_total;
            *left_matched += more.left_matched;
            *right_matched += more.right_matched;
            *left_unmatched += more.left_unmatched;
            *right_unmatched += more.right_unmatched;
            *matched_difference += more.matched_difference;
            *right_flipped += more.right_flipped;
            *open_remainder_left += more.open_remainder_left;
            *open_remainder_right += more.open_remainder_right;
            *converted_out += more.converted_out;
            *converted_in += more.converted_in;
            *converted_difference += more.converted_difference;
        }
        self
    }
}

struct Sides<'a> {
    left: &'a Records,
    right: &'a Records,
}

impl Sides<'_> {
    fn of(&self, side: Side) -> &Records {
        match side {
            Side::Left => self.left,
            Side::Right => self.right,
        }
    }

    fn totals(&self, side: Side, watch: Watch<'_>) -> Result<Proofs, Cancelled> {
        let (records, mut proofs, mut pulse) = (self.of(side), Proofs::default(), Pulse::new(watch));
        for row in records.rows() {
            pulse.beat(4)?;
            let (proof, amount) = (proofs.of(records.currency(row)), i128::from(records.amount(row)));
            match side {
                Side::Left => {
                    proof.left_count += 1;
                    proof.left_total += amount;
                }
                Side::Right => {
                    proof.right_count += 1;
                    proof.right_total += amount;
                }
            }
        }
        Ok(proofs)
    }

    fn matched(&self, matches: &[Match], plans: &[Plan<'_>], watch: Watch<'_>) -> Result<Proofs, Cancelled> {
        let (mut proofs, mut pulse) = (Proofs::default(), Pulse::new(watch));
        for m in matches {
            pulse.beat(8 * (m.left.len() + m.right.len()) as u32)?;
            let plan = plans.get(usize::from(m.pass));
            let flips = plan.is_some_and(|plan| plan.allowance.flip_sign);
            let mut is_converted = false;
            for (side, records, rows) in
                [(Side::Left, self.left, &m.left), (Side::Right, self.right, &m.right)]
            {
                for &row in rows {
                    let (own, amount) = (records.currency(row), i128::from(records.amount(row)));
                    let proof = proofs.of(own);
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
                let (of_left, of_right) = (worth(self.left, &*m.left), worth(self.right, &*m.right));
                let proof = proofs.of(m.currency);
                proof.converted_in += of_left + compared_sign(Side::Right, flips) * of_right;
                proof.converted_difference += i128::from(m.difference);
            }
            let proof = proofs.of(m.currency);
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
        Ok(proofs)
    }

    fn unmatched(&self, exceptions: &[Exception], watch: Watch<'_>) -> Result<Proofs, Cancelled> {
        let (mut proofs, mut pulse) = (Proofs::default(), Pulse::new(watch));
        for exception in exceptions {
            pulse.beat(8)?;
            let records = self.of(exception.side);
            let (proof, amount) =
                (proofs.of(records.currency(exception.row)), i128::from(records.amount(exception.row)));
            match exception.side {
                Side::Left => proof.left_unmatched += amount,
                Side::Right => proof.right_unmatched += amount,
            }
        }
        Ok(proofs)
    }
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
