//! The audit log, page by page, with its filters in the address.

use crate::answers::Items;
use crate::ask::Refusal;
use crate::form::Fields;
use crate::html::escape_query;
use crate::shell::{Scope, Shell, Visit};
use crate::words;
use askama::Template;
use axum::extract::RawQuery;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct AuditRecord {
    pub number: i64,
    pub at: DateTime<Utc>,
    pub action: Value,
    pub subject: Value,
    pub by: Value,
    /// As it is today.
    #[serde(default)]
    pub account: Option<Account>,
    pub before: Value,
    pub after: Value,
    pub hash: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Account {
    pub name: String,
    pub email: String,
}

/// With its JSON in words.
pub(crate) struct RecordShown {
    pub number: i64,
    pub at: DateTime<Utc>,
    pub action: String,
    pub says: String,
    pub who: String,
    pub email: String,
    pub who_id: String,
    pub request: String,
    pub from: String,
    pub subject: String,
    pub before: String,
    pub after: String,
    pub hash: String,
}

const NAMES: [&str; 6] = ["who", "action", "user_id", "subject_kind", "from", "before"];
const SHOWN: u32 = 50;

#[derive(Template)]
#[template(path = "admin/audit.html")]
pub(crate) struct AuditPage {
    pub shell: Shell,
    pub who: String,
    pub action: String,
    pub user_id: String,
    pub subject_kind: String,
    pub from: String,
    pub before: String,
    pub records: Vec<RecordShown>,
    pub next: Option<String>,
    pub is_first: bool,
}

pub(super) async fn list(visit: Visit, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let asked = Fields::parse(query.unwrap_or_default().as_bytes());
    let shell = visit.shell("audit");
    let path = match &shell.scope {
        Scope::Project(project) => format!("/api/projects/{}/audit", project.id),
        _ => "/api/audit".to_owned(),
    };
    let (mut theirs, mut ours) = (format!("{path}?limit={SHOWN}"), String::new());
    for name in NAMES {
        if let Some(value) = asked.given(name) {
            let is_day = value.len() == 10 && matches!(name, "from" | "before");
            let moment = if is_day { format!("{value}T00:00:00Z") } else { value.to_owned() };
            theirs.push_str(&format!("&{name}={}", escape_query(&moment)));
            ours.push_str(&format!("{name}={}&", escape_query(value)));
        }
    }
    if let Some(after) = asked.given("after") {
        theirs.push_str(&format!("&after={}", escape_query(after)));
    }
    let page: Items<AuditRecord> = visit.ask.get(&theirs).await?;
    let get = |name: &str| asked.get(name).to_owned();
    Ok(visit.page(&AuditPage {
        who: get("who"),
        action: get("action"),
        user_id: get("user_id"),
        subject_kind: get("subject_kind"),
        from: get("from"),
        before: get("before"),
        next: page.after().map(|after| format!("{}/audit?{ours}after={after}", shell.base())),
        is_first: !asked.has("after"),
        records: page.items.into_iter().map(record_shown).collect(),
        shell,
    }))
}

pub(crate) fn record_shown(record: AuditRecord) -> RecordShown {
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let action = record.action.as_str().unwrap_or_default().to_owned();
    let says = match action.split_once('.') {
        Some((noun, verb)) => format!("{}: {}", words::words(noun), words::words(verb).to_lowercase()),
        None => words::words(&action),
    };
    let kind = text(&record.subject, "kind");
    // As they were; older records know the account alone.
    let (name, email) = match (text(&record.by, "name"), text(&record.by, "email"), record.account) {
        (name, email, Some(account)) if name.is_empty() && email.is_empty() => (account.name, account.email),
        (name, email, _) => (name, email),
    };
    let written = |value: &Value| match value {
        Value::Null => String::new(),
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    };
    RecordShown {
        number: record.number,
        at: record.at,
        action,
        says,
        who: match (name.is_empty(), record.by["user_id"].is_string()) {
            (false, _) => name,
            (true, true) => "a deleted account".into(),
            (true, false) => "nobody known".into(),
        },
        email,
        request: text(&record.by, "request_id"),
        who_id: text(&record.by, "user_id"),
        from: text(&record.by, "ip"),
        subject: match text(&record.subject, "id") {
            id if id.is_empty() => words::words(&kind),
            id => format!("{} {}", words::words(&kind), crate::format::short_id(&id)),
        },
        before: written(&record.before),
        after: written(&record.after),
        hash: record.hash,
    }
}
