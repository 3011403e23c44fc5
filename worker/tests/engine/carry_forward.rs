//! Three months of a bank account, each continuing the one before, with the real worker and a real PostgreSQL.

use super::PATIENCE;
use serde_json::json;
use shared::config::Config;
use shared::ids::{DataSourceId, FileId, JobId, ProjectId, UserId};
use shared::job::{JobKind, JobState, NewJob};
use shared::objects::{ObjectKey, Objects};
use shared::queue::Queue;
use shared::store::data_sources::NewDataSource;
use shared::store::files::NewFile;
use shared::store::jobs::{JobView, enqueue};
use shared::store::open_items::{CountAndAmount, OpenItemsSummary};
use shared::store::reconciliations::{Continuable, NewReconciliation, insert, lock_to_continue};
use shared::store::results::{StoredException, StoredMatch};
use shared::store::users::NewUser;
use shared::store::{Store, StoreError};
use shared::testing::TestDatabase;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};

struct Books {
    store: Store,
    objects: Objects,
    wake: Arc<Notify>,
    user: UserId,
    project: ProjectId,
    _stop: DropGuard,
    _database: TestDatabase,
    _folder: tempfile::TempDir,
}

impl Books {
    async fn open() -> Self {
        Self::open_with(Config::default()).await
    }

    async fn open_with(mut config: Config) -> Self {
        let database = TestDatabase::create().await;
        let folder = tempfile::tempdir().unwrap();
        let objects = Objects::local_disk(folder.path().to_owned()).unwrap();
        let store = database.store();
        let queue = Queue::in_process(&[JobKind::RECONCILIATION.queue()], 1000);
        let (wake, stop) = (Arc::new(Notify::new()), CancellationToken::new());
        config.scheduler.period_ms = 100;
        let (scheduling, working) = (config.clone(), config);
        let (s, q, w, told) = (store.clone(), queue.clone(), wake.clone(), stop.clone());
        tokio::spawn(async move { scheduler::run(&scheduling, s, q, w, told).await });
        let (s, o, told) = (database.store(), objects.clone(), stop.clone());
        tokio::spawn(async move { worker::run(&working, s, queue, o, told).await });
        let (user, project) = (UserId::new(), ProjectId::new());
        let new = NewUser {
            id: user,
            email: format!("{user}@example.test"),
            name: "Ada".into(),
            password_hash: "none".into(),
            is_platform_admin: false,
        };
        store.insert_user(&new).await.unwrap();
        store.create_project(project, "Books", user).await.unwrap();
        Self {
            store,
            objects,
            wake,
            user,
            project,
            _stop: stop.drop_guard(),
            _database: database,
            _folder: folder,
        }
    }

    async fn source(&self, text: &str) -> DataSourceId {
        let (file, source) = (FileId::new(), DataSourceId::new());
        let object_key = ObjectKey::for_upload(self.project, file);
        let chunks = futures_util::stream::iter([Ok::<_, StoreError>(bytes::Bytes::from(text.to_owned()))]);
        assert!(self.objects.put(&object_key, chunks, 1 << 20).await.is_ok());
        let new = NewFile {
            id: file,
            project_id: self.project,
            name: "file.csv".into(),
            size_bytes: text.len() as u64,
            sha256: [0; 32],
            object_key,
            uploaded_by: self.user,
        };
        self.store.insert_file(&new).await.unwrap();
        let mapping = json!({
            "format": "csv", "id": "id", "date": {"column": "date"}, "amount": {"column": "amount"},
            "currency": {"fixed": "EUR"}, "fields": {"reference": "reference"},
        });
        let new = NewDataSource {
            id: source,
            project_id: self.project,
            file_id: file,
            name: "file".into(),
            mapping,
            created_by: self.user,
        };
        self.store.insert_data_source(&new).await.unwrap();
        source
    }

    /// Lines are `id date amount reference`.
    async fn run(&self, bank: &[&str], ledger: &[&str], continues: Option<JobId>) -> Answer {
        let ended = self.end_of(bank, ledger, continues).await;
        assert_eq!(ended.state, JobState::Completed, "{:?}", ended.error);
        let stored = self.store.reconciliation(ended.id).await.unwrap().unwrap();
        let rejected = self.store.rejected_lines(ended.id, None, 100).await.unwrap();
        Answer {
            id: ended.id,
            open_items: stored.open_items.unwrap(),
            exceptions: self.store.exceptions(ended.id, None, None, 100).await.unwrap(),
            matches: self.store.matches(ended.id, None, 0, 100).await.unwrap(),
            notes: rejected.into_iter().map(|line| line.reason).collect(),
        }
    }

