//! A mapping held against the first bytes of its file.

use crate::problem::{Problem, ProblemKind};
use crate::state::Api;
use shared::store::files::File;
use sources::{Format, Mapping, MappingError, Peek, ReadError};
use std::io;

/// What the beginning of the file says about the mapping. Reads at most 1 MiB, or all
/// of a workbook or Parquet file, in a thread that may block.
pub(super) async fn check_columns(
    api: &Api,
    file: &File,
    mapping: Mapping,
) -> Result<Vec<MappingError>, Problem> {
    let (objects, key) = (api.objects.clone(), file.object_key.clone());
    let looked = tokio::task::spawn_blocking(move || {
        let peek = sources::peek_columns(objects.open(&key)?);
        Ok::<_, io::Error>(match peek {
            Ok(peek) => against(&mapping, &peek),
            Err(ReadError::Io(error)) => return Err(error),
            Err(ReadError::MissingColumns(errors) | ReadError::InvalidMapping(errors)) => errors,
            Err(error) => vec![MappingError { at: "format".into(), says: error.to_string() }],
        })
    });
    match looked.await {
        Ok(Ok(errors)) => Ok(errors),
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
            Err(Problem::new(ProblemKind::Conflict, "The content of the file is gone from the object store"))
        }
        Ok(Err(error)) => Err(Problem::internal("reading an upload", &error)),
        Err(error) => Err(Problem::internal("reading an upload", &error)),
    }
}

/// Only what is certain: the worker reads the whole file later and says the rest.
fn against(mapping: &Mapping, peek: &Peek) -> Vec<MappingError> {
    let error = |at: &str, says: String| vec![MappingError { at: at.into(), says }];
    // The mapping says where the header is or how it is encoded, and the first look saw something else.
    let looks_elsewhere = mapping.csv.header_line.is_some_and(|line| peek.header_line != Some(line))
        || mapping.csv.encoding.is_some()
        || mapping.excel.sheet.is_some()
        || mapping.excel.header_row.is_some_and(|row| peek.excel.header_row != Some(row));
    match (mapping.format, peek.format) {
        (Format::Csv, Format::Json) => error("format", "the file looks like JSON".into()),
        (Format::Json, Format::Csv) => error("format", "the file looks like CSV".into()),
        (wanted, seen) if wanted != seen => error("format", format!("the file looks like {}", seen.as_str())),
        (Format::Csv | Format::Excel, _) if looks_elsewhere => vec![],
        (Format::Csv, _) => {
            let errors = mapping.check_header(&peek.columns);
            let delimiter = peek.delimiter.unwrap_or(mapping.csv.delimiter);
            if delimiter == mapping.csv.delimiter {
                errors
            } else if errors.is_empty() {
                error("csv.delimiter", format!("the columns of the file are separated by {delimiter:?}"))
            } else {
                // The delimiter is a guess there.
                vec![]
            }
        }
        (Format::Excel | Format::Parquet, _) => mapping.check_header(&peek.columns),
        // Their columns are fixed by the format, and checked with the mapping.
        (Format::Mt940 | Format::Camt | Format::Ofx | Format::Bai2, _) => vec![],
        (Format::Json, _) => {
            // Optional members may be absent in the first element.
            let mut errors = mapping.check_header(&peek.columns);
            errors.retain(|error| !error.at.starts_with("fields."));
            errors
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(json: serde_json::Value) -> Mapping {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn only_what_is_certain_about_a_file_is_a_mistake() {
        let csv = |delimiter: &str| {
            mapping(serde_json::json!({
                "format": "csv", "csv": {"delimiter": delimiter}, "date": {"column": "d"},
                "amount": {"column": "a"}, "currency": {"fixed": "EUR"}, "fields": {"reference": "r"},
            }))
        };
        let places = |mapping: &Mapping, bytes: &str| -> Vec<String> {
            against(mapping, &sources::peek_columns(bytes.as_bytes()).unwrap())
                .into_iter()
                .map(|e| e.at)
                .collect()
        };
        assert!(places(&csv(";"), "d;a;r\n").is_empty());
        assert_eq!(places(&csv(";"), "d;x;y\n"), ["amount.column", "fields.reference"]);
        assert_eq!(places(&csv(","), "d;a;r\n"), ["csv.delimiter"]);
        assert!(
            places(&csv(":"), "d:a:r, and s\n").is_empty(),
            "another delimiter than those that are guessed"
        );
        assert_eq!(places(&csv(","), "[{\"d\": 1}]"), ["format"]);
        let json = mapping(serde_json::json!({
            "format": "json", "date": {"column": "d"}, "amount": {"column": "a"}, "currency": {"fixed": "EUR"},
            "fields": {"reference": "r"},
        }));
        assert!(places(&json, r#"[{"d": 1, "a": 2}]"#).is_empty());
        assert_eq!(places(&json, r#"[{"d": 1, "r": 2}]"#), ["amount.column"]);
        assert_eq!(places(&json, "d,a,r\n"), ["format"]);
    }
}
