//! A cluster that was recovered goes on with a timeline of its own, in the same archive; and comes back from there.

use crate::place::{Place, said};
use crate::transfers::started;
use std::path::Path;

async fn names(dir: &Path) -> Vec<String> {
    let (server, _run_dir) = started(dir).await;
    let mut session = server.target.connect().await.expect("connecting");
    let names = sqlx::query_scalar("SELECT name FROM things ORDER BY id")
        .fetch_all(&mut session)
        .await
        .expect("names");
    drop(session);
    server.stop().await.expect("it stops");
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_recovered_cluster_writes_is_archived_beside_and_comes_back_over_the_switch() {
    let mut place = Place::new("backup-timelines");
    place.archive().await;
    place
        .execute(
            "CREATE TABLE things (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);
             INSERT INTO things (name) VALUES ('first')",
        )
        .await;
    said(&place.counterfoil(&["backup", "create", "--kind", "base"]));
    place
        .execute("SELECT pg_create_restore_point('fork'); INSERT INTO things (name) VALUES ('a mistake')")
        .await;
    place.switch_wal().await;
    place.postgres.kill_9();

    // Recovered to before the mistake, and put in the place of the cluster.
    let (into, data) = (place.dir.join("recovered"), place.dir.join("cluster/data"));
    let path = into.to_str().expect("a path");
    said(&place.counterfoil(&["restore", "pitr", "--into", path, "--name", "fork"]));
    std::fs::rename(&data, place.dir.join("old-data"))
        .and_then(|()| std::fs::rename(&into, &data))
        .expect("moving");
    place.postgres.start_again();
    place.execute("INSERT INTO things (name) VALUES ('after the switch')").await;
    place.switch_wal().await;
    let status = said(&place.counterfoil(&["wal", "status"]));
    let timelines: Vec<&str> = status
        .lines()
        .filter(|line| line.starts_with("archived"))
        .filter_map(|line| line.split_whitespace().nth(1))
        .collect();
    assert!(timelines.contains(&"1") && timelines.contains(&"2") && !status.contains("MISSING"), "{status}");
    place.postgres.kill_9();

    let latest = place.dir.join("latest");
    let done = said(&place.counterfoil(&["restore", "pitr", "--into", latest.to_str().expect("a path")]));
    assert!(done.contains("shut down in order"), "{done}");
    assert_eq!(names(&latest).await, ["first", "after the switch"], "along the newest timeline");

    // A hole right before the switch is found, though each timeline alone has none.
    let engine = place.engine();
    let base = backup::catalogue::read(&engine, None).await.expect("a catalogue").backups.remove(0).manifest;
    let wal = base.expect("a manifest").wal.expect("WAL");
    let start = [(wal.timeline, wal.start_lsn.parse().expect("a position"))];
    let look = async || {
        let found = backup::wal::look_for_missing(&engine, &start, wal.segment_bytes).await;
        found.expect("looking").expect("every store answers")
    };
    assert_eq!(look().await.segments, 0, "{:?}", look().await);
    let of_2 = |store: &str| {
        let mut found: Vec<_> = std::fs::read_dir(place.dir.join(store).join("v1/test/wal/00000002"))
            .expect("the timeline")
            .map(|found| found.expect("a file").path())
            .filter(|path| path.file_name().is_some_and(|name| name.len() == 24))
            .collect();
        found.sort();
        found
    };
    let first = of_2("near")[0].clone();
    for store in ["near", "far"] {
        std::fs::remove_file(&of_2(store)[0]).expect("losing");
    }
    // Another one, so that the timeline does not look as if it were only beginning.
    place.postgres.start_again();
    place.execute("INSERT INTO things (name) VALUES ('more')").await;
    place.switch_wal().await;
    let missing = look().await;
    assert_eq!(missing.first.as_deref(), first.file_name().and_then(|name| name.to_str()), "{missing:?}");
    std::fs::rename(place.dir.join("far"), place.dir.join("far-away")).expect("moving");
    std::fs::write(place.dir.join("far"), "a file where the folder was").expect("writing");
    let unknown = backup::wal::look_for_missing(&engine, &start, wal.segment_bytes).await;
    assert!(matches!(unknown, Ok(None)), "what a store has that does not answer is not missing: {unknown:?}");
}
