//! A fresh database for each test.
//!
//! Migrating takes long, copying does not: the first test of a run migrates a template, and each test gets a
//! copy. The template's name holds a digest of the migrations, so an edited migration gets a template of its
//! own, also on a server that outlives the run.

use super::{DATABASE_URL, required};
use crate::store::{MIGRATIONS, PoolLimits, Store};
use sha2::{Digest, Sha256};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use std::time::Duration;
use uuid::Uuid;

/// A database of one test's own, dropped with the value.
///
/// Dropping cuts the connections that are still open. It is best effort: a database that stays, say because the
/// server is gone, harms nobody, since its name is never used again.
pub struct TestDatabase {
    server: PgConnectOptions,
    name: String,
}

impl TestDatabase {
    /// With every migration applied.
    ///
    /// # Panics
    ///
    /// Without `COUNTERFOIL_TEST_DATABASE_URL`, or when that server does not do its part.
    pub async fn create() -> Self {
        let server = server();
        let template = template_name();
        let name = new_name();
        let mut connection = connect(&server).await;
        let copy = format!(r#"CREATE DATABASE "{name}" TEMPLATE "{template}""#);
        if let Err(error) = run(&mut connection, &copy).await {
            // Only the first test of a run comes here, or a few at once.
            assert!(is_missing_database(&error), "copying {template}: {error}");
            make_template(&server, &template).await;
            run(&mut connection, &copy).await.unwrap_or_else(|error| panic!("copying {template}: {error}"));
        }
        Self { server, name }
    }

    /// Without any table, for tests of the migrations themselves.
    ///
    /// # Panics
    ///
    /// As [`create`](Self::create) does.
    pub async fn create_empty() -> Self {
        let server = server();
        let name = new_name();
        let mut connection = connect(&server).await;
        run(&mut connection, &format!(r#"CREATE DATABASE "{name}" TEMPLATE template0"#))
            .await
            .unwrap_or_else(|error| panic!("creating {name}: {error}"));
        Self { server, name }
    }

    /// For processes that are told their database on the command line. Holds the password.
    pub fn url(&self) -> String {
        self.options().to_url_lossy().into()
    }

    pub fn options(&self) -> PgConnectOptions {
        self.server.clone().database(&self.name)
    }

    /// A store with at most ten connections, which wait 10 s for one another.
    pub fn store(&self) -> Store {
        Store::new(self.options(), &PoolLimits { connections_max: 10, ..PoolLimits::default() })
    }

    /// For looking at what a test did, past the store. At most four connections.
    pub fn pool(&self) -> PgPool {
        PgPoolOptions::new().max_connections(4).connect_lazy_with(self.options())
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let server = self.server.clone();
        let statement = format!(r#"DROP DATABASE IF EXISTS "{}" WITH (FORCE)"#, self.name);
        // The test's own runtime may be of one thread, which is this one, or gone already.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let work = async {
                    let mut connection = PgConnection::connect_with(&server).await?;
                    run(&mut connection, &statement).await
                };
                match tokio::time::timeout(Duration::from_secs(10), work).await {
                    Ok(result) => result.map_err(std::io::Error::other),
                    Err(elapsed) => Err(elapsed.into()),
                }
            })
        });
        match dropped.join() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => eprintln!("test database {} stays: {error}", self.name),
            Err(_) => eprintln!("test database {} stays", self.name),
        }
    }
}

/// Two may meet here: the first to get the lock makes the template, the others find it. The lock goes with the
/// connection, whatever happens to its holder.
async fn make_template(server: &PgConnectOptions, template: &str) {
    let mut connection = connect(server).await;
    sqlx::query("SELECT pg_advisory_lock(hashtextextended($1, 0))")
        .bind(template)
        .execute(&mut connection)
        .await
        .expect("locking the template");
    let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(template)
        .fetch_one(&mut connection)
        .await
        .expect("looking for the template");
    if exists {
        return;
    }
    // It gets its name when it is whole: whoever finds the name may copy. A partial one is from a run that died.
    let partial = format!("{template}_partial");
    for statement in [
        format!(r#"DROP DATABASE IF EXISTS "{partial}" WITH (FORCE)"#),
        format!(r#"CREATE DATABASE "{partial}" TEMPLATE template0"#),
    ] {
        run(&mut connection, &statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
    let mut inside = connect(&server.clone().database(&partial)).await;
    MIGRATIONS.run(&mut inside).await.unwrap_or_else(|error| panic!("migrating the template: {error}"));
    inside.close().await.expect("leaving the template");
    for statement in [
        // A database somebody is connected to cannot be copied, and autovacuum counts.
        format!(r#"ALTER DATABASE "{partial}" ALLOW_CONNECTIONS false"#),
        format!(r#"ALTER DATABASE "{partial}" RENAME TO "{template}""#),
    ] {
        run(&mut connection, &statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
}

fn template_name() -> String {
    let mut digest = Sha256::new();
    for migration in MIGRATIONS.iter() {
        digest.update(migration.version.to_be_bytes());
        digest.update(&migration.checksum);
    }
    let hex: String = digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("counterfoil_template_{hex}")
}

fn new_name() -> String {
    format!("counterfoil_test_{}", Uuid::new_v4().simple())
}

fn server() -> PgConnectOptions {
    let options: PgConnectOptions =
        required(DATABASE_URL).parse().unwrap_or_else(|error| panic!("{DATABASE_URL}: {error}"));
    options.application_name("counterfoil tests")
}

async fn connect(options: &PgConnectOptions) -> PgConnection {
    PgConnection::connect_with(options)
        .await
        .unwrap_or_else(|error| panic!("connecting to {DATABASE_URL}: {error}"))
}

/// The statement's names are ours: letters, digits and underscores.
async fn run(connection: &mut PgConnection, statement: &str) -> sqlx::Result<()> {
    sqlx::query(AssertSqlSafe(statement)).execute(connection).await.map(drop)
}

fn is_missing_database(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).as_deref() == Some("3D000")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn exists(name: &str) -> bool {
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
            .bind(name)
            .fetch_one(&mut connect(&server()).await)
            .await
            .expect("asking the server")
    }

    #[tokio::test]
    async fn many_at_once_are_migrated_and_separate() {
        let all = futures_util::future::join_all((0..8).map(|_| TestDatabase::create())).await;
        for database in &all {
            assert!(database.store().is_migrated().await.expect("asking"));
            // Fails the second time in one and the same database.
            sqlx::query("CREATE TABLE mine (a integer)").execute(&database.pool()).await.expect("a table");
        }
    }

    #[tokio::test]
    async fn an_empty_one_has_no_tables() {
        let database = TestDatabase::create_empty().await;
        assert!(!database.store().is_migrated().await.expect("asking"));
    }

    #[tokio::test]
    async fn it_goes_with_the_value_though_connections_are_open() {
        let database = TestDatabase::create().await;
        let name = database.name.clone();
        let mut open =
            PgConnection::connect_with(&database.url().parse().expect("a url")).await.expect("connecting");
        open.ping().await.expect("the connection is open");
        assert!(exists(&name).await);
        drop(database);
        assert!(!exists(&name).await);
    }
}
