//! Webhooks as they are made and changed.

use crate::server::{Project, Server};
use serde_json::json;

#[tokio::test]
async fn a_webhook_to_an_address_that_is_not_public_is_refused_as_it_is_made() {
    let server =
        Server::start_with(|config| config.notifications.webhook_networks = vec!["10.1.0.0/16".into()]).await;
    let project = Project::make(&server, "jane").await;
    let path = format!("/api/projects/{}/webhooks", project.id);
    let place = |code: &str| [("#/url".to_owned(), code.to_owned())];
    for (url, code) in [
        ("https://127.0.0.1/x", "not_public"),
        ("https://[::1]/x", "not_public"),
        ("https://169.254.169.254/latest/meta-data", "not_public"),
        ("https://192.168.1.7:8443/x", "not_public"),
        ("https://localhost/x", "not_public"),
        // Other ways to write 127.0.0.1 and ::ffff:10.0.0.1.
        ("https://2130706433/x", "not_public"),
        ("https://0x7f.1/x", "not_public"),
        ("https://[::ffff:a00:1]/x", "not_public"),
        ("http://1.1.1.1/x", "needs_https"),
    ] {
        let answer = project.client.post(&path, &json!({ "url": url })).await;
        assert_eq!(answer.mistakes(), place(code), "{url}");
    }
    assert_eq!(server.count("SELECT count(*) FROM webhooks").await, 0);
    let made = project.client.post(&path, &json!({"url": "http://10.1.2.3/x"})).await.expect(201).json();
    project.client.post(&path, &json!({"url": "https://hooks.example.org/x"})).await.expect(201);
    let change = format!("/api/webhooks/{}", made["webhook"]["id"].as_str().expect("an id"));
    let changed = project.client.patch(&change, &json!({"url": "https://10.2.0.1/x"})).await;
    assert_eq!(changed.mistakes(), place("not_public"));
}
