//! Between two transactions: a cluster that is gone comes back as it was between them.

use crate::place::{Place, refused, said};
use crate::transfers::started;
use backup::postgres::Target;
use std::path::Path;

/// Names in the cluster that was restored into `dir`, in order.
async fn names(place: &Place, dir: &Path) -> Vec<String> {
    let (server, _run_dir) = started(dir).await;
    let names = of(&server.target).await;
    server.stop().await.expect("it stops");
    assert!(!dir.join("recovery.signal").exists() && place.dir.exists());
    names
}

async fn of(target: &Target) -> Vec<String> {
    let mut session = target.connect().await.expect("connecting");
    sqlx::query_scalar("SELECT name FROM things ORDER BY id").fetch_all(&mut session).await.expect("names")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_comes_back_as_it_was_between_two_transactions() {
    let mut place = Place::new("backup-pitr");
    place.archive().await;
    place
        .execute(
            "CREATE TABLE things (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);
                  INSERT INTO things (name) VALUES ('first')",
        )
        .await;
    let created = said(&place.counterfoil(&["backup", "create", "--kind", "base"]));
    let base = created.split_whitespace().next().expect("an id").to_owned();
    place.execute("INSERT INTO things (name) VALUES ('second')").await;
    let between: String = place.value("SELECT pg_current_wal_insert_lsn()::text").await;
    place.execute("SELECT pg_create_restore_point('between')").await;
    place.execute("INSERT INTO things (name) VALUES ('third')").await;
    place.switch_wal().await;
    let status = said(&place.counterfoil(&["wal", "status"]));
    assert!(status.contains("archived") && !status.contains("MISSING"), "{status}");
    place.postgres.kill_9();

    let dir = |name: &str| place.dir.join(name);
    let path = |name: &str| dir(name).display().to_string();
    let plan = said(&place.counterfoil(&[
        "restore",
        "pitr",
        "--into",
        &path("a"),
        "--name",
        "between",
        "--dry-run",
    ]));
    assert!(plan.contains(&base) && !dir("a").exists(), "{plan}");
    for (name, until, expected) in [
        ("by-name", ["--name", "between"].as_slice(), ["first", "second"].as_slice()),
        ("by-lsn", &["--lsn", &between], &["first", "second"]),
        ("latest", &[], &["first", "second", "third"]),
        ("consistent", &["--consistent"], &["first"]),
    ] {
        let into = path(name);
        let mut args = vec!["restore", "pitr", "--into", &into];
        args.extend(until);
        let done = said(&place.counterfoil(&args));
        assert!(done.contains("shut down in order"), "{done}");
        assert_eq!(names(&place, &dir(name)).await, expected, "{name}");
    }

    // A folder that holds something is not touched, and a point that does not exist is no restore.
    let why = refused(&place.counterfoil(&["restore", "pitr", "--into", &path("latest")]));
    assert!(why.contains("not empty"), "{why}");
    let why = refused(&place.counterfoil(&[
        "restore",
        "pitr",
        "--into",
        &path("never"),
        "--name",
        "no such point",
    ]));
    assert!(why.contains("recovery ended before configured recovery target was reached"), "{why}");
    assert!(!dir("never").exists(), "half a cluster is left");

    // With a segment missing from both stores in the middle, nothing is taken for the end of the archive.
    let fetched = place.counterfoil(&["wal", "fetch", "0000000100000000000000FF", &path("x")]);
    assert_eq!(fetched.status.code(), Some(1), "not there is 1");
    for store in ["near", "far"] {
        std::fs::rename(dir(store), dir(&format!("{store}-away"))).expect("renaming");
        std::fs::write(dir(store), "a file where the folder was").expect("writing");
    }
    let fetched = place.counterfoil(&["wal", "fetch", "0000000100000000000000FF", &path("x")]);
    assert_eq!(fetched.status.code(), Some(200), "not known is 200");
}
