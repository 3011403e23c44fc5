//! A deployment under the eyes of Prometheus and Alertmanager, with the shipped configuration of both: only addresses,
//! folders and waits are changed.

use super::files::{files, ops, read};
use super::receiver::Receiver;
use crate::client::Client;
use crate::deployment::{Api, Deployment};
use crate::process::Process;
use crate::wait::until;
use serde_json::Value;
use shared::testing::{PrivateRabbitMq, Program, free_ports, test_dir};
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

pub struct Watched {
    pub receiver: Receiver,
    pub prometheus: Prometheus,
    _alertmanager: Process,
    pub api: Api,
    pub worker: Process,
    pub scheduler: Process,
    /// Of the worker and the scheduler.
    ports: [u16; 2],
    // Last: the processes end before the database goes.
    pub deployment: Deployment,
}

impl Watched {
    pub fn start(broker: &PrivateRabbitMq) -> Self {
        let dir = test_dir("observability");
        let ports: [u16; 2] = free_ports();
        let at = |port: u16| format!("127.0.0.1:{port}");
        let (keys, store) = (dir.join("backup-keys"), dir.join("backups"));
        let key = "00112233445566778899aabbccddeeff00112233445566778899aabbccddee01";
        fs::write(&keys, key).expect("the keys of backups");
        let stores = format!("[{{kind=\"disk\",name=\"near\",dir=\"{}\"}}]", store.display());
        let deployment = Deployment::with_broker("observed", &broker.url())
            .set("COUNTERFOIL_BACKUP__STORES", &stores)
            .set("COUNTERFOIL_BACKUP__KEYS_FILE", keys.to_str().expect("a UTF-8 path"))
            .set("COUNTERFOIL_REDIS__URL", &shared::testing::redis_url())
            // One that is counted, and that nobody reaches.
            .set("COUNTERFOIL_RATE_LIMITS__REQUESTS_PER_IP_MINUTE", "1000000")
            .set("COUNTERFOIL_WORKER__LISTEN", &at(ports[0]))
            .set("COUNTERFOIL_SCHEDULER__LISTEN", &at(ports[1]));
        let (api, scheduler) = (deployment.api(), deployment.scheduler());
        let worker = start_worker(&deployment, "worker");
        let receiver = Receiver::start();
        let (alertmanager, alertmanager_at) = start_alertmanager(&dir, &receiver);
        let targets = [
            ("127.0.0.1:8080", api.url.trim_start_matches("http://").to_owned()),
            ("127.0.0.1:8081", at(ports[0])),
            ("127.0.0.1:8082", at(ports[1])),
            ("127.0.0.1:15692", at(broker.figures_port())),
            ("127.0.0.1:9093", alertmanager_at),
        ];
        let prometheus = Prometheus::start(&dir, &targets);
        Self { receiver, prometheus, _alertmanager: alertmanager, api, worker, scheduler, ports, deployment }
    }

