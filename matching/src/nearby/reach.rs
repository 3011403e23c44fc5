//! Which amounts some of a few records ask for: a look at the amount alone tells that most of many records on the
//! other side are near none of them.

use crate::sorted;
use crate::tolerance::CurrencyAllowance;
use crate::{Cancelled, Currency, Watch};

/// A side with so many times the records of the other is looked through before an index is made of it.
pub(crate) const FEW_AGAINST_MANY: usize = 4;

/// Amounts, both ends included, that do not touch each other.
#[derive(Debug, Default)]
pub(crate) struct AmountsInReach {
    /// In order of currency and amount.
    spans: Vec<(Currency, i64, i64)>,
}

impl AmountsInReach {
    /// The reach of each of these amounts, in the signs of the right side's file.
    pub fn of<'a>(
        targets: impl Iterator<Item = (Currency, i64, CurrencyAllowance<'a>)>,
        watch: Watch<'_>,
    ) -> Result<Self, Cancelled> {
        let mut spans = vec![];
        for (i, (currency, amount, allowance)) in targets.enumerate() {
            if i % 4096 == 0 {
                watch.check()?;
            }
            let (low, high) = allowance.reach_in_file(amount);
            spans.push((currency, low, high));
        }
        sorted::sort(&mut spans, watch)?;
        spans.dedup_by(|next, kept| {
            let touches = next.0 == kept.0 && next.1 <= kept.2;
            if touches {
                kept.2 = kept.2.max(next.2);
            }
            touches
        });
        Ok(AmountsInReach { spans })
    }

    pub fn has(&self, currency: Currency, amount: i64) -> bool {
        let behind = self.spans.partition_point(|&(c, low, _)| (c, low) <= (currency, amount));
        behind > 0 && {
            let (c, _, high) = self.spans[behind - 1];
            c == currency && amount <= high
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AmountRule;
    use crate::tolerance::Allowance;

    #[test]
    fn amounts_are_in_reach_of_any_of_the_targets_and_of_nothing_else() {
        let [eur, usd] = ["EUR", "USD"].map(|code| Currency::parse(code).unwrap());
        for flip_sign in [false, true] {
            let rule = AmountRule { absolute: Some("0.10".into()), flip_sign, ..AmountRule::default() };
            let allowance = Allowance::compile(&rule).unwrap();
            let targets = [(eur, 1_000), (eur, 1_015), (usd, -400), (eur, 900)];
            let of = targets.iter().map(|&(c, amount)| (c, amount, allowance.in_currency(c)));
            let reach = AmountsInReach::of(of, Watch::none()).unwrap();
            let sign = if flip_sign { -1 } else { 1 };
            for currency in [eur, usd] {
                for amount in -1_100..1_100 {
                    let near = |&(c, target): &(Currency, i64)| {
                        c == currency && (target - sign * amount).abs() <= 10
                    };
                    let expected = targets.iter().any(near);
                    assert_eq!(reach.has(currency, amount), expected, "{currency} {amount} {flip_sign}");
                }
            }
        }
        assert!(!AmountsInReach::default().has(eur, 0));
    }
}
