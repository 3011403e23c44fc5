//! `counterfoil up`: everything in one process, with nothing to set up.

use crate::client::Client;
use crate::process::{Process, counterfoil, processes_with, wait_until_none_with};
use crate::wait::PATIENCE;
use serde_json::Value;
use shared::testing::{OtlpReceiver, test_dir};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What is the same over several starts.
struct Place {
    data_dir: PathBuf,
    /// Of the processes.
    log_dir: PathBuf,
    collector: OtlpReceiver,
}

impl Place {
    fn new() -> Self {
        let log_dir = test_dir("up");
        Self { data_dir: log_dir.join("data"), log_dir, collector: OtlpReceiver::start() }
    }

    fn settings(&self) -> [(&'static str, String); 2] {
        [
            ("COUNTERFOIL_HTTP__LISTEN", "127.0.0.1:0".into()),
            ("COUNTERFOIL_TELEMETRY__OTLP__ENDPOINT", self.collector.endpoint()),
        ]
    }

    fn up(&self, name: &str, more: &[&str]) -> Process {
        let mut command = counterfoil();
        command.envs(self.settings());
        command.args(["up", "--data-dir"]).arg(&self.data_dir).args(more);
        Process::start(name, &self.log_dir, command)
    }

    /// On the command line of the private server.
    fn cluster(&self) -> String {
        self.data_dir.join("postgres").display().to_string()
    }

    /// Where the server says that its socket is.
    fn socket(&self) -> PathBuf {
        let pid_file =
            std::fs::read_to_string(self.data_dir.join("postgres/postmaster.pid")).expect("a server runs");
        let mut lines = pid_file.lines().skip(3);
        let (port, dir) = (lines.next().expect("a port"), lines.next().expect("a folder"));
        Path::new(dir).join(format!(".s.PGSQL.{port}"))
    }
}

/// What stands behind `before` in the first line that has it, up to white space.
fn word_after(output: &str, before: &str) -> Option<String> {
    let line = output.lines().find(|line| line.contains(before))?;
    line.split_once(before)?.1.split_whitespace().next().map(str::to_owned)
}

/// The indented lines below the first line that has `heading` in it.
fn lines_below<'o>(output: &'o str, heading: &str) -> Vec<&'o str> {
    let mut lines = output.lines().skip_while(|line| !line.contains(heading)).skip(1);
    let mut below = vec![];
    while let Some(line) = lines.next().filter(|line| line.starts_with("  ")) {
        below.push(line);
    }
    below
}

fn url(output: &str) -> String {
    word_after(output, "is up at ").expect("the address")
}

/// Checks what the demo has printed; returns the path of its result.
fn check_demo(output: &str) -> String {
    let url = url(output);
    assert!(output.lines().any(|line| line == "  completed"), "no states in {output}");
    assert!(output.contains(" matches (") && output.contains(" exceptions"), "no counts in {output}");
    let balance = lines_below(output, "Balance proof");
    let (columns, currencies) = balance.split_first().expect("a balance");
    assert!(columns.trim_end().ends_with("residual"), "{columns}");
    let mut proven: Vec<&str> = vec![];
    for line in currencies {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let residual = cells.last().expect("cells");
        assert!(residual.chars().all(|c| c == '0' || c == '.'), "{line}");
        proven.push(cells[0]);
    }
    assert_eq!(proven, ["EUR", "GBP", "JPY", "USD"]);
    assert_eq!(lines_below(output, "  Matches").len(), 5, "{output}");
    assert_eq!(lines_below(output, "Exceptions").len(), 5, "{output}");
    let result = word_after(output, "The whole result: ").expect("the address of the result");
    result.strip_prefix(&url).expect("an address of this server").to_owned()
}

/// The first matches, without the addresses of this page and the next.
fn matches(client: &Client, result: &str) -> Vec<Value> {
    client.get(result).expect(200)["items"].as_array().expect("items").clone()
}

/// What a doctor says beside a running `up`, by check.
fn doctor(place: &Place, settings: &[(&str, String)]) -> BTreeMap<String, (String, String)> {
    let mut command = counterfoil();
    command.args(["doctor", "--json", "--data-dir"]).arg(&place.data_dir);
    command.envs(settings.iter().cloned());
    let told = command.output().expect("running the doctor");
    let told: Value = serde_json::from_slice(&told.stdout).expect("JSON");
    let findings = told["findings"].as_array().expect("findings").iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    findings.map(|of| (text(&of["check"]), (text(&of["state"]), text(&of["found"])))).collect()
}

