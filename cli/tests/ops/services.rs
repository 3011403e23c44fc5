//! Settings of PostgreSQL and RabbitMQ, read by the servers themselves.

use super::files::{ops, read};
use super::tools::{counterfoil, output, run};
use shared::testing::{PrivateRabbitMq, test_dir};
use std::path::Path;
use std::process::Command;

#[test]
fn postgresql_knows_every_setting() {
    let file = ops("postgresql/counterfoil.conf");
    for (name, value) in
        [("shared_buffers", "262144"), ("fsync", "on"), ("synchronous_commit", "on"), ("jit", "off")]
    {
        assert_eq!(run(&mut ask_postgresql(name, &file)).trim(), value, "{name}");
    }
    // One it does not know is refused this way, too.
    let dir = tempfile::tempdir().expect("a folder");
    let wrong = dir.path().join("wrong.conf");
    std::fs::write(&wrong, read(&file) + "\nshared_bufers = 1GB\n").expect("a file");
    assert!(!output(&mut ask_postgresql("fsync", &wrong)).status.success());
}

/// The server reads the whole file, says what a setting is, and ends.
fn ask_postgresql(name: &str, file: &Path) -> Command {
    let bindir = std::env::var("COUNTERFOIL_TEST_POSTGRESQL_BINDIR").expect("run by ops/test.sh");
    let mut ask = Command::new(format!("{bindir}/postgres"));
    ask.args(["-C", name, "-c"]).arg(format!("config_file={}", file.display()));
    ask.args(["-c", "data_directory=/tmp", "-c", "hba_file=/dev/null", "-c", "ident_file=/dev/null"]);
    ask
}

/// A broker with our definitions lets our account in, and the executable makes its queues there and uses them.
#[test]
fn rabbitmq_takes_the_definitions_and_our_account_can_work() {
    let secrets = tempfile::tempdir().expect("a folder");
    run(Command::new("sh").arg(ops("compose/make-secrets.sh")).arg(secrets.path()));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let broker = runtime.block_on(PrivateRabbitMq::start(test_dir("definitions")));
    let definitions = secrets.path().join("rabbitmq-definitions").display().to_string();
    runtime.block_on(broker.ctl(&["import_definitions", &definitions]));
    let url = read(&secrets.path().join("broker-url"));
    let authority =
        broker.url().split('@').nth(1).expect("a host").split('/').next().expect("a port").to_owned();
    let url = url.trim().replace("rabbitmq:5672", &authority);
    let mut doctor = counterfoil();
    doctor.arg("doctor").env("COUNTERFOIL_BROKER__URL", &url).arg("--json");
    let told = output(&mut doctor);
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).expect("JSON");
    let findings = told["findings"].as_array().expect("findings");
    let of_broker = findings.iter().find(|finding| finding["check"] == "broker").expect("a finding");
    assert_eq!(of_broker["state"], "ok", "{of_broker}");
    let list = ["list_queues", "-p", "counterfoil", "name", "policy", "--quiet"];
    let listed = runtime.block_on(broker.ctl(&list));
    assert!(listed.contains("counterfoil.dead-letters\tcounterfoil-dead-letters"), "{listed}");
    assert!(listed.contains("counterfoil.reconciliation\tcounterfoil-jobs"), "{listed}");
}
