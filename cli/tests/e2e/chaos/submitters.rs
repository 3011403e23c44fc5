//! Clients that want each of their jobs to be accepted once, and do not give up.

use super::files::SmallPair;
use super::place::{APIS, Place};
use crate::client::Client;
use crate::project::{Project, text};
use crate::wait::within;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use uuid::Uuid;

const CLIENTS: usize = 4;
const PAIRS: usize = 16;

/// How long one request may take before the client asks the other API process.
const REQUEST_MAX: Duration = Duration::from_secs(15);

/// All faults of a run and the recovery from them.
const PATIENCE: Duration = Duration::from_secs(600);

pub struct Submitters {
    project: Project,
    urls: [String; APIS],
    /// With their data sources.
    pairs: Vec<(SmallPair, String, String)>,
    /// By number of the intention: the job that was accepted for it.
    accepted: Mutex<BTreeMap<usize, Uuid>>,
    /// Requests that were sent again since nobody knows what became of the one before.
    repeated: AtomicUsize,
    jobs: AtomicUsize,
    /// Intentions that may be submitted by now.
    released: AtomicUsize,
    faults_over: AtomicBool,
}

impl Submitters {
    /// Uploads the files.
    pub fn over(place: &Place, seed: u64) -> Self {
        let project = Project::create(Client::registered(&place.api_urls[0]));
        let mut dice = SmallRng::seed_from_u64(seed);
        let bring = |number: usize| {
            let pair = SmallPair::draw(&mut dice);
            let source = |side: &str, bytes: &[u8]| {
                project.source(&format!("{side}-{number}.csv"), bytes, &SmallPair::mapping())
            };
            let (left, right) = (source("bank", &pair.bank), source("ledger", &pair.ledger));
            (pair, left, right)
        };
        let pairs = (0..PAIRS).map(bring).collect();
        Self {
            urls: place.api_urls.clone(),
            project,
            pairs,
            accepted: Mutex::default(),
            repeated: AtomicUsize::new(0),
            jobs: AtomicUsize::new(0),
            released: AtomicUsize::new(0),
            faults_over: AtomicBool::new(false),
        }
    }

    /// Returns when every one of the jobs has been accepted.
    pub fn submit(&self, jobs: usize) {
        self.jobs.store(jobs, Ordering::Release);
        std::thread::scope(|scope| {
            for client in 0..CLIENTS {
                scope.spawn(move || {
                    let mut api = self.client(client);
                    for number in (client..jobs).step_by(CLIENTS) {
                        self.wait_until_released(number);
                        let job = self.submit_one(number, &mut api, client);
                        self.accepted.lock().expect("no client panics with it").insert(number, job);
                    }
                });
            }
        });
    }

    /// Until an answer says that it was accepted. The key makes the requests one: whatever became of the earlier
    /// ones, there is one job.
    fn submit_one(&self, number: usize, api: &mut Client, client: usize) -> Uuid {
        let (_, left, right) = &self.pairs[number % PAIRS];
        let body = json!({
            "project_id": self.project.id, "left_source_id": left, "right_source_id": right,
            "name": format!("{number}"), "rules": SmallPair::rules(),
        });
        let key = format!("chaos-{number}");
        let mut tries = 0;
        within(PATIENCE, &format!("job {number} is accepted"), || {
            tries += 1;
            let answer = api.try_post("/api/reconciliation/jobs", &body, &[("idempotency-key", &key)]);
            match answer {
                Ok(answer) if answer.status == 202 => {
                    return Some(text(&answer.expect(202), "id").parse().expect("a UUID"));
                }
                // Busy, limited, or without its database: it says so, and that nothing was stored or maybe was. Or its
                // clock says that the token is not valid yet.
                Ok(answer) => assert!(
                    matches!(answer.status, 401 | 408 | 409 | 429 | 500 | 503 | 504),
                    "job {number}: {answer:?}"
                ),
                Err(_) => {}
            }
            self.repeated.fetch_add(1, Ordering::Relaxed);
            *api = self.client(client + tries);
            None
        })
    }

    fn client(&self, number: usize) -> Client {
        self.project.client.at(&self.urls[number % APIS], REQUEST_MAX)
    }

    fn wait_until_released(&self, number: usize) {
        within(PATIENCE * 100, "the next job may be submitted", || {
            let may =
                number < self.released.load(Ordering::Acquire) || self.faults_over.load(Ordering::Acquire);
            may.then_some(())
        });
    }

    /// Lets as many jobs in as belong to the first `fault + 1` of `faults`, and waits until those of the first
    /// `fault` are accepted.
    pub fn wait_for_share(&self, fault: usize, faults: usize) {
        let jobs = within(PATIENCE, "the clients begin", || {
            Some(self.jobs.load(Ordering::Acquire)).filter(|jobs| *jobs > 0)
        });
        self.released.store((jobs * (fault + 1)).div_ceil(faults), Ordering::Release);
        within(PATIENCE, "the share of jobs is accepted", || {
            (self.accepted.lock().expect("no client panics with it").len() >= jobs * fault / faults)
                .then_some(())
        });
    }

    pub fn faults_are_over(&self) {
        self.faults_over.store(true, Ordering::Release);
    }

    pub fn accepted(&self) -> BTreeMap<usize, Uuid> {
        self.accepted.lock().expect("the clients are done").clone()
    }

    pub fn repeated(&self) -> usize {
        self.repeated.load(Ordering::Relaxed)
    }

    /// What the results of the job with this number add up to.
    pub fn sums(&self, number: usize) -> (i64, i64) {
        self.pairs[number % PAIRS].0.sums
    }
}
