//! The form in which a match keeps its records and reasons: JSON as text, lists instead of objects (migration 0090).
//! Read by the same types as the objects of older rows, whose members come in this order.

use super::{StoredReason, StoredRecord};
use crate::store::copy::without_zero_escapes;
use serde::Serialize;
use serde::ser::{SerializeTuple, Serializer};

/// The columns of a match as it was found, from rows of either form.
pub(in crate::store) const FOUND_COLUMNS: &str = "ordinal, confidence, tier::text AS tier, pass, currency, difference,
    coalesce(left_packed::json, left_records::json) AS found_left,
    coalesce(right_packed::json, right_records::json) AS found_right,
    coalesce(reasons_packed::json, reasons::json) AS found_reasons, open_side::text AS open_side, open_amount";

/// Appends what `left_packed` and `right_packed` hold.
pub(super) fn pack_records(packed: &mut Vec<u8>, records: &[StoredRecord]) {
    pack(packed, records.iter().map(PackedRecord));
}

/// Appends what `reasons_packed` holds.
pub(super) fn pack_reasons(packed: &mut Vec<u8>, reasons: &[StoredReason]) {
    pack(packed, reasons.iter().map(|reason| (&reason.field, &reason.says, reason.weight)));
}

fn pack<T: Serialize>(packed: &mut Vec<u8>, items: impl Iterator<Item = T>) {
    let start = packed.len();
    packed.push(b'[');
    for (n, item) in items.enumerate() {
        if n > 0 {
            packed.push(b',');
        }
        serde_json::to_writer(&mut *packed, &item).expect("rows of results serialise");
    }
    packed.push(b']');
    if let Some(clean) = without_zero_escapes(&packed[start..]) {
        packed.truncate(start);
        packed.extend_from_slice(&clean);
    }
}

struct PackedRecord<'a>(&'a StoredRecord);

impl Serialize for PackedRecord<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let record = self.0;
        let has_fields = record.foreign.is_some() || !record.fields.is_empty() || record.first_seen.is_some();
        let length = 5 + 2 * usize::from(has_fields) + usize::from(record.first_seen.is_some());
        let mut list = serializer.serialize_tuple(length)?;
        list.serialize_element(&record.row)?;
        list.serialize_element(&record.line)?;
        list.serialize_element(&record.id)?;
        list.serialize_element(&record.date)?;
        list.serialize_element(&record.amount)?;
        if has_fields {
            list.serialize_element(&record.foreign)?;
            list.serialize_element(&record.fields)?;
        }
        if let Some(first_seen) = &record.first_seen {
            list.serialize_element(first_seen)?;
        }
        list.end()
    }
}

/// For rows that go as JSON: the packed form as a text.
pub(super) fn records_as_text<S: Serializer>(
    records: &[StoredRecord],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    as_text(serializer, |packed| pack_records(packed, records))
}

pub(super) fn reasons_as_text<S: Serializer>(
    reasons: &[StoredReason],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    as_text(serializer, |packed| pack_reasons(packed, reasons))
}

fn as_text<S: Serializer>(serializer: S, pack: impl FnOnce(&mut Vec<u8>)) -> Result<S::Ok, S::Error> {
    let mut packed = vec![];
    pack(&mut packed);
    serializer.serialize_str(std::str::from_utf8(&packed).map_err(serde::ser::Error::custom)?)
}

#[cfg(test)]
mod tests {
    use super::super::{FirstSeen, StoredForeign};
    use super::*;
    use crate::ids::JobId;
    use chrono::NaiveDate;

    #[test]
    fn what_was_packed_is_read_by_the_types_that_read_objects() {
        let day = NaiveDate::from_ymd_opt(2026, 1, 31).unwrap();
        let plain = StoredRecord {
            row: 3,
            line: 5,
            id: "a \"b\" \\u0000".into(),
            date: day,
            amount: -17,
            foreign: None,
            fields: [].into(),
            first_seen: None,
        };
        let foreign = Some(StoredForeign { currency: "USD".into(), converted: 16 });
        let first_seen = Some(FirstSeen { run: 2, job_id: JobId::new(), on: day });
        let fields = [("reference".to_owned(), "Ünï💶".to_owned())].into();
        let records = [
            plain.clone(),
            StoredRecord { foreign: foreign.clone(), ..plain.clone() },
            StoredRecord { fields, ..plain.clone() },
            StoredRecord { foreign, first_seen, ..plain },
        ];
        let mut packed = vec![];
        pack_records(&mut packed, &records);
        assert!(packed.starts_with(br#"[[3,5,"a \"b\" \\u0000","2026-01-31",-17],["#));
        assert_eq!(serde_json::from_slice::<Vec<StoredRecord>>(&packed).unwrap(), records);

        let reasons = [StoredReason { field: "amount".into(), says: "a\0b".into(), weight: -0.25 }];
        let mut packed = vec![];
        pack_reasons(&mut packed, &reasons);
        let read: Vec<StoredReason> = serde_json::from_slice(&packed).unwrap();
        assert_eq!((read[0].says.as_str(), read[0].weight), ("a\u{fffd}b", -0.25));
    }
}