    /// The job of such a run, once it has ended.
    async fn end_of(&self, bank: &[&str], ledger: &[&str], continues: Option<JobId>) -> JobView {
        let csv = |lines: &[&str]| {
            let lines = lines.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(",") + "\n");
            "id,date,amount,reference\n".to_owned() + &lines.collect::<String>()
        };
        let (left, right) = (self.source(&csv(bank)).await, self.source(&csv(ledger)).await);
        let job = NewJob {
            id: JobId::new(),
            kind: JobKind::RECONCILIATION,
            project_id: Some(self.project),
            concurrency_key: None,
            priority: 5,
            args: json!({ "v": 1 }),
            due_at: None,
            attempts_max: 1,
            created_by: Some(self.user),
            request_id: None,
        };
        let rules = json!({
            "version": 1, "threshold": 0.1,
            "pass": [
                {"name": "reference", "key": [{"left": "reference", "right": "reference"}]},
                {"name": "parts", "cardinality": "n:1", "split": true,
                 "key": [{"left": "reference", "right": "reference"}]},
                {"name": "amount", "tier": "suggested", "date": {"window_days": 3}},
            ],
        });
        let new = NewReconciliation {
            job_id: job.id,
            project_id: self.project,
            name: "Month".into(),
            left_source_id: left,
            right_source_id: right,
            rules,
            continues,
        };
        let mut tx = self.store.begin().await.unwrap();
        if let Some(before) = continues {
            let may = lock_to_continue(&mut tx, self.project, before).await.unwrap();
            assert_eq!(may, Continuable::Yes);
        }
        enqueue(&mut tx, &job).await.unwrap();
        insert(&mut tx, &new).await.unwrap();
        tx.commit().await.unwrap();
        self.wake.notify_one();
        let ended = async {
            loop {
                let seen = self.store.job(job.id).await.unwrap().unwrap();
                if seen.state.is_final() {
                    return seen;
                }
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, ended).await.expect("in time")
    }
}

struct Answer {
    id: JobId,
    open_items: OpenItemsSummary,
    exceptions: Vec<StoredException>,
    matches: Vec<StoredMatch>,
    notes: Vec<String>,
}

impl Answer {
    fn matched(&self) -> Vec<String> {
        let ids = |records: &[shared::store::results::StoredRecord]| {
            records.iter().map(|record| record.id.clone()).collect::<Vec<_>>().join("+")
        };
        let line = |m: &StoredMatch| format!("{} {} = {}", m.tier, ids(&m.left), ids(&m.right));
        let mut lines: Vec<_> = self.matches.iter().map(line).collect();
        lines.sort();
        lines
    }

    fn open(&self) -> Vec<String> {
        let line = |e: &StoredException| match &e.record.first_seen {
            Some(seen) => format!("{} {} since run {}", e.kind, e.record.id, seen.run),
            None => format!("{} {}", e.kind, e.record.id),
        };
        self.exceptions.iter().map(line).collect()
    }

    /// before, restated, new, less matched, after.
    fn flow(&self, side: &str) -> [String; 5] {
        let flow = self.open_items.flow.iter().find(|flow| flow.side == side).expect("a flow");
        assert_eq!((flow.residual.count, flow.residual.amount.as_str()), (0, "0.00"));
        let text = |sum: &CountAndAmount| format!("{} {}", sum.count, sum.amount);
        [&flow.before, &flow.restated, &flow.new, &flow.matched, &flow.after].map(text)
    }
}

