//! Dashboards as files: whole, readable, and about metrics that exist.

use super::files::{boards, files, ops, panels, read, root};
use super::selectors::{metric_of, mistakes, names};
use std::collections::BTreeSet;
use std::process::Command;

const PANELS_MIN: usize = 60;

#[test]
fn every_panel_says_what_it_shows() {
    let panels = panels();
    assert!(panels.len() >= PANELS_MIN, "{} panels", panels.len());
    let mut titles = BTreeSet::new();
    for panel in &panels {
        let at = format!("{} / {}", panel.board, panel.title);
        assert!(titles.insert(at.clone()), "{at} is there twice");
        let meaning = panel.json["description"].as_str().unwrap_or_default();
        assert!(meaning.ends_with('.') && !panel.title.ends_with('.'), "{at}: {meaning}");
        let defaults = &panel.json["fieldConfig"]["defaults"];
        assert!(defaults["unit"].as_str().is_some_and(|unit| !unit.is_empty()), "{at} has no unit");
        let steps = defaults["thresholds"]["steps"].as_array().expect("thresholds");
        assert!(steps[0]["value"].is_null() && steps.len() <= 3, "{at}: {steps:?}");
        assert!(!panel.expressions.is_empty(), "{at} asks nothing");
        for target in panel.json["targets"].as_array().expect("targets") {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{at}");
        }
        for expression in &panel.expressions {
            let mistakes = mistakes(expression);
            assert!(mistakes.is_empty(), "{at}: {mistakes:?}");
            // A fixed range shows nothing when the scrape interval is longer, and too much when one zooms out.
            for range in expression.split('[').skip(1).map(|rest| rest.split(']').next().unwrap_or_default())
            {
                assert!(
                    ["$__rate_interval", "$__range", "1h", "24h", "7d"].contains(&range),
                    "{at}: [{range}]"
                );
            }
        }
    }
}

#[test]
fn dashboards_can_be_provisioned_anywhere() {
    let mut uids = BTreeSet::new();
    for (name, board) in boards() {
        assert!(board["id"].is_null() && board["editable"] == false, "{name}");
        assert!(board["schemaVersion"].as_i64().is_some_and(|version| version >= 36), "{name}");
        assert_eq!(board["uid"], format!("counterfoil-{name}"));
        assert!(uids.insert(board["uid"].to_string()), "{name}");
        let variables = board["templating"]["list"].as_array().expect("variables");
        assert_eq!(
            (&variables[0]["type"], &variables[0]["query"]),
            (&"datasource".into(), &"prometheus".into())
        );
        let known: BTreeSet<&str> =
            variables.iter().filter_map(|variable| variable["name"].as_str()).collect();
        let text = board["panels"].to_string();
        for used in text.split('$').skip(1) {
            let word =
                used.trim_start_matches('{').split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next();
            let word = word.unwrap_or_default();
            assert!(known.contains(word) || word.starts_with("__"), "{name} uses ${word}");
        }
        let ids: Vec<i64> = board["panels"]
            .as_array()
            .expect("panels")
            .iter()
            .filter_map(|panel| panel["id"].as_i64())
            .collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{name}: panels share an id");
    }
    assert!(uids.contains("\"counterfoil-overview\""));
    let first =
        &boards().into_iter().find(|(name, _)| name == "overview").expect("an overview").1["panels"][1];
    assert_eq!(first["title"], "Jobs waiting", "queue depth comes first");
}

#[test]
fn dashboards_are_those_of_their_source() {
    let Ok(python) = Command::new("python3").arg("--version").output() else {
        println!("skipped: python3 is not installed, so the dashboards cannot be generated anew");
        return;
    };
    assert!(python.status.success());
    let checked =
        Command::new("python3").arg(ops("grafana/generate.py")).arg("--check").output().expect("python3");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

/// Every metric is shown, alarmed on, or one that others are read by.
#[test]
fn every_metric_is_used() {
    /// Looked up by hand, when something else has led there.
    const UNUSED: [&str; 0] = [];
    let mut texts: Vec<String> = panels().into_iter().flat_map(|panel| panel.expressions).collect();
    texts.extend(files(&ops("alerts"), "yml").iter().map(|path| read(path)));
    let used: BTreeSet<&str> =
        texts.iter().flat_map(|text| names(text)).filter_map(metric_of).map(|metric| metric.name).collect();
    for metric in shared::telemetry::table::all() {
        let is_listed = UNUSED.contains(&metric.name);
        assert_ne!(
            used.contains(metric.name),
            is_listed,
            "{} is shown nowhere, or listed and shown",
            metric.name
        );
    }
}

#[test]
fn documents_name_metrics_that_exist() {
    let mut pages = files(&root().join("docs"), "md");
    pages.extend(files(&ops("runbooks"), "md"));
    pages.extend([root().join("README.md"), root().join("ARCHITECTURE.md")]);
    for page in pages {
        let text = read(&page);
        for name in names(&text) {
            // The beginning of a name, for `grep`.
            let is_beginning = || shared::telemetry::table::all().any(|metric| metric.name.starts_with(name));
            // Roles and databases, named alike.
            let is_other = ["counterfoil_app", "counterfoil_system", "counterfoil_scratch_"].contains(&name);
            assert!(is_other || metric_of(name).is_some() || is_beginning(), "{name} in {}", page.display());
        }
    }
}
