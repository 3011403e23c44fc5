//! What writers leave that end before their manifest.

use super::server::{S3Server, store_at};
use super::world::*;
use backup::stores::*;
use chrono::{TimeDelta, Utc};
use shared::testing::tcp_proxy::{TcpProxy, Weather};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test(flavor = "multi_thread")]
async fn packs_without_a_manifest_are_swept_after_a_day() {
    let (a, dir) = (S3Server::start().await, tempfile::tempdir().unwrap());
    let proxy = TcpProxy::start(a.address()).await.unwrap();
    let world = World::of(vec![("a", store_at(proxy.address())), ("disk", disk(&dir))]);
    let (kept, killed) = (folder(), folder());
    let (packs, _) = world.back_up(&kept, &noise(1000)).await.unwrap();
    let mut fanout = world.stores.fanout(killed.clone());
    fanout.begin("dump").unwrap();
    fanout.write(noise(1000)).await.unwrap();
    let killed_packs = fanout.end().await.unwrap();
    // Packs are complete when they are read back.
    for _ in 0..500 {
        if world.is_whole_everywhere(&killed_packs[0]).await {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(fanout);

    let (now, tomorrow) = (Utc::now(), Utc::now() + TimeDelta::hours(25));
    assert!(world.stores.sweep(&cluster(), DAY, now).await.unfinished.is_empty(), "it may be being written");
    proxy.set_weather(Weather::Refusing);
    proxy.cut();
    let swept = world.stores.sweep(&cluster(), DAY, tomorrow).await;
    assert!(swept.unfinished.is_empty(), "its manifest may be in the store that does not answer");
    assert_eq!(names(&swept.unanswered), ["a"]);
    proxy.set_weather(Weather::Fine);
    let swept = world.stores.sweep(&cluster(), DAY, tomorrow).await;
    assert_eq!(swept.unfinished, std::slice::from_ref(&killed));
    assert!(world.stores.list(&killed.prefix()).await.objects.is_empty());
    for pack in packs.iter().chain([&manifest_of(&kept)]) {
        assert!(world.is_whole_everywhere(pack).await, "a backup that is one was swept");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_goes_whole_with_its_manifest_first() {
    let (a, dir) = (S3Server::start().await, tempfile::tempdir().unwrap());
    let world = World::of(vec![("a", a.store()), ("disk", disk(&dir))]);
    let (gone, kept) = (folder(), folder());
    world.back_up(&gone, &noise(PACK as usize + 1)).await.unwrap();
    world.back_up(&kept, &noise(10)).await.unwrap();
    assert!(world.stores.delete_backup(&gone).await.complete);
    assert!(world.stores.list(&gone.prefix()).await.objects.is_empty());
    assert_eq!(world.stores.list(&kept.prefix()).await.objects.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_store_forgets_what_crashed_writers_left() {
    let dir = tempfile::tempdir().unwrap();
    let store = disk_of(&dir, Some(100));
    let object = cluster().wal("000000010000000000000001").unwrap();
    let left = dir.path().join("disk/v1/test/wal/00000001");
    std::fs::create_dir_all(&left).unwrap();
    std::fs::write(left.join(".part-crashed"), [0; 90]).unwrap();
    let store_again = disk_of(&dir, Some(100));
    drop(store);
    assert!(matches!(
        store_again.put(&object, noise(20), Creation::Only).await,
        Err(StoreError::Full { .. })
    ));
    assert!(store_again.list("v1/", None).await.unwrap().objects.is_empty(), "it is not an object");
    assert_eq!(store_again.abort_unfinished("v1/", DAY).await.unwrap(), 0, "it may be being written");
    assert_eq!(store_again.abort_unfinished("v1/other/", Duration::ZERO).await.unwrap(), 0);
    assert_eq!(store_again.abort_unfinished("v1/", Duration::ZERO).await.unwrap(), 1);
    store_again.put(&object, noise(20), Creation::Only).await.unwrap();
    assert!(store_again.probe().await.unwrap().is_some_and(|share| share > 0.0 && share <= 1.0));
}
