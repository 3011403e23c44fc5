//! A database with two tenants, and an engine with two stores, of one test's own.

use backup::engine::{Engine, Protected, Run, Settings};
use backup::postgres::{Figures, Snapshot, Target, close, figures_of, tables};
use backup::seal::KeyRing;
use backup::stores::{self, Cluster, Disk, Store, StoreName, Stores};
use shared::testing::TestDatabase;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use std::path::{Path, PathBuf};
use uuid::Uuid;

pub const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddee01";
pub const OTHER_KEY: &str = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221102";

pub struct Place {
    pub database: TestDatabase,
    pub dir: tempfile::TempDir,
    pub protected: Protected,
    pub tenants: [Uuid; 2],
}

impl Place {
    /// Every table of the product has rows.
    pub async fn new() -> Self {
        let database = TestDatabase::create().await;
        let dir = tempfile::tempdir().expect("a folder");
        let tenants = [Uuid::from_u128(0xa), Uuid::from_u128(0xb)];
        let mut session = PgConnection::connect_with(&database.options()).await.expect("connecting");
        session.execute(include_str!("seed.sql")).await.expect("seeding");
        session.close().await.expect("leaving");
        let protected =
            Protected { engine: engine(dir.path(), &[KEY]), target: Target::new(database.options()) };
        Self { database, dir, protected, tenants }
    }

    pub fn engine(&self) -> &Engine {
        &self.protected.engine
    }

    pub fn name(&self) -> String {
        self.protected.target.database().to_owned()
    }

    /// With the same stores and other keys.
    pub fn engine_with(&self, keys: &[&str]) -> Engine {
        engine(self.dir.path(), keys)
    }

    pub fn store_dir(&self, store: &str) -> PathBuf {
        self.dir.path().join(store)
    }

    /// All files of a store, by name.
    pub fn files(&self, store: &str) -> Vec<PathBuf> {
        let mut found = vec![];
        walk(&self.store_dir(store), &mut found);
        found.sort();
        found
    }

    pub async fn execute(&self, statements: &str) {
        let mut session = PgConnection::connect_with(&self.database.options()).await.expect("connecting");
        session.execute(AssertSqlSafe(statements.to_owned())).await.expect("executing");
        session.close().await.expect("leaving");
    }

    pub async fn count(&self, statement: &str) -> i64 {
        let mut session = PgConnection::connect_with(&self.database.options()).await.expect("connecting");
        let count = sqlx::query_scalar(AssertSqlSafe(statement.to_owned())).fetch_one(&mut session).await;
        session.close().await.expect("leaving");
        count.expect("counting")
    }

    pub async fn figures(&self) -> Vec<Figures> {
        let snapshot = Snapshot::export(&self.protected.target).await.expect("a snapshot");
        let mut session = snapshot.session().await.expect("a session");
        let found = tables(&mut session).await.expect("tables");
        close(session).await;
        let figures = figures_of(&snapshot, &found, 2, &Run::default().stop).await.expect("figures");
        snapshot.release().await;
        figures
    }

    /// Scratch databases of this cluster that nobody holds. Other tests hold theirs.
    pub async fn scratch_left(&self) -> usize {
        backup::postgres::sweep_scratch_databases(&self.protected.target).await.expect("sweeping").len()
    }

    pub fn scratch_dirs(&self) -> Vec<PathBuf> {
        let found = std::fs::read_dir(self.dir.path()).expect("listing").flatten().map(|found| found.path());
        found
            .filter(|path| {
                path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("counterfoil-s"))
            })
            .collect()
    }

    pub async fn drop_database(&self, name: &str) {
        let mut session = PgConnection::connect_with(&self.database.options().database("postgres"))
            .await
            .expect("connecting");
        session
            .execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)")))
            .await
            .expect("dropping");
    }
}

pub fn engine(dir: &Path, keys: &[&str]) -> Engine {
    let store = |name: &str| {
        let disk = Disk::open(dir.join(name), None).expect("a store");
        (StoreName::parse(name).expect("a name"), Store::Disk(disk))
    };
    let settings = stores::Settings { copies_min: 2, ..stores::Settings::default() };
    let stores = Stores::of(vec![store("near"), store("far")], None, settings).expect("stores");
    Engine {
        stores,
        cluster: Cluster::parse("main").expect("a cluster"),
        keys: KeyRing::parse(keys.iter().copied()).expect("keys"),
        settings: Settings { scratch_dir: dir.to_owned(), ..Settings::default() },
    }
}

fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            walk(&entry.path(), found);
        } else {
            found.push(entry.path());
        }
    }
}
