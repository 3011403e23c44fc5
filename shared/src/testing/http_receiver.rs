//! A web server that takes `POST` requests, keeps them, and answers with the status it was told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Listens until dropped.
pub struct HttpReceiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedRequest {
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// With replacements for what is no UTF-8.
    pub body: String,
    pub bytes: Vec<u8>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    stopped: AtomicBool,
}

struct State {
    requests: Vec<ReceivedRequest>,
    status: u16,
    location: Option<String>,
}

impl ReceivedRequest {
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or_else(|| panic!("no {name} in {:?}", self.headers), |(_, value)| value)
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

impl HttpReceiver {
    /// On a free port; answers 200.
    pub fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().expect("an address"))
    }

    /// On this port, where another one may have listened before.
    pub fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).unwrap_or_else(|error| panic!("{address}: {error}"));
        let address = listener.local_addr().expect("an address");
        let state = Mutex::new(State { requests: vec![], status: 200, location: None });
        let shared = Arc::new(Shared { state, changed: Condvar::new(), stopped: AtomicBool::new(false) });
        let accepting = std::thread::spawn({
            let shared = shared.clone();
            move || {
                for stream in listener.incoming() {
                    if shared.stopped.load(Ordering::Acquire) {
                        return;
                    }
                    let (Ok(stream), shared) = (stream, shared.clone()) else { continue };
                    std::thread::spawn(move || {
                        let _ = answer(&stream, &shared);
                    });
                }
            }
        });
        Self { address, shared, accepting: Some(accepting) }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// With what it answers from now on.
    pub fn answer(&self, status: u16) {
        self.state().status = status;
    }

    /// Redirects there from now on.
    pub fn redirect(&self, status: u16, location: &str) {
        let mut state = self.state();
        state.status = status;
        state.location = Some(location.to_owned());
    }

    pub fn requests(&self) -> Vec<ReceivedRequest> {
        self.state().requests.clone()
    }

    /// Waits until there are so many.
    pub fn wait_for(&self, requests: usize, patience: Duration) -> Vec<ReceivedRequest> {
        let until = Instant::now() + patience;
        let mut state = self.state();
        while state.requests.len() < requests {
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{} requests came, not {requests}", state.requests.len());
            state = self.shared.changed.wait_timeout(state, left).expect("no thread panics with it").0;
        }
        state.requests.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().expect("no thread panics with it")
    }
}

impl Drop for HttpReceiver {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Release);
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn answer(stream: &TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or("").to_owned();
    let mut headers = vec![];
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut state = shared.state.lock().expect("whole");
    let text = String::from_utf8_lossy(&body).into_owned();
    state.requests.push(ReceivedRequest { path, headers, body: text, bytes: body });
    let (status, location) = (state.status, state.location.clone());
    shared.changed.notify_all();
    drop(state);
    let location = location.map(|to| format!("Location: {to}\r\n")).unwrap_or_default();
    let mut out = stream;
    write!(out, "HTTP/1.1 {status} Told\r\n{location}Content-Length: 2\r\nConnection: close\r\n\r\nok")
}
