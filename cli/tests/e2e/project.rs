//! A user at work in a project of their own: files, data sources, reconciliations.

use crate::client::{Answer, Client, Part};
use crate::wait::{PATIENCE, within};
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

#[derive(Clone)]
pub struct Project {
    pub client: Client,
    pub id: String,
}

/// The only states a job ends in.
const FINAL: [&str; 3] = ["completed", "cancelled", "dead"];

impl Project {
    /// Of a new user.
    pub fn of_somebody(url: &str) -> Self {
        Self::create(Client::registered(url))
    }

    pub fn create(client: Client) -> Self {
        let project = client.post("/api/projects", &json!({ "name": "Books" })).expect(201);
        Self { client, id: text(&project, "id") }
    }

    pub fn upload(&self, name: &str, bytes: &[u8]) -> Answer {
        let parts = [Part::Text("project_id", &self.id), Part::File { name, bytes }];
        self.client.post_form("/api/files/upload", &parts)
    }

    /// The answer to making a data source of an uploaded file.
    pub fn describe(&self, file: &str, name: &str, mapping: &Value) -> Answer {
        let body = json!({ "project_id": self.id, "file_id": file, "name": name, "mapping": mapping });
        self.client.post("/api/data-sources", &body)
    }

    /// Uploads a file and says what its columns mean; returns the data source.
    pub fn source(&self, name: &str, bytes: &[u8], mapping: &Value) -> String {
        let file = text(&self.upload(name, bytes).expect(201), "id");
        text(&self.describe(&file, name, mapping).expect(201), "id")
    }

    /// The answer to a submission.
    pub fn ask(&self, left: &str, right: &str, rules: &Value) -> Answer {
        let body = json!({
            "project_id": self.id, "left_source_id": left, "right_source_id": right, "rules": rules,
        });
        self.client.post("/api/reconciliation/jobs", &body)
    }

    pub fn submit(&self, left: &str, right: &str, rules: &Value) -> Job {
        let accepted = self.ask(left, right, rules).expect(202);
        let id = text(&accepted, "id").parse().expect("a UUID");
        Job { client: self.client.clone(), id, url: text(&accepted, "status_url") }
    }
}

/// A submitted reconciliation.
#[derive(Clone)]
pub struct Job {
    client: Client,
    pub id: Uuid,
    pub url: String,
}

impl Job {
    pub fn show(&self) -> Value {
        self.client.get(&self.url).expect(200)
    }

    pub fn state(&self) -> String {
        text(&self.show(), "state")
    }

    /// Polls until the job has ended; returns what it looks like then.
    #[track_caller]
    pub fn wait_for_end(&self) -> Value {
        self.wait_for_end_within(PATIENCE)
    }

    #[track_caller]
    pub fn wait_for_end_within(&self, bound: Duration) -> Value {
        within(bound, &format!("the end of {}", self.url), || {
            let seen = self.show();
            FINAL.contains(&seen["state"].as_str().expect("a state")).then_some(seen)
        })
    }

    #[track_caller]
    pub fn wait_until_completed(&self) -> &Self {
        let seen = self.wait_for_end_within(PATIENCE * 3);
        assert_eq!(seen["state"], "completed", "{seen}");
        self
    }

    pub fn get(&self, below: &str) -> Answer {
        self.client.get(&format!("{}/{below}", self.url))
    }

    pub fn summary(&self) -> Value {
        self.get("summary").expect(200)
    }

    pub fn all_pages(&self, below: &str) -> Vec<Value> {
        self.client.all_pages(&format!("{}/{below}", self.url))
    }

    pub fn cancel(&self) -> Answer {
        self.client.post(&format!("{}/cancel", self.url), &json!({}))
    }
}

#[track_caller]
pub fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("no text {key:?} in {value}")).to_owned()
}

#[track_caller]
pub fn number(value: &Value, key: &str) -> i64 {
    value[key].as_i64().unwrap_or_else(|| panic!("no number {key:?} in {value}"))
}
