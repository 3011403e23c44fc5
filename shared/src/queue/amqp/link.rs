//! One connection to the broker, for one role.

use super::super::{QueueError, figures};
use super::broker::Broker;
use super::topology;
use futures_util::StreamExt;
use lapin::tcp::{AsyncTcpStream, TLSConfig};
use lapin::uri::AMQPScheme;
use lapin::{Connection, ConnectionProperties, Event};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::time::timeout;

/// What a connection is for. Each has its own: see the module's introduction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Publish,
    Consume,
    Inspect,
}

impl Role {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Consume => "consume",
            Self::Inspect => "inspect",
        }
    }
}

/// An open connection with the topology declared. Dropped, its socket is cut at once and the broker requeues what
/// was not acknowledged; [`Self::close`] says goodbye first.
pub(super) struct Link {
    connection: Connection,
    socket: Socket,
    role: Role,
    closed: bool,
    _connected: figures::Connected,
}

impl Link {
    /// For the whole way: name, TCP, TLS, handshake, topology.
    const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
    const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

    pub(super) async fn open(broker: &Broker, role: Role) -> Result<Self, QueueError> {
        let opened = Self::try_open(broker, role).await;
        figures::count_session(role.as_str(), if opened.is_ok() { "opened" } else { "failed" });
        opened.map_err(|source| QueueError::Unreachable { address: broker.address(), source })
    }

    async fn try_open(broker: &Broker, role: Role) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        // Cuts the connection when anything below fails, takes too long, or is dropped half way.
        let half_open = CutOnDrop(Socket::default());
        let open = async {
            let connection = connect(broker, role, half_open.0.clone()).await?;
            topology::declare(&connection, broker).await?;
            lapin::Result::Ok(connection)
        };
        let connection = timeout(Self::OPEN_TIMEOUT, open).await.map_err(|_| "no answer in time")??;
        let socket = half_open.keep();
        let _connected = figures::Connected::count(role.as_str());
        Ok(Self { connection, socket, role, closed: false, _connected })
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) fn is_alive(&self) -> bool {
        self.connection.status().connected()
    }

    /// The broker has stopped reading from this connection, because it is short of memory or disk.
    pub(super) fn is_blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    /// Ends when the connection is blocked. The client hands each event to one listener only: do not wait for
    /// this and for [`Self::broken`] at once.
    pub(super) async fn blocked(&self) {
        let mut events = std::pin::pin!(self.connection.events_listener());
        while !self.is_blocked() {
            if events.next().await.is_none() {
                std::future::pending().await
            }
        }
    }

    /// Ends with the reason when the connection or a channel on it breaks.
    pub(super) async fn broken(&self) -> lapin::Error {
        let mut events = std::pin::pin!(self.connection.events_listener());
        // An error from before the listener existed was sent to nobody.
        if !self.is_alive() {
            return lapin::ErrorKind::InvalidConnectionState(lapin::ConnectionState::Error).into();
        }
        loop {
            match events.next().await {
                Some(Event::Error(error)) => return error,
                Some(_) => {}
                None => std::future::pending().await,
            }
        }
    }

    pub(super) async fn close(mut self) {
        self.closed = true;
        // Failing or late, it is cut below all the same.
        let _ = timeout(Self::CLOSE_TIMEOUT, self.connection.close(200, "OK".into())).await;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        figures::count_session(self.role.as_str(), if self.closed { "closed" } else { "lost" });
        self.socket.cut();
    }
}

async fn connect(broker: &Broker, role: Role, socket: Socket) -> lapin::Result<Connection> {
    let properties = ConnectionProperties::default()
        .with_connection_name(format!("counterfoil {} {}", role.as_str(), std::process::id()).into());
    Connection::connector(
        broker.uri.clone(),
        lapin::runtime::default_runtime()?,
        async move |uri, runtime| {
            let address = (uri.authority.host.as_str(), uri.authority.port);
            // Without a limit of its own, this thread would wait minutes for a host that swallows packets.
            let stream = timeout(Link::OPEN_TIMEOUT, async {
                let addresses: Vec<_> = tokio::net::lookup_host(address).await?.collect();
                AsyncTcpStream::connect(&runtime, addresses).await
            });
            let stream = stream.await.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
            if let AsyncTcpStream::Plain(plain) = &stream {
                socket.adopt(plain.get_ref().as_fd().try_clone_to_owned()?.into())?;
            }
            Ok(match uri.scheme {
                AMQPScheme::AMQP => stream,
                AMQPScheme::AMQPS => stream.into_tls(&uri.authority.host, TLSConfig::default()).await?,
            })
        },
        properties,
    )
    .await
}

/// The socket under a connection.
///
/// The client reads it on a thread of its own, which ends when the socket does. A handshake or a goodbye that a
/// hung broker never answers would keep thread and socket for ever, one more with each attempt. So we hold the
/// socket too, and shut it down when we give up.
#[derive(Clone, Default)]
struct Socket(Arc<Mutex<SocketState>>);

#[derive(Default)]
enum SocketState {
    #[default]
    NotYet,
    Open(TcpStream),
    Cut,
}

impl Socket {
    /// Refused when we have given up in the meantime.
    fn adopt(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut state = self.lock();
        if matches!(*state, SocketState::Cut) {
            return Err(std::io::ErrorKind::ConnectionAborted.into());
        }
        *state = SocketState::Open(stream);
        Ok(())
    }

    fn cut(&self) {
        if let SocketState::Open(stream) = std::mem::replace(&mut *self.lock(), SocketState::Cut) {
            // Fails when the other side was faster.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn lock(&self) -> MutexGuard<'_, SocketState> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

struct CutOnDrop(Socket);

impl CutOnDrop {
    fn keep(mut self) -> Socket {
        std::mem::take(&mut self.0)
    }
}

impl Drop for CutOnDrop {
    fn drop(&mut self) {
        self.0.cut();
    }
}
