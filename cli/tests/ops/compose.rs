//! `ops/compose`: services, their secrets, and what watches them.

use super::files::{ops, read, strings, yaml};
use super::settings::suffice_for;
use super::tools::{installed, run};
use serde_json::Value;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// With `<<` merged, as compose does.
fn compose() -> Value {
    let mut file = yaml(&read(&ops("compose/compose.yaml"))).remove(0);
    merge(&mut file);
    file
}

fn merge(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if let Some(Value::Object(base)) = object.remove("<<") {
                for (key, of_base) in base {
                    object.entry(key).or_insert(of_base);
                }
            }
            object.values_mut().for_each(merge);
        }
        Value::Array(list) => list.iter_mut().for_each(merge),
        _ => {}
    }
}

fn services(file: &Value) -> impl Iterator<Item = (&String, &Value)> {
    file["services"].as_object().expect("services").iter()
}

fn is_ours(service: &Value) -> bool {
    service["image"].as_str().is_some_and(|image| image.starts_with("counterfoil:"))
}

/// Those that the reference of compose files has and that are used here: a typing mistake is another one.
const KEYS: [&str; 27] = [
    "build",
    "cap_add",
    "cap_drop",
    "command",
    "depends_on",
    "environment",
    "healthcheck",
    "hostname",
    "image",
    "logging",
    "mem_limit",
    "networks",
    "ports",
    "profiles",
    "read_only",
    "restart",
    "secrets",
    "security_opt",
    "shm_size",
    "stop_grace_period",
    "stop_signal",
    "tmpfs",
    "user",
    "volumes",
    "entrypoint",
    "init",
    "ulimits",
];

#[test]
fn every_service_is_whole_and_bound() {
    let file = compose();
    for (name, service) in services(&file) {
        for key in service.as_object().expect("a service").keys() {
            assert!(KEYS.contains(&key.as_str()), "{name} has an unknown key {key}");
        }
        let image = service["image"].as_str().expect("an image");
        let (_, tag) = image.split_once(':').unwrap_or_else(|| panic!("{name} has no tag"));
        assert!(!tag.is_empty() && tag != "latest", "{name}: {image}");
        assert!(
            strings(&service["security_opt"]).contains(&"no-new-privileges:true"),
            "{name} may gain privileges"
        );
        assert!(
            service["restart"].is_string() && service["logging"]["options"]["max-size"].is_string(),
            "{name}"
        );
        if name != "migrate" {
            let check = &service["healthcheck"];
            assert!(strings(&check["test"]).len() >= 2, "{name} has no health check");
            for key in ["interval", "timeout", "retries", "start_period"] {
                assert!(!check[key].is_null(), "{name}: its health check has no {key}");
            }
        }
        for port in strings(&service["ports"]) {
            assert!(port.starts_with("127.0.0.1:"), "{name} is open to everybody at {port}");
        }
        if is_ours(service) {
            assert_eq!(
                (&service["read_only"], &service["user"]),
                (&Value::Bool(true), &Value::from("65532:65532"))
            );
            assert_eq!(strings(&service["cap_drop"]), ["ALL"], "{name}");
            assert!(
                service["environment"].as_object().is_some_and(|of| !of
                    .values()
                    .any(|v| { v.as_str().is_some_and(|v| v.contains("://")) })),
                "{name}: a secret in a variable"
            );
        }
    }
}

#[test]
fn what_is_named_is_there() {
    let file = compose();
    let defined = |of: &str| {
        file[of].as_object().expect("a section").keys().map(String::as_str).collect::<BTreeSet<_>>()
    };
    let (networks, volumes, secrets) = (defined("networks"), defined("volumes"), defined("secrets"));
    let mut used = BTreeSet::new();
    for (name, service) in services(&file) {
        for (other, how) in service["depends_on"].as_object().into_iter().flatten() {
            let other = &file["services"][other];
            assert!(other.is_object(), "{name} waits for what is not there");
            match how["condition"].as_str() {
                Some("service_healthy") => assert!(other["healthcheck"].is_object(), "{name}"),
                Some("service_completed_successfully") => {
                    assert_eq!(other["restart"], "on-failure", "{name}")
                }
                other => panic!("{name}: condition {other:?}"),
            }
            let of_other = strings(&other["profiles"]);
            assert!(of_other.iter().all(|profile| strings(&service["profiles"]).contains(profile)), "{name}");
        }
        strings(&service["networks"]).iter().for_each(|of| assert!(networks.contains(of), "{name}: {of}"));
        for secret in strings(&service["secrets"]) {
            assert!(secrets.contains(secret), "{name}: {secret}");
            used.insert(secret.to_owned());
        }
        for volume in strings(&service["volumes"]) {
            let (from, _) = volume.split_once(':').expect("a place");
            match from.strip_prefix('.') {
                Some(_) if from.contains("/secrets/") => {}
                Some(_) => assert!(ops("compose").join(from).exists(), "{name}: {from} is not there"),
                None => assert!(volumes.contains(from), "{name}: {from}"),
            }
        }
        for part in strings(&service["command"]).into_iter().chain(strings(&service["healthcheck"]["test"])) {
            for path in part.split(['=', ' ']).filter(|path| path.starts_with("/run/secrets/")) {
                let secret = path.trim_start_matches("/run/secrets/");
                assert!(strings(&service["secrets"]).contains(&secret), "{name} is not given {secret}");
            }
        }
        for (_, value) in service["environment"].as_object().into_iter().flatten() {
            let path = value.as_str().unwrap_or("").trim_start_matches("file:");
            if let Some(secret) = path.strip_prefix("/run/secrets/") {
                assert!(strings(&service["secrets"]).contains(&secret), "{name} is not given {secret}");
            }
        }
    }
    // RabbitMQ's is named in its configuration.
    assert!(
        read(&ops("rabbitmq/rabbitmq.conf"))
            .contains("load_definitions = /run/secrets/rabbitmq-definitions\n")
    );
    assert_eq!(used, secrets.iter().map(|secret| (*secret).to_owned()).collect(), "every secret is used");
}

