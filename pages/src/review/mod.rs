//! Review: what people decide about results. A queue on the left, the case at hand on the right, the proof below.
//!
//! Every page works with links and forms alone; the script only spares loading the whole page again, and knows keys.

pub(crate) mod answers;
mod bulk;
mod case;
mod decide;
mod filter;
mod find;
mod hand;
mod head;
mod history;
mod left;
mod line;
mod people;
mod queue;
mod said;

pub(crate) use history::{Past, past};

use crate::Site;
use crate::shell::Visit;
use axum::Router;
use axum::extract::Path;
use axum::response::Redirect;
use axum::routing::{get, post};
use filter::Queue;

pub(crate) fn routes() -> Router<Site> {
    const ONE: &str = "/p/{project}/reconciliations/{id}/review";
    Router::new()
        .route(ONE, get(first))
        .route(
            &format!("{ONE}/exceptions"),
            get(async |visit: Visit, names, query| queue::show(visit, names, query, Queue::Exceptions).await),
        )
        .route(
            &format!("{ONE}/matches"),
            get(async |visit: Visit, names, query| queue::show(visit, names, query, Queue::Matches).await),
        )
        .route(&format!("{ONE}/left"), get(left::show))
        .route(&format!("{ONE}/find"), get(find::show))
        .route(&format!("{ONE}/by-hand"), get(hand::list))
        .route(&format!("{ONE}/decisions"), get(history::list))
        .route(&format!("{ONE}/decide"), post(decide::decide))
        .route(&format!("{ONE}/verdict"), post(decide::judge))
        .route(&format!("{ONE}/bulk"), get(bulk::preview).post(bulk::decide))
}

/// Suggestions first: they are the quickest.
async fn first(visit: Visit, Path(names): crate::reconciliations::Names) -> Redirect {
    let id = crate::reconciliations::id_of(&names);
    let base = visit.shell.base();
    Redirect::to(&format!("{base}/reconciliations/{id}/review/matches"))
}

/// Of the API.
fn api(id: &str, below: &str) -> String {
    format!("/api/reconciliation/jobs/{id}/review{below}")
}

/// Of our own pages.
fn ours(base: &str, id: &str, below: &str) -> String {
    format!("{base}/reconciliations/{id}/review{below}")
}
