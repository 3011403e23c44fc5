//! Data sources: mappings, checked alone and against their file.

use crate::server::{BANK, Project, Server, id_of, mapping};
use serde_json::json;

#[tokio::test]
async fn a_data_source_keeps_its_mapping() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let source = project.client.get(&format!("/api/data-sources/{}", project.left)).await.expect(200).json();
    assert_eq!(source["name"], "bank.csv");
    assert_eq!(source["mapping"]["fields"], json!({"description": "Text"}));
    let page = project.client.get(&format!("/api/data-sources?project_id={}&limit=1", project.id)).await;
    let page = page.expect(200).json();
    assert_eq!(page["items"][0]["id"], project.right.as_str());
    let rest = project.client.get(page["next"].as_str().expect("a next page")).await.expect(200).json();
    assert_eq!((&rest["items"][0], &rest["next"]), (&source, &json!(null)));
}

#[tokio::test]
async fn every_mistake_is_named_at_once_and_nothing_is_stored() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let file = project.upload("bank.csv", BANK).await.expect(201).json();
    let post = async |body: serde_json::Value| project.client.post("/api/data-sources", &body).await;

    // The shape, and the file that is not there.
    let body = json!({
        "project_id": project.id, "file_id": "01900000-0000-7000-8000-000000000000", "nmae": "x",
        "mapping": {"format": "xls", "date": {}, "amount": {"column": 7}, "currency": {"fixed": "EUR"}},
    });
    let expected = [
        ("#/file_id", "unknown"),
        ("#/mapping/amount/column", "type"),
        ("#/mapping/date/column", "missing"),
        ("#/mapping/format", "choice"),
        ("#/name", "missing"),
        ("#/nmae", "unknown_field"),
    ];
    assert_eq!(post(body).await.mistakes(), expected.map(|(a, b)| (a.to_owned(), b.to_owned())));

    // What each part means.
    let body = json!({
        "project_id": project.id, "file_id": id_of(&file), "name": "x",
        "mapping": {"format": "csv", "date": {"column": "Booked", "format": "%Q"}, "amount": {"column": ""},
                    "currency": {"fixed": "XXQ"}, "fields": {"Bad Name": "Text"}},
    });
    let places: Vec<_> = post(body).await.mistakes().into_iter().map(|(place, _)| place).collect();
    let expected = [
        "#/mapping/amount/column",
        "#/mapping/currency/fixed",
        "#/mapping/date/format",
        "#/mapping/fields/Bad%20Name",
    ];
    assert_eq!(places, expected);

    // The columns of this file.
    let mut wrong = mapping("description", "Txt");
    wrong["amount"]["column"] = json!("Amuont");
    let body = json!({"project_id": project.id, "file_id": id_of(&file), "name": "x", "mapping": wrong});
    let problem = post(body).await.problem(422, "invalid");
    let errors = problem["errors"].as_array().expect("errors");
    assert_eq!(errors.len(), 2, "{problem}");
    assert_eq!(errors[0]["pointer"], "#/mapping/amount/column");
    assert!(errors[0]["detail"].as_str().expect("text").contains("did you mean \"Amount\""), "{problem}");
    assert_eq!(errors[1]["pointer"], "#/mapping/fields/description");

    assert_eq!(server.count("SELECT count(*) FROM data_sources").await, 2);
}

#[tokio::test]
async fn a_file_of_another_project_is_unknown() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let other = project.client.post("/api/projects", &json!({"name": "Other"})).await.expect(201).json();
    let file = project.upload("bank.csv", BANK).await.expect(201).json();
    let body = json!({
        "project_id": id_of(&other), "file_id": id_of(&file), "name": "x", "mapping": mapping("description", "Text"),
    });
    let mistakes = project.client.post("/api/data-sources", &body).await.mistakes();
    assert_eq!(mistakes, [("#/file_id".to_owned(), "unknown".to_owned())]);
}

#[tokio::test]
async fn files_that_are_no_tables_are_told_apart() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    for content in ["PK\u{3}\u{4}rest", "[{\"Booked\": \"2026-01-01\"}]", "\u{feff}"] {
        let file = project.upload("odd.csv", content).await.expect(201).json();
        let body = json!({
            "project_id": project.id, "file_id": id_of(&file), "name": "x", "mapping": mapping("description", "Text"),
        });
        let mistakes = project.client.post("/api/data-sources", &body).await.mistakes();
        assert_eq!(mistakes, [("#/mapping/format".to_owned(), "mapping".to_owned())], "{content:?}");
    }
}
