//! A mail server that takes mails and keeps them, and has bad days on purpose. It speaks SMTP (RFC 5321) over plain
//! TCP, as far as a client that only delivers hears of it.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Listens until dropped.
pub struct SmtpReceiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

/// A mail as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedMail {
    pub from: String,
    pub to: Vec<String>,
    /// Head and body, lines ending with `\r\n`.
    pub data: String,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    stopped: AtomicBool,
}

#[derive(Default)]
struct State {
    mails: Vec<ReceivedMail>,
    /// Recipients that are answered so, and not accepted.
    answers: HashMap<String, String>,
    /// Mails are kept and not answered.
    holds: bool,
}

impl ReceivedMail {
    /// The value of a header, unfolded.
    pub fn header(&self, name: &str) -> Option<String> {
        let head = self.data.split("\r\n\r\n").next()?.replace("\r\n ", " ").replace("\r\n\t", " ");
        let wanted = format!("{}:", name.to_lowercase());
        let line = head.lines().find(|line| line.to_lowercase().starts_with(&wanted))?;
        Some(line[wanted.len()..].trim().to_owned())
    }
}

impl SmtpReceiver {
    /// On a free port.
    pub fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().expect("an address"))
    }

    /// On this port, where another one may have listened before.
    pub fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).unwrap_or_else(|error| panic!("{address}: {error}"));
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared::default());
        let accepting = std::thread::spawn({
            let shared = shared.clone();
            move || {
                for stream in listener.incoming() {
                    if shared.stopped.load(Ordering::Acquire) {
                        return;
                    }
                    let (Ok(stream), shared) = (stream, shared.clone()) else { continue };
                    std::thread::spawn(move || {
                        // A client that leaves is its own business.
                        let _ = converse(&stream, &shared);
                    });
                }
            }
        });
        Self { address, shared, accepting: Some(accepting) }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// For `mail.url`.
    pub fn url(&self) -> String {
        format!("smtp://{}?tls=never", self.address)
    }

    /// From now on this recipient is answered so: `550 5.1.1 no such user`.
    pub fn refuse(&self, recipient: &str, answer: &str) {
        self.state().answers.insert(recipient.to_owned(), answer.to_owned());
    }

    pub fn accept(&self, recipient: &str) {
        self.state().answers.remove(recipient);
    }

    /// Whether mails are kept and not answered.
    pub fn hold(&self, holds: bool) {
        self.state().holds = holds;
        self.shared.changed.notify_all();
    }

    pub fn mails(&self) -> Vec<ReceivedMail> {
        self.state().mails.clone()
    }

    /// Waits until there are so many.
    pub fn wait_for(&self, mails: usize, patience: Duration) -> Vec<ReceivedMail> {
        let until = Instant::now() + patience;
        let mut state = self.state();
        while state.mails.len() < mails {
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{} mails came, not {mails}", state.mails.len());
            state = self.shared.changed.wait_timeout(state, left).expect("no thread panics with it").0;
        }
        state.mails.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().expect("no thread panics with it")
    }
}

impl Drop for SmtpReceiver {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Release);
        self.hold(false);
        // Wakes the thread that accepts, so that the port is free when this returns.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn converse(stream: &TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?);
    let mut out = stream;
    let (mut from, mut to) = (String::new(), vec![]);
    write!(out, "220 receiver.test ESMTP\r\n")?;
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let line = line.trim_end();
        let verb = line.split([' ', ':']).next().unwrap_or("").to_uppercase();
        let path = || {
            let text = line.split_once('<').map_or("", |(_, rest)| rest);
            text.split('>').next().unwrap_or("").to_owned()
        };
        match verb.as_str() {
            "EHLO" => write!(out, "250-receiver.test\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n")?,
            "HELO" | "NOOP" => write!(out, "250 ok\r\n")?,
            "RSET" => {
                to.clear();
                write!(out, "250 ok\r\n")?;
            }
            "MAIL" => {
                from = path();
                to.clear();
                write!(out, "250 ok\r\n")?;
            }
            "RCPT" => {
                let recipient = path();
                let answer = shared.state.lock().expect("whole").answers.get(&recipient).cloned();
                match answer {
                    Some(answer) => write!(out, "{answer}\r\n")?,
                    None => {
                        to.push(recipient);
                        write!(out, "250 ok\r\n")?;
                    }
                }
            }
            "DATA" if to.is_empty() => write!(out, "503 no recipients\r\n")?,
            "DATA" => {
                write!(out, "354 go on\r\n")?;
                let data = read_data(&mut lines)?;
                let mail = ReceivedMail { from: from.clone(), to: std::mem::take(&mut to), data };
                let mut state = shared.state.lock().expect("whole");
                state.mails.push(mail);
                shared.changed.notify_all();
                while state.holds {
                    state = shared.changed.wait(state).expect("whole");
                }
                drop(state);
                write!(out, "250 taken\r\n")?;
            }
            "QUIT" => {
                write!(out, "221 bye\r\n")?;
                return Ok(());
            }
            _ => write!(out, "500 what\r\n")?,
        }
    }
}

fn read_data(lines: &mut impl BufRead) -> std::io::Result<String> {
    let mut data = String::new();
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line == ".\r\n" {
            return Ok(data);
        }
        // A dot at the start of a line is doubled on the way (RFC 5321, 4.5.2).
        data.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}
