//! Stores that are dead, slow, overloaded, cut off, full, while a backup is written.

use super::server::{S3Server, store_at, store_with};
use super::world::*;
use backup::stores::*;
use bytes::Bytes;
use shared::breaker::BreakerRules;
use shared::testing::tcp_proxy::{TcpProxy, Weather};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_store_gets_its_copy_when_it_is_back() {
    let (a, b) = (S3Server::start().await, S3Server::start().await);
    let dir = tempfile::tempdir().unwrap();
    let proxy = TcpProxy::start(a.address()).await.unwrap();
    let settings = Settings { copies_min: 2, ..settings() };
    let stores = vec![("a", store_at(proxy.address())), ("b", b.store()), ("c", disk(&dir))];
    let world = World::with(stores, settings, Some(1 << 30));
    let folder = folder();
    proxy.set_weather(Weather::Refusing);
    let (packs, commit) = world.back_up(&folder, &noise(PACK as usize + 500)).await.unwrap();
    assert_eq!((names(&commit.held_by), names(&commit.owed_to)), (vec!["b", "c"], vec!["a"]));
    assert!(commit.counts);
    let manifest = manifest_of(&folder);
    assert_eq!(names(&world.stores.holders(&manifest.object, manifest.size_bytes).await), ["b", "c"]);
    let status = world.stores.status().await.unwrap();
    assert!(!status[0].is_reachable && status[1].is_reachable);
    assert_eq!((status[0].owed_objects, status[0].owed_bytes), (3, PACK + 508));
    assert!(status[0].contact.failure.is_some());

    let round = world.stores.synchronise().await.unwrap();
    assert_eq!((round.paid, round.left), (0, 3), "it is still away");
    proxy.set_weather(Weather::Fine);
    let round = world.stores.synchronise().await.unwrap();
    assert_eq!((round.paid, round.left), (3, 0));
    for pack in packs.iter().chain([&manifest]) {
        assert!(world.is_whole_everywhere(pack).await, "{pack:?}");
    }
    assert_eq!((world.stores.owed().await.unwrap(), world.spooled_files()), (vec![], 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_background_loop_brings_it_by_itself_and_stops() {
    let (a, dir) = (S3Server::start().await, tempfile::tempdir().unwrap());
    let proxy = TcpProxy::start(a.address()).await.unwrap();
    let world = World::of(vec![("a", store_at(proxy.address())), ("disk", disk(&dir))]);
    proxy.set_weather(Weather::Refusing);
    let folder = folder();
    world.back_up(&folder, &noise(500)).await.unwrap();
    proxy.set_weather(Weather::Fine);
    let stop = tokio_util::sync::CancellationToken::new();
    // Two of them, as two processes would be.
    let (stores, stopping) = (world.stores.clone(), stop.clone());
    let period = Duration::from_millis(20);
    let running = tokio::spawn(async move {
        tokio::join!(
            stores.synchronise_until(stopping.clone(), period),
            stores.synchronise_until(stopping.clone(), period)
        )
    });
    let mut patience = 500;
    while !world.stores.owed().await.unwrap().is_empty() {
        patience -= 1;
        assert!(patience > 0, "it was never brought");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop.cancel();
    running.await.unwrap();
    assert!(world.is_whole_everywhere(&manifest_of(&folder)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_again_and_again_is_left_alone_until_it_answers_a_probe() {
    let (a, dir) = (S3Server::start().await, tempfile::tempdir().unwrap());
    let settings = Settings { breaker: BreakerRules::default(), ..settings() };
    let world = World::with(vec![("a", a.store()), ("disk", disk(&dir))], settings, Some(1 << 30));
    a.faults.unavailable.store(u32::MAX, Ordering::Relaxed);
    let (packs, commit) = world.back_up(&folder(), &noise(500)).await.unwrap();
    assert_eq!((names(&commit.held_by), names(&commit.owed_to)), (vec!["disk"], vec!["a"]));
    // Questions of three tries each: the fifth failure is enough.
    for _ in 0..2 {
        world.stores.inspect(&packs[0]).await;
    }
    let asked = a.faults.requests.load(Ordering::Relaxed);
    let began = Instant::now();
    let (_, commit) = world.back_up(&folder(), &noise(500)).await.unwrap();
    assert_eq!((names(&commit.held_by), names(&commit.owed_to)), (vec!["disk"], vec!["a"]));
    assert_eq!(a.faults.requests.load(Ordering::Relaxed), asked, "it has peace");
    let left_alone = world.stores.status().await.unwrap()[0].contact.failure.clone().unwrap();
    assert!(left_alone.contains("503"), "what is remembered is what the store said: {left_alone}");

    a.faults.unavailable.store(0, Ordering::Relaxed);
    let round = world.stores.synchronise().await.unwrap();
    assert_eq!(round.left, 0, "a probe is enough, long before the minute is over");
    assert!(began.elapsed() < Duration::from_secs(60));
    let (_, commit) = world.back_up(&folder(), &noise(500)).await.unwrap();
    assert_eq!(names(&commit.held_by), ["a", "disk"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_bad_answers_are_forgiven_and_many_are_not() {
    let (a, b) = (S3Server::start().await, S3Server::start().await);
    let world = World::of(vec![("a", a.store()), ("b", b.store())]);
    a.faults.unavailable.store(2, Ordering::Relaxed);
    let (_, commit) = world.back_up(&folder(), &noise(PACK as usize)).await.unwrap();
    assert_eq!(names(&commit.held_by), ["a", "b"]);
    a.faults.unavailable.store(u32::MAX, Ordering::Relaxed);
    let (_, commit) = world.back_up(&folder(), &noise(PACK as usize)).await.unwrap();
    assert_eq!((names(&commit.held_by), names(&commit.owed_to)), (vec!["b"], vec!["a"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_answers_neither_double_nor_lose_anything() {
    let a = S3Server::start().await;
    let world = World::of(vec![("a", a.store())]);
    for (lost, bytes) in [(1, 100), (2, 100), (1, PACK as usize), (2, PACK as usize)] {
        let folder = folder();
        a.faults.lost_answers.store(lost, Ordering::Relaxed);
        let (packs, commit) = world.back_up(&folder, &noise(bytes)).await.unwrap();
        assert_eq!(names(&commit.held_by), ["a"], "{lost} of {bytes} bytes");
        for pack in packs.iter().chain([&manifest_of(&folder)]) {
            assert!(world.is_whole_everywhere(pack).await, "{lost} {pack:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_cut_in_the_middle_of_an_upload_is_made_up_for() {
    let a = S3Server::start().await;
    let proxy = TcpProxy::start(a.address()).await.unwrap();
    let world = World::of(vec![("a", store_at(proxy.address()))]);
    proxy.set_weather(Weather::Slow);
    let folder = folder();
    let bytes = noise(PACK as usize);
    let cutting = async {
        // Slow weather makes a part last for half a minute: once its request is there, this is in the middle of it.
        while a.faults.requests.load(Ordering::Relaxed) < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        proxy.set_weather(Weather::Fine);
        proxy.cut();
    };
    let both = async { tokio::join!(world.back_up(&folder, &bytes), cutting).0 };
    let (packs, commit) = tokio::time::timeout(Duration::from_secs(60), both).await.unwrap().unwrap();
    assert_eq!(names(&commit.held_by), ["a"]);
    assert!(world.is_whole_everywhere(&packs[0]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_hangs_is_left_behind_by_the_others() {
    let (a, dir) = (S3Server::start().await, tempfile::tempdir().unwrap());
    let proxy = TcpProxy::start(a.address()).await.unwrap();
    proxy.set_weather(Weather::Swallowing);
    let settings = Settings { lag_max: Duration::from_millis(200), ..settings() };
    let stores = vec![("a", store_at(proxy.address())), ("disk", disk(&dir))];
    let world = World::with(stores, settings, Some(1 << 30));
    let folder = folder();
    let began = std::time::Instant::now();
    let (packs, commit) = world.back_up(&folder, &noise(4 * PACK as usize)).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(20), "nobody waited for its time limit");
    assert_eq!((names(&commit.held_by), names(&commit.owed_to)), (vec!["disk"], vec!["a"]));
    proxy.cut();
    proxy.set_weather(Weather::Fine);
    let round = world.stores.synchronise().await.unwrap();
    assert_eq!((round.paid, round.left), (packs.len() as u64 + 1, 0));
    assert!(world.is_whole_everywhere(&packs[3]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_backup_does_not_wait_for_a_store_that_hangs_either() {
    let (a, dir) = (S3Server::start().await, tempfile::tempdir().unwrap());
    let proxy = TcpProxy::start(a.address()).await.unwrap();
    proxy.set_weather(Weather::Swallowing);
    let settings = Settings { lag_max: Duration::from_millis(200), ..settings() };
    let stores = vec![("a", store_at(proxy.address())), ("disk", disk(&dir))];
    let world = World::with(stores, settings, Some(1 << 30));
    let began = std::time::Instant::now();
    let (_, commit) = world.back_up(&folder(), &noise(1000)).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(20), "nobody waited for its time limit");
    assert_eq!((names(&commit.held_by), names(&commit.owed_to)), (vec!["disk"], vec!["a"]));
}

/// Memory: what a store that never drains lets the producer get rid of.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_never_drains_stops_the_producer() {
    const PART: usize = 64 << 10;
    let mut proxies = vec![];
    let server = S3Server::start().await;
    for _ in 0..3 {
        let proxy = TcpProxy::start(server.address()).await.unwrap();
        proxy.set_weather(Weather::Swallowing);
        proxies.push(proxy);
    }
    let settings = Settings {
        part_bytes: PART,
        pack_bytes: 1000 * PART as u64,
        queue_parts: 4,
        lag_max: Duration::from_millis(50),
        ..settings()
    };
    let timeout = Duration::from_secs(60);
    let stores = ["a", "b", "c"].into_iter().zip(&proxies);
    let stores = stores.map(|(name, proxy)| (name, store_with(proxy.address(), timeout))).collect();
    let world = World::with(stores, settings, None);
    let mut fanout = world.stores.fanout(folder());
    fanout.begin("dump").unwrap();
    let (piece, mut taken) = (Bytes::from_static(&[7; 4096]), 0);
    let filling = async {
        loop {
            fanout.write(piece.clone()).await.unwrap();
            taken += piece.len();
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(2), filling).await.is_err());
    // The queue, the part on its way, the one before it that made the upload multipart, and the one being filled.
    assert!(taken <= 7 * PART, "{} parts were taken", taken as f64 / PART as f64);
    assert!(
        taken >= 3 * PART,
        "{} parts only: it is not the queue that stops it",
        taken as f64 / PART as f64
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_left_out_and_shows_nothing_half_done() {
    let (full, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let stores = vec![("full", disk_of(&full, Some(PACK + 1000))), ("disk", disk(&dir))];
    let world = World::of(stores);
    let folder = folder();
    let (packs, commit) = world.back_up(&folder, &noise(2 * PACK as usize)).await.unwrap();
    assert_eq!((names(&commit.held_by), names(&commit.owed_to)), (vec!["disk"], vec!["full"]));
    let at_full = world.stores.inspect(&packs[1]).await;
    assert!(matches!(at_full[0].1, Health::Missing), "{at_full:?}");
    assert_eq!(files_below(&full.path().join("disk")), 1, "the first pack, and no part of the second");
    let round = world.stores.synchronise().await.unwrap();
    assert_eq!((round.paid, round.left), (0, 2), "it is full still; the manifest waits for its pack");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_store_that_takes_it_there_is_no_backup() {
    let full = tempfile::tempdir().unwrap();
    let world = World::with(vec![("full", disk_of(&full, Some(1000)))], settings(), Some(PART as u64));
    let failed = world.back_up(&folder(), &noise(3 * PACK as usize)).await;
    let Err(error @ (FanoutError::NoStore { .. } | FanoutError::Lost { .. })) = failed else {
        panic!("{failed:?}")
    };
    assert!(error.to_string().contains("full"), "{error}");
    assert!(world.stores.list("v1/").await.objects.is_empty());
    assert_eq!(world.stores.owed().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_store_may_die_in_the_middle() {
    let a = S3Server::start().await;
    let proxy = TcpProxy::start(a.address()).await.unwrap();
    let world = World::of(vec![("a", store_at(proxy.address()))]);
    let (folder, bytes) = (folder(), noise(3 * PACK as usize));
    let mut fanout = world.stores.fanout(folder.clone());
    fanout.begin("dump").unwrap();
    fanout.write(bytes.slice(..PACK as usize + PART + 5)).await.unwrap();
    proxy.set_weather(Weather::Refusing);
    proxy.cut();
    fanout.write(bytes.slice(PACK as usize + PART + 5..)).await.unwrap();
    let packs = fanout.end().await.unwrap();
    let commit = fanout.commit(Bytes::from_static(b"manifest")).await.unwrap();
    assert_eq!((commit.held_by.len(), names(&commit.owed_to), commit.counts), (0, vec!["a"], false));

    // It can be read already, and another process brings it later.
    assert!(world.stores.fetch(&packs[2]).await.is_ok());
    proxy.set_weather(Weather::Fine);
    let again = World { stores: reopened(&world, store_at(proxy.address())), dir: world.dir };
    again.stores.synchronise().await.unwrap();
    for pack in packs.iter().chain([&manifest_of(&folder)]) {
        assert!(again.is_whole_everywhere(pack).await, "{pack:?}");
    }
    assert_eq!((again.stores.owed().await.unwrap(), again.spooled_files()), (vec![], 0));
}

fn reopened(world: &World, a: Store) -> Stores {
    let spool = Some((world.dir.path().join("spool"), 1 << 30));
    Stores::of(vec![(name("a"), a)], spool, settings()).expect("stores")
}