/// It looks at the folders and stores that the running one uses, and says when it cannot know.
fn check_doctor_beside(place: &Place, url: &str) {
    let same = place.settings();
    let found = doctor(place, &same);
    for check in [
        "up",
        "database",
        "database.migrations",
        "objects",
        "backup.stores.local",
        "mail",
        "notifications.webhooks",
    ] {
        assert_eq!(found.get(check).map(|found| found.0.as_str()), Some("ok"), "{check}: {found:#?}");
    }
    assert!(found["up"].1.contains(url), "{found:#?}");
    assert!(found["mail"].1.contains(&place.data_dir.join("mail").display().to_string()), "{found:#?}");
    assert!(!found.contains_key("up.configuration") && !found.contains_key("backup.keys"), "{found:#?}");

    let other = place.log_dir.join("other").display().to_string();
    let [listen, collector] = same;
    let found = doctor(place, &[listen, collector, ("COUNTERFOIL_OBJECTS__DIR", other)]);
    let differs = &found["up.configuration"];
    assert!(differs.0 == "warning" && differs.1.ends_with(": objects.dir"), "{found:#?}");
}

#[test]
fn up_shows_a_result_stops_without_a_trace_and_carries_on_where_it_was() {
    let place = Place::new();

    let mut up = place.up("first", &["--demo"]);
    up.wait_for_output("Ctrl-C stops it");
    let output = up.stdout();
    let result = check_demo(&output);
    assert_eq!(output.matches("password ").count(), 1, "{output}");
    let password = word_after(&output, "password ").expect("a password");
    let email = word_after(&output, "administrator ").expect("an address").trim_end_matches(',').to_owned();
    Client::new(&url(&output)).get(&result).expect_problem(401);
    let admin = Client::new(&url(&output)).logged_in(&email, &password);
    let found = matches(&admin, &result);
    assert!(found.len() > 5);

    check_doctor_beside(&place, &url(&output));
    // Nobody but this process carries its doorbells, and traces say so.
    let of_doorbells = ["send reconciliation", "process reconciliation"];
    let spans = place.collector.wait_until(PATIENCE, |spans| {
        of_doorbells.iter().all(|name| spans.iter().any(|span| span.name == *name))
    });
    for span in spans.iter().filter(|span| of_doorbells.contains(&span.name.as_str())) {
        assert_eq!(span.attributes["messaging.system"], "in_process", "{span:?}");
    }

    let mut refused = place.up("refused", &[]);
    assert_eq!(refused.wait_for_end().code(), Some(1));
    let says = format!("another `counterfoil up` runs on {}", place.data_dir.display());
    assert!(refused.stderr().contains(&says), "{}", refused.stderr());

    let mut command = counterfoil();
    command.args(["users", "add", "--email", "ada@example.com", "--name", "Ada", "--random-password"]);
    command.arg("--data-dir").arg(&place.data_dir);
    let mut adding = Process::start("users-add", &place.log_dir, command);
    assert_eq!(adding.wait_for_end().code(), Some(0), "{}", adding.stderr());
    let password_of_ada = word_after(&adding.stdout(), "password: ").expect("a password");
    Client::new(&url(&output)).logged_in("ada@example.com", &password_of_ada);

    let socket = place.socket();
    assert!(socket.exists() && !processes_with(&place.cluster()).is_empty());
    assert_eq!(up.stop(libc::SIGINT).code(), Some(0), "{}", up.stderr());
    assert_eq!(processes_with(&place.cluster()), [0; 0], "at once: it waits for its server");
    assert!(!socket.exists());

    let mut up = place.up("second", &["--demo"]);
    up.wait_for_output("Ctrl-C stops it");
    let output = up.stdout();
    assert!(!output.contains("password"), "{output}");
    let second_result = check_demo(&output);
    assert_ne!(second_result, result);
    let admin = Client::new(&url(&output)).logged_in(&email, &password);
    assert!(matches(&admin, &result) == found, "the old result is still there");
    assert!(matches(&admin, &second_result) == found, "the same files give the same result");

    up.kill_9();
    wait_until_none_with(&place.cluster());
    let mut up = place.up("third", &[]);
    up.wait_for_output("Ctrl-C stops it");
    let admin = Client::new(&url(&up.stdout())).logged_in(&email, &password);
    assert!(matches(&admin, &second_result) == found, "a result that was told survives a kill");

    // At once, while the old server may still be shutting down.
    up.kill_9();
    let mut up = place.up("fourth", &[]);
    up.wait_for_output("Ctrl-C stops it");
    let admin = Client::new(&url(&up.stdout())).logged_in(&email, &password);
    assert!(matches(&admin, &second_result) == found);
    assert_eq!(up.stop(libc::SIGTERM).code(), Some(0), "{}", up.stderr());
    assert_eq!(processes_with(&place.cluster()), [0; 0]);
    assert!(!place.data_dir.join("running.json").exists(), "it runs no more");
    let found = doctor(&place, &[]);
    assert_eq!((found["up"].0.as_str(), found["objects"].0.as_str()), ("skipped", "ok"), "{found:#?}");
}
