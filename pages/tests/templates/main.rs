//! Every template with sample data: what comes out is whole, says what it should, and escapes what it was given.
//!
//! The samples are answers of the API as its document describes them; that they are what it really answers is shown
//! where pages meet it, in its own tests.

mod backups;
mod html;
mod notifications;
mod samples;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use std::collections::BTreeSet;
use tower::ServiceExt;

/// A token without a signature: the pages never look into it but for the session it names.
const TOKEN: &str = "e30.eyJzaWQiOiJzZXNzaW9uIn0.e30";

/// Template, address of a page that it makes, and words that come from it.
const PAGES: &[(&str, &str, &str)] = &[
    ("account/invitation.html", "/invitation?token=cfi_x", "You are invited"),
    ("account/register.html", "/register?invitation=cfi_x", "Make an account"),
    ("account/reset.html", "/reset-password?token=cfp_x", "Token from your administrator"),
    ("account/show.html", "/account", "Where you are logged in"),
    ("admin/audit.html", "/p/one/audit", "Review: decide"),
    ("admin/keys.html", "/p/one/keys", "cfk_abcdefgh"),
    ("admin/members.html", "/p/one/members", "Invitations"),
    ("admin/settings.html", "/p/one/settings", "Four eyes"),
    ("admin/users.html", "/system/users", "Open again"),
    ("again.html", "FROM ELSEWHERE", "refresh"),
    ("approvals.html", "/p/one/approvals", "Approve"),
    ("backups/list.html", "/system/backups/list?kind=full", "All backups"),
    ("backups/overview.html", "/system/backups", "30 of 30"),
    ("backups/restore.html", "/system/restores/merge", "Type the name of the database"),
    ("backups/restore_form.html", "/system/restores/new?backup=b1", "Rows that are live and differ"),
    ("backups/restores.html", "/system/restores", "Rows of projects: dry run"),
    ("backups/retention.html", "/system/backups/retention?days=1", "no rule wants it"),
    ("backups/show.html", "/system/backups/b1", "Let the rules decide again"),
    ("backups/take.html", "/system/backups/new", "Which projects"),
    ("jobs/bulk.html", "/p/one/jobs/bulk?action=redrive&state=dead", "Start over"),
    ("jobs/counts.html", "/p/one/jobs/counts", "Failed"),
    ("jobs/failed.html", "/p/one/failed", "the &#60;ledger&#62; is gone"),
    ("jobs/list.html", "/p/one/jobs", "Jobs"),
    ("jobs/show.html", "/p/one/jobs/job", "What happened"),
    ("login.html", "/login", "Log in"),
    ("notifications/inbox.html", "/notifications", "Mark all as read"),
    ("notifications/settings.html", "/notifications/settings", "A job failed for good"),
    ("notifications/unread.html", "/notifications/unread", "> unread<"),
    ("notifications/webhook.html", "/p/one/webhooks/w1", "Send them again"),
    ("notifications/webhooks.html", "/system/webhooks", "Switched off"),
    ("overview.html", "/p/one", "Overview"),
    ("problem.html", "/p/nobody", "no such thing"),
    ("projects.html", "/projects", "Name of a new project"),
    ("queues.html", "/system/queues", "month end"),
    ("reconcile/columns.html", "/p/one/reconcile/columns?left=a&right=b", "What the columns mean"),
    ("reconcile/files.html", "/p/one/reconcile", "Upload and look at the columns"),
    ("reconcile/rules.html", "/p/one/reconcile/rules?left=a&right=b", "How to compare"),
    ("reconciliations/exceptions.html", "/p/one/reconciliations/done/exceptions", "Candidate 1"),
    ("reconciliations/list.html", "/p/one/reconciliations", "January"),
    ("reconciliations/matches.html", "/p/one/reconciliations/done/matches", "Side by side"),
    ("reconciliations/rejected.html", "/p/one/reconciliations/done/rejected-lines", "is not an amount"),
    ("reconciliations/result.html", "/p/one/reconciliations/done", "The proof closes."),
    ("reconciliations/running.html", "/p/one/reconciliations/running", "Stop it"),
    ("review/bulk.html", "/p/one/reconciliations/done/review/bulk?of=exceptions", "1 exceptions fit"),
    ("review/by_hand.html", "/p/one/reconciliations/done/review/by-hand", "Match by hand 1"),
    ("review/decisions.html", "/p/one/reconciliations/done/review/decisions", "Undo"),
    ("review/desk.html", "/p/one/reconciliations/done/review/matches", "Take this match apart"),
    ("review/find.html", "/p/one/reconciliations/done/review/find?left=1", "Match the chosen"),
    ("review/left.html", "/p/one/reconciliations/done/review/left", "3 left of 4"),
    ("schedules/form.html", "/p/one/schedules/nightly/edit", "Remove the schedule"),
    ("schedules/list.html", "/p/one/schedules", "At 02:30 every day"),
    ("schedules/show.html", "/p/one/schedules/nightly", "Next times"),
    ("workers.html", "/system/workers", "worker-1"),
];

