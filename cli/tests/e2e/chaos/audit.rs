//! What was there in the end, added up from the rows that jobs wrote.

use super::faults::{Fault, Struck};
use super::percentile;
use super::place::{Place, Role};
use super::submitters::Submitters;
use crate::wait::within;
use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;
use uuid::Uuid;

/// Without any job ending, for what faults left behind: leases run out, doorbells are rung again, retries wait. How long
/// a backlog takes is no fault.
const SETTLE_MAX: Duration = Duration::from_secs(240);

/// One job, and what its rows add up to.
#[derive(Debug, sqlx::FromRow)]
struct Row {
    job_id: Uuid,
    /// The number of the intention.
    name: String,
    state: String,
    created_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    left_sum: i64,
    right_sum: i64,
}

/// One lease that a worker did not give back.
#[derive(Debug, sqlx::FromRow)]
struct Lost {
    worker: String,
    /// When another worker had the job; `None` when it ended otherwise.
    taken_over_at: Option<DateTime<Utc>>,
}

pub struct Audit {
    wanted: usize,
    accepted: usize,
    repeated: usize,
    /// Numbers without a completed job, or whose results are not whole.
    lost: Vec<String>,
    /// Numbers with more than one job, or whose results are there more than once.
    doubled: Vec<String>,
    /// Jobs that ended in another state than completed.
    unfinished: BTreeMap<String, usize>,
    jobs: Vec<Row>,
    leases_lost: Vec<Lost>,
    lease: Duration,
    /// Seconds from a kill of a worker to the next lease of each of its jobs, sorted.
    takeovers: Vec<f64>,
}

impl Audit {
    /// Waits until every job has ended, then adds up.
    pub fn take(place: &Place, submitters: &Submitters, wanted: usize) -> Self {
        let connect = || place.runtime.block_on(PgConnection::connect(&place.database.url()));
        let open = || -> Option<i64> {
            let sql = "SELECT count(*) FROM jobs WHERE kind = 'reconciliation'
                       AND state IN ('scheduled', 'available', 'running')";
            let mut connection = connect().ok()?;
            place.runtime.block_on(sqlx::query_scalar(sql).fetch_one(&mut connection)).ok()
        };
        let mut last = i64::MAX;
        while last > 0 {
            last = within(SETTLE_MAX, &format!("one of {last} jobs ends"), || {
                open().filter(|left| *left < last)
            });
        }
        let mut connection = connect().expect("connecting");
        let jobs: Vec<Row> =
            place.runtime.block_on(sqlx::query_as(SUMS).fetch_all(&mut connection)).expect("the sums");
        let leases_lost: Vec<Lost> =
            place.runtime.block_on(sqlx::query_as(LOST).fetch_all(&mut connection)).expect("the attempts");

        let accepted = submitters.accepted();
        let mut by_number = BTreeMap::<usize, Vec<&Row>>::new();
        for job in &jobs {
            by_number.entry(job.name.parse().expect("a number")).or_default().push(job);
        }
        let (mut lost, mut doubled, mut unfinished) = (vec![], vec![], BTreeMap::new());
        for number in 0..wanted {
            let (left, right) = submitters.sums(number);
            let jobs = by_number.remove(&number).unwrap_or_default();
            if jobs.len() > 1 {
                doubled.push(format!("{number}: {} jobs", jobs.len()));
            }
            for job in &jobs {
                if job.state != "completed" {
                    *unfinished.entry(job.state.clone()).or_default() += 1;
                }
                if (job.left_sum, job.right_sum) != (left, right) {
                    let says = format!(
                        "{number} ({}): {} and {} instead of {left} and {right}",
                        job.job_id, job.left_sum, job.right_sum
                    );
                    let more = job.left_sum.abs() > left.abs() || job.right_sum.abs() > right.abs();
                    if more { doubled.push(says) } else { lost.push(says) }
                }
            }
            match accepted.get(&number) {
                Some(job) if jobs.iter().any(|row| row.job_id == *job) => {}
                _ => lost.push(format!("{number}: no such job")),
            }
        }
        let strangers = by_number.keys().map(|number| format!("{number}: nobody wanted it"));
        doubled.extend(strangers);
        Self {
            wanted,
            accepted: accepted.len(),
            repeated: submitters.repeated(),
            lost,
            doubled,
            unfinished,
            jobs,
            leases_lost,
            lease: place.lease,
            takeovers: vec![],
        }
    }