/// `${NAME:-what it is where nobody says}`, as compose reads it.
fn without_variables(text: &str) -> String {
    let variable = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    let default = variable.and_then(|variable| variable.split_once(":-"));
    default.map_or_else(|| text.to_owned(), |(_, default)| default.to_owned())
}

#[test]
fn roles_get_all_their_settings() {
    let file = compose();
    let mut roles = BTreeSet::new();
    for (name, service) in services(&file).filter(|(_, service)| is_ours(service)) {
        let role = strings(&service["command"])[0];
        assert_eq!(role, name);
        roles.insert(role.to_owned());
        let mut environment: Vec<(String, String)> = service["environment"]
            .as_object()
            .expect("settings")
            .iter()
            .map(|(name, value)| (name.clone(), without_variables(value.as_str().expect("a text"))))
            .collect();
        // What the image brings.
        environment.push(("COUNTERFOIL_OBJECTS__DIR".into(), "/var/lib/counterfoil/objects".into()));
        suffice_for(role, &environment);
    }
    assert_eq!(roles, ["api", "migrate", "scheduler", "worker"].map(str::to_owned).into());
}

#[test]
fn secrets_are_made_once_and_kept_from_others() {
    let dir = tempfile::tempdir().expect("a folder");
    let make = || run(Command::new("sh").arg(ops("compose/make-secrets.sh")).arg(dir.path()));
    make();
    let file = compose();
    let made = |name: &str| read(&dir.path().join(name));
    for secret in file["secrets"].as_object().expect("secrets").values() {
        let name = secret["file"].as_str().expect("a file").trim_start_matches("secrets/");
        assert!(made(name).len() > 12, "{name} is empty");
    }
    assert!(made("signing-key").contains("PRIVATE KEY") && made("sealing-key").trim().len() == 64);
    let mode = |path: &Path| std::fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode(dir.path()) & 0o077, 0, "nobody else may enter");
    let password = made("postgres-password");
    assert!(made("database-url").contains(password.trim()), "the URL has the password of the server");
    make();
    assert_eq!(made("postgres-password"), password, "made once");
    let alertmanager = read(&ops("alertmanager/alertmanager.yml"));
    for name in ["slack-url", "pagerduty-key", "mail-password", "webhook-credentials"] {
        assert!(
            alertmanager.contains(&format!("/etc/counterfoil/alertmanager/{name}")),
            "{name} is not used"
        );
        assert!(dir.path().join("alertmanager").join(name).exists(), "{name}");
    }
}

#[test]
fn prometheus_scrapes_what_it_scrapes_elsewhere() {
    let of = |path: &str| yaml(&read(&ops(path))).remove(0);
    let (here, there) = (of("compose/prometheus.yml"), of("prometheus/prometheus.yml"));
    assert_eq!(here["rule_files"], there["rule_files"]);
    let scrapes = |file: &Value| {
        let list = file["scrape_configs"].as_array().expect("a list").clone();
        let what = list.into_iter().map(|mut scrape| {
            let scrape = scrape.as_object_mut().expect("an object");
            scrape.remove("static_configs");
            scrape.remove("dns_sd_configs");
            scrape.remove("authorization");
            format!("{scrape:?}")
        });
        what.filter(|scrape| !scrape.contains("postgresql-host")).collect::<Vec<_>>()
    };
    assert_eq!(scrapes(&here), scrapes(&there));
    let file = compose();
    // Every process of ours wants the token, and Prometheus has it.
    let token = "/run/secrets/metrics-token";
    for scrape in here["scrape_configs"].as_array().expect("a list") {
        let is_ours = scrape["metrics_path"] == "/api/metrics";
        assert_eq!(scrape["authorization"]["credentials_file"] == token, is_ours, "{scrape}");
    }
    for service in ["api", "worker", "scheduler", "migrate", "prometheus"] {
        assert!(strings(&file["services"][service]["secrets"]).contains(&"metrics-token"), "{service}");
    }
    for service in ["api", "worker", "scheduler"] {
        let set = &file["services"][service]["environment"]["COUNTERFOIL_HTTP__METRICS_TOKEN"];
        assert_eq!(*set, format!("file:{token}"), "{service}");
    }
    for (port, role) in [(8080, "api"), (8081, "worker"), (8082, "scheduler")] {
        assert!(
            read(&ops("compose/prometheus.yml")).contains(&format!("names: [{role}], type: A, port: {port}"))
        );
        let check = format!("http://127.0.0.1:{port}/readyz");
        assert!(strings(&file["services"][role]["healthcheck"]["test"]).contains(&check.as_str()), "{role}");
    }
}

#[test]
fn compose_itself_accepts_it() {
    let Some(docker) = installed("docker") else { return };
    let has_compose =
        Command::new(&docker).args(["compose", "version"]).output().is_ok_and(|o| o.status.success());
    if !has_compose {
        println!("skipped: docker has no compose here");
        return;
    }
    run(Command::new(docker)
        .args(["compose", "--profile", "watch", "-f"])
        .arg(ops("compose/compose.yaml"))
        .args(["config", "-q"]));
}
