//! Throughput and latency of the job engine with jobs that do nothing, against the PostgreSQL and the RabbitMQ that
//! `DATABASE_URL` and `AMQP_URL` name. See bench/jobs/README.md.
//!
//! Everything that makes a job durable is on: synchronous commit, quorum queue, publisher confirms, results in
//! Postgres. One JSON line per measurement.

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use shared::config::{Config, LogFormat};
use shared::ids::JobId;
use shared::job::{JobKind, NewJob};
use shared::policy::Policies;
use shared::queue::Queue;
use shared::store::jobs::{enqueue, enqueue_many};
use shared::store::{PoolLimits, Store};
use shared::telemetry::Telemetry;
use shared::telemetry::metric::Role;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use worker::body::{Bodies, Done, JobBody, JobError};
use worker::context::JobContext;
use worker::engine::Engine;

const KIND: JobKind = JobKind::from_static("bench_noop");
type Failure = Box<dyn std::error::Error + Send + Sync>;

const USAGE: &str = "bench_jobs MODE [N]
  enqueue [N]  one job per transaction: each of CLIENTS callers one after the other (2000)
  bulk [N]     in steps of 1000, each a transaction (100000)
  e2e [N]      a backlog of N from the start of the worker to the last completion (20000)
  latency [S]  from the call that enqueues to the start of the body, at 50 jobs/s for S seconds (20)
  idle         memory of a worker that waits
  sink         a collector of traces, which takes everything and keeps nothing; says where it listens, and goes on until killed
  bloat [N]    N jobs in ten parts: the rate of the last against that of the first (100000)
environment: DATABASE_URL, AMQP_URL, CONCURRENCY (16), CLIENTS (1), WAKE: who rings for a commit. own (the process that
committed, as the API does, with the scheduler's relay for the rest; the default), notify (the scheduler's relay, which is told
over the database), direct (that relay, in the same process), period (it looks every 100 ms), TELEMETRY: the address of
a collector. With it the log (JSON, `info`), the metrics and the trace of every job are on; without it all three are off";

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let mode = args.next().ok_or(USAGE)?;
    let n = args.next().map(|n| n.parse::<usize>()).transpose()?;
    if mode == "sink" {
        return sink().await;
    }
    let telemetry = telemetry()?;
    let bench = Arc::new(Bench::new().await?);
    // On a thread of the runtime, where requests are answered, too: the main thread has to be woken for each answer.
    let measured = tokio::spawn(measure(bench.clone(), mode.clone(), n)).await??;
    println!("{}", json!({ "mode": mode, "concurrency": bench.concurrency, "measured": measured }));
    bench.queue.close().await;
    if let Some(telemetry) = telemetry {
        let metrics = telemetry.metrics.clone();
        drop(telemetry);
        let figures = metrics.render();
        for line in figures.lines().filter(|line| line.starts_with("counterfoil_trace_spans_total")) {
            println!("{}", json!({ "spans": line }));
        }
    }
    Ok(())
}

async fn measure(bench: Arc<Bench>, mode: String, n: Option<usize>) -> Result<Value, Failure> {
    match mode.as_str() {
        "enqueue" => bench.enqueue(n.unwrap_or(2_000)).await,
        "bulk" => bench.bulk(n.unwrap_or(100_000)).await,
        "e2e" => bench.end_to_end(n.unwrap_or(20_000)).await,
        "latency" => bench.latency(n.unwrap_or(20)).await,
        "idle" => bench.idle().await,
        "bloat" => bench.bloat(n.unwrap_or(100_000)).await,
        _ => Err(USAGE.into()),
    }
}

fn telemetry() -> Result<Option<Telemetry>, Failure> {
    let Ok(collector) = std::env::var("TELEMETRY") else { return Ok(None) };
    let mut config = Config::default();
    config.log.format = LogFormat::Json;
    config.telemetry.otlp.endpoint = Some(collector);
    Ok(Some(Telemetry::start(&config, Role::ALL)?))
}

