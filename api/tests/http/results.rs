//! Pages of results, and the same as CSV.

use crate::outcome::{Outcome, exception, matched, record, rejected};
use crate::server::{Project, Server, job_path};
use serde_json::{Value, json};
use shared::store::results::StoredReason;

/// All elements, page by page, and the number of pages.
async fn pages(project: &Project, first: String) -> (Vec<Value>, usize) {
    let (mut found, mut count, mut next) = (vec![], 0, Some(first));
    while let Some(path) = next {
        let page = project.client.get(&path).await.expect(200).json();
        found.extend(page["items"].as_array().expect("items").iter().cloned());
        next = page["next"].as_str().map(str::to_owned);
        count += 1;
    }
    (found, count)
}

#[tokio::test]
async fn matches_come_best_first_with_names_and_money_in_words() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let id = project.submit().await;
    let matches = (0..25).map(|n| matched(n, 1_000_000 - n * 25_000)).collect();
    Outcome { matches, ..Default::default() }.write(&server.store, id).await;

    let (all, count) = pages(&project, job_path(id, "/results?limit=10")).await;
    assert_eq!((all.len(), count), (25, 3));
    let confidences: Vec<_> = all.iter().map(|m| m["confidence"].as_f64().expect("a number")).collect();
    assert!(confidences.is_sorted_by(|a, b| a >= b), "{confidences:?}");

    let best = &all[0];
    assert_eq!(
        (&best["confidence"], &best["tier"], &best["currency"]),
        (&json!(1.0), &json!("confirmed"), &json!("EUR"))
    );
    let left = ["description".to_owned()];
    let right = ["reference".to_owned()];
    assert_eq!(best["pass"], matching::RuleSet::standard_for(&left, &right).passes[0].name);
    assert_eq!(
        (&best["left_amount"], &best["right_amount"], &best["difference"]),
        (&json!("10.05"), &json!("10.00"), &json!("0.05"))
    );
    assert_eq!(
        best["right"][1],
        json!({
            "id": "L0b", "line": 2, "date": "2026-01-05", "amount": "4.00", "fields": {"reference": "INV-1001"},
        })
    );
    assert_eq!(best["reasons"][0]["says"], "amount 0.05 apart");

    let (good, count) = pages(&project, job_path(id, "/results?min_confidence=0.75&limit=10")).await;
    assert_eq!((good.len(), count), (11, 2), "0.75 itself is good enough");
    assert_eq!(good, all[..11]);
    // A full page exactly at the end of what is good enough has no next one.
    let (_, count) = pages(&project, job_path(id, "/results?min_confidence=0.75&limit=11")).await;
    assert_eq!(count, 1);
}

#[tokio::test]
async fn exceptions_are_listed_by_kind() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let id = project.submit().await;
    let kinds = ["missing_right", "missing_right", "amount_differs", "ambiguous", "ambiguous", "ambiguous"];
    let exceptions = kinds.iter().zip(0..).map(|(kind, ordinal)| exception(ordinal, kind)).collect();
    Outcome { exceptions, ..Default::default() }.write(&server.store, id).await;

    let (all, count) = pages(&project, job_path(id, "/exceptions?limit=4")).await;
    assert_eq!((all.len(), count), (6, 2));
    let one = &all[0];
    assert_eq!(
        (&one["kind"], &one["side"], &one["amount"]),
        (&json!("missing_right"), &json!("left"), &json!("1500")),
        "yen have no cents"
    );
    assert_eq!(one["candidates"][0]["records"][0]["amount"], "15.00", "euros have");
    assert_eq!((&one["candidates"][0]["confidence"], &one["candidates_found"]), (&json!(0.25), &json!(3)));
    let (ambiguous, count) = pages(&project, job_path(id, "/exceptions?kind=ambiguous&limit=2")).await;
    assert_eq!((ambiguous.as_slice(), count), (&all[3..], 2));
}

#[tokio::test]
async fn rejected_lines_are_listed_in_order() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let id = project.submit().await;
    Outcome { rejected: (0..5).map(rejected).collect(), ..Default::default() }.write(&server.store, id).await;
    let (all, count) = pages(&project, job_path(id, "/rejected-lines?limit=3")).await;
    assert_eq!((all.len(), count), (5, 2));
    assert_eq!(all[4]["line"], 6);
    assert_eq!(all[4]["column"], "Amount");
}

