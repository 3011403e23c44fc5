//! Reads that fail over, and healing of what they find.

use super::server::{S3Server, store_at};
use super::world::*;
use backup::stores::*;
use bytes::Bytes;
use shared::testing::tcp_proxy::{TcpProxy, Weather};
use std::io::Read;
use std::path::Path;

struct Damaged {
    world: World,
    a: S3Server,
    disk: std::path::PathBuf,
    bytes: Bytes,
    pack: Pack,
    _dir: tempfile::TempDir,
}

/// A backup of one pack in the stores `a` and `disk`.
async fn backed_up() -> Damaged {
    let (a, dir) = (S3Server::start().await, tempfile::tempdir().unwrap());
    let world = World::of(vec![("a", a.store()), ("disk", disk(&dir))]);
    let bytes = noise(3_000_000);
    let (packs, _) = world.back_up(&folder(), &bytes).await.unwrap();
    let pack = packs[0].clone();
    let disk = dir.path().join("disk").join(pack.object.as_str());
    Damaged { world, a, disk, bytes, pack, _dir: dir }
}

impl Damaged {
    /// Where store `a` keeps the pack.
    fn in_a(&self) -> std::path::PathBuf {
        self.a.path(&self.pack.object)
    }

    async fn reads_whole(&self) -> bool {
        let mut read = vec![];
        self.world.stores.fetch(&self.pack).await.unwrap().read_to_end(&mut read).unwrap();
        read == self.bytes
    }
}

type Damage = fn(&Path);

fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

fn truncate(path: &Path) {
    std::fs::File::options().write(true).open(path).unwrap().set_len(1000).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_in_one_store_comes_from_the_next_and_is_healed() {
    let damages: [(&str, Damage, Reason); 4] = [
        ("a flipped bit", flip, Reason::Damaged),
        ("a cut object", truncate, Reason::Damaged),
        ("an empty object", |path| std::fs::write(path, b"").unwrap(), Reason::Damaged),
        ("no object", |path| std::fs::remove_file(path).unwrap(), Reason::Missing),
    ];
    let backup = backed_up().await;
    for (what, damage, reason) in damages {
        damage(&backup.in_a());
        assert!(backup.reads_whole().await, "{what}");
        let owed = backup.world.stores.owed().await.unwrap();
        assert_eq!(owed.len(), 1, "{what}");
        assert_eq!((owed[0].store.as_str(), owed[0].reason, &owed[0].pack), ("a", reason, &backup.pack));
        let round = backup.world.stores.synchronise().await.unwrap();
        assert_eq!((round.paid, round.left), (1, 0), "{what}");
        assert!(std::fs::read(backup.in_a()).unwrap() == backup.bytes, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn healing_works_both_ways_and_says_what_it_did() {
    let backup = backed_up().await;
    flip(&backup.disk);
    let inspected = backup.world.stores.inspect(&backup.pack).await;
    assert!(matches!(&inspected[..], [(_, Health::Whole), (_, Health::Damaged)]), "{inspected:?}");
    let healing = backup.world.stores.heal(&backup.pack).await;
    assert_eq!((names(&healing.healed), healing.failed.len(), healing.is_whole), (vec!["disk"], 0, true));
    assert!(backup.world.is_whole_everywhere(&backup.pack).await);
    let healing = backup.world.stores.heal(&backup.pack).await;
    assert_eq!((healing.healed.len(), healing.is_whole), (0, true), "there is nothing more to do");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_whole_nowhere_is_refused_by_name() {
    let backup = backed_up().await;
    flip(&backup.in_a());
    truncate(&backup.disk);
    let error = backup.world.stores.fetch(&backup.pack).await.unwrap_err();
    let answers: Vec<_> = error.tries.iter().map(|(store, error)| (store.as_str(), error.kind())).collect();
    assert_eq!(answers, [("a", "damaged"), ("disk", "damaged"), ("spool", "missing")]);
    assert!(!error.is_missing() && error.to_string().contains(backup.pack.object.as_str()));
    let healing = backup.world.stores.heal(&backup.pack).await;
    assert!(!healing.is_whole && healing.healed.is_empty() && healing.failed.len() == 2);
    let mut reader =
        backup.world.stores.read_packs(vec![backup.pack.clone()], 1, None, tokio::runtime::Handle::current());
    let read = tokio::task::spawn_blocking(move || reader.read(&mut [0; 10]));
    assert!(read.await.unwrap().is_err(), "not a byte of it is given out");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_is_passed_over_and_owed_nothing() {
    let (a, dir) = (S3Server::start().await, tempfile::tempdir().unwrap());
    let proxy = TcpProxy::start(a.address()).await.unwrap();
    let world = World::of(vec![("a", store_at(proxy.address())), ("disk", disk(&dir))]);
    let (packs, _) = world.back_up(&folder(), &noise(100)).await.unwrap();
    proxy.set_weather(Weather::Refusing);
    proxy.cut();
    assert_eq!(world.stores.get(&packs[0]).await.unwrap(), noise(100));
    assert_eq!(world.stores.owed().await.unwrap(), []);
    let listing = world.stores.list("v1/").await;
    assert_eq!((listing.objects.len(), listing.unanswered.len()), (2, 1));
    let inspected = world.stores.inspect(&packs[0]).await;
    assert!(matches!(&inspected[..], [(_, Health::Unknown(_)), (_, Health::Whole)]), "{inspected:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reader_may_decide_what_is_whole() {
    let backup = backed_up().await;
    flip(&backup.in_a());
    let check = |bytes: Bytes| if bytes == backup.bytes { Ok(bytes.len()) } else { Err("it does not open") };
    let object = &backup.pack.object;
    assert_eq!(backup.world.stores.get_checked(object, 4 << 20, check).await.unwrap(), 3_000_000);
    let error = backup.world.stores.get_checked(object, 1000, check).await.unwrap_err();
    assert!(error.to_string().contains("longer than 1000 bytes"), "{error}");
    let none = ObjectName::parse("v1/test/nothing").unwrap();
    assert!(backup.world.stores.get_checked(&none, 1000, check).await.unwrap_err().is_missing());
}
