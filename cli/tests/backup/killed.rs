//! Restores that are killed (SIGKILL, which nobody hears) at every stage, and then asked for once more by the same
//! command: it goes on with what is whole, and ends right.

use crate::place::{Place, refused, said};
use crate::transfers::started;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(240);
/// Enough that each stage can be seen.
pub const ROWS: i64 = 60_000;
/// A stage may be over before the signal comes.
const TRIES: usize = 20;
const SCRATCH: &str = "SELECT count(*) FROM pg_database WHERE datname LIKE '%scratch%'";

pub async fn with_rows(name: &str) -> Place {
    let place = Place::new(name);
    place.execute("CREATE DATABASE live").await;
    let config = std::fs::read_to_string(place.dir.join("config.toml")).expect("the configuration");
    std::fs::write(place.dir.join("config.toml"), config.replace("/postgres\"", "/live\"")).expect("writing");
    said(&place.counterfoil(&["migrate"]));
    live(
        &place,
        &format!(
            "CREATE TABLE ballast AS SELECT n AS id, md5(n::text) || md5((n + 1)::text) AS text
             FROM generate_series(1, {ROWS}) AS n"
        ),
    )
    .await;
    place
}

pub async fn live(place: &Place, statements: &str) {
    let options: sqlx::postgres::PgConnectOptions = place.postgres.url().parse().expect("a url");
    let mut session = PgConnection::connect_with(&options.database("live")).await.expect("connecting");
    session.execute(AssertSqlSafe(statements.to_owned())).await.expect("executing");
}

pub fn id_of(created: &str) -> String {
    created.split_whitespace().next().expect("an id").to_owned()
}

/// Kills it as soon as `is_seen`; `false`: it was faster.
pub async fn killed_when(mut child: Child, mut is_seen: impl AsyncFnMut() -> bool) -> bool {
    let began = Instant::now();
    let mut seen = false;
    while !seen && child.try_wait().expect("waiting").is_none() {
        assert!(began.elapsed() < PATIENCE, "it neither ends nor comes to that stage");
        seen = is_seen().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let _ = child.kill();
    let status = child.wait().expect("waiting");
    assert!(seen || status.success(), "it failed by itself: {status}");
    seen && !status.success()
}

pub fn staged(place: &Place) -> Option<PathBuf> {
    let found = std::fs::read_dir(&place.dir).expect("listing").flatten().map(|found| found.path());
    found
        .filter(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("counterfoil-staged-"))
        })
        .find(|path| path.exists())
}

