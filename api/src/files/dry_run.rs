//! A mapping tried on a file, before anything is stored.

use super::typed::TypedRow;
use crate::data_sources::{MappingBody, add_mistakes, mapping_mistake};
use crate::problem::Problem;
use crate::read::{Fields, JsonDraft, PathId, ReadBody, object};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use shared::ids::FileId;
use sources::{Mapping, MappingError, ReadError, ReadLimits, ReadSample, RejectedLine, read_sample};
use std::collections::HashMap;
use std::io;
use utoipa::ToSchema;

/// Lines tried: enough to see what is wrong, few enough for one request.
const LINES_MAX: u64 = 10_000;
const ROWS_MAX: usize = 20;
const GROUPS_MAX: usize = 50;

/// The mapping to try.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DryRunBody {
    #[schema(value_type = MappingBody)]
    mapping: Option<MappingBody>,
}

impl ReadBody for DryRunBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self { mapping: fields.required("mapping", object(MappingBody::read)) })
    }
}

/// What the mapping makes of the first 10,000 lines.
#[derive(Serialize, ToSchema)]
pub(crate) struct DryRun {
    lines: u64,
    /// The file has no more lines.
    whole: bool,
    records: usize,
    rejected: usize,
    /// Rejected lines by column and reason, the most first; at most 50.
    #[schema(inline)]
    reasons: Vec<ReasonGroup>,
    /// The first 20 records.
    rows: Vec<TypedRow>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ReasonGroup {
    column: Option<String>,
    /// Of the first of these lines.
    reason: String,
    lines: u64,
    first_line: u64,
    excerpt: String,
}

/// Try a mapping on a file: nothing is stored.
#[utoipa::path(
    post, path = "/api/files/{id}/dry-run", tag = "files", security(("access_token" = [])),
    params(("id" = Uuid, Path)), request_body = DryRunBody,
    responses((status = 200, description = "What it makes of the file", body = DryRun))
)]
pub(crate) async fn try_mapping(
    State(api): State<Api>,
    PathId(id): PathId<FileId>,
    JsonDraft { body, mut mistakes }: JsonDraft<DryRunBody>,
) -> Result<Json<DryRun>, Problem> {
    let file = api.store.file(id).await?.ok_or_else(Problem::not_found)?;
    let mapping = match body.and_then(|body| body.mapping).map(|mapping| mapping.check()) {
        Some(Ok(mapping)) if mistakes.is_empty() => mapping,
        Some(Err(wrong)) => {
            add_mistakes(&mut mistakes, wrong);
            return Err(Problem::invalid(mistakes));
        }
        _ => return Err(Problem::invalid(mistakes)),
    };
    match api.look_into(&file, move |file| read(file, &mapping)).await? {
        Ok(sample) => Ok(Json(DryRun::of(sample))),
        Err(wrong) => Err(Problem::invalid(wrong.iter().map(mapping_mistake).collect())),
    }
}

/// The file may be at fault, and then the mapping is told so.
fn read(file: std::fs::File, mapping: &Mapping) -> io::Result<Result<ReadSample, Vec<MappingError>>> {
    match read_sample(file, mapping, &ReadLimits::default(), LINES_MAX) {
        Ok(sample) => Ok(Ok(sample)),
        Err(ReadError::Io(error)) => Err(error),
        Err(ReadError::MissingColumns(errors) | ReadError::InvalidMapping(errors)) => Ok(Err(errors)),
        Err(error) => Ok(Err(vec![MappingError { at: "format".into(), says: error.to_string() }])),
    }
}

impl DryRun {
    fn of(sample: ReadSample) -> Self {
        DryRun {
            lines: sample.lines_read,
            whole: sample.whole,
            records: sample.records.len(),
            rejected: sample.rejected.len(),
            reasons: groups(&sample.rejected),
            rows: TypedRow::first(&sample.records, ROWS_MAX),
        }
    }
}

fn groups(rejected: &[RejectedLine]) -> Vec<ReasonGroup> {
    let mut number_of: HashMap<(Option<&str>, String), usize> = HashMap::new();
    let mut groups: Vec<ReasonGroup> = vec![];
    for line in rejected {
        let key = (line.column.as_deref(), without_values(&line.reason));
        let at = *number_of.entry(key).or_insert_with(|| {
            groups.push(ReasonGroup {
                column: line.column.clone(),
                reason: line.reason.clone(),
                lines: 0,
                first_line: line.line,
                excerpt: line.excerpt.clone(),
            });
            groups.len() - 1
        });
        groups[at].lines += 1;
    }
    groups.sort_by_key(|group| (std::cmp::Reverse(group.lines), group.first_line));
    groups.truncate(GROUPS_MAX);
    groups
}

/// Reasons quote what they speak of, and count: without both, they are the same for all lines of a kind.
fn without_values(reason: &str) -> String {
    let mut kept = String::with_capacity(reason.len());
    let (mut inside, mut escaped) = (false, false);
    for c in reason.chars() {
        match c {
            '"' if !escaped => inside = !inside,
            _ if inside => {}
            '0'..='9' => {}
            _ => kept.push(c),
        }
        escaped = c == '\\' && inside && !escaped;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_schema_is_read::<DryRunBody>();
    }

    #[test]
    fn lines_with_the_same_trouble_are_one_group() {
        let line = |line, reason: &str| RejectedLine {
            line,
            column: Some("Amount".into()),
            reason: reason.into(),
            excerpt: format!("line {line}"),
        };
        let found = groups(&[
            line(3, "the amount is empty"),
            line(4, r#""12x" is not an amount"#),
            line(9, r#""a \" b" is not an amount"#),
            line(12, "the id \"7\" is already on line 2"),
            line(13, "the id \"8\" is already on line 11"),
            line(15, r#""" is not an amount"#),
        ]);
        let seen: Vec<_> = found.iter().map(|group| (group.lines, group.first_line)).collect();
        assert_eq!(seen, [(3, 4), (2, 12), (1, 3)]);
    }
}
