//! Schedules that take the newest files: which, when there is nothing new, and where it is said.

use crate::server::{Project, Server, id_of};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

const NEXT_BANK: &str = "Id,Booked,Amount,Text\nB9,2026-02-05,7.25,INV-1002\n";
const NEXT_LEDGER: &str = "Id,Booked,Amount,Ref\nL9,2026-02-08,99.00,INV-1003\n";

struct Scheduled<'a> {
    server: &'a Server,
    project: &'a Project,
    id: String,
    due_at: DateTime<Utc>,
}

impl<'a> Scheduled<'a> {
    async fn make(server: &'a Server, project: &'a Project, args: Value) -> Self {
        let body = json!({
            "name": "Hourly", "kind": "reconciliation", "cron": "0 * * * *", "time_zone": "UTC", "missed_runs": "all",
            "args": args,
        });
        let made = project.client.post(&format!("/api/projects/{}/schedules", project.id), &body).await;
        let made = made.expect(201).json();
        let due_at = made["next_due_at"].as_str().expect("a time").parse().expect("an instant");
        Self { server, project, id: id_of(&made).to_owned(), due_at }
    }

    fn path(&self, below: &str) -> String {
        format!("/api/schedules/{}{below}", self.id)
    }

    /// Lets so many due times come together; gives the newest ticks, oldest first.
    async fn due(&mut self, times: i32) -> Vec<Value> {
        self.due_at += TimeDelta::hours(i64::from(times) - 1);
        let id = self.id.parse().expect("an id");
        self.server.store.tick_schedule(id, Some(self.due_at)).await.expect("decided").expect("was due");
        self.due_at += TimeDelta::hours(1);
        let page = self.project.client.get(&self.path(&format!("/ticks?limit={times}"))).await;
        let mut ticks = page.expect(200).json()["items"].as_array().expect("ticks").clone();
        ticks.reverse();
        ticks
    }
}

fn took(of: &Value) -> [&str; 2] {
    ["left", "right"].map(|side| of["took"][side]["file_name"].as_str().expect("a name"))
}

#[tokio::test]
async fn a_schedule_takes_the_newest_files_and_waits_for_new_ones_on_both_sides() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let (left, right) = (&project.left, &project.right);
    let args = json!({"left_source_id": left, "right_source_id": right, "left_file_name": "BANK*.csv",
                      "right_file_name": " ledger*.cs? "});
    let mut scheduled = Scheduled::make(&server, &project, args).await;
    let shown = project.client.get(&scheduled.path("")).await.expect(200).json();
    assert_eq!(
        (&shown["args"]["left_file_name"], &shown["args"]["right_file_name"], &shown["last_took"]),
        (&json!("BANK*.csv"), &json!("ledger*.cs?"), &Value::Null)
    );

    // The files of the sources are new to it; two due times at once have them only once.
    let ticks = scheduled.due(2).await;
    assert_eq!((&ticks[0]["outcome"], took(&ticks[0])), (&json!("fired"), ["bank.csv", "ledger.csv"]));
    assert_eq!(ticks[0]["took"]["left"]["source_id"], json!(left));
    assert_eq!(
        (&ticks[1]["outcome"], &ticks[1]["job_id"], &ticks[1]["took"]),
        (&json!("skipped_nothing_new"), &Value::Null, &Value::Null)
    );
    let reason = ticks[1]["reason"].as_str().expect("a reason");
    assert!(
        reason.contains("no new file fits BANK*.csv on the left since the last run; the newest is bank.csv"),
        "{reason}"
    );
    assert!(reason.contains("ledger.csv"), "{reason}");

    // One side alone is not enough, and what does not fit is nothing.
    project.upload("bank-02.csv", NEXT_BANK).await.expect(201);
    project.upload("ledger-02.txt", NEXT_LEDGER).await.expect(201);
    let reason = scheduled.due(1).await[0]["reason"].as_str().expect("a reason").to_owned();
    assert!(reason.contains("on the right") && !reason.contains("on the left"), "{reason}");
    project.upload("Ledger-02.csv", NEXT_LEDGER).await.expect(201);
    let tick = &scheduled.due(1).await[0];
    assert_eq!((&tick["outcome"], took(tick)), (&json!("fired"), ["bank-02.csv", "Ledger-02.csv"]));

    // The run has data sources of its own, of the same mapping; the schedule says what it took.
    let job = tick["job_id"].as_str().expect("a job");
    let run = project.client.get(&format!("/api/reconciliation/jobs/{job}")).await.expect(200).json();
    let source = &tick["took"]["left"]["source_id"];
    assert_eq!((&run["left_source_id"], source == left), (source, false));
    let path = |id: &Value| format!("/api/data-sources/{}", id.as_str().expect("an id"));
    let (made, first) =
        (project.client.get(&path(source)).await, project.client.get(&path(&json!(left))).await);
    let (made, first) = (made.expect(200).json(), first.expect(200).json());
    assert_eq!((&made["name"], &made["mapping"]), (&json!("bank-02.csv"), &first["mapping"]));
    let shown = project.client.get(&scheduled.path("")).await.expect(200).json();
    assert_eq!((&shown["last_took"], &shown["version"]), (&tick["took"], &json!(1)));

    // Somebody who asks gets a run of the newest whether they are new or not, without more sources of the same file.
    let sources = "SELECT count(*) FROM data_sources";
    let before = server.count(sources).await;
    project.client.post(&scheduled.path("/run"), &json!({})).await.expect(202);
    assert_eq!(server.count(sources).await, before);
    let page = project.client.get(&scheduled.path("/ticks?limit=500")).await.expect(200).json();
    let run_now = page["items"].as_array().expect("ticks").iter().find(|tick| tick["outcome"] == "run_now");
    assert_eq!(took(run_now.expect("its tick")), ["bank-02.csv", "Ledger-02.csv"]);
}

