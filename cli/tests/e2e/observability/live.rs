//! One running system for all that only a running system can tell: every panel has data, every process exports what
//! the table says, the scaling signal has a value, and what breaks is heard of.

use super::files::{alerts, ops, panels, read};
use super::selectors::{metric_of, names};
use super::watched::{Prometheus, Watched};
use crate::client::Client;
use crate::pair::{Pair, rules};
use crate::project::Project;
use crate::wait::until;
use shared::telemetry::metric::{Metric, MetricKind, Role, Values};
use shared::telemetry::table;
use shared::testing::{PrivateRabbitMq, test_dir};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Panels that cannot have data here, with the reason. What is listed and has data fails the test: this list shrinks.
/// Panels about metrics that the table calls reserved are listed there.
const WITHOUT_DATA: [(&str, &str, &str); 4] = [
    ("services", "Processor time of its host", "node_exporter runs beside the database, and none does here"),
    ("backups", "WAL behind", ARCHIVES_NOTHING),
    ("backups", "WAL not archived", ARCHIVES_NOTHING),
    ("backups", "Size against the week before", "no backup was taken before"),
];

/// Metrics that no process here has occasion for, with the reason. This list shrinks too.
const WITHOUT_OCCASION: [(&str, &str); 2] = [
    ("counterfoil_wal_last_archived_timestamp_seconds", ARCHIVES_NOTHING),
    ("counterfoil_wal_behind_bytes", ARCHIVES_NOTHING),
];
const ARCHIVES_NOTHING: &str = "the database that all tests share archives no WAL";

/// Scrapes are a second apart; the accountant's and the broker's own figures are older.
const DATA_WITHIN: Duration = Duration::from_secs(60);

#[test]
fn a_running_system_fills_every_panel_and_raises_the_alarm() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut broker = runtime.block_on(PrivateRabbitMq::start_with_figures(test_dir("observed-broker")));
    let mut place = Watched::start(&broker);
    let project = Project::of_somebody(&place.api.url);
    let pair = Pair::make(5, 100);
    let (left, right) = pair.bring_into(&project);
    fail_once(&place, &project, &left, &right);
    // The accountant looks at once when it starts, then each half minute.
    place.restart_scheduler();

    let enough = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let working = scope.spawn(|| {
            while !enough.load(Ordering::Relaxed) {
                project.client.get("/api/nothing-of-this-name").expect_problem(404);
                project
                    .client
                    .get(&format!("/api/reconciliation/jobs?project_id={}", project.id))
                    .expect(200);
                project.submit(&left, &right, &rules()).wait_until_completed();
            }
        });
        let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            check_panels(&place.prometheus);
            check_scaling_signal(&place.prometheus);
            check_rules(&place.prometheus);
            check_go_or_no_go(&place.prometheus);
            check_exports(&place);
        }));
        enough.store(true, Ordering::Relaxed);
        working.join().expect("work is done");
        if let Err(failed) = checked {
            std::panic::resume_unwind(failed);
        }
    });

    raise_alarms(&mut place, &mut broker);
}

/// A job that dies and one that is cancelled: so that failures have figures too.
fn fail_once(place: &Watched, project: &Project, left: &str, right: &str) {
    let hidden = place.deployment.hide_objects();
    let seen = project.submit(left, right, &rules()).wait_for_end();
    assert_eq!(seen["state"], "dead", "{seen}");
    hidden.put_back();
    project.submit(left, right, &rules()).cancel();
}

fn check_panels(prometheus: &Prometheus) {
    let mut pending = vec![];
    let mut listed = vec![];
    for panel in panels() {
        let is_listed = |expression: &&String| {
            let named =
                WITHOUT_DATA.iter().any(|(board, title, _)| (*board, *title) == (&panel.board, &panel.title));
            named || names(expression).into_iter().filter_map(metric_of).any(Metric::is_reserved)
        };
        let (without, with): (Vec<&String>, Vec<&String>) = panel.expressions.iter().partition(is_listed);
        let at = format!("{} / {}", panel.board, panel.title);
        pending.extend(with.into_iter().map(|expression| (at.clone(), filled_in(expression))));
        listed.extend(without.into_iter().map(|expression| (at.clone(), filled_in(expression))));
    }
    let queries = pending.len();
    let until = Instant::now() + DATA_WITHIN;
    loop {
        pending.retain(|(_, query)| !prometheus.has_data(query));
        if pending.is_empty() {
            break;
        }
        assert!(Instant::now() < until, "no data for {} of {queries} queries: {pending:#?}", pending.len());
        std::thread::sleep(Duration::from_millis(200));
    }
    for (at, query) in &listed {
        assert!(!prometheus.has_data(query), "{at} has data now: take it off the list of those without");
    }
    println!("{queries} queries of dashboards have data; {} wait for parts to come", listed.len());
}

/// With values for the variables of a dashboard.
fn filled_in(expression: &str) -> String {
    let filled = expression
        .replace("$__rate_interval", "20s")
        .replace("$__range", "5m")
        .replace("$instance", ".*")
        .replace("$queue", "reconciliation|clean_up");
    assert!(!filled.contains('$'), "an unknown variable in {expression}");
    filled
}

/// What KEDA asks has a value, also when nothing waits.
fn check_scaling_signal(prometheus: &Prometheus) {
    let text = read(&ops("keda/worker.yaml"));
    let queries: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("query: ")).collect();
    assert_eq!(queries.len(), 2);
    for query in queries {
        let values = prometheus.values(query);
        assert!(values.len() == 1 && values[0] >= 0.0, "{query}: {values:?}");
    }
}

