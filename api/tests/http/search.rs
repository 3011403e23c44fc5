//! Looking for a text in results and under review.

use crate::outcome::Outcome;
use crate::outcome::{exception, matched};
use crate::review::write_books;
use crate::server::{Project, Server, job_path};
use serde_json::{Value, json};

fn ids(page: &Value, place: &str) -> Vec<String> {
    let items = page["items"].as_array().expect("items");
    items.iter().map(|item| item.pointer(place).and_then(Value::as_str).expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn a_text_is_found_in_ids_and_fields_whatever_its_letter_case() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let id = project.submit().await;
    write_books(&server, id).await;
    let get = async |below: &str| project.client.get(&job_path(id, below)).await.expect(200).json();

    // As found.
    assert_eq!(ids(&get("/results?text=r2").await, "/left/0/id"), ["L1"]);
    assert_eq!(ids(&get("/results?text=inv-1001").await, "/left/0/id"), ["L0", "L1"]);
    assert_eq!(ids(&get("/results?text=inv-1001&min_confidence=0.9").await, "/left/0/id"), ["L0"]);
    assert_eq!(ids(&get("/exceptions?text=r4").await, "/record/id"), ["R4"]);
    assert_eq!(ids(&get("/exceptions?text=INV&kind=missing_right").await, "/record/id"), ["L2", "L3"]);
    // Names of fields, and what stands around texts in the database, are no texts.
    for nothing in ["reference", "fields", "%25", "_", "%22"] {
        assert_eq!(get(&format!("/exceptions?text={nothing}")).await["items"], json!([]), "{nothing}");
        assert_eq!(get(&format!("/results?text={nothing}")).await["items"], json!([]), "{nothing}");
    }

    // Under review, in both orders, page by page.
    assert_eq!(ids(&get("/review/matches?text=R1").await, "/match/left/0/id"), ["L1"]);
    let page = get("/review/exceptions?text=r&side=right&order=amount&limit=3").await;
    assert_eq!(ids(&page, "/exception/record/id"), ["R5", "R6", "R3"]);
    let next = page["next"].as_str().expect("a next page");
    assert!(next.contains("text=r&"), "{next}");
    let page = project.client.get(next).await.expect(200).json();
    assert_eq!((ids(&page, "/exception/record/id"), &page["next"]), (vec!["R4".to_owned()], &json!(null)));
    let one = get("/review/exceptions/next?text=L3").await;
    assert_eq!(one["item"]["exception"]["record"]["id"], "L3");

    // What is decided about all that fit is what was looked for.
    let body = json!({"exceptions": {"text": "l2", "state": "open"}});
    let preview = project.client.post(&job_path(id, "/review/bulk/preview"), &body).await.expect(200).json();
    assert_eq!(preview["count"], 1);
    let long = "x".repeat(201);
    for bad in ["", long.as_str()] {
        assert_eq!(
            project.client.get(&job_path(id, &format!("/results?text={bad}"))).await.mistakes().len(),
            1
        );
    }
}

#[tokio::test]
async fn open_records_are_found_by_how_they_begin_and_by_their_day() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let id = project.submit().await;
    let mut outcome = Outcome::default();
    for (ordinal, day) in [(0, "2026-03-01"), (1, "2026-01-05"), (2, "2026-02-10"), (3, "2026-02-09")] {
        let mut open = exception(ordinal, "missing_right");
        open.record.id = format!("Bank-{ordinal}é");
        open.record.date = day.parse().expect("a day");
        open.record.fields.insert("reference".into(), format!("RE_{}", ordinal % 2));
        outcome.exceptions.push(open);
    }
    outcome.write(&server.store, id).await;
    let get = async |below: &str| project.client.get(&job_path(id, below)).await.expect(200).json();
    let begin = async |text: &str| {
        let page = get(&format!("/review/open-records?side=left&begins={text}")).await;
        ids(&page, "/exception/record/id")
    };
    assert_eq!(begin("bAnK-2%C3%89").await, ["Bank-2é"]);
    assert_eq!(begin("bank").await.len(), 4);
    assert_eq!(begin("re_1").await, ["Bank-1é", "Bank-3é"]);
    for nothing in ["ank", "re%25", "bank-2ée"] {
        assert_eq!(begin(nothing).await, [""; 0], "{nothing}");
    }
    assert_eq!(get("/review/open-records?side=right&begins=bank").await["items"], json!([]));
    let mistakes = project.client.get(&job_path(id, "/review/open-records?side=up&limit=0")).await.mistakes();
    let at = |place: &str, code: &str| (place.to_owned(), code.to_owned());
    assert_eq!(mistakes, [at("begins", "missing"), at("limit", "value"), at("side", "value")]);

    // By day, page by page, and together with an amount.
    let mut next =
        Some(job_path(id, "/review/exceptions?state=open&order=day&limit=1&dated_through=2026-02-28"));
    let mut found = vec![];
    while let Some(path) = next {
        let page = project.client.get(&path).await.expect(200).json();
        found.extend(ids(&page, "/exception/record/id"));
        next = page["next"].as_str().map(str::to_owned);
    }
    assert_eq!(found, ["Bank-1é", "Bank-3é", "Bank-2é"]);
    let both = "/review/exceptions?state=open&currency=JPY&min_amount=0&dated_from=2026-02-09&dated_through=2026-02-10";
    for (order, expected) in [("day", ["Bank-3é", "Bank-2é"]), ("found", ["Bank-2é", "Bank-3é"])] {
        assert_eq!(
            ids(&get(&format!("{both}&order={order}")).await, "/exception/record/id"),
            expected,
            "{order}"
        );
    }
    assert_eq!(get(&format!("{both}&order=amount")).await["items"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn a_text_with_signs_goes_from_page_to_page() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let id = project.submit().await;
    let text = "50% of A&B_\"x\" \\ é";
    let mut outcome = Outcome::default();
    for ordinal in 0..3 {
        let mut found = matched(ordinal, 900_000);
        found.left[0].fields.insert("note".into(), format!("paid {text}"));
        outcome.matches.push(found);
        let mut open = exception(ordinal, "missing_right");
        open.record.fields.insert("note".into(), text.to_ascii_uppercase());
        outcome.exceptions.push(open);
    }
    outcome.write(&server.store, id).await;
    let escaped: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
    for list in ["results", "exceptions", "review/matches", "review/exceptions"] {
        let mut next = Some(job_path(id, &format!("/{list}?limit=1&text={escaped}")));
        let mut found = 0;
        while let Some(path) = next {
            let page = project.client.get(&path).await.expect(200).json();
            found += page["items"].as_array().expect("items").len();
            next = page["next"].as_str().map(str::to_owned);
        }
        assert_eq!(found, 3, "{list}");
    }
}
