//! A backup to all stores at once.

use super::server::S3Server;
use super::world::*;
use backup::stores::*;
use bytes::Bytes;
use std::io::{Read, Write};
use tokio::runtime::Handle;

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_whole_in_every_store_and_reads_back() {
    let (a, b, dir) = (S3Server::start().await, S3Server::start().await, tempfile::tempdir().unwrap());
    let settings = Settings { copies_min: 3, ..settings() };
    let stores = vec![("a", a.store()), ("b", b.store()), ("c", disk(&dir))];
    let world = World::with(stores, settings, Some(1 << 30));
    let (folder, bytes) = (folder(), noise(2 * PACK as usize + 1_234_567));
    let (packs, commit) = world.back_up(&folder, &bytes).await.unwrap();
    assert_eq!((names(&commit.held_by), commit.owed_to.len(), commit.counts), (vec!["a", "b", "c"], 0, true));
    let sizes: Vec<_> = packs.iter().map(|pack| pack.size_bytes).collect();
    assert_eq!(sizes, [PACK, PACK, 1_234_567]);
    for pack in packs.iter().chain([&manifest_of(&folder)]) {
        assert!(world.is_whole_everywhere(pack).await, "{pack:?}");
    }
    let listing = world.stores.list(&folder.prefix()).await;
    assert_eq!((listing.objects.len(), listing.unanswered.len()), (4, 0));
    assert!(listing.objects.values().all(|found| found.held_by.len() == 3));
    assert_eq!(world.spooled_files(), 0, "nothing was owed");

    let mut reader = world.stores.read_packs(packs, 1, None, Handle::current());
    let read = tokio::task::spawn_blocking(move || {
        let mut read = vec![];
        reader.read_to_end(&mut read).map(|_| read)
    });
    assert!(read.await.unwrap().unwrap() == bytes, "other bytes came back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealer_writes_streams_from_its_own_thread() {
    use backup::seal::{DataKey, Opener, Place, Sealer};
    let dir = tempfile::tempdir().unwrap();
    let world = World::of(vec![("disk", disk(&dir))]);
    let (folder, key) = (folder(), DataKey::generate().unwrap());
    let place = Place { backup: folder.id, object: "dump".into() };
    let plain = noise(3 << 20);
    let mut fanout = world.stores.fanout(folder.clone());
    fanout.begin("dump").unwrap();
    let writer = StreamWriter::new(fanout, Handle::current());
    let (input, sealing_key, sealing_place) = (plain.clone(), key.clone(), place.clone());
    let sealed = tokio::task::spawn_blocking(move || {
        let mut sealer = Sealer::new(writer, &sealing_key, &sealing_place, 1, 0)?;
        sealer.write_all(&input)?;
        sealer.finish()
    });
    let (writer, sealed) = sealed.await.unwrap().unwrap();
    let mut fanout = writer.into_inner();
    let packs = fanout.end().await.unwrap();
    assert_eq!((packs.len(), packs[0].sha256.0), (1, sealed.sha256));
    fanout.begin("roles").unwrap();
    assert_eq!(fanout.end().await.unwrap(), [], "a stream without bytes has no packs");
    assert!(fanout.commit(Bytes::from_static(b"manifest")).await.unwrap().counts);
    let file = world.stores.fetch(&packs[0]).await.unwrap();
    let mut opened = vec![];
    Opener::new(file, &key, &place).unwrap().read_to_end(&mut opened).unwrap();
    assert!(opened == plain);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_manifest_of_another_run_is_never_replaced() {
    let (a, dir) = (S3Server::start().await, tempfile::tempdir().unwrap());
    let world = World::of(vec![("a", a.store()), ("disk", disk(&dir))]);
    let folder = folder();
    world.back_up(&folder, &noise(100)).await.unwrap();
    let mut again = world.stores.fanout(folder.clone());
    again.begin("other").unwrap();
    again.write(noise(100)).await.unwrap();
    again.end().await.unwrap();
    let refused = again.commit(Bytes::from_static(b"another")).await;
    assert!(matches!(refused, Err(FanoutError::Committed(_))), "{refused:?}");
    assert!(world.is_whole_everywhere(&manifest_of(&folder)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_abandoned_leaves_nothing() {
    let (a, dir) = (S3Server::start().await, tempfile::tempdir().unwrap());
    let world = World::of(vec![("a", a.store()), ("disk", disk(&dir))]);
    let folder = folder();
    let mut fanout = world.stores.fanout(folder.clone());
    fanout.begin("dump").unwrap();
    // A whole pack, and two parts of the next.
    fanout.write(noise(PACK as usize + PART + 10)).await.unwrap();
    fanout.abandon().await;
    assert!(world.stores.list("v1/").await.objects.is_empty());
    assert_eq!(
        (a.unfinished_files(), files_below(&dir.path().join("disk")), world.spooled_files()),
        (0, 0, 0)
    );
}

#[tokio::test]
async fn streams_are_named_and_ended() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::of(vec![("disk", disk(&dir))]);
    let mut fanout = world.stores.fanout(folder());
    assert!(matches!(fanout.write(noise(1)).await, Err(FanoutError::NoStream)));
    assert!(matches!(fanout.begin("../x"), Err(FanoutError::Name(_))));
    fanout.begin("a").unwrap();
    assert!(matches!(fanout.begin("b"), Err(FanoutError::Unended(_))));
    fanout.write(noise(1)).await.unwrap();
    assert!(matches!(fanout.commit(Bytes::new()).await, Err(FanoutError::Unended(_))));
    assert!(world.stores.list("v1/").await.objects.is_empty());
}
