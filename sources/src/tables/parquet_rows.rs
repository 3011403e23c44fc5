//! Parquet files, row by row, with only the columns that are wanted. Nested columns are left out.

use super::cell::Cell;
use super::row::{Row, RowBuilder};
use super::{Request, Visit, broken, not_this_format};
use crate::ReadError;
use chrono::NaiveDate;
use matching::format_minor;
use parquet::basic::{LogicalType, TimeUnit};
use parquet::data_type::Decimal;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use parquet::schema::types::{Type, TypePtr};
use std::fs::File;
use std::sync::Arc;

/// Of the wanted columns of one row group, unpacked: what may be in memory at once.
const GROUP_BYTES_MAX: i64 = 4 << 30;
const COLUMNS_MAX: usize = 10_000;

pub(super) fn for_each(file: File, request: &Request<'_>, visit: &mut Visit<'_>) -> Result<(), ReadError> {
    let reader = SerializedFileReader::new(file).map_err(broken)?;
    let schema = reader.metadata().file_metadata().schema();
    if schema.get_fields().len() > COLUMNS_MAX {
        return Err(not_this_format(&format!("it has more than {COLUMNS_MAX} columns")));
    }
    let is_flat = |field: &&TypePtr| field.is_primitive() && field.name().len() <= 1_000;
    let flat: Vec<&TypePtr> = schema.get_fields().iter().filter(is_flat).collect();
    let names = flat.iter().map(|field| Cell::text(field.name())).collect();
    if visit(0, Row::Cells(names))?.is_break() {
        return Ok(());
    }
    let is_wanted = |field: &&TypePtr| {
        request.columns.is_empty() || request.columns.iter().any(|c| c == field.name().trim())
    };
    // The column of each wanted field among the flat ones, whose names were handed out.
    let wanted: Vec<(usize, &TypePtr)> = flat
        .iter()
        .enumerate()
        .filter(|(_, field)| is_wanted(field))
        .map(|(at, field)| (at, *field))
        .collect();
    check_sizes(&reader, &wanted)?;
    let fields = wanted.iter().map(|(_, field)| Arc::clone(field)).collect();
    let projection = Type::group_type_builder(schema.name()).with_fields(fields).build().map_err(broken)?;
    let mut builder = RowBuilder::new(request.limits.line_bytes_max);
    for (number, row) in (1..).zip(reader.get_row_iter(Some(projection)).map_err(broken)?) {
        let row = row.map_err(broken)?;
        for ((_, value), (column, field)) in row.get_column_iter().zip(&wanted) {
            builder.set(*column, cell_of(value, field));
        }
        // A row without a value is still a row: it is to be rejected, not lost.
        let row = builder.finish().unwrap_or(Row::Cells(vec![]));
        if visit(number, row)?.is_break() {
            return Ok(());
        }
    }
    Ok(())
}

fn check_sizes(reader: &SerializedFileReader<File>, wanted: &[(usize, &TypePtr)]) -> Result<(), ReadError> {
    for group in reader.metadata().row_groups() {
        let is_wanted =
            |path: &[String]| wanted.iter().any(|(_, field)| path.len() == 1 && path[0] == field.name());
        let columns = group.columns().iter().filter(|column| is_wanted(column.column_path().parts()));
        let sizes = columns.map(|column| column.uncompressed_size().max(0));
        if sizes.fold(0_i64, i64::saturating_add) > GROUP_BYTES_MAX {
            return Err(not_this_format(&format!("a row group has more than {GROUP_BYTES_MAX} bytes")));
        }
    }
    Ok(())
}

fn cell_of(value: &Field, field: &TypePtr) -> Cell {
    match value {
        Field::Null | Field::Group(_) | Field::ListInternal(_) | Field::MapInternal(_) => Cell::default(),
        Field::Bool(value) => Cell::text(value.to_string()),
        Field::Byte(number) => Cell::number(number.to_string()),
        Field::Short(number) => Cell::number(number.to_string()),
        Field::Int(number) => Cell::number(number.to_string()),
        Field::Long(number) if is_nanos(field) => {
            Cell::instant(number.div_euclid(1_000_000_000), number.rem_euclid(1_000_000_000) as u32)
        }
        Field::Long(number) => Cell::number(number.to_string()),
        Field::UByte(number) => Cell::number(number.to_string()),
        Field::UShort(number) => Cell::number(number.to_string()),
        Field::UInt(number) => Cell::number(number.to_string()),
        Field::ULong(number) => Cell::number(number.to_string()),
        Field::Float16(number) => Cell::number(format!("{}", number.to_f32())),
        Field::Float(number) => Cell::number(format!("{number}")),
        Field::Double(number) => Cell::float(*number),
        Field::Decimal(decimal) => decimal_of(decimal),
        Field::Str(text) => Cell::text(text.as_str()),
        Field::Bytes(bytes) => Cell::text(String::from_utf8_lossy(bytes.data())),
        Field::Date(days) => {
            Cell::text(NaiveDate::from_epoch_days(*days).map(|date| date.to_string()).unwrap_or_default())
        }
        Field::TimestampMillis(at) => {
            Cell::instant(at.div_euclid(1_000), (at.rem_euclid(1_000) * 1_000_000) as u32)
        }
        Field::TimestampMicros(at) => {
            Cell::instant(at.div_euclid(1_000_000), (at.rem_euclid(1_000_000) * 1_000) as u32)
        }
        Field::TimeMillis(millis) => Cell::number(millis.to_string()),
        Field::TimeMicros(micros) => Cell::number(micros.to_string()),
    }
}

/// Nanoseconds since 1970 have no older name and come as plain numbers.
fn is_nanos(field: &TypePtr) -> bool {
    match field.get_basic_info().logical_type_ref() {
        Some(LogicalType::Timestamp(timestamp)) => timestamp.unit == TimeUnit::NANOS,
        _ => false,
    }
}

/// Exactly, up to 38 digits; larger ones are no money and stay empty.
fn decimal_of(decimal: &Decimal) -> Cell {
    let bytes = decimal.data();
    let (Some(first), Ok(scale @ 0..=38)) = (bytes.first(), u32::try_from(decimal.scale())) else {
        return Cell::default();
    };
    if bytes.len() > 16 {
        return Cell::default();
    }
    // Big-endian two's complement.
    let sign = if first & 0x80 == 0 { 0 } else { -1 };
    let value = bytes.iter().fold(i128::from(sign), |value, byte| value << 8 | i128::from(*byte));
    Cell::number(format_minor(value, scale))
}
