//! An S3 server in this process that can be told to fail.

use backup::stores::{BucketSettings, ObjectName, S3, Store};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, HttpError};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

pub const BUCKET: &str = "backups";
const PREFIX: &str = "some/where/";
const KEY_ID: &str = "test-key";
const SECRET: &str = "test-secret";

pub struct S3Server {
    root: tempfile::TempDir,
    address: SocketAddr,
    pub faults: Arc<Faults>,
    _serving: AbortOnDropHandle<()>,
}

#[derive(Default)]
pub struct Faults {
    /// So many of the next requests are answered with 503.
    pub unavailable: AtomicU32,
    /// Answers 501 to whatever has a condition, as some endpoints do.
    pub no_conditions: AtomicBool,
    /// Does what it is asked and loses the answer: so many of the next writes.
    pub lost_answers: AtomicU32,
    pub requests: AtomicU32,
}

impl S3Server {
    pub async fn start() -> Self {
        let root = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(root.path().join(BUCKET)).expect("a bucket");
        let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root.path()).expect("a file system"));
        service.set_auth(SimpleAuth::from_single(KEY_ID, SECRET));
        let service = service.build();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let faults = Arc::new(Faults::default());
        let serving = AbortOnDropHandle::new(tokio::spawn(serve(listener, service, faults.clone())));
        Self { root, address, faults, _serving: serving }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn store(&self) -> Store {
        store_at(self.address)
    }

    /// The file in which the server keeps an object.
    pub fn path(&self, object: &ObjectName) -> PathBuf {
        self.root.path().join(BUCKET).join(PREFIX).join(object.as_str())
    }

    /// Files of uploads that were not finished, as this server calls them.
    pub fn unfinished_files(&self) -> usize {
        let files = std::fs::read_dir(self.root.path()).expect("a folder").flatten();
        files.filter(|file| file.file_name().to_string_lossy().starts_with(".upload")).count()
    }
}

pub fn store_at(address: SocketAddr) -> Store {
    store_with(address, Duration::from_secs(30))
}

pub fn store_with(address: SocketAddr, request_timeout: Duration) -> Store {
    Store::S3(S3::new(settings(address, request_timeout), None))
}

pub fn settings(address: SocketAddr, request_timeout: Duration) -> BucketSettings {
    BucketSettings {
        endpoint: Some(format!("http://{address}")),
        region: "us-east-1".into(),
        bucket: BUCKET.into(),
        prefix: PREFIX.into(),
        path_style: true,
        key_id: KEY_ID.into(),
        secret: SECRET.to_owned().into(),
        connect_timeout: Duration::from_secs(5),
        request_timeout,
        content_md5: false,
    }
}

async fn serve(listener: TcpListener, service: S3Service, faults: Arc<Faults>) {
    while let Ok((connection, _)) = listener.accept().await {
        let (service, faults) = (service.clone(), faults.clone());
        tokio::spawn(async move {
            let faulty =
                hyper::service::service_fn(move |request| answer(request, service.clone(), faults.clone()));
            // Connections that are cut are part of the tests.
            let _ =
                Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(connection), faulty).await;
        });
    }
}

async fn answer(
    request: hyper::Request<hyper::body::Incoming>,
    service: S3Service,
    faults: Arc<Faults>,
) -> Result<hyper::Response<Body>, HttpError> {
    faults.requests.fetch_add(1, Ordering::Relaxed);
    let answer = |status| {
        let mut answer = hyper::Response::new(Body::empty());
        *answer.status_mut() = status;
        Ok(answer)
    };
    if take_one(&faults.unavailable) {
        return answer(hyper::StatusCode::SERVICE_UNAVAILABLE);
    }
    if faults.no_conditions.load(Ordering::Relaxed) && request.headers().contains_key("if-none-match") {
        return answer(hyper::StatusCode::NOT_IMPLEMENTED);
    }
    let writes = request.method() == hyper::Method::PUT || request.method() == hyper::Method::POST;
    let given = hyper::service::Service::call(&service, request).await;
    if writes && take_one(&faults.lost_answers) {
        return answer(hyper::StatusCode::SERVICE_UNAVAILABLE);
    }
    given
}

fn take_one(left: &AtomicU32) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}