/// Answers every request with 200 over connections that stay open.
async fn sink() -> Result<(), Failure> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            let mut stream = BufReader::new(stream);
            let mut line = String::new();
            let mut length = 0;
            while stream.read_line(&mut line).await? > 0 {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap_or(0);
                }
                if line.trim().is_empty() {
                    tokio::io::copy(&mut (&mut stream).take(length), &mut tokio::io::sink()).await?;
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await?;
                }
                line.clear();
            }
            std::io::Result::Ok(())
        });
    }
}

struct Bench {
    store: Store,
    queue: Queue,
    concurrency: usize,
    /// Rung after each commit.
    wake: Arc<Notify>,
    /// What the relay hears.
    relay_wake: Arc<Notify>,
    clock: Clock,
    /// Jobs that were accepted to run, and bodies that have begun.
    accepted: AtomicUsize,
    begun: Arc<AtomicUsize>,
}

/// Nanoseconds since the process began: goes into the args and comes out in the body.
#[derive(Clone)]
struct Clock(Instant, Arc<Mutex<Vec<u64>>>);

struct Noop(Clock, Arc<AtomicUsize>);

impl JobBody for Noop {
    fn kind(&self) -> JobKind {
        KIND
    }

    fn time_limit(&self) -> Duration {
        Duration::from_secs(60)
    }

    fn run(self: Arc<Self>, context: JobContext) -> BoxFuture<'static, Result<Done, JobError>> {
        let started_ns = self.0.0.elapsed().as_nanos() as u64;
        self.1.fetch_add(1, Ordering::Relaxed);
        if let Some(sent_ns) = context.lease().args["sent_ns"].as_u64() {
            self.0.1.lock().expect("nobody panics with it").push(started_ns.saturating_sub(sent_ns));
        }
        Box::pin(async { Ok(Done::Result(json!({}))) })
    }
}

impl Bench {
    async fn new() -> Result<Self, Failure> {
        let variable = |name: &str| std::env::var(name).map_err(|_| format!("{name} is not set\n{USAGE}"));
        let limits = PoolLimits { acquire_timeout: Duration::from_secs(30), ..PoolLimits::default() };
        let store = Store::new(variable("DATABASE_URL")?.parse()?, &limits);
        store.migrate().await?;
        let prefix = "counterfoil-bench";
        let queue = Queue::amqp(&variable("AMQP_URL")?.into(), prefix, &[KIND.queue()])?;
        queue.purge(&KIND.queue()).await?;
        let concurrency = variable("CONCURRENCY").unwrap_or_default().parse().unwrap_or(16);
        let clock = Clock(Instant::now(), Arc::default());
        let wake = Arc::new(Notify::new());
        let relay_wake = match variable("WAKE").unwrap_or_else(|_| "own".into()).as_str() {
            "direct" => wake.clone(),
            "period" => Arc::default(),
            how @ ("own" | "notify") => {
                let heard = Arc::new(Notify::new());
                let never = CancellationToken::new();
                let (announcing, committed, told) = (store.clone(), wake.clone(), never.clone());
                if how == "own" {
                    // With a connection of its own, as another process has.
                    let queue = Queue::amqp(&variable("AMQP_URL")?.into(), prefix, &[KIND.queue()])?;
                    tokio::spawn(async move {
                        scheduler::ring_own(&Config::default(), announcing, queue, committed, told).await;
                    });
                } else {
                    tokio::spawn(announcing.announce_doorbells(committed, told));
                }
                let (store, heard_there) = (store.clone(), heard.clone());
                tokio::spawn(async move { store.listen_for_doorbells(heard_there, never).await });
                heard
            }
            other => return Err(format!("WAKE={other}\n{USAGE}").into()),
        };
        let (accepted, begun) = Default::default();
        Ok(Self { store, queue, concurrency, wake, relay_wake, clock, accepted, begun })
    }

