//! A RabbitMQ node of one test's own, to be killed, restarted and wiped.

use super::TestCertificate;
use super::ports::free_ports;
use super::{RABBITMQ_CTL, RABBITMQ_EPMD, RABBITMQ_SERVER, required};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::sync::oneshot;

const START_MAX: Duration = Duration::from_secs(90);
const STOP_MAX: Duration = Duration::from_secs(60);

/// A node on ports of its own, all on 127.0.0.1. The ports and the URL stay the same over restarts.
///
/// Starting takes 3–6 s of mostly processor time: share one among the steps of a test. Dropping kills it.
pub struct PrivateRabbitMq {
    dir: PathBuf,
    node_name: String,
    amqp_port: u16,
    distribution_port: u16,
    epmd_port: u16,
    /// Of what a node has besides: figures, or TLS.
    figures_port: u16,
    /// Erlang's name server. In the foreground and ours, since a node that finds none leaves a daemon behind.
    epmd: Child,
    node: Option<Node>,
}

struct Node {
    process: Child,
    /// Resolves when the node has closed its output: the last thing it does.
    ended: oneshot::Receiver<()>,
}

impl PrivateRabbitMq {
    /// Starts a node that keeps everything in `dir` and waits until it accepts connections.
    ///
    /// # Panics
    ///
    /// Without the programs that `ops/test.sh` names, or when the node is not up within 90 s; the message holds
    /// the end of its log.
    pub async fn start(dir: impl Into<PathBuf>) -> Self {
        Self::start_with(dir.into(), "[].\n", |_| String::new()).await
    }

    /// As [`Self::start`], and it answers Prometheus; about a second more.
    pub async fn start_with_figures(dir: impl Into<PathBuf>) -> Self {
        let conf = |port| format!("prometheus.tcp.ip = 127.0.0.1\nprometheus.tcp.port = {port}\n");
        Self::start_with(dir.into(), "[rabbitmq_prometheus].\n", conf).await
    }

    /// As [`Self::start`], and it listens to `amqps`, too, with [`TestCertificate::localhost`].
    pub async fn start_with_tls(dir: impl Into<PathBuf>) -> Self {
        let TestCertificate { authority, certificate, key } = TestCertificate::localhost();
        let conf = |port| {
            format!(
                "listeners.ssl.1 = 127.0.0.1:{port}\nssl_options.cacertfile = {}\nssl_options.certfile = {}\n\
                 ssl_options.keyfile = {}\nssl_options.verify = verify_none\n",
                authority.display(),
                certificate.display(),
                key.display()
            )
        };
        Self::start_with(dir.into(), "[].\n", conf).await
    }

    async fn start_with(dir: PathBuf, plugins: &str, conf: impl Fn(u16) -> String) -> Self {
        fs::create_dir_all(&dir).unwrap_or_else(|error| panic!("creating {}: {error}", dir.display()));
        let [amqp_port, distribution_port, epmd_port, figures_port] = free_ports();
        let conf = format!("listeners.tcp.1 = 127.0.0.1:{amqp_port}\n{}", conf(figures_port));
        write(&dir.join("rabbitmq.conf"), &conf);
        write(&dir.join("enabled_plugins"), plugins);
        write(&dir.join("none.conf"), "");
        let epmd = Command::new(required(RABBITMQ_EPMD))
            .args(["-port", &epmd_port.to_string(), "-address", "127.0.0.1"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("starting epmd: {error}"));
        // The port makes the name unique on this machine.
        let node_name = format!("counterfoil_private_{amqp_port}@localhost");
        let mut this =
            Self { dir, node_name, amqp_port, distribution_port, epmd_port, figures_port, epmd, node: None };
        this.start_node().await;
        this
    }

    /// For clients: user guest, virtual host `/`.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.amqp_port)
    }

    /// The same over TLS, of a node that was started so.
    pub fn tls_url(&self) -> String {
        format!("amqps://guest:guest@localhost:{}/%2f", self.figures_port)
    }

    /// The port alone, to put a proxy in front.
    pub fn port(&self) -> u16 {
        self.amqp_port
    }

