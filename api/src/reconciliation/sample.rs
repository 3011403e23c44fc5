//! Rules tried on the beginning of both files, before anything is submitted.

use super::submission::{Accepted, Submission};
use crate::data_sources::mapping_mistake;
use crate::guard::Granted;
use crate::problem::{Mistake, Problem, ProblemKind};
use crate::read::JsonDraft;
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use matching::{ReconcileError, Records, Tier, Watch, reconcile};
use serde::Serialize;
use shared::ids::DataSourceId;
use shared::store::data_sources::DataSource;
use sources::{Mapping, ReadError, ReadLimits, read_sample};
use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};
use utoipa::ToSchema;

/// Lines of each file: what is reconciled while somebody waits.
const LINES_MAX: u64 = 2_000;
/// Rules may ask for a search that takes long even on these.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the rules make of the first 2,000 lines of both files. Where files are longer, records without a match may
/// have theirs further down.
#[derive(Serialize, ToSchema)]
pub(crate) struct SampleAnswer {
    left_records: usize,
    right_records: usize,
    /// Neither file has more lines.
    is_whole: bool,
    left_matched: usize,
    right_matched: usize,
    matches: usize,
    /// Of the matches, those that would wait for a person's word.
    suggested: usize,
    /// Kinds without exceptions are absent.
    exceptions_by_kind: BTreeMap<&'static str, usize>,
    /// In the order of the rule set.
    passes: Vec<SamplePass>,
    /// Of a preset: passes that need fields which a source does not have.
    dropped_passes: Vec<String>,
    elapsed_ms: u64,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct SamplePass {
    name: String,
    matches: u64,
    left_records: u64,
    right_records: u64,
    /// Blocks left to later passes because they hit a limit of work.
    gave_up: u64,
    /// Connected pieces too large for the best choice of all.
    beyond_bound: u64,
}

/// Check a submission, and try its rules on the beginning of both files: nothing is stored.
#[utoipa::path(
    post, path = "/api/reconciliation/sample", tag = "reconciliation", security(("access_token" = [])),
    request_body = Submission, responses((status = 200, description = "What the rules make of it", body = SampleAnswer))
)]
pub(crate) async fn try_rules(
    State(api): State<Api>,
    granted: Granted,
    JsonDraft { body, mut mistakes }: JsonDraft<Submission>,
) -> Result<Json<SampleAnswer>, Problem> {
    let Some((submission, project_id)) = body.and_then(|body| body.project_id.map(|id| (body, id))) else {
        return Err(Problem::invalid(mistakes));
    };
    granted.must_be(project_id)?;
    let named: Vec<DataSourceId> =
        [submission.left_source_id, submission.right_source_id].into_iter().flatten().collect();
    let found = api.store.data_sources_of(project_id, &named).await?;
    let Some(accepted) = submission.check(&found, &mut mistakes) else {
        return Err(Problem::invalid(mistakes));
    };
    let turn =
        api.samples.acquire().await.map_err(|error| Problem::internal("waiting for a turn", &error))?;
    let started_at = Instant::now();
    let (left, left_whole) = records(&api, &found, accepted.left, "#/left_source_id").await?;
    let (right, right_whole) = records(&api, &found, accepted.right, "#/right_source_id").await?;
    let tried =
        tokio::task::spawn_blocking(move || compare(&left, &right, &accepted, left_whole && right_whole));
    let answer = tried.await.map_err(|error| Problem::internal("trying rules", &error))?;
    drop(turn);
    let elapsed_ms = u64::try_from(started_at.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(Json(SampleAnswer { elapsed_ms, ..answer? }))
}

/// The first records of a source, and whether it has no more.
async fn records(
    api: &Api,
    found: &[DataSource],
    id: DataSourceId,
    pointer: &'static str,
) -> Result<(Records, bool), Problem> {
    let source = found.iter().find(|source| source.id == id).ok_or_else(Problem::not_found)?;
    let file = api.store.file(source.file_id).await?.ok_or_else(Problem::not_found)?;
    let mapping: Mapping = serde_json::from_value(source.mapping.clone())
        .map_err(|error| Problem::internal("reading a stored mapping", &error))?;
    let unreadable = |detail: String| {
        Problem::invalid(vec![Mistake {
            pointer: Some(pointer.into()),
            parameter: None,
            code: "unreadable",
            detail,
        }])
    };
    let read = api.look_into(&file, move |file| {
        match read_sample(file, &mapping, &ReadLimits::default(), LINES_MAX) {
            Err(ReadError::Io(error)) => Err(error),
            read => Ok::<_, io::Error>(read),
        }
    });
    match read.await? {
        Ok(sample) if sample.records.is_empty() => {
            let says = sample.rejected.first().map(|line| format!("; line {}: {}", line.line, line.reason));
            Err(unreadable(format!("the beginning of the file gives no record{}", says.unwrap_or_default())))
        }
        Ok(sample) => Ok((sample.records, sample.whole)),
        Err(ReadError::MissingColumns(errors) | ReadError::InvalidMapping(errors)) => {
            Err(Problem::invalid(errors.iter().map(mapping_mistake).collect()))
        }
        Err(error) => Err(unreadable(error.to_string())),
    }
}

fn compare(
    left: &Records,
    right: &Records,
    accepted: &Accepted,
    is_whole: bool,
) -> Result<SampleAnswer, Problem> {
    let deadline = Instant::now() + PATIENCE;
    let watch = Watch { cancelled: &|| Instant::now() > deadline, progress: &|_| {} };
    let outcome = reconcile(left, right, &accepted.rules, watch).map_err(|error| match error {
        ReconcileError::Cancelled(_) => Problem::new(
            ProblemKind::TimedOut,
            format!(
                "These rules take more than {} s on a sample; a submitted job has the time",
                PATIENCE.as_secs()
            ),
        ),
        error @ ReconcileError::InvalidRules(_) => Problem::internal("trying checked rules", &error),
    })?;
    let mut exceptions_by_kind = BTreeMap::new();
    for exception in &outcome.exceptions {
        *exceptions_by_kind.entry(exception.kind.as_str()).or_default() += 1;
    }
    Ok(SampleAnswer {
        left_records: left.len(),
        right_records: right.len(),
        is_whole,
        left_matched: outcome.matches.iter().map(|found| found.left.len()).sum(),
        right_matched: outcome.matches.iter().map(|found| found.right.len()).sum(),
        matches: outcome.matches.len(),
        suggested: outcome.matches.iter().filter(|found| found.tier == Tier::Suggested).count(),
        exceptions_by_kind,
        passes: outcome
            .passes
            .into_iter()
            .map(|pass| SamplePass {
                name: pass.name,
                matches: pass.matches,
                left_records: pass.left_records,
                right_records: pass.right_records,
                gave_up: pass.gave_up,
                beyond_bound: pass.beyond_bound,
            })
            .collect(),
        dropped_passes: accepted.dropped_passes.iter().map(ToString::to_string).collect(),
        elapsed_ms: 0,
    })
}