    /// Addresses by role, as in the table of metrics.
    pub fn addresses(&self) -> [(&'static str, String); 3] {
        let at = |port: u16| format!("http://127.0.0.1:{port}");
        [("api", self.api.url.clone()), ("worker", at(self.ports[0])), ("scheduler", at(self.ports[1]))]
    }

    pub fn restart_scheduler(&mut self) {
        self.scheduler.stop(libc::SIGTERM);
        self.scheduler = self.deployment.scheduler();
    }

    pub fn start_another_worker(&mut self) {
        self.worker = start_worker(&self.deployment, "worker-2");
    }
}

fn start_worker(deployment: &Deployment, name: &str) -> Process {
    deployment.worker_of(name, "reconciliation,clean_up", 2)
}

pub struct Prometheus {
    _process: Process,
    pub url: String,
    client: Client,
}

impl Prometheus {
    fn start(dir: &Path, targets: &[(&str, String)]) -> Self {
        let rules = dir.join("alerts");
        fs::create_dir_all(&rules).expect("a folder");
        for path in files(&ops("alerts"), "yml") {
            // Nobody waits five minutes in a test: what is true for two seconds is true.
            let hold = |line: &str| match line.split_once("for: ") {
                Some((before, _)) if before.trim().is_empty() => format!("{before}for: 2s\n"),
                _ => format!("{line}\n"),
            };
            let text: String = read(&path).lines().map(hold).collect();
            fs::write(rules.join(path.file_name().expect("a name")), text).expect("a rule file");
        }
        let mut config = replaced(read(&ops("prometheus/prometheus.yml")), "15s", "1s");
        config = replaced(config, "../alerts/*.yml", &format!("{}/*.yml", rules.display()));
        let rollout = ops("rollout/rules.yml").display().to_string();
        config = replaced(config, "../rollout/rules.yml", &rollout);
        for (from, to) in targets {
            config = replaced(config, from, to);
        }
        fs::write(dir.join("prometheus.yml"), config).expect("a configuration");
        let [port] = free_ports();
        let mut command = Command::new(Program::Prometheus.path());
        command
            .arg(format!("--config.file={}", dir.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", dir.join("prometheus").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let process = Process::start("prometheus", dir, command);
        let url = format!("http://127.0.0.1:{port}");
        let client = Client::new(&url);
        wait_for_server("Prometheus", port, &client);
        Self { _process: process, url, client }
    }

    /// Whether a query has a value that is a number. A query that is refused fails the test.
    #[track_caller]
    pub fn has_data(&self, query: &str) -> bool {
        let found = self.values(query);
        found.iter().any(|value| value.is_finite())
    }

    #[track_caller]
    pub fn values(&self, query: &str) -> Vec<f64> {
        let answer = self.client.get(&format!("/api/v1/query?query={}", encoded(query)));
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        let answer = answer.expect(200);
        let value = |series: &Value| series["value"][1].as_str().and_then(|text| text.parse().ok());
        answer["data"]["result"].as_array().expect("series").iter().filter_map(value).collect()
    }

    /// All alerting rules, as loaded.
    pub fn rules(&self) -> Vec<Value> {
        let answer = self.client.get("/api/v1/rules?type=alert").expect(200);
        let groups = answer["data"]["groups"].as_array().expect("groups");
        groups.iter().flat_map(|group| group["rules"].as_array().expect("rules").clone()).collect()
    }
}

fn start_alertmanager(dir: &Path, receiver: &Receiver) -> (Process, String) {
    let secrets = dir.join("secrets");
    fs::create_dir_all(&secrets).expect("a folder");
    for (file, secret) in [
        ("slack-url", receiver.url("/slack")),
        ("pagerduty-key", "key-of-a-test".into()),
        ("mail-password", "unused".into()),
        ("webhook-credentials", "token-of-a-test".into()),
    ] {
        fs::write(secrets.join(file), secret).expect("a secret");
    }
    let mut config = read(&ops("alertmanager/alertmanager.yml"));
    for (from, to) in [
        ("/etc/counterfoil/alertmanager/", format!("{}/", secrets.display())),
        ("https://events.pagerduty.com/v2/enqueue", receiver.url("/pagerduty")),
        ("http://127.0.0.1:9095/alerts", receiver.url("/alerts")),
        ("mail.example.org:587", receiver.mail_address()),
        ("smtp_require_tls: true", "smtp_require_tls: false".into()),
        ("group_wait: 30s", "group_wait: 1s".into()),
        ("group_interval: 5m", "group_interval: 1s".into()),
    ] {
        config = replaced(config, from, &to);
    }
    fs::write(dir.join("alertmanager.yml"), config).expect("a configuration");
    let [port] = free_ports();
    let mut command = Command::new(Program::Alertmanager.path());
    command
        .arg(format!("--config.file={}", dir.join("alertmanager.yml").display()))
        .arg(format!("--storage.path={}", dir.join("alertmanager").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--cluster.listen-address=");
    let process = Process::start("alertmanager", dir, command);
    wait_for_server("Alertmanager", port, &Client::new(&format!("http://127.0.0.1:{port}")));
    (process, format!("127.0.0.1:{port}"))
}

fn wait_for_server(name: &str, port: u16, client: &Client) {
    until(&format!("{name} listens"), || TcpStream::connect(("127.0.0.1", port)).ok());
    until(&format!("{name} is ready"), || (client.get("/-/ready").status == 200).then_some(()));
}

/// # Panics
///
/// When there is nothing to replace: the shipped file has changed, and the test would run on something else.
#[track_caller]
fn replaced(text: String, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} is not there");
    text.replace(from, to)
}

fn encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => (byte as char).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}