    /// Where a node that was started with figures answers Prometheus.
    pub fn figures_port(&self) -> u16 {
        self.figures_port
    }

    /// SIGKILL: no goodbye to clients, nothing flushed. Returns when the process is gone.
    pub fn kill_9(&mut self) {
        if let Some(mut node) = self.node.take() {
            // An error means that it has ended by itself.
            let _ = node.process.kill();
            let _ = node.process.wait();
        }
    }

    /// SIGTERM, and waits for the orderly end, 60 s at most.
    pub async fn stop(&mut self) {
        let Some(mut node) = self.node.take() else { return };
        let pid = libc::pid_t::try_from(node.process.id()).expect("a process id");
        // SAFETY: plain system call; the child was not waited for, so the number is still its own.
        unsafe { libc::kill(pid, libc::SIGTERM) };
        if tokio::time::timeout(STOP_MAX, &mut node.ended).await.is_err() {
            let _ = node.process.kill();
            let _ = node.process.wait();
            panic!("the broker did not stop within {STOP_MAX:?}{}", self.log_tail());
        }
        let _ = node.process.wait();
    }

    /// Starts it on what its data directory holds; a running node is stopped first.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.start_node().await;
    }

    /// Deletes every queue and message: the next start is on an empty disk.
    ///
    /// # Panics
    ///
    /// When the node is running.
    pub fn wipe(&mut self) {
        assert!(self.node.is_none(), "stop or kill the broker before wiping it");
        let data = self.dir.join("data");
        fs::remove_dir_all(&data).unwrap_or_else(|error| panic!("deleting {}: {error}", data.display()));
    }

    /// Cuts every client's connection, those of publishers and consumers alike.
    pub async fn close_all_connections(&self) {
        self.ctl(&["close_all_connections", "cut by a test"]).await;
    }

    /// Runs `rabbitmqctl` against the node and returns what it printed; 1–2 s each, Erlang starts for it.
    ///
    /// # Panics
    ///
    /// When the command fails.
    pub async fn ctl(&self, args: &[&str]) -> String {
        let mut command = self.command(RABBITMQ_CTL);
        command.arg("--quiet").args(args);
        let output = tokio::task::spawn_blocking(move || command.output())
            .await
            .expect("running rabbitmqctl")
            .unwrap_or_else(|error| panic!("running rabbitmqctl: {error}"));
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "rabbitmqctl {args:?}: {}\n{stdout}{stderr}", output.status);
        stdout
    }

    async fn start_node(&mut self) {
        let log_path = self.dir.join("rabbitmq.log");
        let mut log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log_path)
            .unwrap_or_else(|error| panic!("opening {}: {error}", log_path.display()));
        let errors = log.try_clone().expect("a second handle of the log");
        let mut process = self
            .command(RABBITMQ_SERVER)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| panic!("starting rabbitmq-server: {error}"));
        let output = process.stdout.take().expect("a pipe");
        let (ready, is_ready) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        // The pipe has to be read as long as the node lives, longer than any runtime of a test may.
        std::thread::spawn(move || {
            let mut ready = Some(ready);
            for line in BufReader::new(output).split(b'\n') {
                let Ok(line) = line else { break };
                let _ = log.write_all(&line).and_then(|()| log.write_all(b"\n"));
                // The listener opens as the last step of the boot, just before this line.
                if String::from_utf8_lossy(&line).contains("Server startup complete")
                    && let Some(ready) = ready.take()
                {
                    let _ = ready.send(());
                }
            }
            drop(ready);
            let _ = end.send(());
        });
        self.node = Some(Node { process, ended });
        match tokio::time::timeout(START_MAX, is_ready).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => panic!("the broker ended while starting{}", self.log_tail()),
            Err(_) => panic!("the broker was not up within {START_MAX:?}{}", self.log_tail()),
        }
    }

    /// What the server and `rabbitmqctl` must agree on.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(required(program));
        // The machine's own node, if there is one, may have left its settings in the environment.
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("RABBITMQ_") || name.starts_with("ERL_")) {
                command.env_remove(name);
            }
        }
        command
            .current_dir(&self.dir)
            // The cookie that the node and rabbitmqctl share lies there.
            .env("HOME", &self.dir)
            .env("RABBITMQ_NODENAME", &self.node_name)
            .env("RABBITMQ_DIST_PORT", self.distribution_port.to_string())
            .env("ERL_EPMD_PORT", self.epmd_port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_CONF_ENV_FILE", self.dir.join("none.conf"))
            .env("RABBITMQ_CONFIG_FILE", self.dir.join("rabbitmq.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", self.dir.join("enabled_plugins"))
            .env("RABBITMQ_MNESIA_BASE", self.dir.join("data"))
            .env("RABBITMQ_LOG_BASE", &self.dir)
            .env("RABBITMQ_LOGS", "-")
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}")
            // The start script then becomes the node instead of watching over it: our child is the node.
            .env_remove("NOTIFY_SOCKET")
            .env("RUNNING_UNDER_SYSTEMD", "1");
        command
    }

    fn log_tail(&self) -> String {
        let path = self.dir.join("rabbitmq.log");
        let log = fs::read_to_string(&path).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        format!("; the end of {}:\n{}", path.display(), lines[lines.len().saturating_sub(20)..].join("\n"))
    }
}

