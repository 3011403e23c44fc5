//! Rotation: everything stays readable, first with both keys and then without the older one.

use crate::place::{KEY, OTHER_KEY, Place};
use backup::Error;
use backup::catalogue;
use backup::engine::{Engine, Run};
use backup::kinds::tenant::Tenants;
use backup::kinds::{full, tenant};
use backup::rekey::{Wrapped, rekey};
use backup::restore::drill;
use backup::stores::BackupFolder;
use backup::wal::{Fetched, WalFile, fetch, push};
use std::fs;

const THIRD_KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const SEGMENT: usize = 1 << 20;

fn wal(number: u64) -> (String, Vec<u8>) {
    let name = WalFile::numbered(1, number, SEGMENT as u64).to_string();
    (name, (0..SEGMENT).map(|at| (at as u64 * 31 + number) as u8).collect())
}

async fn archive(place: &Place, engine: &Engine, number: u64) {
    let (name, bytes) = wal(number);
    let path = place.dir.path().join(&name);
    fs::write(&path, bytes).expect("writing");
    push(engine, &path).await.expect("pushing");
    fs::remove_file(path).expect("removing");
}

async fn comes_back(place: &Place, engine: &Engine, number: u64) -> bool {
    let (name, bytes) = wal(number);
    let to = place.dir.path().join("RECOVERYXLOG");
    let fetched = fetch(engine, &name, &to).await;
    // What was fetched ahead would hide what the stores say.
    let _ = fs::remove_dir_all(place.dir.path().join("counterfoil-prefetch"));
    matches!(fetched, Ok(Fetched::Written)) && fs::read(&to).expect("reading") == bytes
}

fn key_objects(place: &Place, store: &str) -> Vec<std::path::PathBuf> {
    place.files(store).into_iter().filter(|path| path.to_string_lossy().contains("/keys/")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_rotation_nothing_needs_the_older_key() {
    let place = Place::new().await;
    let run = Run::default();
    let whole = full::create(&place.protected, None, &run).await.expect("a backup").manifest;
    let tenants = tenant::create(&place.protected, &Tenants::All, None, &run).await.expect("backups");
    let backups = 1 + tenants.len() as u64;
    // Two logs: with segments of 1 MiB one has 4096.
    for number in [1, 2, 5000] {
        archive(&place, place.engine(), number).await;
    }
    let (both, newer) = (place.engine_with(&[OTHER_KEY, KEY]), place.engine_with(&[OTHER_KEY]));
    let early = rekey(&newer, false, &run).await.expect("an answer");
    assert_eq!(early.unreadable.len() as u64, backups + 3, "{early:?}");
    assert!(!early.is_complete() && early.unreadable[0].contains("key"), "{early:?}");
    assert!(key_objects(&place, "near").is_empty() && !comes_back(&place, &newer, 1).await);

    // New ones take the new key, and there are some before anybody wraps the others.
    archive(&place, &both, 3).await;
    let would = rekey(&both, true, &run).await.expect("counting");
    assert!(key_objects(&place, "near").is_empty(), "a dry run writes nothing");
    let done = rekey(&both, false, &run).await.expect("wrapping");
    assert_eq!(
        (done.backups, done.wal),
        (Wrapped { anew: backups, already: 0 }, Wrapped { anew: 3, already: 1 })
    );
    assert_eq!((would.backups, would.wal), (done.backups, done.wal));
    assert!(done.is_complete(), "{done:?}");
    for store in ["near", "far"] {
        assert_eq!(key_objects(&place, store).len() as u64, backups + 2, "one for each backup and each log");
    }

    // Without the older key: a drill restores it, WAL comes back. And with the older one alone, for who still has that.
    let folder = whole.folder().expect("a place");
    let report = drill::perform(&newer, &place.protected.target, &folder, &run).await.expect("a restore");
    assert!(report.is_proven(), "{:?}", report.failures());
    let catalogue = catalogue::read(&newer, None).await.expect("a catalogue");
    assert!(catalogue.backups.iter().all(|backup| backup.manifest.is_ok()));
    let older = place.engine_with(&[KEY]);
    for number in [1, 2, 5000] {
        assert!(
            comes_back(&place, &newer, number).await && comes_back(&place, &older, number).await,
            "{number}"
        );
    }

    // Again: nothing to wrap, but what a store has lost comes back.
    for lost in key_objects(&place, "far") {
        fs::remove_file(lost).expect("losing");
    }
    let again = rekey(&newer, false, &run).await.expect("again");
    assert_eq!((again.backups.anew, again.wal.anew, again.is_complete()), (0, 0, true), "{again:?}");
    assert_eq!(key_objects(&place, "far").len() as u64, backups + 2);

    // A third key, from the second: what the second has wrapped beside goes.
    let third = place.engine_with(&[THIRD_KEY, OTHER_KEY]);
    let rotated = rekey(&third, false, &run).await.expect("wrapping");
    assert_eq!((rotated.backups.anew, rotated.wal.anew, rotated.removed), (backups, 4, backups + 2));
    let only = place.engine_with(&[THIRD_KEY]);
    assert!(comes_back(&place, &only, 5000).await && comes_back(&place, &only, 3).await);
    assert!(
        catalogue::read(&only, None).await.expect("a catalogue").backups.iter().all(|b| b.manifest.is_ok())
    );

    // What goes takes its keys along.
    assert!(place.engine().stores.delete_backup(&folder).await.complete);
    assert_eq!(key_objects(&place, "near").len() as u64, backups - 1 + 2);
    let from = backup::retention::Segment { timeline: 1, number: 4999 };
    assert_eq!(backup::wal::prune(&only, from, SEGMENT as u64).await.expect("pruning").removed, 3);
    assert_eq!(key_objects(&place, "near").len() as u64, backups - 1 + 1);
    assert!(comes_back(&place, &only, 5000).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_does_not_answer_keeps_keys_from_being_rotated() {
    let place = Place::new().await;
    let run = Run::default();
    let taken = full::create(&place.protected, None, &run).await.expect("a backup").manifest;
    fs::rename(place.store_dir("far"), place.store_dir("far-away")).expect("moving");
    fs::write(place.store_dir("far"), "a file where the folder was").expect("writing");
    let refused = rekey(&place.engine_with(&[OTHER_KEY, KEY]), false, &run).await;
    assert!(matches!(&refused, Err(Error::Refused(why)) if why.contains("far")), "{refused:?}");
    let folder: BackupFolder = taken.folder().expect("a place");
    assert!(key_objects(&place, "near").is_empty() && folder.id == taken.id);
}
