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