    fn job(&self) -> NewJob {
        NewJob {
            id: JobId::new(),
            kind: KIND,
            project_id: None,
            concurrency_key: None,
            priority: 5,
            args: json!({ "v": 1 }),
            due_at: None,
            attempts_max: 3,
            created_by: None,
            request_id: None,
        }
    }

    async fn accept(&self, job: &NewJob) -> Result<(), Failure> {
        // One statement is a transaction.
        enqueue(&mut *self.store.pool().acquire().await?, job).await?;
        self.accepted.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn accept_many(&self, n: usize) -> Result<(), Failure> {
        for step in (0..n).step_by(1_000) {
            let jobs: Vec<NewJob> = (step..n.min(step + 1_000)).map(|_| self.job()).collect();
            let accepted = async {
                let mut tx = self.store.begin().await?;
                enqueue_many(&mut tx, &jobs, None).await?;
                tx.commit().await?;
                Ok::<_, Failure>(())
            };
            // As a request would: every job of it is in a sampled trace.
            accepted.instrument(tracing::info_span!(target: "worker", "accept")).await?;
            self.accepted.fetch_add(jobs.len(), Ordering::Relaxed);
        }
        Ok(())
    }

    async fn enqueue(&self, n: usize) -> Result<Value, Failure> {
        let clients: usize = std::env::var("CLIENTS").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
        let began = Instant::now();
        let one_after_the_other = (0..clients).map(|client| async move {
            for _ in (client..n).step_by(clients) {
                self.accept(&self.job()).await?;
            }
            Ok::<_, Failure>(())
        });
        futures_util::future::try_join_all(one_after_the_other).await?;
        let rate = n as f64 / began.elapsed().as_secs_f64();
        self.forget_backlog().await?;
        Ok(json!({ "clients": clients, "jobs_per_s": rate.round() }))
    }

    async fn bulk(&self, n: usize) -> Result<Value, Failure> {
        let began = Instant::now();
        self.accept_many(n).await?;
        let rate = n as f64 / began.elapsed().as_secs_f64();
        self.forget_backlog().await?;
        Ok(json!({ "jobs_per_s": rate.round() }))
    }

    async fn end_to_end(&self, n: usize) -> Result<Value, Failure> {
        let running = self.start();
        self.accept_many(500).await?;
        self.wake.notify_one();
        self.until_idle().await?;
        running.stop().await;
        self.accept_many(n).await?;
        let (began, cpu) = (Instant::now(), cpu_s());
        let running = self.start();
        self.until_idle().await?;
        let (wall_s, cpu_s) = (began.elapsed().as_secs_f64(), cpu_s() - cpu);
        running.stop().await;
        Ok(json!({
            "jobs_per_s": (n as f64 / wall_s).round(),
            "cpu_us_per_job": (cpu_s / n as f64 * 1e6).round(),
            "rss_mb": rss_mb(),
        }))
    }

    async fn latency(&self, seconds: usize) -> Result<Value, Failure> {
        let running = self.start();
        for _ in 0..50 {
            self.accept(&self.job()).await?;
            self.wake.notify_one();
        }
        self.until_idle().await?;
        let jobs = seconds * 50;
        let began = tokio::time::Instant::now();
        for i in 0..jobs {
            tokio::time::sleep_until(began + Duration::from_millis(20) * i as u32).await;
            let sent_ns = self.clock.0.elapsed().as_nanos() as u64;
            self.accept(&NewJob { args: json!({ "sent_ns": sent_ns }), ..self.job() }).await?;
            self.wake.notify_one();
        }
        self.until_idle().await?;
        running.stop().await;
        let mut waits = self.clock.1.lock().expect("nobody panics with it").clone();
        waits.sort_unstable();
        let at = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize] as f64 / 1e6;
        Ok(json!({ "jobs": waits.len(), "p50_ms": at(0.5), "p90_ms": at(0.9), "p99_ms": at(0.99) }))
    }

    async fn idle(&self) -> Result<Value, Failure> {
        let running = self.start();
        self.accept_many(100).await?;
        self.wake.notify_one();
        self.until_idle().await?;
        let rss_mb = rss_mb();
        running.stop().await;
        Ok(json!({ "rss_mb": rss_mb }))
    }

