//! The jobs of backups on a real database and two disk stores.

use crate::PATIENCE;
use serde_json::{Value, json};
use shared::config::{BackupStore, Config, DiskStore};
use shared::ids::JobId;
use shared::job::{JobKind, JobState, NewJob};
use shared::objects::Objects;
use shared::policy::Policies;
use shared::queue::{Doorbell, Queue};
use shared::store::Store;
use shared::store::backups::{BackupFilter, BackupKind, BackupState, CopyState, RestoreState};
use shared::store::jobs::{Asker, JobView, enqueue};
use shared::testing::TestDatabase;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use worker::backups::Backups;
use worker::engine::Engine;
use worker::kinds;

const KINDS: [JobKind; 6] = [
    JobKind::BACKUP,
    JobKind::CONFIG_BACKUP,
    JobKind::VERIFY_BACKUPS,
    JobKind::RESTORE_DRILL,
    JobKind::PRUNE_BACKUPS,
    JobKind::RESTORE,
];

struct World {
    store: Store,
    queue: Queue,
    dir: tempfile::TempDir,
    backups: Backups,
    stop: CancellationToken,
    _database: TestDatabase,
}

impl World {
    async fn new(stores: &[&str]) -> Self {
        let (database, dir) = (TestDatabase::create().await, tempfile::tempdir().unwrap());
        let store = database.store();
        let keys = dir.path().join("keys");
        std::fs::write(&keys, "00112233445566778899aabbccddeeff00112233445566778899aabbccddee01").unwrap();
        let mut config = Config::default();
        let disk = |name: &&str| {
            BackupStore::Disk(DiskStore { name: (*name).into(), dir: dir.path().join(name), bytes_max: None })
        };
        config.backup.stores = stores.iter().map(disk).collect();
        config.backup.copies_min = stores.len().max(1);
        config.backup.keys_file = Some(keys);
        config.backup.scratch_dir = Some(dir.path().to_owned());
        config.backup.spool_dir = Some(dir.path().join("spool"));
        let names: Vec<_> = KINDS.iter().map(JobKind::queue).collect();
        let queue = Queue::in_process(&names, 100);
        let backups = Backups::new(&config.backup, store.clone());
        let engine = Engine {
            name: "worker-a".into(),
            store: store.clone(),
            queue: queue.clone(),
            bodies: kinds::all(&config, Objects::local_disk(dir.path().join("objects")).unwrap(), &backups)
                .unwrap(),
            concurrency: 1,
            lease_duration: Duration::from_secs(30),
            drain: Duration::from_secs(5),
            policies: Policies::default(),
            stuck_after: Duration::from_secs(30),
        };
        let stop = CancellationToken::new();
        tokio::spawn({
            let stop = stop.clone();
            async move { engine.run(&KINDS, stop).await }
        });
        Self { store, queue, dir, backups, stop, _database: database }
    }

    async fn accept(&self, kind: JobKind, args: Value) -> JobId {
        let job = NewJob {
            id: JobId::new(),
            kind: kind.clone(),
            project_id: None,
            priority: 9,
            concurrency_key: None,
            args,
            due_at: None,
            attempts_max: 1,
            created_by: None,
            request_id: None,
        };
        let mut tx = self.store.begin().await.unwrap();
        enqueue(&mut tx, &job).await.unwrap();
        tx.commit().await.unwrap();
        let doorbell =
            Doorbell { outbox_id: 1, queue: kind.queue(), job_id: job.id, priority: 9, trace: None };
        self.queue.publish(&[doorbell]).await.unwrap();
        job.id
    }

