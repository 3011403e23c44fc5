//! Records as a mapping reads them, before any reconciliation.

use chrono::NaiveDate;
use matching::{Records, format_minor};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A line of the file as a record.
#[derive(Serialize, ToSchema)]
pub(super) struct TypedRow {
    /// Line (CSV) or element (JSON) of the file, from 1.
    line: u64,
    id: String,
    date: NaiveDate,
    /// Decimal of major units, in text so that no reader rounds it.
    amount: String,
    currency: String,
    fields: BTreeMap<String, String>,
}

impl TypedRow {
    /// The first records.
    pub fn first(records: &Records, rows_max: usize) -> Vec<Self> {
        let row = |row| {
            let names = records.field_names().iter().enumerate();
            Self {
                line: records.line(row),
                id: records.id(row).to_owned(),
                date: NaiveDate::from_epoch_days(records.date(row)).unwrap_or_default(),
                amount: format_minor(records.amount(row).into(), records.currency(row).exponent()),
                currency: records.currency(row).code().to_owned(),
                fields: names.map(|(i, name)| (name.clone(), records.field(i, row).to_owned())).collect(),
            }
        };
        records.rows().take(rows_max).map(row).collect()
    }
}
