//! Alerts as files: whole, tested one by one, and routed to somebody.

use super::files::{alerts, files, ops, read};
use super::selectors::mistakes;
use crate::process::run;
use shared::testing::Program;
use std::collections::BTreeSet;
use std::process::Command;

const ALERTS_MIN: usize = 30;

/// What has to raise an alarm, whatever else does.
const REQUIRED: [&str; 23] = [
    "ApiSlow",
    "PoolExhausted",
    "ApiErrors",
    "StatementsSlow",
    "CacheDown",
    "CacheHitsLow",
    "JobFailures",
    "JobsUnaccounted",
    "MemoryHigh",
    "CpuHigh",
    "DatabaseCpuHigh",
    "LoginsSuspicious",
    "RateLimited",
    "AccessDenied",
    "MailBacklog",
    "BackupStale",
    "BackupFailed",
    "BackupVerificationFailed",
    "BackupStoresDown",
    "BackupSizeDeviates",
    "BackupSlow",
    "BackupStoreFull",
    "BackupStoreRequestsFail",
];

#[test]
fn every_alert_is_whole() {
    let alerts = alerts();
    assert!(alerts.len() >= ALERTS_MIN, "{} alerts", alerts.len());
    let names: BTreeSet<&str> = alerts.iter().map(|alert| alert.name.as_str()).collect();
    assert_eq!(names.len(), alerts.len(), "names are there twice");
    for required in REQUIRED {
        assert!(names.contains(format!("Counterfoil{required}").as_str()), "no alert {required}");
    }
    for alert in &alerts {
        let name = &alert.name;
        assert!(name.starts_with("Counterfoil"), "{name}");
        assert!(["critical", "warning", "info"].contains(&alert.severity()), "{name}");
        assert!(alert.text.contains(&format!("area: {}", alert.area)), "{name} is not of its file's area");
        for part in ["summary: \"", "description: \""] {
            assert!(alert.text.contains(part), "{name} has no {part}");
        }
        assert!(
            alert.text.contains(&format!("runbook_url: ops/runbooks/{name}.md")),
            "{name} has no runbook"
        );
        let mistakes = mistakes(alert.expression());
        assert!(mistakes.is_empty(), "{name}: {mistakes:?}");
    }
}

#[test]
fn every_alert_is_tested_firing_and_silent() {
    for alert in alerts() {
        let tests = read(&ops(&format!("alerts/tests/{}.yml", alert.area)));
        for (case, expected) in [("fires", "value: 1}]"), ("stays silent", "exp_samples: []")] {
            let case = format!("- name: {} {case}\n", alert.name);
            let (_, rest) = tests.split_once(&case).unwrap_or_else(|| panic!("no test {case:?}"));
            let test = rest.split("- name: ").next().expect("the test");
            assert!(test.contains(&format!("alertname=\"{}\"", alert.name)), "{case}: another alert");
            assert!(test.contains(expected) && test.contains("series: "), "{case}: {test}");
        }
    }
    let mut check = Command::new(Program::Promtool.path());
    check.args(["check", "rules"]).args(files(&ops("alerts"), "yml"));
    run(check);
    let mut test = Command::new(Program::Promtool.path());
    test.args(["test", "rules"]).args(files(&ops("alerts/tests"), "yml"));
    run(test);
}

#[test]
fn every_alert_reaches_somebody() {
    let config = ops("alertmanager/alertmanager.yml");
    let mut check = Command::new(Program::Amtool.path());
    check.arg("check-config").arg(&config);
    run(check);
    let kinds: BTreeSet<(String, String)> =
        alerts().iter().map(|alert| (alert.severity().to_owned(), alert.area.clone())).collect();
    for (severity, area) in kinds {
        let receiver = match (severity.as_str(), area.as_str()) {
            ("critical", _) => "on-call",
            (_, "reconciliation") => "finance",
            ("info", _) => "mail",
            _ => "chat",
        };
        let mut route = Command::new(Program::Amtool.path());
        route.args(["config", "routes", "test", "--verify.receivers", receiver, "--config.file"]);
        route.arg(&config).args([format!("severity={severity}"), format!("area={area}")]);
        run(route);
    }
    let text = read(&config);
    for part in ["slack_configs", "pagerduty_configs", "email_configs", "webhook_configs"] {
        assert!(text.contains(part), "no {part}");
    }
    // Alerts that keep others quiet, or are kept quiet, exist.
    let known: BTreeSet<String> = alerts().into_iter().map(|alert| alert.name).collect();
    for name in text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|w| w.len() > 11 && w.starts_with("Counterfoil"))
    {
        assert!(known.contains(name), "{name} in {}", config.display());
    }
}