impl Drop for PrivateRabbitMq {
    fn drop(&mut self) {
        self.kill_9();
        let _ = self.epmd.kill();
        let _ = self.epmd.wait();
    }
}

fn write(path: &Path, content: &str) {
    fs::write(path, content).unwrap_or_else(|error| panic!("writing {}: {error}", path.display()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test_dir;
    use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
    use lapin::types::FieldTable;
    use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};

    async fn channel(url: &str) -> Channel {
        let connection = Connection::connect(url, ConnectionProperties::default()).await.expect("connecting");
        let channel = connection.create_channel().await.expect("a channel");
        channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
        channel
    }

    /// Messages in the queue, or why the broker does not tell.
    async fn depth(url: &str) -> Result<u32, String> {
        let passive = QueueDeclareOptions { passive: true, durable: true, ..Default::default() };
        let channel = channel(url).await;
        let queue = channel.queue_declare("kept".into(), passive, FieldTable::default()).await;
        queue.map(|queue| queue.message_count()).map_err(|error| error.to_string())
    }

    /// Waits: once, on a loaded machine, RabbitMQ 3.10 refused the first question after a restart. Why is not known;
    /// if it does not go away, the failure names it.
    async fn has_its_message_again(url: &str, what: &str) {
        let patience = tokio::time::Instant::now() + Duration::from_secs(30);
        loop {
            match depth(url).await {
                Ok(1) => return,
                other if tokio::time::Instant::now() >= patience => panic!("a broker {what} says {other:?}"),
                _ => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    }

    // One test and not five: each start takes seconds.
    #[tokio::test]
    async fn a_private_broker_keeps_what_is_durable_until_it_is_wiped() {
        let mut broker = PrivateRabbitMq::start(test_dir("private-rabbitmq")).await;
        let url = broker.url();

        let publisher = channel(&url).await;
        let durable = QueueDeclareOptions { durable: true, ..Default::default() };
        publisher.queue_declare("kept".into(), durable, FieldTable::default()).await.expect("a queue");
        publisher
            .basic_publish(
                "".into(),
                "kept".into(),
                BasicPublishOptions::default(),
                b"hint",
                BasicProperties::default().with_delivery_mode(2),
            )
            .await
            .expect("publishing")
            .await
            .expect("a confirm");

        broker.close_all_connections().await;
        let listed = broker.ctl(&["list_connections", "pid"]).await;
        assert_eq!(listed.lines().filter(|line| line.starts_with('<')).count(), 0, "{listed}");

        broker.kill_9();
        assert!(Connection::connect(&url, ConnectionProperties::default()).await.is_err(), "nobody listens");
        broker.restart().await;
        has_its_message_again(&url, "that was killed").await;

        broker.restart().await;
        has_its_message_again(&url, "that was stopped in order").await;

        broker.stop().await;
        broker.wipe();
        broker.restart().await;
        let unknown = depth(&url).await.expect_err("a wiped one does not know the queue");
        assert!(unknown.contains("NOT_FOUND"), "{unknown}");
    }
}
