//! How the backups are, at a glance.

use super::answers::{Alert, Backup, Health, KindHealth, Store};
use super::restores::Restore;
use crate::answers::{Items, JobLine};
use crate::ask::Refusal;
use crate::charts::trend::{self, Column};
use crate::form::Posted;
use crate::html::Html;
use crate::reconciliations::{Names, id_of};
use crate::shell::{Shell, Visit};
use askama::Template;
use axum::extract::Path;
use axum::response::{Redirect, Response};

#[derive(Template)]
#[template(path = "backups/overview.html")]
pub(crate) struct OverviewPage {
    pub shell: Shell,
    pub health: Health,
    pub kinds: Vec<KindShown>,
    pub stores: Vec<Store>,
    pub alerts: Vec<Alert>,
    pub trends: Vec<Trend>,
    /// Jobs that take backups: running, waiting, and of a time to come.
    pub jobs: Vec<JobLine>,
    pub backups: Vec<Backup>,
    pub restores: Vec<Restore>,
}

pub(crate) struct KindShown {
    pub kind: KindHealth,
    pub took: String,
    /// Against the mean of those before: `+12.0 %`.
    pub deviates: Option<String>,
}

/// How large the backups of a kind became.
pub(crate) struct Trend {
    pub kind: String,
    pub chart: Html,
    pub first: Backup,
    pub last: Backup,
    pub largest: i64,
}

impl Health {
    /// As a class of the style sheet.
    pub fn tone(&self) -> &'static str {
        match self.score {
            80.. => "good",
            50..80 => "warn",
            _ => "bad",
        }
    }
}

/// Of each kind, in a trend.
const COLUMNS: u32 = 60;
const SHOWN: u32 = 10;
const RESTORES_SHOWN: u32 = 5;

pub(super) async fn show(visit: Visit) -> Result<Response, Refusal> {
    let of_backups = format!("/api/backups?limit={SHOWN}");
    let of_restores = format!("/api/restores?limit={RESTORES_SHOWN}");
    let (health, stores, alerts, backups, restores) = tokio::join!(
        visit.ask.get::<Health>("/api/backups/health"),
        visit.ask.get::<Items<Store>>("/api/backups/stores"),
        visit.ask.get::<Items<Alert>>("/api/backups/alerts?which=open&limit=50"),
        visit.ask.get::<Items<Backup>>(&of_backups),
        visit.ask.get::<Items<Restore>>(&of_restores),
    );
    let of_jobs = |state: &str| format!("/api/jobs?kind=backup&state={state}&limit=5");
    let (running, available, scheduled) = (of_jobs("running"), of_jobs("available"), of_jobs("scheduled"));
    let (running, available, scheduled, full, base) = tokio::join!(
        visit.ask.get::<Items<JobLine>>(&running),
        visit.ask.get::<Items<JobLine>>(&available),
        visit.ask.get::<Items<JobLine>>(&scheduled),
        sizes(&visit, "full"),
        sizes(&visit, "base"),
    );
    let shell = visit.shell("backups");
    let health = health?;
    let kinds = health.kinds.iter().cloned().map(|kind| kind_shown(&shell, kind)).collect();
    let trends = [("full", full?), ("base", base?)];
    let trends = trends.into_iter().filter_map(|(kind, backups)| trend_of(&shell, kind, backups)).collect();
    Ok(visit.page(&OverviewPage {
        kinds,
        trends,
        stores: stores?.items,
        alerts: alerts?.items,
        jobs: [running?.items, available?.items, scheduled?.items].concat(),
        backups: backups?.items,
        restores: restores?.items,
        health,
        shell,
    }))
}

async fn sizes(visit: &Visit, kind: &str) -> Result<Vec<Backup>, Refusal> {
    let path = format!("/api/backups?kind={kind}&limit={COLUMNS}");
    let page: Items<Backup> = visit.ask.get(&path).await?;
    Ok(page.items)
}

fn kind_shown(shell: &Shell, kind: KindHealth) -> KindShown {
    let deviates = match (kind.last_bytes, kind.usual_bytes) {
        (Some(last), Some(usual)) if usual > 0.0 => {
            let share = last as f64 / usual - 1.0;
            Some(format!("{}{}", if share >= 0.0 { "+" } else { "" }, shell.percent(share)))
        }
        _ => None,
    };
    let took = kind.last_s.map(|s| chrono::TimeDelta::milliseconds((s.clamp(0.0, 1e9) * 1000.0) as i64));
    KindShown { took: took.map(crate::format::duration).unwrap_or_default(), deviates, kind }
}

/// `None` of fewer than two: there is no trend in one.
pub(crate) fn trend_of(shell: &Shell, kind: &str, mut backups: Vec<Backup>) -> Option<Trend> {
    backups.reverse();
    let (first, last) = (backups.first()?.clone(), backups.last()?.clone());
    if backups.len() < 2 {
        return None;
    }
    let column = |backup: &Backup| Column {
        label: shell.preferences.plain_time(backup.as_of()),
        value: backup.sealed_bytes.unwrap_or(0),
        tone: if backup.state == "failed" { "bad" } else { "info" },
        says: match (backup.state.as_str(), backup.sealed_bytes) {
            ("failed", _) => "failed".into(),
            (_, Some(bytes)) => shell.bytes(bytes),
            (_, None) => "size unknown".into(),
        },
    };
    let columns: Vec<Column> = backups.iter().map(column).collect();
    let largest = columns.iter().map(|column| column.value).max().unwrap_or(0);
    let name = format!("{}: size of {} backups", super::words::kind(kind), columns.len());
    Some(Trend { kind: kind.to_owned(), chart: trend::columns(&name, &columns), first, last, largest })
}

pub(super) async fn acknowledge(visit: Visit, Path(names): Names, _: Posted) -> Result<Redirect, Refusal> {
    visit.ask.act(&format!("/api/backups/alerts/{}/acknowledge", id_of(&names)), None).await?;
    Ok(Redirect::to("/system/backups"))
}
