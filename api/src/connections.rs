//! Accepting connections, within limits.
//!
//! Written out instead of `axum::serve`, which neither bounds the number of connections nor the time a client may
//! take for its headers, and waits for ever when it stops.

use crate::quota::Peer;
use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

pub(crate) struct Limits {
    /// Further ones wait in the backlog of the listener.
    pub connections_max: usize,
    /// Time for answers under way after `stop`.
    pub drain: Duration,
}

/// For the headers of a request, and for the next request on an idle connection.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: CancellationToken) {
    let open = Arc::new(Semaphore::new(limits.connections_max));
    let graceful = GracefulShutdown::new();
    let accepting = async {
        loop {
            let place = open.clone().acquire_owned().await.expect("the semaphore is never closed");
            let (stream, peer) = accept(&listener).await;
            start(stream, peer, router.clone(), place, &graceful);
        }
    };
    tokio::select! {
        () = accepting => {}
        () = stop.cancelled() => {}
    }
    // New clients are refused from here on, not left waiting.
    drop(listener);
    if timeout(limits.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!(drain_s = limits.drain.as_secs(), "some answers were not finished in time");
    }
}

fn start(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    place: OwnedSemaphorePermit,
    graceful: &GracefulShutdown,
) {
    let router = router.map_request(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        request
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_TIMEOUT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        // Broken by the client: nobody is left to be told.
        if let Err(error) = connection.await {
            tracing::debug!(error = shared::chain(&error), "a connection broke");
        }
        drop(place);
    });
}

/// Goes on through whatever a single client, or a process out of file descriptors, does to `accept`.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let _ = stream.set_nodelay(true);
                return (stream, peer);
            }
            Err(error) if is_of_the_client(&error) => {}
            Err(error) => {
                tracing::error!(%error, "accepting a connection failed; next attempt in 1 s");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::*;
    matches!(error.kind(), ConnectionRefused | ConnectionAborted | ConnectionReset)
}
