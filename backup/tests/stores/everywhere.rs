//! Small objects in all stores: WAL, wrapped keys.

use super::server::{S3Server, store_at};
use super::world::*;
use backup::stores::*;
use bytes::Bytes;
use shared::testing::tcp_proxy::{TcpProxy, Weather};
use std::sync::atomic::Ordering;

fn segment() -> ObjectName {
    cluster().wal("000000010000000000000001").unwrap()
}

const ONE: Bytes = Bytes::from_static(b"one");
const TWO: Bytes = Bytes::from_static(b"two");

#[tokio::test(flavor = "multi_thread")]
async fn putting_the_same_twice_is_no_error_and_other_content_is_refused() {
    let (a, dir) = (S3Server::start().await, tempfile::tempdir().unwrap());
    let world = World::of(vec![("a", a.store()), ("disk", disk(&dir))]);
    for _ in 0..2 {
        let put = world.stores.put(&segment(), ONE).await.unwrap();
        assert_eq!((names(&put.held_by), put.owed_to.len()), (vec!["a", "disk"], 0));
    }
    for other in [TWO, Bytes::from_static(b"one and more")] {
        let refused = world.stores.put(&segment(), other).await;
        assert!(matches!(&refused, Err(PutError::Differs { store }) if store.as_str() == "a"), "{refused:?}");
    }
    let disk_only = cluster().wal("000000010000000000000002").unwrap();
    let disk = world.stores.store(&name("disk")).unwrap();
    disk.put(&disk_only, TWO, Creation::Only).await.unwrap();
    assert!(matches!(disk.put(&disk_only, ONE, Creation::Only).await, Err(StoreError::Exists)));
    assert!(world.stores.put(&disk_only, ONE).await.is_err());
    assert_eq!(world.stores.holders(&disk_only, 3).await.len(), 1, "a refused put writes nothing");
    let put = world.stores.put(&disk_only, TWO).await.unwrap();
    assert_eq!(names(&put.held_by), ["a", "disk"], "the store that lacked it has it now");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_store_takes_waits_in_the_spool() {
    let a = S3Server::start().await;
    let proxy = TcpProxy::start(a.address()).await.unwrap();
    let world = World::of(vec![("a", store_at(proxy.address()))]);
    proxy.set_weather(Weather::Refusing);
    let put = world.stores.put(&segment(), ONE).await.unwrap();
    assert_eq!((put.held_by.len(), names(&put.owed_to), put.counts), (0, vec!["a"], false));
    assert_eq!(world.stores.get(&Pack::of(segment(), &ONE)).await.unwrap(), ONE);
    proxy.set_weather(Weather::Fine);
    world.stores.synchronise().await.unwrap();
    assert_eq!((names(&world.stores.holders(&segment(), 3).await), world.spooled_files()), (vec!["a"], 0));

    proxy.set_weather(Weather::Refusing);
    proxy.cut();
    let world = World::with(vec![("a", store_at(proxy.address()))], settings(), None);
    assert!(matches!(world.stores.put(&segment(), ONE).await, Err(PutError::Nowhere(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_owed_never_replaces_something_else() {
    let (a, dir) = (S3Server::start().await, tempfile::tempdir().unwrap());
    let proxy = TcpProxy::start(a.address()).await.unwrap();
    let world = World::of(vec![("a", store_at(proxy.address())), ("disk", disk(&dir))]);
    a.store().put(&segment(), TWO, Creation::Only).await.unwrap();
    proxy.set_weather(Weather::Refusing);
    assert_eq!(names(&world.stores.put(&segment(), ONE).await.unwrap().owed_to), ["a"]);
    proxy.set_weather(Weather::Fine);
    let round = world.stores.synchronise().await.unwrap();
    assert_eq!((round.paid, round.left), (0, 1), "an operator has to look");
    assert!(matches!(world.stores.inspect(&Pack::of(segment(), &TWO)).await[0].1, Health::Whole));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_spool_says_so() {
    let a = S3Server::start().await;
    let proxy = TcpProxy::start(a.address()).await.unwrap();
    let world = World::with(vec![("a", store_at(proxy.address()))], settings(), Some(2));
    proxy.set_weather(Weather::Refusing);
    assert!(matches!(world.stores.put(&segment(), ONE).await, Err(PutError::Nowhere(_))));
    assert_eq!(world.spooled_files(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_without_conditions_are_asked_first() {
    let a = S3Server::start().await;
    a.faults.no_conditions.store(true, Ordering::Relaxed);
    let store = a.store();
    store.put(&segment(), ONE, Creation::Only).await.unwrap();
    assert!(matches!(store.put(&segment(), TWO, Creation::Only).await, Err(StoreError::Exists)));
    let world = World::of(vec![("a", a.store())]);
    let folder = folder();
    let (packs, _) = world.back_up(&folder, &noise(PACK as usize)).await.unwrap();
    assert!(world.is_whole_everywhere(&packs[0]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_is_gone_everywhere_and_owed_to_nobody() {
    let (a, dir) = (S3Server::start().await, tempfile::tempdir().unwrap());
    let proxy = TcpProxy::start(a.address()).await.unwrap();
    let world = World::of(vec![("a", store_at(proxy.address())), ("disk", disk(&dir))]);
    proxy.set_weather(Weather::Refusing);
    world.stores.put(&segment(), ONE).await.unwrap();
    let deletion = world.stores.delete(&segment()).await;
    assert!(!deletion.complete && deletion.failed.len() == 1 && deletion.locked.is_empty());
    proxy.set_weather(Weather::Fine);
    assert!(world.stores.delete(&segment()).await.complete);
    assert!(world.stores.delete(&segment()).await.complete, "twice is no error");
    world.stores.synchronise().await.unwrap();
    assert!(world.stores.list("v1/").await.objects.is_empty());
    assert_eq!((world.spooled_files(), files_below(&dir.path().join("disk"))), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_have_more_than_one_page() {
    let a = S3Server::start().await;
    let world = World::of(vec![("a", a.store())]);
    let store = world.stores.store(&name("a")).unwrap();
    let put = (0..1005).map(|number| {
        let object = cluster().wal(&format!("0000000100000000{number:08X}")).unwrap();
        async move { store.put(&object, ONE, Creation::Only).await.unwrap() }
    });
    futures_util::future::join_all(put).await;
    assert_eq!(world.stores.list(&cluster().wal_prefix()).await.objects.len(), 1005);
    let holdings = world.stores.holdings(&cluster()).await;
    assert_eq!(*holdings[0].1.as_ref().unwrap(), Holdings { objects: 1005, bytes: 3015 });
}
