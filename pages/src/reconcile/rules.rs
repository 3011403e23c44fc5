//! Step three: how to compare. Every rule set that comes with the program is tried on the beginning of both files, so
//! that the choice is between results and not between names.

use super::before::Before;
use super::builder;
use super::tried::{Option_, SampleShown, best, options, sample_shown};
use crate::answers::{DataSource, Items, Made, Preset, Sample};
use crate::ask::Refusal;
use crate::form::{Fields, Posted};
use crate::html::escape_query;
use crate::problem::Mistake;
use crate::shell::{Shell, Visit};
use askama::Template;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::{Value, json};

#[derive(Template)]
#[template(path = "reconcile/rules.html")]
pub(crate) struct RulesPage {
    pub shell: Shell,
    pub left: DataSource,
    pub right: DataSource,
    pub left_fields: Vec<String>,
    pub right_fields: Vec<String>,
    pub options: Vec<Option_>,
    pub own: String,
    pub name: String,
    pub threshold: String,
    pub mistakes: Vec<Mistake>,
    /// Of what is chosen.
    pub detail: Option<SampleShown>,
    pub opens_builder: bool,
    /// What the files are to continue.
    pub before: Option<Before>,
}

/// What the form says.
#[derive(Default)]
struct Chosen {
    /// The run before, and its rules.
    continues: String,
    before: Option<Value>,
    choice: String,
    own: String,
    name: String,
    threshold: String,
}

impl Chosen {
    fn read(form: &Fields) -> Self {
        let choice = form.given("choice").unwrap_or("standard");
        Self {
            continues: form.get("continues").to_owned(),
            before: None,
            choice: choice.to_owned(),
            // With its white space: lines of a text.
            own: form.get("own").replace("\r\n", "\n"),
            name: form.get("name").to_owned(),
            threshold: form.get("threshold").to_owned(),
        }
    }

    /// The submission, or why the text is none.
    fn body(&self, visit: &Visit, left: &str, right: &str) -> Result<Value, Mistake> {
        let mut body = json!({"left_source_id": left, "right_source_id": right});
        match self.choice.as_str() {
            "standard" => {}
            "before" => body["rules"] = self.before.clone().unwrap_or_default(),
            "own" => body["rules"] = builder::parse(&self.own)?,
            preset => body["preset"] = preset.into(),
        }
        if !self.continues.is_empty() {
            body["continues"] = self.continues.as_str().into();
        }
        if !self.name.is_empty() {
            body["name"] = self.name.as_str().into();
        }
        if !self.threshold.is_empty() {
            let share = self.threshold.replace(',', ".").parse::<f64>().map(|percent| percent / 100.0);
            body["confidence_threshold"] = share.map_or_else(|_| json!(self.threshold), |share| json!(share));
        }
        Ok(visit.in_project(body))
    }
}

pub(super) async fn show(visit: Visit, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let asked = Fields::parse(query.unwrap_or_default().as_bytes());
    let mut chosen = Chosen { continues: asked.get("continues").to_owned(), ..Chosen::default() };
    chosen.before = rules_of(&visit, &chosen.continues).await?;
    let page = page(&visit, asked.get("left"), asked.get("right"), chosen, vec![]).await?;
    Ok(visit.page(&page))
}

pub(super) async fn decide(visit: Visit, form: Posted) -> Result<Response, Refusal> {
    let (left, right) = (form.get("left"), form.get("right"));
    let mut chosen = Chosen::read(&form);
    chosen.before = rules_of(&visit, &chosen.continues).await?;
    let action = form.get("action");
    if let Some(preset) = action.strip_prefix("edit:") {
        chosen.own = presets(&visit)
            .await?
            .into_iter()
            .find(|known| known.name == preset)
            .map(|known| known.text)
            .unwrap_or_default();
        chosen.choice = "own".into();
    } else if action == "add" {
        chosen.own = builder::with_pass(&chosen.own, &form);
        chosen.choice = "own".into();
    } else if action == "run" {
        let refused = match chosen.body(&visit, left, right) {
            Ok(body) => match visit.ask.post::<Made>("/api/reconciliation/jobs", &body).await {
                Ok(made) => {
                    let target = format!("{}/reconciliations/{}", visit.shell.base(), made.id);
                    return Ok(Redirect::to(&target).into_response());
                }
                Err(refusal) if refusal.status == StatusCode::UNPROCESSABLE_ENTITY => refusal.document.errors,
                // Somebody else was quicker, or the run before is not done yet.
                Err(refusal) if refusal.status == StatusCode::CONFLICT => {
                    let detail = refusal.document.detail;
                    vec![Mistake { pointer: None, parameter: None, code: "conflict".into(), detail }]
                }
                Err(refusal) => return Err(refusal),
            },
            Err(mistake) => vec![mistake],
        };
        let page = page(&visit, left, right, chosen, refused).await?;
        return Ok(visit.page_of(StatusCode::UNPROCESSABLE_ENTITY, &page));
    }
    let mut page = page(&visit, left, right, chosen, vec![]).await?;
    page.opens_builder = action == "add";
    let status = if page.mistakes.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok(visit.page_of(status, &page))
}

