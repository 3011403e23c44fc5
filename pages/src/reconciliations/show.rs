//! One reconciliation: what it is doing, or what came out: the balance proof, the flow, the figures.

use super::chain::{ChainRun, ChainShown};
use super::live::ProgressPart;
use super::{Names, id_of};
use crate::answers::{DataSource, Items, PassCount, Reconciliation, Summary};
use crate::ask::Refusal;
use crate::charts::{self, Flow, Part, Side};
use crate::html::{self, Html};
use crate::overview::{ExceptionCount, exception_counts};
use crate::shell::{Shell, Visit};
use askama::Template;
use axum::extract::Path;
use axum::response::Response;

/// What every page of a result begins with.
pub(crate) struct Head {
    pub id: String,
    pub name: String,
    pub state: String,
    pub tab: &'static str,
    pub matches: i64,
    pub exceptions: i64,
    pub rejected: i64,
}

impl Head {
    pub fn new(run: &Reconciliation, summary: &Summary, tab: &'static str) -> Self {
        Self {
            id: run.id.clone(),
            name: run.name.clone(),
            state: run.state.clone(),
            tab,
            matches: summary.matches,
            exceptions: summary.exceptions,
            rejected: summary.left_rejected + summary.right_rejected,
        }
    }
}

#[derive(Template)]
#[template(path = "reconciliations/result.html")]
pub(crate) struct ResultPage {
    pub shell: Shell,
    pub head: Head,
    pub run: Reconciliation,
    pub summary: Summary,
    pub left: String,
    pub right: String,
    pub flow: Html,
    pub exceptions: Vec<(String, ExceptionCount)>,
    pub passes: Vec<PassCount>,
    /// Of all records, inside matches.
    pub share: f64,
    pub closes: bool,
    pub took: String,
    pub chain: ChainShown,
}

#[derive(Template)]
#[template(path = "reconciliations/running.html")]
pub(crate) struct RunningPage {
    pub shell: Shell,
    pub part: ProgressPart,
    pub is_final: bool,
}

/// Which of both it is depends on how far the run is.
pub(super) enum RunPage {
    Running(Box<RunningPage>),
    Result(Box<ResultPage>),
}

/// A file may be gone while its results are still there.
#[derive(Default)]
pub(super) struct Sources {
    left: Option<DataSource>,
    right: Option<DataSource>,
}

impl Sources {
    pub async fn of(visit: &Visit, run: &Reconciliation) -> Result<Self, Refusal> {
        let address = |id: &str| format!("/api/data-sources/{id}");
        let (left, right) = (address(&run.left_source_id), address(&run.right_source_id));
        let (left, right) = tokio::join!(visit.ask.find(&left), visit.ask.find(&right));
        Ok(Self { left: left?, right: right? })
    }
}

pub(super) async fn show(visit: Visit, Path(names): Names) -> Result<Response, Refusal> {
    let run: Reconciliation = visit.ask.get(&format!("/api/reconciliation/jobs/{}", id_of(&names))).await?;
    if run.summary.is_none() {
        let page = RunPage::new(visit.shell("reconciliations"), run, Sources::default(), vec![]);
        return Ok(page.answer(&visit));
    }
    let of_chain = format!("/api/reconciliation/jobs/{}/chain", run.id);
    let (sources, chain) =
        tokio::join!(Sources::of(&visit, &run), visit.ask.get::<Items<ChainRun>>(&of_chain));
    let page = RunPage::new(visit.shell("reconciliations"), run, sources?, chain?.items);
    Ok(page.answer(&visit))
}

impl RunPage {
    pub fn new(shell: Shell, run: Reconciliation, sources: Sources, chain: Vec<ChainRun>) -> Self {
        let Some(summary) = run.summary.clone() else {
            let is_final = run.is_final();
            let part = ProgressPart::new(shell.clone(), run);
            return Self::Running(Box::new(RunningPage { part, shell, is_final }));
        };
        let both = [sources.left.as_ref(), sources.right.as_ref()];
        let chain = ChainShown::new(&run, chain, both, shell.may_operate());
        let page = result_page(shell, run, summary, name_of(sources.left), name_of(sources.right));
        Self::Result(Box::new(ResultPage { chain, ..page }))
    }

    fn answer(&self, visit: &Visit) -> Response {
        match self {
            Self::Running(page) => visit.page(page.as_ref()),
            Self::Result(page) => visit.page(page.as_ref()),
        }
    }

    /// For a browser that shows an earlier state of it.
    pub fn content(&self) -> Option<html::Content> {
        match self {
            Self::Running(page) => html::content(page.as_ref()),
            Self::Result(page) => html::content(page.as_ref()),
        }
    }
}

fn name_of(source: Option<DataSource>) -> String {
    source.map_or_else(|| "deleted source".into(), |source| source.name)
}

pub(crate) fn result_page(
    shell: Shell,
    run: Reconciliation,
    summary: Summary,
    left: String,
    right: String,
) -> ResultPage {
    let records = summary.left_records + summary.right_records;
    let exceptions = exception_counts(summary.exceptions_by_kind.iter());
    let mut kinds: Vec<(&String, &i64)> = summary.exceptions_by_kind.iter().collect();
    kinds.sort_by_key(|(kind, count)| (std::cmp::Reverse(**count), kind.as_str().to_owned()));
    let kinds: Vec<String> = kinds.into_iter().map(|(kind, _)| kind.clone()).collect();
    ResultPage {
        head: Head::new(&run, &summary, "result"),
        flow: flow(&shell, &summary, &left, &right),
        exceptions: kinds.into_iter().zip(exceptions).collect(),
        // Passes that found nothing are no news.
        passes: summary.passes.iter().filter(|pass| pass.matches > 0 || pass.gave_up > 0).cloned().collect(),
        share: if records > 0 {
            (summary.left_matched + summary.right_matched) as f64 / records as f64
        } else {
            0.0
        },
        closes: summary.balance.iter().all(crate::answers::Balance::closes),
        chain: ChainShown::default(),
        took: run.finished_at.map(|at| crate::format::duration(at - run.created_at)).unwrap_or_default(),
        shell,
        run,
        summary,
        left,
        right,
    }
}

fn flow(shell: &Shell, summary: &Summary, left: &str, right: &str) -> Html {
    let part =
        |label: &str, value: i64, tone| Part { label: label.into(), value, tone, says: shell.number(value) };
    let side = |name: &str, records: i64, matched: i64, rejected: i64| Side {
        name: name.into(),
        matched: part("matched", matched, "good"),
        unmatched: part("exceptions", records - matched, "warn"),
        rejected: part("rejected lines", rejected, "bad"),
    };
    let suggested = match summary.suggested {
        0 => String::new(),
        n => format!(", {} to look at", shell.number(n)),
    };
    charts::flow(&Flow {
        left: side(left, summary.left_records, summary.left_matched, summary.left_rejected),
        right: side(right, summary.right_records, summary.right_matched, summary.right_rejected),
        middle: format!("{} matches{suggested}", shell.number(summary.matches)),
    })
}