/// The figures of a rollout have values here, and the script tells them. Whether it says go is the machine's: a busy one
/// answers slowly.
fn check_go_or_no_go(prometheus: &Prometheus) {
    let version = env!("CARGO_PKG_VERSION");
    let told = until("every figure of a rollout", || {
        let mut script = Command::new("sh");
        script.arg(ops("rollout/go-no-go.sh")).args([&prometheus.url, version]);
        let output = script.output().expect("a shell");
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
        assert_eq!(output.status.success(), told.ends_with("\nGO\n"), "{told}");
        (!told.contains("no data")).then_some(told)
    });
    for figure in ["crash-free attempts", "requests answered with 5xx", "jobs unaccounted for", version] {
        let line = told.lines().find(|line| line.contains(figure));
        assert!(line.is_some_and(|line| line.ends_with("go")), "{figure} in {told}");
    }
    assert_eq!(prometheus.values("counterfoil:rollout_go").len(), 1);
    assert_eq!(prometheus.values("counterfoil:rollout_slots:ratio"), [1.0], "one version runs");
}

/// Prometheus has loaded every rule and can evaluate it on what there is.
fn check_rules(prometheus: &Prometheus) {
    let rules = prometheus.rules();
    assert_eq!(rules.len(), alerts().len());
    for rule in rules {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
}

/// Each process exports what the table says of its role, and nothing else.
fn check_exports(place: &Watched) {
    for (role, address) in place.addresses() {
        let text = Client::new(&address).get("/api/metrics").text();
        let role = *Role::ALL.iter().find(|of| of.as_str() == role).expect("a role");
        let exported = series_by_metric(&text);
        for (name, series) in &exported {
            let metric = table::find(name).unwrap_or_else(|| panic!("{name} is not in the table"));
            assert!(!metric.is_reserved(), "{name} is exported: the table says it is reserved");
            assert!(metric.roles.contains(&role), "{name} is exported by a {role:?}");
            assert!(
                text.contains(&format!("# TYPE {name} {}\n", metric.kind.as_str())),
                "the type of {name}"
            );
            assert!(text.contains(&format!("# HELP {name} {}\n", metric.meaning)), "the help of {name}");
            assert!(series.len() <= 2000, "{name} has {} series", series.len());
            series.iter().for_each(|labels| check_labels(metric, labels));
        }
        for metric in table::all().filter(|metric| metric.roles.contains(&role) && !metric.is_reserved()) {
            let is_without = |(name, _): &(&str, &str)| *name == metric.name;
            let is_expected = !WITHOUT_OCCASION.iter().any(is_without);
            assert_eq!(exported.contains_key(metric.name), is_expected, "a {role:?}: {}", metric.name);
        }
    }
}

fn check_labels(metric: &Metric, labels: &BTreeMap<String, String>) {
    let wanted: BTreeSet<&str> = metric.labels.iter().map(|label| label.name).collect();
    let mut there: BTreeSet<&str> = labels.keys().map(String::as_str).collect();
    if metric.kind == MetricKind::Histogram {
        there.remove("le");
    }
    assert_eq!(there, wanted, "labels of {}", metric.name);
    for label in metric.labels.iter().filter(|label| matches!(label.values, Values::OneOf(_) | Values::Kinds))
    {
        let value = &labels[label.name];
        let known = label.all_values().expect("all values");
        assert!(known.contains(value), "{} of {} is {value:?}", label.name, metric.name);
    }
}

/// The labels of every series, by the metric it belongs to.
fn series_by_metric(text: &str) -> BTreeMap<String, Vec<BTreeMap<String, String>>> {
    let mut found = BTreeMap::<String, Vec<_>>::new();
    let mut metric = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            metric = rest.split(' ').next().expect("a name").to_owned();
            found.entry(metric.clone()).or_default();
        } else if !line.starts_with('#') && !line.is_empty() {
            let (series, _) = line.rsplit_once(' ').expect("a value");
            let labels = series.split_once('{').map_or("", |(_, rest)| rest.trim_end_matches('}'));
            let pair = |pair: &str| {
                let (name, value) = pair.split_once("=\"").expect("a label");
                (name.to_owned(), value.trim_end_matches('"').to_owned())
            };
            let labels = labels.split("\",").filter(|label| !label.is_empty()).map(pair).collect();
            found.get_mut(&metric).expect("a type before").push(labels);
        }
    }
    found
}

/// Breaks what can break, and waits for the message by every way there is.
fn raise_alarms(place: &mut Watched, broker: &mut PrivateRabbitMq) {
    place.deployment.shell(&["queues", "pause", "clean_up", "--reason", "a test"]);
    place.worker.kill_9();
    let told = place.receiver.wait_for("/alerts", &["CounterfoilNoWorker", r#""status":"firing""#]);
    assert_eq!(told.authorization, "Bearer token-of-a-test");
    assert!(told.text.contains("ops/runbooks/CounterfoilNoWorker.md"), "{}", told.text);
    place.receiver.wait_for("/slack", &["CounterfoilNoWorker", "No worker answers"]);
    place.receiver.wait_for("/pagerduty", &["CounterfoilNoWorker", "key-of-a-test", "trigger"]);
    place.receiver.wait_for("mail", &["Subject: [firing] CounterfoilQueuePaused"]);

    place.start_another_worker();
    place.receiver.wait_for("/pagerduty", &["CounterfoilNoWorker", "key-of-a-test", "resolve"]);
    broker.kill_9();
    place.receiver.wait_for("/alerts", &["CounterfoilBrokerAway", r#""status":"firing""#]);
}
