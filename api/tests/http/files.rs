//! Files before a data source is made of them, and after they are needed no more.

use crate::client::{field, file};
use crate::outcome::Outcome;
use crate::server::{BANK, Project, Server, eventually, id_of, job_path, mapping};
use serde_json::{Value, json};

async fn uploaded(project: &Project, name: &str, text: &str) -> String {
    id_of(&project.upload(name, text).await.expect(201).json()).to_owned()
}

async fn preview(project: &Project, id: &str) -> Value {
    project.client.get(&format!("/api/files/{id}/preview")).await.expect(200).json()
}

fn places(preview: &Value) -> Vec<&str> {
    let problems = preview["problems"].as_array().expect("problems");
    problems.iter().map(|problem| problem["at"].as_str().expect("a place")).collect()
}

#[tokio::test]
async fn a_preview_proposes_a_mapping_that_can_be_sent_as_it_is() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let mut text = "Transaction;Booking date;Amount;Currency;Reference\n".to_owned();
    for n in 1..=30 {
        text += &format!("T{n};{:02}.01.2026;1.{:03},50;EUR;INV-{n}\n", n % 31 + 1, n);
    }
    let id = uploaded(&project, "bank.csv", &text).await;
    let seen = preview(&project, &id).await;
    assert_eq!((&seen["format"]["is"], &seen["delimiter"]["is"]), (&json!("csv"), &json!(";")));
    assert_eq!((&seen["decimal_mark"]["is"], &seen["header_line"]["is"]), (&json!("comma"), &json!("1")));
    assert!(seen["delimiter"]["confidence"].as_f64().expect("a number") > 0.6, "{seen}");
    let roles: Vec<_> = seen["columns"].as_array().expect("columns").iter().map(|c| &c["role"]).collect();
    assert_eq!(roles, ["id", "date", "amount", "currency", "reference"]);
    let rows = seen["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 20);
    assert_eq!(
        rows[0],
        json!({"line": 2, "id": "T1", "date": "2026-01-02", "amount": "1001.50", "currency": "EUR",
               "fields": {"reference": "INV-1"}})
    );
    assert_eq!(places(&seen), [""; 0], "{seen}");
    let body = json!({"project_id": project.id, "file_id": id, "name": "Bank", "mapping": seen["mapping"]});
    project.client.post("/api/data-sources", &body).await.expect(201);
}

#[tokio::test]
async fn a_preview_takes_what_a_person_knows_better() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let text = "printed, by us\nid|date|amount|currency\n1|2026-01-05|1,00|EUR\n";
    let id = uploaded(&project, "odd.csv", text).await;
    let get = async |query: &str| project.client.get(&format!("/api/files/{id}/preview?{query}")).await;
    let seen = get("delimiter=%7C&header_line=2&encoding=iso-8859-15").await.expect(200).json();
    assert_eq!(seen["header_line"], json!({"is": "2", "confidence": 1.0}));
    assert_eq!(seen["mapping"]["csv"]["delimiter"], "|");
    assert_eq!((&seen["rows"][0]["id"], &seen["rows"][0]["amount"]), (&json!("1"), &json!("1.00")));
    assert_eq!((&seen["sheets"], &seen["sheet"]), (&json!([]), &json!(null)));
    let wrong = get("header_line=77").await.expect(422).json();
    assert_eq!(wrong["errors"][0]["parameter"], "header_line");
    for bad in
        ["delimiter=ab", "delimiter=%22", "delimiter=%C3%A4", "header_line=0", "header_line=401", "encoding="]
    {
        assert_eq!(get(bad).await.mistakes().len(), 1, "{bad}");
    }
    assert_eq!(get("encoding=klingon").await.expect(422).json()["errors"][0]["parameter"], "encoding");
}

#[tokio::test]
async fn a_preview_says_what_it_does_not_know() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    // Each date may have the day or the month first, and what is called an amount is none.
    let odd = "Name,Date,Amount\nBerg,01/02/2026,much\nHolm,03/04/2026,little\n";
    let id = uploaded(&project, "odd.csv", odd).await;
    let seen = preview(&project, &id).await;
    assert_eq!((&seen["mapping"], &seen["rows"]), (&json!(null), &json!([])));
    let found = places(&seen);
    for place in ["amount.decimal_mark", "columns", "currency.column", "date.format", "id"] {
        assert!(found.contains(&place), "{place} in {seen}");
    }
    // Files that cannot be read say why.
    for (name, bytes, why) in
        [("scan.pdf", &b"%PDF-1.7\n"[..], "PDF"), ("data.csv.gz", &[0x1f, 0x8b, 8, 0], "compressed")]
    {
        let id = upload_bytes(&project, name, bytes).await;
        let seen = preview(&project, &id).await;
        assert_eq!(seen["format"], json!(null), "{name}");
        assert!(seen["problems"][0]["says"].as_str().expect("text").contains(why), "{name}: {seen}");
    }
}