/// Of the run before, as they were.
async fn rules_of(visit: &Visit, id: &str) -> Result<Option<Value>, Refusal> {
    if id.is_empty() {
        return Ok(None);
    }
    let answer: Value =
        visit.ask.get(&format!("/api/reconciliation/jobs/{}/rules", escape_query(id))).await?;
    Ok(Some(answer["rules"].clone()))
}

async fn presets(visit: &Visit) -> Result<Vec<Preset>, Refusal> {
    Ok(visit.ask.get::<Items<Preset>>("/api/reconciliation/presets").await?.items)
}

/// An empty choice takes what matches most.
async fn page(
    visit: &Visit,
    left: &str,
    right: &str,
    chosen: Chosen,
    mut mistakes: Vec<Mistake>,
) -> Result<RulesPage, Refusal> {
    let source = async |id: &str| {
        visit.ask.get::<DataSource>(&format!("/api/data-sources/{}", escape_query(id))).await
    };
    let (left, right) = (source(left).await?, source(right).await?);
    let before = Before::of(visit, &chosen.continues).await?;
    let mut options = options(before.as_ref(), presets(visit).await?);
    for option in &mut options {
        let is_own = option.value == "own";
        if is_own && (chosen.own.trim().is_empty() || !mistakes.is_empty()) {
            continue;
        }
        let trial = Chosen {
            continues: String::new(),
            before: chosen.before.clone(),
            choice: option.value.clone(),
            own: chosen.own.clone(),
            name: String::new(),
            threshold: chosen.threshold.clone(),
        };
        match try_on(visit, &trial, &left.id, &right.id).await? {
            Ok(sample) => option.tried = Some(sample_shown(sample)),
            Err(found) if is_own => mistakes = found,
            Err(found) => option.refused = found.first().map(|first| first.detail.clone()),
        }
    }
    let choice = if chosen.choice.is_empty() { best(&options) } else { chosen.choice };
    let mut detail = None;
    for option in &mut options {
        option.is_chosen = option.value == choice;
        if option.is_chosen {
            detail = option.tried.as_ref().map(|tried| sample_shown(tried.sample.clone()));
        }
    }
    Ok(RulesPage {
        shell: visit.shell("reconcile"),
        left_fields: fields_of(&left),
        right_fields: fields_of(&right),
        name: if chosen.name.is_empty() {
            format!("{} / {}", left.name, right.name).chars().take(200).collect()
        } else {
            chosen.name
        },
        left,
        right,
        options,
        own: chosen.own,
        threshold: chosen.threshold,
        mistakes,
        detail,
        opens_builder: false,
        before,
    })
}

async fn try_on(
    visit: &Visit,
    chosen: &Chosen,
    left: &str,
    right: &str,
) -> Result<Result<Sample, Vec<Mistake>>, Refusal> {
    let body = match chosen.body(visit, left, right) {
        Ok(body) => body,
        Err(mistake) => return Ok(Err(vec![mistake])),
    };
    match visit.ask.post::<Sample>("/api/reconciliation/sample", &body).await {
        Ok(sample) => Ok(Ok(sample)),
        Err(refusal) if refusal.status == StatusCode::UNPROCESSABLE_ENTITY => {
            Ok(Err(refusal.document.errors))
        }
        // Took too long: no reason to show nothing at all.
        Err(refusal) if refusal.document.kind.ends_with(":timed_out") => {
            let detail = refusal.document.detail;
            Ok(Err(vec![Mistake { pointer: None, parameter: None, code: "slow".into(), detail }]))
        }
        Err(refusal) => Err(refusal),
    }
}

/// The fields that rules may name.
fn fields_of(source: &DataSource) -> Vec<String> {
    let named = source.mapping["fields"].as_object().map(|fields| fields.keys().cloned().collect::<Vec<_>>());
    let mut fields = named.unwrap_or_default();
    fields.push("id".into());
    fields
}