#[tokio::test]
async fn one_side_may_stay_and_what_fits_nothing_is_said() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let args =
        json!({"left_source_id": project.left, "right_source_id": project.right, "left_file_name": "bank-*"});
    let mut scheduled = Scheduled::make(&server, &project, args).await;
    let tick = &scheduled.due(1).await[0];
    assert_eq!(
        (&tick["outcome"], &tick["reason"]),
        (&json!("skipped_nothing_new"), &json!("no file fits bank-* on the left"))
    );
    let refused = project.client.post(&scheduled.path("/run"), &json!({})).await.problem(409, "conflict");
    assert!(refused["detail"].as_str().expect("a sentence").contains("no file fits bank-*"), "{refused}");
    for name in ["bank-1.csv", "bank-2.csv"] {
        project.upload(name, NEXT_BANK).await.expect(201);
        assert_eq!(took(&scheduled.due(1).await[0]), [name, "ledger.csv"]);
    }

    // Patterns that meet in one file.
    let args = json!({"left_source_id": project.left, "right_source_id": project.right,
                      "left_file_name": "both*", "right_file_name": "*th.csv"});
    let change = json!({"version": 1, "args": args});
    project.client.patch(&scheduled.path(""), &change).await.expect(200);
    project.upload("both.csv", NEXT_BANK).await.expect(201);
    let tick = &scheduled.due(1).await[0];
    assert_eq!(tick["outcome"], "failed");
    assert!(tick["reason"].as_str().expect("a reason").contains("both sides would take both.csv"), "{tick}");

    let wrong = json!({"version": 2, "args": {"left_source_id": project.left, "right_source_id": project.right,
                       "left_file_name": "x*", "right_file_name": "X*"}});
    let at = |pointer: &str, code: &str| (pointer.to_owned(), code.to_owned());
    let mistakes = project.client.patch(&scheduled.path(""), &wrong).await.mistakes();
    assert_eq!(mistakes, [at("#/args/right_file_name", "same_file")]);
    let wrong = json!({"version": 2, "args": {"left_source_id": project.left, "right_source_id": project.right,
                       "left_file_name": "", "right_file_name": 7}});
    let mistakes = project.client.patch(&scheduled.path(""), &wrong).await.mistakes();
    assert_eq!(mistakes, [at("#/args/left_file_name", "too_short"), at("#/args/right_file_name", "type")]);
    assert_eq!(server.count("SELECT count(*) FROM reconciliations").await, 2);
}
