//! From a schedule as asked for to one that can be stored: the kind may be scheduled there, its args make sense, and
//! it comes due some day.

use super::body::{ScheduleBody, ScheduleChangeBody};
use crate::problem::Mistake;
use crate::read::{Place, ReadBody, object, push_pointer, text};
use crate::reconciliation::Submission;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use shared::ids::{ProjectId, ScheduleId, UserId};
use shared::job::JobKind;
use shared::schedule::{MissedRuns, SchedulableKind, Scope, Timing, kinds, zone};
use shared::store::schedules::{Change, ChangeError, NewSchedule, Schedule};
use shared::store::{Store, StoreError};

/// Why there is no schedule.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// Each line says what to change.
    #[error("{}", .0.join("; "))]
    Invalid(Vec<String>),
    #[error(transparent)]
    Refused(#[from] ChangeError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes a schedule of a project, or (`None`) of the system, from the JSON body that the API takes, under the same
/// rules.
pub async fn create(
    store: &Store,
    project_id: Option<ProjectId>,
    body: Value,
) -> Result<Schedule, CreateError> {
    let mut mistakes = vec![];
    let body = object(ScheduleBody::read)(body, &mut Place::root(&mut mistakes));
    let new = match body {
        Some(body) => new_schedule(store, project_id, body, None, Utc::now(), &mut mistakes).await?,
        None => None,
    };
    match new {
        Some(new) => Ok(store.insert_schedule(&new, None).await?),
        None => Err(CreateError::Invalid(mistakes.iter().map(sentence).collect())),
    }
}

/// `cron: character 3: the hour must be 0 to 23, not 24`.
fn sentence(mistake: &Mistake) -> String {
    let field = mistake.pointer.as_deref().unwrap_or_default().trim_start_matches("#/");
    format!("{field}: {}", mistake.detail)
}

/// Adds everything that is wrong to `mistakes`, which hold those of the shape already; `None` when there are any.
pub(super) async fn new_schedule(
    store: &Store,
    project_id: Option<ProjectId>,
    body: ScheduleBody,
    created_by: Option<UserId>,
    now: DateTime<Utc>,
    mistakes: &mut Vec<Mistake>,
) -> Result<Option<NewSchedule>, StoreError> {
    let row = body.kind.as_deref().and_then(|kind| find_kind(kind, project_id, mistakes));
    let args = match row {
        Some(row) => check_args(store, row, project_id, body.args.unwrap_or_default(), mistakes).await?,
        None => None,
    };
    let timing = body.cron.zip(body.time_zone).map(|(expression, zone)| Timing { expression, zone });
    if let Some(timing) = &timing {
        refuse_never(timing, now, mistakes);
    }
    let (Some(name), Some(row), Some(args), Some(timing), true) =
        (body.name, row, args, timing, mistakes.is_empty())
    else {
        return Ok(None);
    };
    Ok(Some(NewSchedule {
        id: ScheduleId::new(),
        project_id,
        name,
        kind: row.kind.as_str().to_owned(),
        args,
        priority: priority(body.priority).unwrap_or(row.priority),
        timing,
        missed_runs: body.missed_runs.unwrap_or(MissedRuns::Once),
        is_paused: body.paused.unwrap_or(false),
        created_by,
    }))
}

/// As [`new_schedule`], for a change of `schedule`.
pub(super) async fn change(
    store: &Store,
    schedule: &Schedule,
    mut body: ScheduleChangeBody,
    now: DateTime<Utc>,
    mistakes: &mut Vec<Mistake>,
) -> Result<Option<Change>, StoreError> {
    let args = match body.args.take() {
        None => None,
        Some(args) => match find_kind(&schedule.kind, schedule.project_id, mistakes) {
            Some(row) => check_args(store, row, schedule.project_id, args, mistakes).await?,
            None => None,
        },
    };
    let timing = if body.cron.is_some() || body.time_zone.is_some() {
        changed_timing(schedule, &body, mistakes)
    } else {
        None
    };
    if let Some(timing) = &timing {
        refuse_never(timing, now, mistakes);
    }
    if !mistakes.is_empty() {
        return Ok(None);
    }
    let (name, priority, missed_runs) = (body.name, priority(body.priority), body.missed_runs);
    Ok(Some(Change { name, args, priority, timing, missed_runs, is_paused: None }))
}

/// What is not given stays; it may be what has to change, when this version no longer knows it.
fn changed_timing(
    schedule: &Schedule,
    body: &ScheduleChangeBody,
    mistakes: &mut Vec<Mistake>,
) -> Option<Timing> {
    let expression = match &body.cron {
        Some(expression) => Ok(expression.clone()),
        None => schedule
            .cron
            .parse()
            .map_err(|error| ("#/cron", "cron", format!("give one: its own is wrong at {error}"))),
    };
    let zone = match body.time_zone {
        Some(zone) => Ok(zone),
        None => zone(&schedule.time_zone)
            .map_err(|error| ("#/time_zone", "time_zone", format!("give one: {error}"))),
    };
    match (expression, zone) {
        (Ok(expression), Ok(zone)) => Some(Timing { expression, zone }),
        (expression, zone) => {
            let wrong = expression.err().into_iter().chain(zone.err());
            mistakes.extend(wrong.map(|(pointer, code, detail)| mistake(pointer.into(), code, detail)));
            None
        }
    }
}

fn priority(asked: Option<u32>) -> Option<u8> {
    asked.and_then(|priority| u8::try_from(priority).ok())
}

fn find_kind(
    kind: &str,
    project_id: Option<ProjectId>,
    mistakes: &mut Vec<Mistake>,
) -> Option<&'static SchedulableKind> {
    let scope = if project_id.is_some() { Scope::Project } else { Scope::System };
    let row = kinds::find(kind).filter(|row| row.scope == scope);
    if row.is_none() {
        let known = kinds::names(scope).join(", ");
        mistakes.push(mistake("#/kind".into(), "unknown", format!("what can be scheduled here: {known}")));
    }
    row
}

