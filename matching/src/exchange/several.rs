//! Records of a sum converted into one currency.

use super::{Conversion, Converted, Exchange, Factor};
use crate::twins::by_id;
use crate::{Currency, Records, Rounded, Row};

/// Records of one currency at one rate, as far as they are added up.
struct Batch {
    rate: (Currency, Factor),
    /// Minor units before, not rounded, and after the conversion.
    amount: i128,
    converted: i64,
}

impl Exchange {
    /// The amounts of `rows` in `to`, in the order of `rows`. `None` where one has no rate, or the result is no
    /// amount.
    ///
    /// With [`Rounded::Total`] what the records of one currency at one rate are together is rounded once, and each
    /// record is what it adds to that, in the order of their ids: the parts add up, and none is farther than one
    /// minor unit from being rounded alone.
    pub fn convert_rows(&self, records: &Records, rows: &[Row], to: Currency) -> Option<Vec<i64>> {
        let converted = self.convert_each(records, rows, to)?;
        let amount = |(&row, converted): (&Row, Option<Converted>)| {
            converted.map_or_else(|| records.amount(row), |converted| converted.amount)
        };
        Some(rows.iter().zip(converted).map(amount).collect())
    }

    /// `None` in place of a record that is in `to` already.
    pub fn conversions(
        &self,
        records: &Records,
        rows: &[Row],
        to: Currency,
    ) -> Option<Vec<Option<Conversion>>> {
        let converted = self.convert_each(records, rows, to)?;
        let conversion = |(&row, converted): (&Row, Option<Converted>)| {
            Some(Conversion::of(records.amount(row), records.currency(row), to, converted?))
        };
        Some(rows.iter().zip(converted).map(conversion).collect())
    }

    fn convert_each(&self, records: &Records, rows: &[Row], to: Currency) -> Option<Vec<Option<Converted>>> {
        let mut converted = vec![None; rows.len()];
        let mut order: Vec<usize> = (0..rows.len()).filter(|&i| records.currency(rows[i]) != to).collect();
        order.sort_unstable_by(|&a, &b| by_id(records, rows[a], rows[b]));
        let mut batches: Vec<Batch> = vec![];
        for i in order {
            let (own, amount) = (records.currency(rows[i]), records.amount(rows[i]));
            let (kind, day, factor) = self.rate(own, to, records.date(rows[i]))?;
            let amount = match self.rounded {
                Rounded::Each => factor.times(amount.into(), self.rounding)?,
                Rounded::Total => {
                    let rate = (own, factor);
                    let place = batches.iter().position(|batch| batch.rate == rate).unwrap_or_else(|| {
                        batches.push(Batch { rate, amount: 0, converted: 0 });
                        batches.len() - 1
                    });
                    let batch = &mut batches[place];
                    batch.amount += i128::from(amount);
                    let before = batch.converted;
                    batch.converted = factor.times(batch.amount, self.rounding)?;
                    batch.converted.checked_sub(before)?
                }
            };
            converted[i] = Some(Converted { amount, day, kind, factor });
        }
        Some(converted)
    }
}
