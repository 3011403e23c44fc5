//! What retention would keep and remove by other rules. Nothing is touched.

use super::answers::{Kept, Plan, Policy, Removed};
use crate::ask::Refusal;
use crate::form::Fields;
use crate::shell::{Shell, Visit};
use crate::told::{Told, is_explained};
use askama::Template;
use axum::extract::RawQuery;
use axum::response::Response;
use serde_json::json;
use std::collections::BTreeMap;

#[derive(Template)]
#[template(path = "backups/retention.html")]
pub(crate) struct RetentionPage {
    pub shell: Shell,
    pub fields: Vec<PolicyField>,
    pub plan: Option<Shown>,
    pub told: Told,
}

/// A number of the policy in the form.
pub(crate) struct PolicyField {
    pub name: &'static str,
    pub label: &'static str,
    pub typed: String,
    /// As it is configured.
    pub configured: Option<i64>,
}

/// A plan, its long lists cut.
pub(crate) struct Shown {
    pub kept: Vec<Kept>,
    pub removed: Vec<Removed>,
    pub kept_in_all: usize,
    pub removed_in_all: usize,
    pub kept_bytes: i64,
    pub removed_bytes: i64,
    /// How many are kept for each reason; one may have several.
    pub reasons: Vec<(String, i64)>,
    pub is_configured: bool,
}

pub(crate) const FIELDS: [(&str, &str); 5] = [
    ("days", "Everything of so many days"),
    ("daily", "The newest of each day, days"),
    ("weekly", "Of each week, weeks"),
    ("monthly", "Of each month, months"),
    ("yearly", "Of each year, years"),
];
const SHOWN: usize = 200;

impl Policy {
    fn get(&self, name: &str) -> i64 {
        match name {
            "days" => self.days,
            "daily" => self.daily,
            "weekly" => self.weekly,
            "monthly" => self.monthly,
            _ => self.yearly,
        }
    }
}

pub(super) async fn simulate(visit: Visit, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let asked = Fields::parse(query.unwrap_or_default().as_bytes());
    let mut body = json!({});
    for (name, _) in FIELDS {
        if let Some(typed) = asked.given(name) {
            body[name] = typed.parse::<i64>().map_or_else(|_| json!(typed), |number| json!(number));
        }
    }
    let (plan, told) = match visit.ask.post::<Plan>("/api/backups/retention/plan", &body).await {
        Ok(plan) => (Some(plan), Told::nothing()),
        Err(refused) if is_explained(&refused) => (None, Told::of(Some(refused))),
        Err(refused) => return Err(refused),
    };
    let field = |(name, label): (&'static str, &'static str)| PolicyField {
        name,
        label,
        typed: match (&plan, asked.given(name)) {
            (_, Some(typed)) => typed.to_owned(),
            (Some(plan), None) => plan.policy.get(name).to_string(),
            (None, None) => String::new(),
        },
        configured: plan.as_ref().map(|plan| plan.configured.get(name)),
    };
    let fields = FIELDS.map(field).into();
    let status = told.status;
    let page = RetentionPage { shell: visit.shell("backups"), fields, plan: plan.map(shown), told };
    Ok(visit.page_of(status, &page))
}

fn shown(plan: Plan) -> Shown {
    let Plan { policy, configured, mut kept, mut removed, kept_bytes, removed_bytes } = plan;
    let mut reasons: BTreeMap<&str, i64> = BTreeMap::new();
    for reason in kept.iter().flat_map(|kept| &kept.reasons) {
        *reasons.entry(reason).or_default() += 1;
    }
    let reasons = reasons.into_iter().map(|(reason, count)| (reason.to_owned(), count)).collect();
    let (kept_in_all, removed_in_all) = (kept.len(), removed.len());
    kept.truncate(SHOWN);
    removed.truncate(SHOWN);
    let is_configured = policy == configured;
    Shown { kept, removed, kept_in_all, removed_in_all, kept_bytes, removed_bytes, reasons, is_configured }
}
