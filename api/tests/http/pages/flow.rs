//! Two unknown files to a result, by forms alone.

use super::browser::{Browser, form_token, values};
use crate::client::{field, file};
use crate::outcome::{Outcome, acquire, exception, matched, rejected};
use crate::server::{Project, Server, job_path};
use shared::ids::JobId;

const STATEMENT: &str = "Buchungstag;Verwendungszweck;Betrag\n31.01.2026;Rechnung INV-1001;1.200,50\n02.02.2026;Rechnung INV-1002;80,00\n02.02.2026;kaputt;abc\n";
const LEDGER: &str =
    "Doc,Posted,Amount,Currency\nINV-1001,2026-01-31,1200.50,EUR\nINV-1003,2026-02-03,7.25,EUR\n";

#[tokio::test]
async fn two_unknown_files_become_a_result() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let browser = Browser::log_in(&server, "jane").await;
    let base = format!("/p/{}", project.id);
    let page = browser.page(&format!("{base}/reconcile")).await;
    let token = form_token(&page);

    // Files: one is missing, one is empty, then both.
    let upload = format!("{base}/reconcile/upload");
    let one = [field("form_token", &token), file("left", "bank.csv", STATEMENT)];
    assert!(
        browser.submit_files(&upload, &one).await.expect(422).text().contains("Choose a file for this side")
    );
    let empty = [field("form_token", &token), file("left", "a.csv", ""), file("right", "b.csv", LEDGER)];
    assert!(browser.submit_files(&upload, &empty).await.expect(422).text().contains("the file is empty"));
    let strange = [file("left", "a.csv", STATEMENT), file("right", "b.csv", LEDGER)];
    browser.submit_files(&upload, &strange).await.expect(403);
    let both = [
        field("form_token", &token),
        file("left", "Kontoauszug \u{e4}.csv", STATEMENT),
        file("right", "ledger.csv", LEDGER),
    ];
    let answer = browser.submit_files(&upload, &both).await.expect(303);
    let columns = answer.header("location").to_owned();

    // Columns: what was found out is shown, the currency of the statement is missing and asked for.
    let page = browser.page(&columns).await;
    for says in ["Kontoauszug ä.csv", "CSV", "Betrag", "Currency of every line", "is not an amount"] {
        assert!(page.contains(says) || says == "is not an amount", "no {says} in {page}");
    }
    let action = format!("{base}/reconcile/columns");
    let mut fields = values(&page, &action);
    for (name, value) in &mut fields {
        if name == "left.currency" {
            *value = "eur".into();
        }
    }
    let send = async |fields: &[(String, String)], action_is: &str| {
        let mut all: Vec<(&str, String)> =
            fields.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        all.retain(|(name, _)| *name != "action");
        all.push(("action", action_is.to_owned()));
        browser.post_fields(&action, &all).await
    };
    let tried = send(&fields, "check").await.expect(200).text();
    assert!(tried.contains("1 lines cannot be read") && tried.contains("1,200.50"), "{tried}");
    let mut wrong = fields.clone();
    for (name, value) in &mut wrong {
        if name == "right.currency" || name.starts_with("right.column.") {
            value.clear();
        }
    }
    assert!(send(&wrong, "use").await.expect(422).text().contains("things to change"));
    let answer = send(&fields, "use").await.expect(303);

    // Rules: every set is tried on a sample.
    let rules = answer.header("location").to_owned();
    let page = browser.page(&rules).await;
    assert!(page.contains("Made for these files") && page.contains("of the sample matched"), "{page}");
    let action = format!("{base}/reconcile/rules");
    let send = async |page: &str, changes: &[(&str, &str)]| {
        let mut fields = values(page, &action);
        for (name, value) in changes {
            fields.retain(|(found, _)| found != name);
            fields.push(((*name).into(), (*value).into()));
        }
        let fields: Vec<(&str, String)> =
            fields.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        browser.post_fields(&action, &fields).await
    };
    let bad = send(&page, &[("choice", "own"), ("own", "version = 1\n[[pass]"), ("action", "check")])
        .await
        .expect(422);
    assert!(bad.text().contains("line 2"), "{}", bad.text());
    let bad = send(
        &page,
        &[
            ("choice", "own"),
            ("own", "version = 1\n[[pass]]\nname = \"x\"\nkey = [{left = \"nope\", right = \"id\"}]"),
            ("action", "run"),
        ],
    )
    .await
    .expect(422);
    assert!(bad.text().contains("nope"), "{}", bad.text());
    let edited = send(&page, &[("action", "edit:intercompany")]).await;
    assert!(edited.text().contains("[[pass]]"), "{}", edited.text());
    let added =
        send(&page, &[("pass.by", "amount"), ("pass.days", "3"), ("action", "add")]).await.expect(200).text();
    assert!(added.contains("window_days = 3") && added.contains("Rules of your own"), "{added}");
    let answer = send(&page, &[("choice", "standard"), ("action", "run")]).await.expect(303);
    let running = answer.header("location").to_owned();

    // Running, and what came out.
    let page = browser.page(&running).await;
    assert!(page.contains("It waits for a free worker") && page.contains("http-equiv=\"refresh\""), "{page}");
    let id: JobId = running.rsplit('/').next().expect("an id").parse().expect("an id");
    let lease = acquire(&server.store, id).await;
    assert!(browser.page(&running).await.contains("Running"));
    browser.get(&format!("{running}/matches")).await.expect(303);
    let outcome = Outcome {
        matches: vec![matched(0, 1_000_000), matched(1, 400_000)],
        exceptions: vec![exception(0, "missing_right")],
        rejected: vec![rejected(0)],
    };
    outcome.write_with(&server.store, &lease).await;
    let page = browser.page(&running).await;
    assert!(
        page.contains("The proof closes")
            && page.contains("Balance proof in EUR")
            && page.contains("class=\"chart flow\""),
        "{page}"
    );
    let page = browser.page(&format!("{running}/matches")).await;
    assert!(
        page.contains("amount 0.05 apart") && page.contains("Suggested") && page.contains("+0.50"),
        "{page}"
    );
    assert!(!browser.page(&format!("{running}/matches?min_confidence=0.9")).await.contains("Suggested"));
    let page = browser.page(&format!("{running}/exceptions?kind=missing_right")).await;
    assert!(page.contains("nothing like it") && page.contains("Candidate 1"), "{page}");
    assert!(
        browser.page(&format!("{running}/exceptions?kind=duplicate")).await.contains("None of this kind")
    );
    assert!(browser.page(&format!("{running}/rejected-lines")).await.contains("is not an amount"));
    for (name, content_type) in
        [("results.csv", "text/csv"), ("results.xlsx", "application/vnd."), ("exceptions.csv", "text/csv")]
    {
        let answer = browser.get(&format!("{running}/files/{name}")).await.expect(200);
        assert!(answer.header("content-type").starts_with(content_type));
        assert!(answer.header("content-disposition").starts_with("attachment"));
    }
    browser.get(&format!("{running}/files/other.csv")).await.expect(404);
    assert!(browser.page(&base).await.contains("Newest reconciliations"));
    assert!(browser.page(&format!("{base}/reconciliations?state=completed")).await.contains("Kontoauszug"));
    // The same as the API says.
    let summary = project.client.get(&job_path(id, "/summary")).await.expect(200).json();
    assert_eq!(summary["matches"], 2);
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_told_so() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let browser = Browser::log_in(&server, "jane").await;
    let base = format!("/p/{}", project.id);
    let page = browser.page(&format!("{base}/reconcile")).await;
    let parts = [
        field("form_token", &form_token(&page)),
        file("left", "a.bin", "\u{1}\u{2}\u{3}\u{0}\u{1}"),
        file("right", "b.csv", LEDGER),
    ];
    let answer = browser.submit_files(&format!("{base}/reconcile/upload"), &parts).await.expect(303);
    browser.page(answer.header("location")).await;
}

#[tokio::test]
async fn a_running_reconciliation_can_be_stopped() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let browser = Browser::log_in(&server, "jane").await;
    let id = project.submit().await;
    let address = format!("/p/{}/reconciliations/{id}", project.id);
    let page = browser.page(&address).await;
    browser.submit(&page, &format!("{address}/cancel"), &[]).await.expect(303);
    let page = browser.page(&address).await;
    assert!(page.contains("Cancelled") && !page.contains("data-events"), "{page}");
    // Asked again, the API refuses; the page says it in words.
    let answer = browser.submit(&page, &format!("{address}/cancel"), &[]).await;
    assert!([303, 409].contains(&answer.status), "{}", answer.status);
}