    /// Learns how long the jobs of killed workers waited for another one.
    pub fn with_takeovers(mut self, struck: &[Struck]) -> Self {
        let kills = struck.iter().filter(|one| one.fault == Fault::Kill(Role::Worker));
        let mut seconds: Vec<f64> = kills
            .flat_map(|kill| {
                let worker = format!("-{}-", kill.pid.expect("a killed process"));
                let of_it = self.leases_lost.iter().filter(move |lost| lost.worker.contains(&worker));
                of_it.filter_map(|lost| Some(seconds_between(kill.began_at, lost.taken_over_at?)))
            })
            .collect();
        seconds.sort_by(f64::total_cmp);
        self.takeovers = seconds;
        self
    }

    /// Seconds from the end of the fault to the end of the first job that was submitted after it: the whole way works
    /// again. `None` when no job was submitted after it.
    pub fn recovery(&self, struck: &Struck) -> Option<f64> {
        let after = self.jobs.iter().filter(|job| job.created_at > struck.ended_at);
        let ended = after.filter_map(|job| job.finished_at).min()?;
        Some(seconds_between(struck.ended_at, ended))
    }

    pub fn check(&self) {
        assert_eq!(self.accepted, self.wanted, "accepted");
        assert!(self.lost.is_empty(), "lost: {:#?}", self.lost);
        assert!(self.doubled.is_empty(), "doubled: {:#?}", self.doubled);
        assert!(self.unfinished.is_empty(), "ended otherwise than completed: {:?}", self.unfinished);
        // Beyond the end of a lease others have to notice, which other faults may delay.
        if !self.takeovers.is_empty() {
            let p50 = percentile(&self.takeovers, 0.5);
            let soon = self.lease.as_secs_f64() + 10.0;
            assert!(p50 <= soon, "jobs of killed workers were taken over after {p50:.1} s");
        }
    }
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "accepted {} of {} ({} requests repeated), lost {}, doubled {}, ended otherwise {:?}",
            self.accepted,
            self.wanted,
            self.repeated,
            self.lost.len(),
            self.doubled.len(),
            self.unfinished
        )?;
        write!(f, "leases that ran out: {}", self.leases_lost.len())?;
        if let Some(max) = self.takeovers.last() {
            let share = |share| percentile(&self.takeovers, share);
            write!(
                f,
                "; jobs of killed workers taken over: {}, after p50 {:.1} s, p99 {:.1} s, max {max:.1} s",
                self.takeovers.len(),
                share(0.5),
                share(0.99)
            )?;
        }
        Ok(())
    }
}

fn seconds_between(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    (to - from).num_milliseconds() as f64 / 1000.0
}

const SUMS: &str = "
    WITH matched AS (
        SELECT job_id,
               sum((SELECT sum((record ->> 'amount')::bigint)
                    FROM jsonb_array_elements(records_of(left_records, left_packed)) record)) AS l,
               sum((SELECT sum((record ->> 'amount')::bigint)
                    FROM jsonb_array_elements(records_of(right_records, right_packed)) record)) AS r
        FROM matches GROUP BY job_id
    ), unmatched AS (
        SELECT job_id,
               sum(amount) FILTER (WHERE side = 'left') AS l, sum(amount) FILTER (WHERE side = 'right') AS r
        FROM exceptions GROUP BY job_id
    )
    SELECT job.id AS job_id, reconciliation.name, job.state::text AS state, job.created_at, job.finished_at,
           (coalesce(matched.l, 0) + coalesce(unmatched.l, 0))::bigint AS left_sum,
           (coalesce(matched.r, 0) + coalesce(unmatched.r, 0))::bigint AS right_sum
    FROM jobs job
    JOIN reconciliations reconciliation ON reconciliation.job_id = job.id
    LEFT JOIN matched ON matched.job_id = job.id
    LEFT JOIN unmatched ON unmatched.job_id = job.id";

const LOST: &str = "
    SELECT worker,
           (SELECT min(later.started_at) FROM attempts later
            WHERE later.job_id = attempt.job_id AND later.fence > attempt.fence) AS taken_over_at
    FROM attempts attempt WHERE outcome = 'lease_expired'";