    /// Until the job is final.
    async fn end_of(&self, id: JobId) -> JobView {
        let ended = tokio::time::timeout(PATIENCE * 3, async {
            loop {
                let job = self.store.job(id).await.unwrap().unwrap();
                if job.state.is_final() {
                    return job;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        ended.await.expect("the job ends")
    }

    /// The result of a job that completes.
    async fn perform(&self, kind: JobKind, args: Value) -> Value {
        let job = self.end_of(self.accept(kind, args).await).await;
        assert_eq!((job.state, &job.error), (JobState::Completed, &None));
        sqlx::query_scalar("SELECT result FROM jobs WHERE id = $1")
            .bind(job.id)
            .fetch_one(self.store.pool())
            .await
            .unwrap()
    }

    fn objects(&self, store: &str) -> Vec<PathBuf> {
        let mut found = vec![];
        walk(&self.dir.path().join(store), &mut found);
        found.sort();
        found
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.path().is_dir() { walk(&entry.path(), found) } else { found.push(entry.path()) }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_taken_verified_healed_proved_and_removed_by_jobs() {
    let world = World::new(&["near", "far"]).await;
    let store = &world.store;
    let taken = world.perform(JobKind::BACKUP, json!({"kind": "full", "note": "a test"})).await;
    let id = taken["backups"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(taken["backups"][0]["held_by"], json!(["near", "far"]));
    world.perform(JobKind::CONFIG_BACKUP, json!({})).await;
    let lines = store.backup_lines(&BackupFilter::default(), None, 10).await.unwrap();
    let kinds: Vec<_> = lines.iter().map(|line| (line.class, line.state)).collect();
    let committed = BackupState::Committed;
    assert_eq!(kinds, [(BackupKind::Configuration, committed), (BackupKind::Full, committed)]);

    // One copy is damaged; the other heals it, and both are known to be whole.
    let damaged =
        world.objects("near").into_iter().find(|path| path.to_string_lossy().contains("/dump-")).unwrap();
    let good = std::fs::read(&damaged).unwrap();
    std::fs::write(&damaged, &good[1..]).unwrap();
    let found = world.perform(JobKind::VERIFY_BACKUPS, json!({})).await;
    assert_eq!((&found["backups"], &found["healed"], &found["left"]), (&json!(2), &json!(1), &json!(0)));
    assert_eq!(std::fs::read(&damaged).unwrap(), good);
    let line = store.backup_line(id.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(line.is_good, Some(true));
    assert!(line.copies.0.iter().all(|copy| copy.state == CopyState::Held), "{:?}", line.copies);

    let proven = world.perform(JobKind::RESTORE_DRILL, json!({})).await;
    assert_eq!(proven["backup"], json!(id));
    assert!(store.last_proven_restore().await.unwrap().is_some());

    // Restores that were asked for: a plan, a copy beside the live database, and what there is no way to do.
    let copy = format!("copy_{}", JobId::new().0.simple());
    let full = |dry_run, database: &str| json!({"mode": {"mode": "full", "backup_id": id, "database": database}, "asked_by": "root", "dry_run": dry_run});
    let plan = world.perform(JobKind::RESTORE, full(true, &copy)).await;
    assert!(plan["steps"].as_array().is_some_and(|steps| steps.len() >= 4), "{plan}");
    let done = world.perform(JobKind::RESTORE, full(false, &copy)).await;
    assert!(done["checks"].as_array().unwrap().iter().all(|check| check["is_ok"] == true), "{done}");
    let again = world.end_of(world.accept(JobKind::RESTORE, full(false, &copy)).await).await;
    assert_eq!(again.state, JobState::Dead);
    assert!(again.error.as_ref().is_some_and(|why| why.contains("there is a database")), "{:?}", again.error);
    let view = store.restore(shared::ids::RestoreId(again.id.0)).await.unwrap().unwrap();
    assert_eq!(view.record.state, RestoreState::Failed);
    sqlx::query(sqlx::AssertSqlSafe(format!("DROP DATABASE {copy} WITH (FORCE)")))
        .execute(store.pool())
        .await
        .unwrap();

    let kept = world.perform(JobKind::PRUNE_BACKUPS, json!({})).await;
    assert_eq!((&kept["kept"], &kept["removed"]), (&json!(2), &json!([])), "the last good ones stay: {kept}");
    let removal = store.backup_removal().await.unwrap().expect("it is recorded");
    assert!((removal.locked, removal.failed) == (0, 0) && removal.complete_at.is_some(), "{removal:?}");

    // Every copy of the dump is gone: the next verification says so, and the watcher raises the alarm.
    for store in ["near", "far"] {
        world
            .objects(store)
            .iter()
            .filter(|p| p.to_string_lossy().contains("/dump-"))
            .for_each(|p| std::fs::remove_file(p).unwrap());
    }
    let found = world.perform(JobKind::VERIFY_BACKUPS, json!({"backup_id": id})).await;
    assert_eq!(found["lost"], json!([id]));
    let stop = CancellationToken::new();
    let watching = tokio::spawn(world.backups.clone().look_after(stop.clone()));
    let raised = tokio::time::timeout(PATIENCE, async {
        loop {
            let open = store.backup_alerts(true, None, 50).await.unwrap();
            if let Some(alert) = open.into_iter().find(|alert| alert.kind == "backup_lost") {
                return alert;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let raised = raised.await.expect("an alarm");
    assert!(raised.message.contains("1 backups"), "{}", raised.message);
    let seen = store.backup_stores().await.unwrap();
    assert!(seen.len() == 2 && seen.iter().all(|s| s.is_reachable && s.objects.is_some()), "{seen:?}");
    stop.cancel();
    watching.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_backup_leaves_nothing_and_is_no_failure() {
    let world = World::new(&["near"]).await;
    // Large enough to be seen while it runs.
    sqlx::query(
        "CREATE TABLE ballast AS SELECT n, md5(n::text) AS text FROM generate_series(1, 3000000) AS n",
    )
    .execute(world.store.pool())
    .await
    .unwrap();
    let id = world.accept(JobKind::BACKUP, json!({"kind": "full"})).await;
    let began = tokio::time::timeout(PATIENCE, async {
        loop {
            let job = world.store.job(id).await.unwrap().unwrap();
            if job.progress.is_some() || job.state.is_final() {
                return job.state;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert_eq!(began.await.expect("it begins"), JobState::Running);
    world.store.cancel_job(id, &Asker::Shell("a test".into())).await.unwrap();
    assert_eq!(world.end_of(id).await.state, JobState::Cancelled);
    let gone = tokio::time::timeout(PATIENCE, async {
        loop {
            let scratch = std::fs::read_dir(world.dir.path()).unwrap().flatten();
            let left = scratch
                .filter(|entry| entry.file_name().to_string_lossy().starts_with("counterfoil-s"))
                .count();
            if left == 0 && world.objects("near").is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    gone.await.unwrap_or_else(|_| panic!("{:?}", world.objects("near")));
    let lines = world.store.backup_lines(&BackupFilter::default(), None, 10).await.unwrap();
    assert!(lines.is_empty(), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_stores_and_with_foolish_args_a_job_is_dead_at_once() {
    let world = World::new(&[]).await;
    let job = world.end_of(world.accept(JobKind::BACKUP, json!({"kind": "full"})).await).await;
    assert_eq!(job.state, JobState::Dead);
    assert!(job.error.as_ref().is_some_and(|why| why.contains("backup.stores")), "{:?}", job.error);
    let world = World::new(&["near"]).await;
    for args in [json!({}), json!({"kind": "tenant"}), json!({"kind": "full", "tenants": "all"})] {
        let job = world.end_of(world.accept(JobKind::BACKUP, args).await).await;
        assert_eq!(job.state, JobState::Dead);
    }
}
