//! Settings in files of deployments: the executable reads them as it would there.

use super::tools::{counterfoil, output, run};

/// What the environment of a role would be: the executable must know every key, find every value in range, and miss
/// nothing that the role needs.
#[track_caller]
pub fn suffice_for(role: &str, environment: &[(String, String)]) {
    assert!(!environment.is_empty(), "{role} has no settings");
    let ours = environment.iter().filter(|(name, _)| name.starts_with("COUNTERFOIL_"));
    run(counterfoil().args(["config", "check", "--for", role]).envs(ours.map(|(name, value)| (name, value))));
}

#[test]
fn what_is_wrong_with_a_configuration_is_told_at_once() {
    let said = output(counterfoil().args(["config", "check"]).envs([
        ("COUNTERFOIL_WORKER__CONCURENCY", "3"),
        ("COUNTERFOIL_NOTHING__AT_ALL", "x"),
        ("COUNTERFOIL_HTTP__PORT", "1"),
    ]));
    assert_eq!(said.status.code(), Some(1));
    let said = String::from_utf8_lossy(&said.stderr);
    for part in
        ["worker.concurency", "there is worker.concurrency", "nothing", "http.port", "COUNTERFOIL_HTTP__PORT"]
    {
        assert!(said.contains(part), "{part} in {said}");
    }
    let said = output(counterfoil().args(["config", "check"]).env("COUNTERFOIL_WORKER__LEASE_S", "1"));
    assert!(String::from_utf8_lossy(&said.stderr).contains("worker.lease_s is 1, and must be 2 to 3600"));
    let said = output(counterfoil().args(["config", "check", "--for", "api"]));
    let said = String::from_utf8_lossy(&said.stderr);
    for key in ["database.url", "broker.url", "objects.dir", "auth.signing_key"] {
        assert!(said.contains(key), "{key} in {said}");
    }
    run(counterfoil().args(["config", "check", "--for", "up"]));
}

#[test]
fn settings_are_shown_with_their_origin_and_without_secrets() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("counterfoil.toml");
    std::fs::write(&file, "[broker]\nurl = \"amqp://u:canary-one@h\"\nprefix = \"mine\"\n").expect("a file");
    let mut show = counterfoil();
    show.arg("--config").arg(&file).args(["config", "show", "--changed"]);
    show.env("COUNTERFOIL_DATABASE__URL", "postgres://u:canary-two@h/d");
    show.env("COUNTERFOIL_AUTH__SIGNING_KEY", "file:/run/secrets/key");
    let text = run(&mut show);
    let line = |key: &str| {
        let line =
            text.lines().find(|line| line.starts_with(key)).unwrap_or_else(|| panic!("{key} in {text}"));
        line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
    };
    let path = file.display();
    assert_eq!(line("broker.url "), format!("(hidden) {path}"));
    assert_eq!(line("broker.prefix "), format!("mine {path}"));
    assert_eq!(line("database.url "), "(hidden) COUNTERFOIL_DATABASE__URL in the environment");
    assert!(line("auth.signing_key ").starts_with("file:/run/secrets/key "));
    assert!(!text.contains("canary"), "{text}");
    let json = run(show.arg("--json"));
    let shown: Vec<serde_json::Value> = serde_json::from_str(&json).expect("JSON");
    assert_eq!(shown.len(), 4, "{json}");
    assert!(!json.contains("canary") && shown.iter().all(|key| key["from"] != "default"), "{json}");
}