/// What others include, extend or import, and where that shows.
const PARTS: &[(&str, &str, &str)] = &[
    ("admin/secret.html", "/p/one/keys", "class=\"card inline\""),
    ("backups/projects.html", "/system/restores/new", "All that the backup holds"),
    ("backups/rows.html", "/system/backups", "gets it when it is back"),
    ("layout.html", "/account", "Skip to the content"),
    ("macros.html", "/account", "name=\"form_token\""),
    ("notifications/events.html", "/system/webhooks", "none ticked: all"),
    ("reconcile/before.html", "/p/one/reconcile?continues=done", "This is run 3 of a chain"),
    ("reconcile/steps.html", "/p/one/reconcile", "class=\"steps\""),
    ("reconciliations/chain.html", "/p/one/reconciliations/done", "Run 2, this one"),
    ("reconciliations/evidence.html", "/p/one/reconciliations/done/matches", "class=\"reasons\""),
    ("reconciliations/head.html", "/p/one/reconciliations/done", "class=\"tabs\""),
    ("reconciliations/progress.html", "/p/one/reconciliations/running", "Rows a second"),
    ("review/case.html", "/p/one/reconciliations/done/review/exceptions?at=1", "Find and match <kbd>m</kbd>"),
    ("review/filters.html", "/p/one/reconciliations/done/review/exceptions", "More filters"),
    ("review/head.html", "/p/one/reconciliations/done/review/exceptions", "class=\"parts\""),
    ("review/proof.html", "/p/one/reconciliations/done/review/exceptions", "Proof after review"),
    ("review/says.html", "/p/one/reconciliations/done/review/decisions", "class=\"history\""),
];

/// Templates that only an answer to a form shows: address, its fields, words.
const ANSWERS: &[(&str, &str, &str, &str)] = &[
    ("account/second_factor.html", "/account/second-factor", "password=x", "class=\"qr\""),
    ("account/recovery_codes.html", "/account/second-factor/confirm", "code=123456", "aaaa-bbbb-cccc-dddd"),
];

async fn ask(request: axum::http::request::Builder, body: String) -> (StatusCode, String) {
    let pages = pages::router(samples::api()).layer(axum::middleware::from_fn(pages::show_problems));
    let request = request
        .header(header::COOKIE, format!("counterfoil={TOKEN}"))
        .header(header::ACCEPT, "text/html")
        .body(Body::from(body))
        .expect("a request");
    let response: Response = Router::new().merge(pages).oneshot(request).await.expect("an answer");
    let status = response.status();
    let bytes = to_bytes(response.into_body(), 1 << 24).await.expect("a body");
    (status, String::from_utf8(bytes.to_vec()).expect("text"))
}

async fn look_at(template: &str, path: &str, says: &str) {
    let request = match path {
        "FROM ELSEWHERE" => Request::get("/login?next=/projects").header("sec-fetch-site", "cross-site"),
        path => Request::get(path),
    };
    let (status, page) = ask(request, String::new()).await;
    let is_refusal = template == "problem.html";
    assert_eq!(status.is_success(), !is_refusal, "{template}, {path}: {status}: {page}");
    html::check(path, &page);
    assert!(page.contains(says), "{template}: no {says} in {page}");
}

#[tokio::test]
async fn every_template_makes_a_whole_page() {
    for (template, path, says) in PAGES.iter().chain(PARTS) {
        look_at(template, path, says).await;
    }
    let (_, page) = ask(Request::get("/account"), String::new()).await;
    let (_, token) = page.split_once("name=\"form_token\" value=\"").expect("a form");
    let token = token.split('"').next().expect("an end");
    for (template, path, fields, says) in ANSWERS {
        let request = Request::post(*path)
            .header("sec-fetch-site", "same-origin")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let (status, page) = ask(request, format!("form_token={token}&{fields}")).await;
        assert_eq!(status, StatusCode::OK, "{template}: {page}");
        html::check(path, &page);
        assert!(page.contains(says), "{template}: no {says} in {page}");
    }
}

#[test]
fn no_template_is_left_out() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.clone()];
    while let Some(at) = folders.pop() {
        for entry in std::fs::read_dir(at).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let name = path.strip_prefix(&folder).expect("below").to_str().expect("text");
                    found.insert(name.to_owned());
                }
            }
        }
    }
    let listed = PAGES.iter().chain(PARTS).map(|(template, ..)| *template);
    let listed: BTreeSet<String> =
        listed.chain(ANSWERS.iter().map(|(template, ..)| *template)).map(str::to_owned).collect();
    assert_eq!(found, listed);
}

/// Whatever a name says, it stays text.
#[tokio::test]
async fn nothing_given_becomes_markup() {
    for (_, path, _) in PAGES {
        if path.starts_with('/') {
            let (_, page) = ask(Request::get(*path), String::new()).await;
            assert!(!page.contains("<evil"), "{path}: {page}");
        }
    }
}
