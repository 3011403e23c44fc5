//! The archive of WAL.

use crate::place::{KEY, engine};
use backup::error::Error;
use backup::retention::Segment;
use backup::wal::{
    Fetched, Lsn, PrunedWal, Pushed, WalFile, fetch, look_for_missing, prune, push, read_coverage,
};
use std::fs;

const SEGMENT: usize = 1 << 20;

fn segment(number: u64) -> (String, Vec<u8>) {
    let name = WalFile::numbered(1, number, SEGMENT as u64).to_string();
    (name, (0..SEGMENT).map(|at| (at as u64 * 31 + number) as u8).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn files_go_in_once_and_come_back_the_same() {
    let dir = tempfile::tempdir().expect("a folder");
    let engine = engine(dir.path(), &[KEY]);
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    fs::create_dir(&from).and_then(|()| fs::create_dir(&to)).expect("folders");
    for number in [1, 2, 3, 5] {
        let (name, bytes) = segment(number);
        fs::write(from.join(&name), bytes).expect("writing");
        assert_eq!(push(&engine, &from.join(&name)).await.expect("pushing"), Pushed::Stored);
    }
    fs::write(from.join("00000002.history"), "1\t0/300000\tno reason\n").expect("writing");
    push(&engine, &from.join("00000002.history")).await.expect("pushing");

    let (name, bytes) = segment(2);
    assert_eq!(push(&engine, &from.join(&name)).await.expect("again"), Pushed::AlreadyThere);
    fs::write(from.join(&name), vec![9; SEGMENT]).expect("writing");
    let refused = push(&engine, &from.join(&name)).await;
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    fs::write(from.join(&name), vec![9; SEGMENT - 1]).expect("writing");
    assert!(matches!(push(&engine, &from.join(&name)).await, Err(Error::Refused(_))), "half a segment");
    assert!(push(&engine, &from.join("nonsense")).await.is_err());

    let at = to.join("RECOVERYXLOG");
    let first = segment(1);
    assert_eq!(fetch(&engine, &first.0, &at).await.expect("fetching"), Fetched::Written);
    assert!(fs::read(&at).expect("reading") == first.1);
    // The next ones are here already: the stores are not asked.
    for store in ["near", "far"] {
        fs::rename(dir.path().join(store), dir.path().join(format!("{store}-away"))).expect("renaming");
    }
    assert_eq!(fetch(&engine, &name, &at).await.expect("fetching"), Fetched::Written);
    assert!(fs::read(&at).expect("reading") == bytes);
    for store in ["near", "far"] {
        fs::rename(dir.path().join(format!("{store}-away")), dir.path().join(store)).expect("renaming");
    }
    assert_eq!(fetch(&engine, &segment(4).0, &at).await.expect("asking"), Fetched::NotThere);
    assert_eq!(fetch(&engine, "00000002.history", &at).await.expect("fetching"), Fetched::Written);

    let coverage = read_coverage(&engine.stores, &engine.cluster, SEGMENT as u64).await.expect("coverage");
    assert_eq!(coverage.gaps().len(), 1);
    assert_eq!((coverage.gaps()[0].first, coverage.gaps()[0].last), (4, 4));
    for (start, expected) in [(1, 1), (5, 0)] {
        let starts = [(1, Lsn(start * SEGMENT as u64))];
        let missing =
            look_for_missing(&engine, &starts, SEGMENT as u64).await.expect("looking").expect("all answer");
        assert_eq!(missing.segments, expected, "{missing:?}");
        assert_eq!(missing.first, (expected > 0).then(|| segment(4).0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_no_end_of_the_archive() {
    let dir = tempfile::tempdir().expect("a folder");
    let engine = engine(dir.path(), &[KEY]);
    let (name, bytes) = segment(1);
    fs::write(dir.path().join(&name), &bytes).expect("writing");
    push(&engine, &dir.path().join(&name)).await.expect("pushing");
    let object = |store: &str| dir.path().join(store).join(format!("v1/main/wal/00000001/{name}"));
    let harm = |store: &str| {
        let mut sealed = fs::read(object(store)).expect("reading");
        let at = sealed.len() - 5;
        sealed[at] ^= 1;
        fs::write(object(store), sealed).expect("writing");
    };
    harm("near");
    let at = dir.path().join("at");
    assert_eq!(fetch(&engine, &name, &at).await.expect("from the other store"), Fetched::Written);
    assert!(fs::read(&at).expect("reading") == bytes);
    harm("far");
    let refused = fetch(&engine, &name, &at).await;
    assert!(matches!(refused, Err(Error::Damaged { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_store_does_not_let_go_of_is_counted_and_goes_another_time() {
    let dir = tempfile::tempdir().expect("a folder");
    let engine = engine(dir.path(), &[KEY]);
    for number in [1, 2, 3] {
        let (name, bytes) = segment(number);
        fs::write(dir.path().join(&name), bytes).expect("writing");
        push(&engine, &dir.path().join(&name)).await.expect("pushing");
    }
    // No file, so it cannot be removed as one.
    let held = dir.path().join("near/v1/main/wal/00000001").join(segment(1).0);
    fs::remove_file(&held).and_then(|()| fs::create_dir(&held)).expect("a folder in its place");
    let from = Segment { timeline: 1, number: 3 };
    let pruned = prune(&engine, from, SEGMENT as u64).await.expect("pruning");
    assert_eq!(pruned, PrunedWal { removed: 1, locked: 0, failed: 1 });
    fs::remove_dir(&held).expect("removing");
    fs::write(&held, "back").expect("writing");
    let pruned = prune(&engine, from, SEGMENT as u64).await.expect("pruning");
    assert_eq!(pruned, PrunedWal { removed: 1, locked: 0, failed: 0 });
    let coverage = read_coverage(&engine.stores, &engine.cluster, SEGMENT as u64).await.expect("coverage");
    assert_eq!((coverage.runs.len(), coverage.runs[0].first), (1, 3));
}