fn begins(dir: &Path) -> bool {
    std::fs::read_dir(dir).is_ok_and(|mut found| found.next().is_some())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_restore_that_is_killed_at_any_stage_is_finished_by_the_same_command() {
    let place = with_rows("backup-killed-full").await;
    let full = id_of(&said(&place.counterfoil(&["backup", "create"])));
    let mut watching = PgConnection::connect(&place.postgres.url()).await.expect("connecting");
    let command = ["restore", "full", full.as_str(), "--confirm", "live", "--without-safety-backup"];
    let marked =
        "SELECT count(*) FROM pg_database WHERE shobj_description(oid, 'pg_database') LIKE '%loaded%'";
    let in_place = "SELECT count(*) FROM pg_database WHERE datname = 'live'
                      AND shobj_description(oid, 'pg_database') LIKE '%in_place%'";
    let mut number = 0;
    for (stage, goes_on_with) in [
        ("fetching", None),
        ("fetched", Some("the fetched dump")),
        ("loading", Some("the fetched dump")),
        ("proving", Some("the loaded database")),
        ("in place", None),
    ] {
        let mut hit = false;
        for _ in 0..TRIES {
            number += 1;
            live(&place, &format!("DELETE FROM ballast WHERE id <= {number}")).await;
            let before = place.live("SELECT count(*) FROM ballast").await;
            let seen = async || -> bool {
                let mut count = async |statement: &'static str| -> i64 {
                    sqlx::query_scalar(statement).fetch_one(&mut watching).await.expect("looking")
                };
                match stage {
                    "fetching" => staged(&place).is_some_and(|dir| begins(&dir.join("dump"))),
                    "fetched" => staged(&place).is_some_and(|dir| dir.join("whole").exists()),
                    "loading" => count(SCRATCH).await > 0,
                    "proving" => count(marked).await > 0,
                    _ => count(in_place).await > 0,
                }
            };
            if killed_when(place.spawn(&command), seen).await {
                hit = true;
                let now = place.live("SELECT count(*) FROM ballast").await;
                assert_eq!(now, if stage == "in place" { ROWS } else { before }, "{stage}: half");
                break;
            }
        }
        assert!(hit, "{stage} was never seen");
        let plan = said(&place.counterfoil(&["restore", "full", &full, "--dry-run"]));
        assert_eq!(plan.contains("it is in place since"), stage == "in place", "{plan}");
        let done = said(&place.counterfoil(&command));
        assert!(done.contains("restored and proven"), "{stage}: {done}");
        match goes_on_with {
            // Between the signal and what was seen it may have gone one stage further.
            Some(what) => {
                assert!(done.contains("go on with the"), "{stage}: {done}");
                assert!(done.contains(what) || what == "the fetched dump", "{stage}: {done}");
            }
            None if stage == "in place" => assert!(!done.contains("loading"), "{stage}: {done}"),
            None => {}
        }
        assert_eq!(place.live("SELECT count(*) FROM ballast").await, ROWS, "{stage}");
        assert_eq!(place.value::<i64>(SCRATCH).await, 0, "{stage}: a scratch database is left");
        assert_eq!(staged(&place), None, "{stage}: a dump is left");
        assert_eq!(place.value::<i64>(in_place).await, 0, "{stage}: it was told");
        let kept: Vec<String> =
            sqlx::query_scalar("SELECT datname::text FROM pg_database WHERE datname LIKE 'live_before%'")
                .fetch_all(&mut watching)
                .await
                .expect("names");
        for name in kept {
            place.execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }
    // A drill proves everything, and takes up nothing.
    let drilled = said(&place.counterfoil(&["backup", "drill", &full]));
    assert!(drilled.contains("is proven") && !drilled.contains("go on with"), "{drilled}");
}

/// Rows in the cluster that was restored into `dir`.
pub async fn rows(dir: &Path) -> i64 {
    let (server, _run_dir) = started(dir).await;
    let mut session = server.target.with_database("live").connect().await.expect("connecting");
    let rows =
        sqlx::query_scalar("SELECT count(*) FROM ballast").fetch_one(&mut session).await.expect("rows");
    drop(session);
    server.stop().await.expect("it stops");
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn a_point_in_time_restore_that_is_killed_at_any_stage_is_finished_by_the_same_command() {
    let mut place = with_rows("backup-killed-pitr").await;
    place.archive().await;
    said(&place.counterfoil(&["backup", "create", "--kind", "base"]));
    live(&place, "INSERT INTO ballast SELECT n, 'later' FROM generate_series(1000001, 1000100) AS n").await;
    place.execute("SELECT pg_create_restore_point('here')").await;
    live(&place, "DELETE FROM ballast").await;
    place.switch_wal().await;
    for stage in ["fetching", "recovering", "proving"] {
        let mut hit = false;
        for number in 0..TRIES {
            let into = place.dir.join(format!("{}-{number}", stage));
            let path = into.to_str().expect("a path");
            let command = ["restore", "pitr", "--into", path, "--name", "here"];
            let said_so = |text: &str| {
                std::fs::read_to_string(into.join("counterfoil-restore.json"))
                    .is_ok_and(|mark| mark.contains(text))
            };
            let seen = async || match stage {
                "fetching" => said_so("fetching") && into.join("base").exists(),
                "recovering" => said_so("recovering") && into.join("postmaster.pid").exists(),
                // It was promoted: recovery is over.
                _ => said_so("recovering") && !into.join("recovery.signal").exists(),
            };
            if !killed_when(place.spawn(&command), seen).await {
                continue;
            }
            hit = true;
            let other = refused(&place.counterfoil(&["restore", "pitr", "--into", path, "--consistent"]));
            assert!(other.contains("unfinished restore"), "{other}");
            if stage == "proving" {
                // One that is newer does not lead the same command astray.
                said(&place.counterfoil(&["backup", "create", "--kind", "base"]));
            }
            let done = said(&place.counterfoil(&command));
            assert!(done.contains("shut down in order"), "{stage}: {done}");
            assert_eq!(
                done.contains("go on with the fetched cluster"),
                stage != "fetching",
                "{stage}: {done}"
            );
            assert!(!into.join("counterfoil-restore.json").exists());
            assert_eq!(rows(&into).await, ROWS + 100, "{stage}");
            break;
        }
        assert!(hit, "{stage} was never seen");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_that_is_killed_changes_nothing_and_is_finished_by_the_same_command() {
    let place = with_rows("backup-killed-merge").await;
    let tenant = uuid::Uuid::from_u128(0xa);
    live(
        &place,
        &format!(
            "INSERT INTO users (id, email, name, password_hash)
             VALUES (gen_random_uuid(), 'ann@example.org', 'Ann', 'x');
             INSERT INTO projects (id, name, created_by) SELECT '{tenant}', 'lost', id FROM users"
        ),
    )
    .await;
    let full = id_of(&said(&place.counterfoil(&["backup", "create"])));
    live(&place, "DELETE FROM projects").await;
    let mut watching = PgConnection::connect(&place.postgres.url()).await.expect("connecting");
    let command = ["restore", "merge", full.as_str()];
    let merging = "SELECT count(*) FROM pg_stat_activity
                   WHERE datname = 'live' AND application_name = 'counterfoil backup' AND xact_start IS NOT NULL";
    let mut hit = false;
    for _ in 0..TRIES {
        let seen = async || -> bool {
            sqlx::query_scalar::<_, i64>(merging).fetch_one(&mut watching).await.expect("looking") > 0
        };
        if killed_when(place.spawn(&command), seen).await {
            hit = true;
            break;
        }
        live(&place, "DELETE FROM projects").await;
    }
    assert!(hit, "it was never seen to merge");
    // The server has noticed that nobody listens.
    let began = Instant::now();
    while place.value::<i64>(merging).await > 0 {
        assert!(began.elapsed() < PATIENCE, "its transaction stays open");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(place.live("SELECT count(*) FROM projects").await, 0, "half a merge");
    said(&place.counterfoil(&command));
    assert_eq!(place.live("SELECT count(*) FROM projects").await, 1);
    assert_eq!(place.value::<i64>(SCRATCH).await, 0, "a scratch database is left");
    assert_eq!(staged(&place), None);
}