#[tokio::test]
async fn workbooks_of_the_old_formats_are_refused_with_a_reason() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let old = [&[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1][..], &[0; 600]].concat();
    let id = upload_bytes(&project, "old.xls", &old).await;
    let seen = preview(&project, &id).await;
    assert_eq!(seen["format"], json!(null));
    assert!(seen["problems"][0]["says"].as_str().expect("text").contains("save it as .xlsx"), "{seen}");
}

/// Bytes that are no text.
async fn upload_bytes(project: &Project, name: &str, bytes: &[u8]) -> String {
    let head = file("file", name, "");
    let head = head.trim_end_matches("\r\n").to_owned() + "\r\n\r\n";
    let end = format!("\r\n--{}--\r\n", crate::client::BOUNDARY);
    let parts =
        [field("project_id", &project.id).into_bytes(), head.into_bytes(), bytes.to_vec(), end.into_bytes()];
    let chunks = futures_util::stream::iter(parts.map(|part| Ok(bytes::Bytes::from(part))));
    let answer = project.client.post_form_stream("/api/files/upload", chunks).await.expect(201).json();
    id_of(&answer).to_owned()
}

#[tokio::test]
async fn a_dry_run_counts_what_a_mapping_would_reject_and_stores_nothing() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let text = "Id,Booked,Amount,Text\nB1,2026-01-05,10.00,x\nB2,2026-01-06,ten,x\nB3,2026-01-06,eleven,x\n\
                B1,2026-01-07,1.00,x\nB4,someday,2.00,x\n";
    let id = uploaded(&project, "bank.csv", text).await;
    let path = format!("/api/files/{id}/dry-run");
    let before = server.count("SELECT count(*) FROM data_sources").await;
    let body = json!({"mapping": mapping("description", "Text")});
    let seen = project.client.post(&path, &body).await.expect(200).json();
    assert_eq!((&seen["lines"], &seen["records"], &seen["rejected"]), (&json!(5), &json!(1), &json!(4)));
    assert_eq!(seen["whole"], true);
    let groups: Vec<_> = seen["reasons"].as_array().expect("reasons").iter().collect();
    let line = |group: &Value| (group["column"].clone(), group["lines"].clone(), group["first_line"].clone());
    let found: Vec<_> = groups.into_iter().map(line).collect();
    assert_eq!(
        found,
        [
            (json!("Amount"), json!(2), json!(3)),
            (json!("Id"), json!(1), json!(5)),
            (json!("Booked"), json!(1), json!(6)),
        ]
    );
    assert_eq!(seen["rows"][0]["amount"], "10.00");
    assert_eq!(server.count("SELECT count(*) FROM data_sources").await, before);

    let wrong = project.client.post(&path, &json!({"mapping": mapping("description", "Memo")})).await;
    assert_eq!(wrong.mistakes(), [("#/mapping/fields/description".to_owned(), "mapping".to_owned())]);
    assert_eq!(
        project.client.post(&path, &json!({})).await.mistakes(),
        [("#/mapping".to_owned(), "missing".to_owned())]
    );
}

#[tokio::test]
async fn a_file_goes_when_no_reconciliation_needs_it() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let source = project.client.get(&format!("/api/data-sources/{}", project.left)).await.expect(200).json();
    let needed = format!("/api/files/{}", source["file_id"].as_str().expect("an id"));
    let job = project.submit().await;
    project.client.delete(&needed).await.problem(409, "conflict");
    Outcome::default().write(&server.store, job).await;
    project.client.delete(&needed).await.problem(409, "conflict");
    let kept = server.objects_kept();
    project.client.delete(&job_path(job, "")).await.expect(204);
    project.client.delete(&needed).await.expect(204);
    project.client.delete(&needed).await.problem(404, "not_found");
    project.client.get(&format!("/api/data-sources/{}", project.left)).await.problem(404, "not_found");
    eventually("the object is gone", async || server.objects_kept() == kept - 1).await;
}

#[tokio::test]
async fn a_project_keeps_only_so_many_files() {
    let server = Server::start_with(|config| config.http.project_files_max = 3).await;
    let project = Project::make(&server, "jane").await;
    let third = uploaded(&project, "third.csv", BANK).await;
    let problem = project.upload("fourth.csv", BANK).await.problem(409, "conflict");
    assert!(problem["detail"].as_str().expect("text").contains('3'), "{problem}");
    project.client.delete(&format!("/api/files/{third}")).await.expect(204);
    uploaded(&project, "fourth.csv", BANK).await;
    // Another project has a count of its own.
    Project::make(&server, "joe").await;
}
