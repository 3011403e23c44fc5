//! Many reconciliations over few pairs of files, submitted by several clients at once, and the proof that all of
//! them ended once and right.

use crate::database::Database;
use crate::deployment::Api;
use crate::pair::{Pair, minor, rules};
use crate::project::{Job, Project, number, text};
use crate::wait::within;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;
use uuid::Uuid;

const CLIENTS: usize = 4;

/// Minutes, on a machine that is busy with other tests.
const BOUND: Duration = Duration::from_secs(400);

pub struct Crowd {
    project: Project,
    pairs: Vec<(Pair, String, String)>,
    /// With the index of the pair.
    jobs: Mutex<Vec<(Job, usize)>>,
}

impl Crowd {
    /// Uploads each of the pairs once.
    pub fn over(api: &Api, pairs: impl IntoIterator<Item = Pair>) -> Self {
        let project = Project::of_somebody(&api.url);
        let bring = |pair: Pair| {
            let (left, right) = pair.bring_into(&project);
            (pair, left, right)
        };
        let pairs = pairs.into_iter().map(bring).collect();
        Self { project, pairs, jobs: Mutex::default() }
    }

    /// Submits jobs; the n-th is over the pair with the index `of(n)`.
    pub fn submit(&self, jobs: std::ops::Range<usize>, of: impl Fn(usize) -> usize + Sync) {
        let rules = rules();
        std::thread::scope(|scope| {
            for client in 0..CLIENTS {
                let (rules, of, numbers) = (&rules, &of, jobs.clone().skip(client).step_by(CLIENTS));
                scope.spawn(move || {
                    for number in numbers {
                        let (_, left, right) = &self.pairs[of(number)];
                        let job = self.project.submit(left, right, rules);
                        self.jobs.lock().expect("no client panics with it").push((job, of(number)));
                    }
                });
            }
        });
    }

    /// Waits until all `jobs` have ended, and checks that each was completed once, by one attempt, with all its
    /// results and sums.
    pub fn check(&self, jobs: usize, database: &Database) {
        let submitted = self.jobs.lock().expect("the clients are done");
        assert_eq!(submitted.len(), jobs);
        let mut seen = BTreeMap::new();
        within(BOUND, "all jobs have ended", || {
            seen = database.states();
            let unfinished =
                ["scheduled", "available", "running"].iter().any(|state| seen.contains_key(*state));
            (!unfinished).then_some(())
        });
        assert_eq!(seen, BTreeMap::from([("completed".to_owned(), jobs as i64)]), "accepted is completed");
        check_attempts(jobs as i64, database);

        let summaries = summaries(&submitted);
        let mut first_of_pair = BTreeMap::new();
        for ((job, pair), summary) in submitted.iter().zip(&summaries) {
            self.pairs[*pair].0.check(summary);
            // Open items say which job first saw them: this one.
            let says = summary.to_string().replace(&job.id.to_string(), "this job");
            let first = first_of_pair.entry(pair).or_insert(says.clone());
            assert_eq!(*first, says, "{} says something else than another job over the same files", job.url);
        }
        let by_job = submitted.iter().map(|(job, _)| job.id).zip(&summaries).collect();
        check_rows(&by_job, database);
    }
}

/// Nothing ran to its end twice, and nothing ended in another way than by its end or the end of its worker.
fn check_attempts(jobs: i64, database: &Database) {
    let completed = database.count("SELECT count(*) FROM attempts WHERE outcome = 'completed'");
    let jobs_completed =
        database.count("SELECT count(DISTINCT job_id) FROM attempts WHERE outcome = 'completed'");
    assert_eq!((completed, jobs_completed), (jobs, jobs));
    let others = database
        .count("SELECT count(*) FROM attempts WHERE outcome IS NULL OR outcome NOT IN ('completed', 'lease_expired')");
    assert_eq!(others, 0, "attempts that ended otherwise");
}

fn summaries(jobs: &[(Job, usize)]) -> Vec<Value> {
    std::thread::scope(|scope| {
        let shares: Vec<_> = jobs
            .chunks(jobs.len().div_ceil(CLIENTS))
            .map(|share| scope.spawn(|| share.iter().map(|(job, _)| job.summary()).collect::<Vec<_>>()))
            .collect();
        shares.into_iter().flat_map(|share| share.join().expect("a client that reads")).collect()
    })
}

/// Adds the rows up and compares them with what the summaries say.
fn check_rows(summaries: &BTreeMap<Uuid, &Value>, database: &Database) {
    let rows = database.match_rows();
    assert_eq!(rows.len(), summaries.len(), "jobs with matches");
    for rows in rows {
        let summary = summaries[&rows.job_id];
        let said = ["matches", "left_matched", "right_matched"].map(|key| number(summary, key));
        assert_eq!([rows.matches, rows.left_records, rows.right_records], said, "{}", rows.job_id);
    }
    let mut said = BTreeMap::new();
    for (job, summary) in summaries {
        for proof in summary["balance"].as_array().expect("a balance") {
            let currency = text(proof, "currency");
            for side in ["left", "right"] {
                let unmatched = minor(&text(proof, &format!("{side}_unmatched")), &currency);
                said.insert((*job, side.to_owned(), currency.clone()), unmatched);
            }
        }
    }
    let mut exceptions = BTreeMap::<Uuid, i64>::new();
    for sum in database.unmatched_sums() {
        *exceptions.entry(sum.job_id).or_default() += sum.records;
        let unmatched = said.remove(&(sum.job_id, sum.side.clone(), sum.currency.clone()));
        assert_eq!(unmatched, Some(i128::from(sum.amount)), "{sum:?}");
    }
    assert!(said.values().all(|unmatched| *unmatched == 0), "unmatched without rows: {said:?}");
    for (job, summary) in summaries {
        assert_eq!(exceptions.get(job).copied().unwrap_or(0), number(summary, "exceptions"), "{job}");
    }
}