fn within(mib: u64) -> Config {
    let mut config = Config::default();
    config.worker.reconciliation_memory_mib = Some(mib);
    config
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_months_add_up() {
    three_months(Books::open().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_months_add_up_within_a_limit_of_memory() {
    three_months(Books::open_with(within(128)).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_records_than_the_memory_allows_are_refused_with_what_they_take() {
    let books = Books::open_with(within(64)).await;
    let ended = books.end_of(&["B1 2026-01-05 1.00 A"], &["L1 2026-01-05 1.00 A"], None).await;
    assert_eq!(ended.state, JobState::Dead);
    let says = ended.error.expect("a reason");
    assert!(says.contains("2 records take about 92MiB at least"), "{says}");
    assert!(says.contains("worker.reconciliation_memory_mib"), "{says}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_for_texts_that_is_not_there_fails_the_job_and_is_not_told_to_its_owner() {
    let mut config = within(128);
    config.worker.temp_dir = Some("/not/there".into());
    let books = Books::open_with(config).await;
    let ended = books.end_of(&["B1 2026-01-05 1.00 A"], &["L1 2026-01-05 1.00 A"], None).await;
    assert_eq!(ended.state, JobState::Dead);
    let says = ended.error.expect("a reason");
    assert!(says.contains("no temporary file") && !says.contains("/not/there"), "{says}");
}

async fn three_months(books: Books) {
    // The bank has a payment that nobody has booked, the ledger a bill that nobody has paid.
    let january = books
        .run(
            &["B1 2026-01-05 100.00 INV-1001", "B2 2026-01-20 250.00 INV-1002"],
            &["L1 2026-01-04 100.00 INV-1001", "L3 2026-01-28 75.00 INV-1003"],
            None,
        )
        .await;
    assert_eq!(january.matched(), ["confirmed B1 = L1"]);
    assert_eq!(january.open(), ["missing_left L3", "missing_right B2"]);
    assert_eq!(january.flow("left"), ["0 0.00", "0 0.00", "2 350.00", "1 100.00", "1 250.00"]);

    // The statement of February begins in January; the bill is paid; another comes in. Two equal amounts without a
    // reference are only suggested, and stay open.
    let february = books
        .run(
            &[
                "B1 2026-01-05 100.00 INV-1001",
                "B2 2026-01-20 250.00 INV-1002",
                "B3 2026-02-03 75.00 INV-1003",
                "B5 2026-02-10 33.00 Y",
            ],
            &["L4 2026-02-25 40.00 INV-1004", "L5 2026-02-11 33.00 X"],
            Some(january.id),
        )
        .await;
    assert_eq!(february.matched(), ["confirmed B3 = L3", "suggested B5 = L5"]);
    assert_eq!(february.open(), ["missing_left L4", "missing_right B2 since run 1", "already_matched B1"]);
    let told = &february.exceptions[2].says;
    assert!(told.contains("m_") && told.contains(&january.id.to_string()), "{told}");
    assert_eq!(february.flow("left"), ["1 250.00", "0 0.00", "2 108.00", "1 75.00", "2 283.00"]);
    assert_eq!(february.flow("right"), ["1 75.00", "0 0.00", "2 73.00", "1 75.00", "2 73.00"]);
    let items = &february.open_items;
    let counts = [
        items.carried_in,
        items.resolved,
        items.persisting,
        items.new,
        items.already_matched,
        items.repeated,
    ];
    assert_eq!(counts, [2, 1, 1, 3, 1, 1]);
    let ages: Vec<_> = items.ages.iter().map(|age| (age.first_seen.run, age.left, age.right)).collect();
    assert_eq!(ages, [(1, 1, 0), (2, 1, 2)]);

    // The bank corrects a payment; its bill is booked at last; a record of the first run comes once more, and is
    // known although the run in between had it only as already matched.
    let march = books
        .run(
            &[
                "B1 2026-01-05 100.00 INV-1001",
                "B2 2026-01-20 260.00 INV-1002",
                "B4 2026-03-02 40.00 INV-1004",
            ],
            &["L2 2026-02-01 260.00 INV-1002", "L3 2026-01-28 75.00 INV-1003"],
            Some(february.id),
        )
        .await;
    assert_eq!(march.matched(), ["confirmed B2 = L2", "confirmed B4 = L4", "suggested B5 = L5"]);
    assert_eq!(march.open(), ["already_matched B1", "already_matched L3"]);
    assert!(march.exceptions[0].says.contains(&january.id.to_string()));
    assert!(march.exceptions[1].says.contains(&february.id.to_string()));
    assert_eq!(march.flow("left"), ["2 283.00", "0 10.00", "1 40.00", "2 300.00", "1 33.00"]);
    assert!(march.notes[0].contains("\"B2\" came in as 250.00 EUR of 2026-01-20"), "{:?}", march.notes);
    let seen = march.matches.iter().find(|m| m.left[0].id == "B2").unwrap().left[0].first_seen.unwrap();
    assert_eq!((seen.run, seen.job_id), (1, january.id));

    // A chain does not branch, and a link of it is not taken out.
    let mut tx = books.store.begin().await.unwrap();
    let again = lock_to_continue(&mut tx, books.project, january.id).await.unwrap();
    assert_eq!(again, Continuable::ContinuedBy(february.id));
    let stranger = lock_to_continue(&mut tx, ProjectId::new(), march.id).await.unwrap();
    assert_eq!(stranger, Continuable::Unknown);
    drop(tx);
    assert!(!books.store.delete_reconciliation(february.id).await.unwrap());
    assert!(books.store.delete_reconciliation(march.id).await.unwrap());
    let mut tx = books.store.begin().await.unwrap();
    assert_eq!(lock_to_continue(&mut tx, books.project, february.id).await.unwrap(), Continuable::Yes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_part_payment_leaves_open_is_paid_later() {
    let books = Books::open().await;
    let invoice = "L1 2026-01-04 100.00 INV-1001";
    let january = books.run(&["B1 2026-01-20 60.00 INV-1001"], &[invoice], None).await;
    assert_eq!(january.matched(), ["confirmed B1 = L1"]);
    assert_eq!(
        january.matches[0].open_record().map(|(side, record, amount)| (side, &*record.id, amount)),
        Some(("right", "L1", 4000))
    );
    assert_eq!(january.flow("right"), ["0 0.00", "0 0.00", "1 100.00", "1 100.00", "1 40.00"]);
    assert_eq!((january.open_items.new, january.open_items.remainders), (0, 1));
    let february = books.run(&["B2 2026-02-20 40.00 INV-1001"], &[invoice], Some(january.id)).await;
    assert_eq!(february.matched(), ["confirmed B2 = L1"]);
    assert_eq!(february.open(), ["already_matched L1"]);
    assert_eq!(february.flow("right"), ["1 40.00", "0 0.00", "0 0.00", "1 40.00", "0 0.00"]);
}
