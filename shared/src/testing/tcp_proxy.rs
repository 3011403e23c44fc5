//! A TCP proxy that has bad days on purpose: it cuts connections, refuses them, or swallows what they say.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// Listens on a free loopback port until dropped, which cuts all connections.
pub struct TcpProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    _accepting: AbortOnDropHandle<()>,
}

struct Shared {
    target: SocketAddr,
    weather: watch::Sender<Weather>,
    /// Raised by one to cut all connections that are open.
    cuts: watch::Sender<u64>,
    open: watch::Sender<usize>,
}

impl Shared {
    fn weather(&self) -> Weather {
        *self.weather.borrow()
    }
}

/// What becomes of connections, new ones and those that are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    Fine,
    /// New ones are closed at once; those that are open live on.
    Refusing,
    /// As if the other side hung: they are accepted, and everything said on them disappears, goodbyes too. What is
    /// lost this way stays lost: cut the connections before the weather is fine again.
    Swallowing,
    /// Everything arrives, each piece a tenth of a second late.
    Slow,
}

/// What [`Weather::Slow`] costs each piece of up to 16 KiB.
const DELAY: Duration = Duration::from_millis(100);

impl TcpProxy {
    pub async fn start(target: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            target,
            weather: watch::Sender::new(Weather::Fine),
            cuts: watch::Sender::new(0),
            open: watch::Sender::new(0),
        });
        let accepting = tokio::spawn(accept(listener, shared.clone()));
        Ok(Self { address, shared, _accepting: AbortOnDropHandle::new(accepting) })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn set_weather(&self, weather: Weather) {
        self.shared.weather.send_replace(weather);
    }

    /// Cuts all connections that are open.
    pub fn cut(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Waits until the number of open connections is as wanted. `false` when it is not within `patience`.
    pub async fn wait_for_connections(&self, wanted: impl FnMut(&usize) -> bool, patience: Duration) -> bool {
        let mut open = self.shared.open.subscribe();
        tokio::time::timeout(patience, open.wait_for(wanted)).await.is_ok()
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.cut();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        if shared.weather() == Weather::Refusing {
            continue;
        }
        let cuts = shared.cuts.subscribe();
        let open = Open::count(&shared.open);
        let shared = shared.clone();
        tokio::spawn(async move {
            let _open = open;
            carry(client, &shared, cuts).await;
        });
    }
}

/// Until a side closes, or a cut.
async fn carry(client: TcpStream, shared: &Shared, mut cuts: watch::Receiver<u64>) {
    let Ok(server) = TcpStream::connect(shared.target).await else { return };
    let (mut client_reads, mut client_writes) = client.into_split();
    let (mut server_reads, mut server_writes) = server.into_split();
    tokio::select! {
        _ = cuts.changed() => {}
        () = pump(&mut client_reads, &mut server_writes, shared) => {}
        () = async {
            pump(&mut server_reads, &mut client_writes, shared).await;
            if shared.weather() == Weather::Swallowing {
                // The server gave up on its silent client, and the client must not hear of it.
                std::future::pending().await
            }
        } => {}
    }
}

async fn pump(from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf, shared: &Shared) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        match shared.weather() {
            Weather::Swallowing => continue,
            Weather::Slow => tokio::time::sleep(DELAY).await,
            Weather::Fine | Weather::Refusing => {}
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

struct Open(watch::Sender<usize>);

impl Open {
    fn count(open: &watch::Sender<usize>) -> Self {
        open.send_modify(|open| *open += 1);
        Self(open.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open -= 1);
    }
}
