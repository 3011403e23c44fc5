//! Making, changing and removing a schedule.

use crate::answers::{DataSource, DueTime, File, Items, Preset, Schedule};
use crate::ask::Refusal;
use crate::form::{Fields, Posted};
use crate::html::escape_query;
use crate::problem::Mistake;
use crate::reconcile::{Labelled, label_sources, parse_rules};
use crate::reconciliations::{Names, id_of};
use crate::shell::{Scope, Shell, Visit};
use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::{Map, Value, json};

#[derive(Template)]
#[template(path = "schedules/form.html")]
pub(crate) struct FormPage {
    pub shell: Shell,
    /// `None`: a new one.
    pub id: Option<String>,
    pub typed: Typed,
    pub sources: Vec<Labelled>,
    pub presets: Vec<Preset>,
    /// When it would come due, where that can be said.
    pub next: Vec<DueTime>,
    pub mistakes: Vec<Mistake>,
    pub trouble: Option<String>,
    /// Starts a reconciliation; otherwise a job of the system.
    pub is_reconciliation: bool,
}

/// The form as it was typed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Typed {
    pub name: String,
    pub kind: String,
    pub cron: String,
    pub time_zone: String,
    pub missed_runs: String,
    pub priority: String,
    pub left: String,
    pub right: String,
    /// Patterns of names: the newest upload that fits is taken instead.
    pub left_file: String,
    pub right_file: String,
    /// Of a preset; empty: those that it has, or the default.
    pub rules: String,
    pub version: String,
    pub is_paused: bool,
}

impl Typed {
    fn read(form: &Fields) -> Self {
        let get = |name: &str| form.get(name).to_owned();
        Self {
            name: get("name"),
            kind: get("kind"),
            cron: get("cron"),
            time_zone: get("time_zone"),
            missed_runs: get("missed_runs"),
            priority: get("priority"),
            left: get("left"),
            right: get("right"),
            left_file: get("left_file").trim().to_owned(),
            right_file: get("right_file").trim().to_owned(),
            rules: get("rules"),
            version: get("version"),
            is_paused: form.has("paused"),
        }
    }

    fn of(schedule: &Schedule) -> Self {
        let arg = |name: &str| schedule.args[name].as_str().unwrap_or_default().to_owned();
        Self {
            name: schedule.name.clone(),
            kind: schedule.kind.clone(),
            cron: schedule.cron.clone(),
            time_zone: schedule.time_zone.clone(),
            missed_runs: schedule.missed_runs.clone(),
            priority: schedule.priority.to_string(),
            left: arg("left_source_id"),
            right: arg("right_source_id"),
            left_file: arg("left_file_name"),
            right_file: arg("right_file_name"),
            rules: String::new(),
            version: schedule.version.to_string(),
            is_paused: schedule.paused,
        }
    }

    /// The members that both a new schedule and a change have. Numbers that are none go as they were typed.
    fn body(&self) -> Value {
        let number = |text: &str| text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number));
        let mut body = json!({
            "name": self.name, "cron": self.cron, "time_zone": self.time_zone, "missed_runs": self.missed_runs,
        });
        if !self.priority.is_empty() {
            body["priority"] = number(&self.priority);
        }
        if !self.version.is_empty() {
            body["version"] = number(&self.version);
        }
        body
    }

    /// Those it has, with what the form chooses.
    fn args(&self, before: Option<&Value>, presets: &[Preset]) -> Result<Value, Mistake> {
        let mut args = before.and_then(Value::as_object).cloned().unwrap_or_else(Map::new);
        for (name, chosen) in [("left_source_id", &self.left), ("right_source_id", &self.right)] {
            if !chosen.is_empty() {
                args.insert(name.into(), chosen.as_str().into());
            }
        }
        for (name, pattern) in [("left_file_name", &self.left_file), ("right_file_name", &self.right_file)] {
            match pattern.as_str() {
                "" => drop(args.remove(name)),
                pattern => drop(args.insert(name.into(), pattern.into())),
            }
        }
        if let Some(preset) = presets.iter().find(|preset| preset.name == self.rules) {
            args.insert("rules".into(), parse_rules(&preset.text)?);
        }
        Ok(Value::Object(args))
    }
}

pub(super) async fn show_new(visit: Visit) -> Result<Response, Refusal> {
    let zone = visit.shell.preferences.zone.map_or("UTC", |zone| zone.name()).to_owned();
    let typed = Typed {
        cron: "30 2 * * 1-5".into(),
        time_zone: zone,
        missed_runs: "once".into(),
        kind: if visit.shell.is_system() { "clean_up".into() } else { "reconciliation".into() },
        ..Typed::default()
    };
    page(&visit, None, typed, None).await
}