    async fn bloat(&self, n: usize) -> Result<Value, Failure> {
        let part = (n / 10).max(1);
        let running = self.start();
        let mut rates = vec![];
        for _ in 0..10 {
            let began = Instant::now();
            self.accept_many(part).await?;
            self.wake.notify_one();
            self.until_idle().await?;
            rates.push((part as f64 / began.elapsed().as_secs_f64()).round());
        }
        running.stop().await;
        let bytes: i64 = sqlx::query_scalar(
            "SELECT sum(pg_total_relation_size(c))::bigint
             FROM unnest(ARRAY['jobs', 'attempts', 'outbox', 'job_ledger']::regclass[]) AS c",
        )
        .fetch_one(self.store.pool())
        .await?;
        let outbox_bytes: i64 = sqlx::query_scalar("SELECT pg_total_relation_size('outbox')")
            .fetch_one(self.store.pool())
            .await?;
        Ok(json!({
            "jobs_per_s_of_each_tenth": rates,
            "last_to_first": rates[9] / rates[0],
            "bytes_per_job": bytes as usize / n,
            "outbox_mb": outbox_bytes >> 20,
            "unaccounted": self.store.job_balance().await?.unaccounted(),
        }))
    }

    /// One scheduler and one worker, in this process.
    fn start(&self) -> Running {
        let stop = CancellationToken::new();
        let mut config = Config::default();
        config.scheduler.relay_window = 2_000;
        let (store, queue, wake, told) =
            (self.store.clone(), self.queue.clone(), self.relay_wake.clone(), stop.clone());
        let scheduler = tokio::spawn(async move { scheduler::run(&config, store, queue, wake, told).await });
        let engine = Engine {
            name: format!("bench-{}", std::process::id()),
            store: self.store.clone(),
            queue: self.queue.clone(),
            bodies: Bodies::default().with(Noop(self.clock.clone(), self.begun.clone())),
            concurrency: self.concurrency,
            lease_duration: Duration::from_secs(15),
            drain: Duration::from_secs(30),
            policies: Policies::default(),
            stuck_after: Duration::from_secs(30),
        };
        let told = stop.clone();
        let worker = tokio::spawn(async move {
            if let Err(error) = engine.run(&[KIND], told).await {
                eprintln!("{error}");
            }
        });
        Running { stop, scheduler, worker }
    }

    async fn until_idle(&self) -> Result<(), Failure> {
        // The database has other things to do than to be asked, until the end is near.
        while self.begun.load(Ordering::Relaxed) < self.accepted.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        loop {
            let unfinished: bool = sqlx::query_scalar(
                "SELECT EXISTS (SELECT FROM jobs WHERE state = 'available')
                     OR EXISTS (SELECT FROM jobs WHERE state = 'running')",
            )
            .fetch_one(self.store.pool())
            .await?;
            if !unfinished {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// What was only enqueued must not run in the next measurement.
    async fn forget_backlog(&self) -> Result<(), Failure> {
        for statement in ["TRUNCATE outbox", "TRUNCATE jobs CASCADE", "TRUNCATE job_ledger"] {
            sqlx::query(statement).execute(self.store.pool()).await?;
        }
        self.accepted.store(self.begun.load(Ordering::Relaxed), Ordering::Relaxed);
        Ok(())
    }
}

struct Running {
    stop: CancellationToken,
    scheduler: tokio::task::JoinHandle<()>,
    worker: tokio::task::JoinHandle<()>,
}

impl Running {
    async fn stop(self) {
        self.stop.cancel();
        let _ = self.worker.await;
        let _ = self.scheduler.await;
    }
}

/// Of this process, in user and kernel mode.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 =
        after_name.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    // The kernel counts in hundredths of a second whatever its clock does.
    ticks as f64 / 100.0
}

fn rss_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or("");
    let kb: f64 = line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).unwrap_or(0.0);
    (kb / 102.4).round() / 10.0
}