fn refuse_never(timing: &Timing, now: DateTime<Utc>, mistakes: &mut Vec<Mistake>) {
    if timing.next_after(now).is_none() {
        mistakes.push(mistake("#/cron".into(), "never", "never comes due".into()));
    }
}

/// The args as they will be stored.
async fn check_args(
    store: &Store,
    row: &SchedulableKind,
    project_id: Option<ProjectId>,
    args: Map<String, Value>,
    mistakes: &mut Vec<Mistake>,
) -> Result<Option<Value>, StoreError> {
    let mut wrong = vec![];
    let args = Value::Object(args);
    for name in row.unknown_args(&args).unwrap_or_default().into_iter().take(20) {
        let mut pointer = "#".to_owned();
        push_pointer(&mut pointer, name);
        let known = if row.args.is_empty() { "none".to_owned() } else { row.args.join(", ") };
        wrong.push(mistake(pointer, "unknown_field", format!("there is no such field; known are {known}")));
    }
    let stored = match project_id {
        _ if !wrong.is_empty() => None,
        Some(project_id) if row.kind == JobKind::RECONCILIATION => {
            reconciliation_args(store, project_id, args, &mut wrong).await?
        }
        _ => match backup::jobs::check_args(row.kind.as_str(), &args) {
            Ok(()) => Some(args),
            Err(why) => {
                wrong.push(mistake("#".into(), "args", why));
                None
            }
        },
    };
    // They were looked at by themselves.
    for mistake in &mut wrong {
        if let Some(pointer) = &mut mistake.pointer {
            *pointer = pointer.replacen('#', "#/args", 1);
        }
    }
    mistakes.extend(wrong);
    Ok(stored)
}

/// Under the rules of a submission; what it leaves open is settled now, so that each run does the same.
async fn reconciliation_args(
    store: &Store,
    project_id: ProjectId,
    mut args: Value,
    mistakes: &mut Vec<Mistake>,
) -> Result<Option<Value>, StoreError> {
    let file_names = FileNames::take(&mut args, mistakes);
    args["project_id"] = json!(project_id);
    let submission = object(Submission::read)(args, &mut Place::root(mistakes));
    let Some(submission) = submission else { return Ok(None) };
    let named: Vec<_> =
        [submission.left_source_id, submission.right_source_id].into_iter().flatten().collect();
    let found = store.data_sources_of(project_id, &named).await?;
    let accepted = submission.check(&found, mistakes);
    Ok(accepted.map(|accepted| {
        let mut args = json!({
            "name": accepted.name, "left_source_id": accepted.left, "right_source_id": accepted.right,
            "rules": accepted.rules,
        });
        for (name, pattern) in [(LEFT_FILE_NAME, file_names.left), (RIGHT_FILE_NAME, file_names.right)] {
            if let Some(pattern) = pattern {
                args[name] = pattern.into();
            }
        }
        args
    }))
}

const LEFT_FILE_NAME: &str = "left_file_name";
const RIGHT_FILE_NAME: &str = "right_file_name";
/// As long as names of files.
const FILE_NAME_CHARS_MAX: usize = 255;

/// Patterns of the files that runs take in place of the data sources' own.
struct FileNames {
    left: Option<String>,
    right: Option<String>,
}

impl FileNames {
    /// Takes them out of the args of a reconciliation, since a submission knows none.
    fn take(args: &mut Value, mistakes: &mut Vec<Mistake>) -> Self {
        let mut take = |name: &str| {
            let value =
                args.as_object_mut().and_then(|args| args.remove(name)).filter(|value| !value.is_null())?;
            let mut root = Place::root(mistakes);
            text(1..=FILE_NAME_CHARS_MAX)(value, &mut root.below(name))
        };
        let (left, right) = (take(LEFT_FILE_NAME), take(RIGHT_FILE_NAME));
        let same = |left: &String, right: &String| left.to_lowercase() == right.to_lowercase();
        if left.as_ref().zip(right.as_ref()).is_some_and(|(left, right)| same(left, right)) {
            let detail = "must be another pattern than the left's, or both sides would take the same file";
            mistakes.push(mistake(format!("#/{RIGHT_FILE_NAME}"), "same_file", detail.into()));
        }
        Self { left, right }
    }
}

fn mistake(pointer: String, code: &'static str, detail: String) -> Mistake {
    Mistake { pointer: Some(pointer), parameter: None, code, detail }
}