pub(super) async fn show_edit(visit: Visit, Path(names): Names) -> Result<Response, Refusal> {
    let id = id_of(&names);
    let schedule: Schedule = visit.ask.get(&format!("/api/schedules/{id}")).await?;
    page(&visit, Some(id), Typed::of(&schedule), None).await
}

async fn page(
    visit: &Visit,
    id: Option<String>,
    typed: Typed,
    refused: Option<Refusal>,
) -> Result<Response, Refusal> {
    let shell = visit.shell("schedules");
    let is_reconciliation = !shell.is_system();
    let of_sources = format!("/api/data-sources?{}&limit=500", visit.project_query());
    let of_next = format!(
        "/api/schedules/preview?count=5&cron={}&time_zone={}",
        escape_query(&typed.cron),
        escape_query(&typed.time_zone)
    );
    let of_files = format!("/api/files?{}&limit=500", visit.project_query());
    let sources = async {
        if !is_reconciliation {
            return Ok(vec![]);
        }
        let (sources, files) = tokio::join!(
            visit.ask.get::<Items<DataSource>>(&of_sources),
            visit.ask.get::<Items<File>>(&of_files)
        );
        Ok(label_sources(&shell.preferences, &sources?.items, &files?.items))
    };
    let (sources, presets, next) =
        tokio::join!(sources, presets(visit), visit.ask.get::<Items<DueTime>>(&of_next));
    let (status, trouble, mistakes) = match refused {
        None => (StatusCode::OK, None, vec![]),
        Some(Refusal { status, document, .. }) => {
            (status, document.errors.is_empty().then(|| document.detail.clone()), document.errors)
        }
    };
    let sources: Vec<Labelled> = sources?;
    let template = FormPage {
        shell,
        id,
        typed,
        sources,
        presets: presets?,
        // What is wrong with it the mistakes say.
        next: next.map(|page| page.items).unwrap_or_default(),
        mistakes,
        trouble,
        is_reconciliation,
    };
    Ok(visit.page_of(status, &template))
}

async fn presets(visit: &Visit) -> Result<Vec<Preset>, Refusal> {
    Ok(visit.ask.get::<Items<Preset>>("/api/reconciliation/presets").await?.items)
}

fn refused_by(mistake: Mistake) -> Refusal {
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    let mut document = crate::problem::Document::of_status(status);
    document.errors.push(mistake);
    Refusal::new(status, document)
}

pub(super) async fn create(visit: Visit, form: Posted) -> Result<Response, Refusal> {
    let typed = Typed::read(&form);
    let path = match &visit.shell.scope {
        Scope::Project(project) => format!("/api/projects/{}/schedules", project.id),
        _ => "/api/schedules".to_owned(),
    };
    let made = match typed.args(None, &presets(&visit).await?) {
        Ok(args) => {
            let mut body = typed.body();
            body["kind"] = typed.kind.as_str().into();
            body["args"] = args;
            body["paused"] = typed.is_paused.into();
            visit.ask.post::<Schedule>(&path, &body).await
        }
        Err(mistake) => Err(refused_by(mistake)),
    };
    finish(&visit, None, typed, made).await
}

pub(super) async fn change(visit: Visit, Path(names): Names, form: Posted) -> Result<Response, Refusal> {
    let (id, typed) = (id_of(&names), Typed::read(&form));
    let path = format!("/api/schedules/{id}");
    let schedule: Schedule = visit.ask.get(&path).await?;
    let changed = match typed.args(Some(&schedule.args), &presets(&visit).await?) {
        Ok(args) => {
            let mut body = typed.body();
            if args != schedule.args {
                body["args"] = args;
            }
            visit.ask.patch::<Schedule>(&path, &body).await
        }
        Err(mistake) => Err(refused_by(mistake)),
    };
    finish(&visit, Some(id), typed, changed).await
}

async fn finish(
    visit: &Visit,
    id: Option<String>,
    typed: Typed,
    done: Result<Schedule, Refusal>,
) -> Result<Response, Refusal> {
    match done {
        Ok(schedule) => {
            Ok(Redirect::to(&format!("{}/schedules/{}", visit.shell.base(), schedule.id)).into_response())
        }
        Err(refused) if matches!(refused.status, StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY) => {
            page(visit, id, typed, Some(refused)).await
        }
        Err(refused) => Err(refused),
    }
}

pub(super) async fn remove(visit: Visit, Path(names): Names, _: Posted) -> Result<Redirect, Refusal> {
    visit.ask.delete(&format!("/api/schedules/{}", id_of(&names))).await?;
    Ok(Redirect::to(&format!("{}/schedules", visit.shell.base())))
}