#[tokio::test]
async fn parameters_are_checked_all_at_once() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let id = project.submit().await;
    let refused = async |rest: &str| project.client.get(&job_path(id, rest)).await.mistakes();
    let mistakes = refused("/results?limit=501&min_confidence=NaN&after=1&kind=x&limit=2").await;
    let expected = [
        ("after", "value"),
        ("kind", "unknown_parameter"),
        ("limit", "repeated"),
        ("limit", "value"),
        ("min_confidence", "value"),
    ];
    assert_eq!(mistakes, expected.map(|(place, code)| (place.to_owned(), code.to_owned())));
    for limit in ["0", "-1", "1.5", "", "x", "99999999999999999999"] {
        let mistakes = refused(&format!("/exceptions?limit={limit}")).await;
        assert_eq!(mistakes, [("limit".to_owned(), "value".to_owned())]);
    }
    assert_eq!(refused("/exceptions?kind=other").await.len(), 1);
    assert_eq!(refused("/results?a=%FF%FE&min_confidence=2").await.len(), 2);
}

#[tokio::test]
async fn downloads_hold_every_row_and_no_formula() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let id = project.submit().await;
    // More than a page of the download, and not a multiple of it.
    let mut matches: Vec<_> = (0..1203).map(|n| matched(n, 1_000_000 - n)).collect();
    matches[0].left[0].id = "=1+1".into();
    matches[0].reasons = vec![StoredReason { field: "text".into(), says: "@SUM(A1)".into(), weight: 0.1 }];
    let mut exceptions = vec![exception(0, "missing_right"), exception(1, "ambiguous")];
    exceptions[0].record = record("-7", -150);
    exceptions[0].amount = -150;
    exceptions[0].says = "+49 is a prefix".into();
    let mut lines = vec![rejected(0)];
    lines[0].excerpt = "\t=cmd|' /C calc'!A0".into();
    Outcome { matches, exceptions, rejected: lines }.write(&server.store, id).await;

    let get = async |below: &str| {
        let answer = project.client.get(&job_path(id, below)).await.expect(200);
        assert!(answer.header("content-type").starts_with("text/csv"), "{below}");
        let name = answer.header("content-disposition").to_owned();
        assert!(
            name.starts_with("attachment; filename=") && name.ends_with(&format!("{id}.csv\"")),
            "{name}"
        );
        let text = answer.text();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let lines = get("/results.csv").await;
    // Two right records each: two lines each, below one header.
    assert_eq!(lines.len(), 1 + 2 * 1203);
    assert!(lines[0].starts_with("match,pass,tier,confidence,currency,left_id"), "{}", lines[0]);
    assert!(lines[1].contains(",'=1+1,") && lines[1].contains(",0.05,'@SUM(A1),,,,,m_"), "{}", lines[1]);
    assert!(lines[2405].starts_with("1203,"), "{}", lines[2405]);
    assert_eq!(lines.iter().filter(|line| line.starts_with("match,")).count(), 1);

    let lines = get("/exceptions.csv").await;
    assert_eq!(lines.len(), 3);
    assert!(
        lines[1].starts_with("missing_right,left,'-7,2,2026-01-05,-150,JPY,'+49 is a prefix,"),
        "{}",
        lines[1]
    );
    let lines = get("/rejected-lines.csv").await;
    assert_eq!(lines.len(), 2);
    assert!(lines[1].contains(",'\t=cmd|"), "{}", lines[1]);
}

#[tokio::test]
async fn downloads_of_nothing_have_a_header() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let id = project.submit().await;
    Outcome::default().write(&server.store, id).await;
    for below in ["/results.csv", "/exceptions.csv", "/rejected-lines.csv"] {
        assert_eq!(
            project.client.get(&job_path(id, below)).await.expect(200).text().lines().count(),
            1,
            "{below}"
        );
    }
}

#[tokio::test]
async fn a_download_that_breaks_is_no_whole_file() {
    use http_body_util::BodyExt;
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let id = project.submit().await;
    // Larger than all buffers between the store and this test, so that the server must come back for more.
    let mut matches: Vec<_> = (0..5000).map(|n| matched(n, 1_000_000 - n)).collect();
    matches.iter_mut().for_each(|m| m.reasons[0].says = "x".repeat(5000));
    Outcome { matches, ..Default::default() }.write(&server.store, id).await;
    let request = project.client.request(axum::http::Method::GET, &job_path(id, "/results.csv"));
    let response = project.client.open(request, crate::client::empty()).await;
    assert_eq!(response.status(), 200);
    sqlx::query("DROP TABLE matches").execute(server.store.pool()).await.expect("dropped");
    let whole =
        tokio::time::timeout(crate::client::PATIENCE, response.into_body().collect()).await.expect("in time");
    assert!(whole.is_err(), "the connection must break");
}
