//! A certificate of 127.0.0.1 and localhost, for servers of tests, and the authority that signed it.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a server of a test shows, and what a client trusts.
#[derive(Debug, Clone)]
pub struct TestCertificate {
    /// For `SSL_CERT_FILE`: whoever trusts it trusts the server.
    pub authority: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl TestCertificate {
    /// The one there is; `tls/make.py` made it.
    pub fn localhost() -> Self {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/testing/tls");
        let file = |name: &str| dir.join(name);
        Self {
            authority: file("authority.pem"),
            certificate: file("server.pem"),
            key: file("server-key.pem"),
        }
    }

    pub(super) fn server(&self) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let chain = CertificateDer::from_pem_file(&self.certificate).expect("the certificate of tests");
        let key = PrivateKeyDer::from_pem_file(&self.key).expect("its key");
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions of this provider")
            .with_no_client_auth()
            .with_single_cert(vec![chain], key);
        Arc::new(config.expect("the key belongs to the certificate"))
    }
}

/// A connection to a client, in the clear or not.
pub(super) enum Wire {
    Plain(TcpStream),
    Secure(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Wire {
    /// Shakes hands with the first byte that is read or written.
    pub fn secure(stream: TcpStream, config: &Arc<ServerConfig>) -> std::io::Result<Self> {
        let connection = ServerConnection::new(config.clone()).map_err(std::io::Error::other)?;
        Ok(Self::Secure(Box::new(StreamOwned::new(connection, stream))))
    }

    pub fn is_secure(&self) -> bool {
        matches!(self, Self::Secure(_))
    }
}

impl Read for Wire {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(into),
            Self::Secure(stream) => stream.read(into),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Secure(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Secure(stream) => stream.flush(),
        }
    }
}
