//! Workers as the store sees them: they take leases, renew them, write, and end in every way there is.

use crate::world::{LEASE, World};
use rand::RngExt;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use shared::job::{JobKind, Lease};
use shared::store::StoreError;
use shared::store::jobs::{Finish, Held, ReleaseError, become_writer, release};
use sqlx::{Postgres, Transaction};
use std::time::Duration;

pub const KIND: JobKind = JobKind::from_static("test");

pub struct Worker {
    name: String,
    pub frozen: bool,
    running: Option<Attempt>,
}

struct Attempt {
    lease: Lease,
    /// Open once it has begun to write; a frozen or late worker may keep it for as long as it likes.
    writing: Option<Transaction<'static, Postgres>>,
}

impl Worker {
    pub fn new(number: usize) -> Self {
        Self { name: format!("worker-{number}"), frozen: false, running: None }
    }
}

impl World {
    /// A worker that has nothing to do takes a message.
    pub async fn deliver(&mut self, dice: &mut SmallRng) {
        let idle: Vec<usize> = (0..self.workers.len())
            .filter(|i| !self.workers[*i].frozen && self.workers[*i].running.is_none())
            .collect();
        let Some(worker) = idle.choose(dice) else { return };
        let Some(job) = self.broker.pop_front() else { return };
        let worker = &mut self.workers[*worker];
        let lease = self.store.acquire(job, &worker.name, LEASE).await.expect("asking for the lease");
        // Without a lease the message meant nothing, or nothing any more. Now and then the worker dies in between.
        if let Some(lease) = lease
            && dice.random_bool(0.95)
        {
            worker.running = Some(Attempt { lease, writing: None });
        }
    }

    /// A worker that runs something goes one step on.
    pub async fn work(&mut self, dice: &mut SmallRng) {
        let busy: Vec<usize> = (0..self.workers.len())
            .filter(|i| !self.workers[*i].frozen && self.workers[*i].running.is_some())
            .collect();
        let Some(&worker) = busy.choose(dice) else { return };
        match dice.random_range(0..10) {
            0..3 => self.renew(worker).await,
            3..6 => self.write(worker).await,
            _ => self.finish(worker, dice).await,
        }
    }

    async fn renew(&mut self, worker: usize) {
        let worker = &mut self.workers[worker];
        let attempt = worker.running.as_ref().expect("a busy worker");
        let held = Held { job_id: attempt.lease.job_id, fence: attempt.lease.fence, progress: None };
        let kept = self.store.renew(&[held], LEASE).await;
        match kept {
            // Lost, or asked to stop: it drops what it has.
            Ok(kept) if kept.iter().all(|renewal| renewal.cancel_requested) => {
                let attempt = worker.running.take().expect("a busy worker");
                drop(attempt.writing);
                if !kept.is_empty() {
                    let mut tx = self.store.begin().await.expect("a transaction");
                    if release(&mut tx, &attempt.lease, &Finish::Cancelled).await.is_ok() {
                        tx.commit().await.expect("committing");
                    }
                }
            }
            Ok(_) | Err(StoreError::Unavailable(_)) => {}
            Err(error) => panic!("renewing: {error}"),
        }
    }

    /// Begins to write: the effect is in a transaction that is open from now on.
    async fn write(&mut self, worker: usize) {
        let worker = &mut self.workers[worker];
        let attempt = worker.running.as_mut().expect("a busy worker");
        if attempt.writing.is_some() {
            return;
        }
        let mut tx = self.store.begin().await.expect("a transaction");
        match become_writer(&mut tx, &self.store, &attempt.lease).await {
            Ok(()) => {}
            Err(ReleaseError::LeaseLost(_)) => return worker.running = None,
            Err(ReleaseError::Store(error)) => panic!("becoming the writer: {error}"),
        }
        sqlx::query("INSERT INTO effects (job_id, fence, amount) VALUES ($1, $2, $3)")
            .bind(attempt.lease.job_id)
            .bind(attempt.lease.fence)
            .bind(attempt.lease.args["amount"].as_i64().expect("an amount"))
            .execute(&mut *tx)
            .await
            .expect("the effect");
        attempt.writing = Some(tx);
    }

    /// Ends the attempt in one of the ways a body may: what it wrote counts only when it completes.
    async fn finish(&mut self, worker: usize, dice: &mut SmallRng) {
        let attempt = self.workers[worker].running.take().expect("a busy worker");
        let wait = Duration::from_secs(dice.random_range(0..60));
        let (finish, writing) = match (attempt.writing, dice.random_range(0..10)) {
            (Some(tx), 0..8) => (Finish::Completed { result: serde_json::json!({}) }, Some(tx)),
            (_, 0..3) => (Finish::Retry { wait, error: "no luck".into() }, None),
            (_, 3..5) => (Finish::Snooze { wait, reason: "not now".into() }, None),
            (_, 5) => (Finish::Dead { error: "never".into() }, None),
            _ => (Finish::HandedBack, None),
        };
        let mut tx = match writing {
            Some(tx) => tx,
            None => self.store.begin().await.expect("a transaction"),
        };
        match release(&mut tx, &attempt.lease, &finish).await {
            // An error means: not committed, since nobody answers for it.
            Ok(_) => drop(tx.commit().await),
            Err(ReleaseError::LeaseLost(_) | ReleaseError::Store(StoreError::Unavailable(_))) => {}
            Err(ReleaseError::Store(error)) => panic!("releasing: {error}"),
        }
    }

    /// Kill -9: its transactions are rolled back by the server, its lease is not given back.
    pub async fn crash_a_worker(&mut self, dice: &mut SmallRng) {
        let worker = dice.random_range(0..self.workers.len());
        self.workers[worker] = Worker::new(worker);
    }

    /// SIGSTOP: it keeps what it has, open transactions too.
    pub fn freeze_a_worker(&mut self, dice: &mut SmallRng) {
        let worker = dice.random_range(0..self.workers.len());
        self.workers[worker].frozen = true;
    }

    pub fn thaw_a_worker(&mut self, dice: &mut SmallRng) {
        let worker = dice.random_range(0..self.workers.len());
        self.workers[worker].frozen = false;
    }
}
