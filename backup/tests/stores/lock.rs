//! Object lock, and multipart uploads that can be listed: `moto_server` has both.

use super::server::settings as bucket_settings;
use super::world::*;
use backup::stores::*;
use bytes::Bytes;
use shared::testing::free_ports;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Killed when dropped.
struct Moto {
    child: Child,
    address: SocketAddr,
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `None`, with a line that says so, where there is no `moto_server`.
async fn moto(object_lock: bool) -> Option<Moto> {
    let port = free_ports::<1>()[0];
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut command =
        Command::new(std::env::var("COUNTERFOIL_TEST_MOTO_SERVER").unwrap_or("moto_server".into()));
    command.args(["-H", "127.0.0.1", "-p", &port.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(child) = command.spawn() else {
        eprintln!("skipped: there is no moto_server (pip install 'moto[server]') for object lock");
        return None;
    };
    let mut moto = Moto { child, address };
    for _ in 0..600 {
        if let Ok(Some(ended)) = moto.child.try_wait() {
            eprintln!("skipped: moto_server does not start ({ended})");
            return None;
        }
        if create_bucket(address, object_lock).await.is_ok() {
            return Some(moto);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("moto_server does not answer")
}

/// `moto` does not check signatures: a request by hand will do.
async fn create_bucket(address: SocketAddr, object_lock: bool) -> std::io::Result<()> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut connection = tokio::net::TcpStream::connect(address).await?;
    let lock = if object_lock { "x-amz-bucket-object-lock-enabled: true\r\n" } else { "" };
    let request = format!(
        "PUT /backups HTTP/1.1\r\nHost: {address}\r\n{lock}Authorization: AWS4-HMAC-SHA256 \
         Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0\r\n\
         Content-Length: 0\r\nConnection: close\r\n\r\n"
    );
    connection.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await?;
    if answer.starts_with("HTTP/1.1 200") { Ok(()) } else { Err(std::io::Error::other(answer)) }
}

fn locking_store(address: SocketAddr) -> Store {
    let locking = Locking { mode: LockMode::Compliance, days: 1 };
    Store::S3(S3::new(bucket_settings(address, Duration::from_secs(30)), Some(locking)))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_locked_stays_and_says_until_when() {
    let Some(moto) = moto(true).await else { return };
    let dir = tempfile::tempdir().unwrap();
    let world = World::of(vec![("locked", locking_store(moto.address)), ("disk", disk(&dir))]);
    // One part: `moto` answers the completion of an upload with a document that is none of S3's.
    let (folder, bytes) = (folder(), noise(1000));
    let (packs, commit) = world.back_up(&folder, &bytes).await.unwrap();
    let status = world.stores.status().await.unwrap();
    assert_eq!(names(&commit.held_by), ["locked", "disk"], "{status:?}");

    let deletion = world.stores.delete_backup(&folder).await;
    assert!(!deletion.complete && deletion.failed.is_empty(), "{deletion:?}");
    let (store, until) = &deletion.locked[0];
    assert_eq!(store.as_str(), "locked");
    let days = (until.unwrap() - chrono::Utc::now()).num_hours();
    assert!((23..=24).contains(&days), "{until:?}");
    // Nothing became incomplete by it: the manifest is still there, and so is every pack.
    for pack in packs.iter().chain([&manifest_of(&folder)]) {
        assert!(matches!(world.stores.inspect(pack).await[0].1, Health::Whole), "{pack:?}");
    }

    let key = cluster().wrapped_key(folder.id, "0011").unwrap();
    world.stores.put(&key, Bytes::from_static(b"wrapped")).await.unwrap();
    assert!(world.stores.delete(&key).await.complete, "without its key a locked backup is as good as erased");
    assert!(world.stores.list(key.as_str()).await.objects.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_object_is_healed_although_it_is_locked() {
    let Some(moto) = moto(true).await else { return };
    let dir = tempfile::tempdir().unwrap();
    let world = World::of(vec![("locked", locking_store(moto.address)), ("disk", disk(&dir))]);
    let (packs, _) = world.back_up(&folder(), &noise(1000)).await.unwrap();
    let locked = world.stores.store(&name("locked")).unwrap();
    locked.put(&packs[0].object, noise(999), Creation::Replace).await.unwrap();
    let healing = world.stores.heal(&packs[0]).await;
    assert_eq!((names(&healing.healed), healing.failed.len()), (vec!["locked"], 0));
    assert!(world.is_whole_everywhere(&packs[0]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_nobody_finished_are_aborted() {
    let Some(moto) = moto(false).await else { return };
    let settings = bucket_settings(moto.address, Duration::from_secs(30));
    let store = Store::S3(S3::new(settings, None));
    let object = folder().pack("dump", 1).unwrap();
    let mut upload = store.upload(&object, Creation::Only);
    for part in [noise(PART), noise(10)] {
        upload.part(part).await.unwrap();
    }
    drop(upload);
    assert!(store.list("v1/", None).await.unwrap().objects.is_empty());
    // `moto` dates all of them to November 2010.
    let century = Duration::from_secs(100 * 365 * 86_400);
    assert_eq!(store.abort_unfinished("v1/", century).await.unwrap(), 0, "it is young");
    assert_eq!(store.abort_unfinished("v1/another/", Duration::ZERO).await.unwrap(), 0);
    assert_eq!(store.abort_unfinished("v1/", Duration::from_secs(3600)).await.unwrap(), 1);
    assert_eq!(store.abort_unfinished("v1/", Duration::ZERO).await.unwrap(), 0);
}
