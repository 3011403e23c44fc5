//! An S3 server in this process, over a folder.

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use std::net::SocketAddr;
use std::path::Path;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

pub const BUCKET: &str = "backups";
pub const KEY_ID: &str = "test-key";
pub const SECRET: &str = "test-secret";

pub struct S3Server {
    pub address: SocketAddr,
    _serving: AbortOnDropHandle<()>,
}

impl S3Server {
    /// `root`: an empty folder, which has the bucket as a folder afterwards.
    pub async fn start(root: &Path) -> Self {
        std::fs::create_dir_all(root.join(BUCKET)).expect("a bucket");
        let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root).expect("a file system"));
        service.set_auth(SimpleAuth::from_single(KEY_ID, SECRET));
        let service = service.build();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let serving = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let service = service.clone();
                tokio::spawn(async move {
                    // Whoever is killed leaves a connection behind.
                    let _ = Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(connection), service)
                        .await;
                });
            }
        });
        Self { address, _serving: AbortOnDropHandle::new(serving) }
    }
}
