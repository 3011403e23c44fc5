//! A mail server that takes mails and keeps them, and has bad days on purpose. It speaks SMTP (RFC 5321) in the clear, after
//! STARTTLS (RFC 3207) or over TLS from the start (RFC 8314), as far as a client that only delivers hears of it.

use super::tls::{TestCertificate, Wire};
use data_encoding::BASE64;
use rustls::ServerConfig;
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
    /// User and password of the login, with a NUL before each; `None` without one.
    pub login: Option<String>,
    /// Whether it came over TLS.
    pub is_secure: bool,
}

/// How far clients must go to deliver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpSecurity {
    None,
    /// Offers it, and takes no mail and no login without it.
    StartTls,
    Implicit,
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

    /// On a free port, with [`TestCertificate::localhost`].
    pub fn start_secure(security: SmtpSecurity) -> Self {
        Self::listen("127.0.0.1:0".parse().expect("an address"), security)
    }

    /// On this port, where another one may have listened before.
    pub fn start_at(address: SocketAddr) -> Self {
        Self::listen(address, SmtpSecurity::None)
    }

    fn listen(address: SocketAddr, security: SmtpSecurity) -> Self {
        let tls = TestCertificate::localhost().server();
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
                    let (Ok(stream), shared, tls) = (stream, shared.clone(), tls.clone()) else { continue };
                    std::thread::spawn(move || {
                        // A client that leaves is its own business.
                        let _ = converse(stream, &shared, security, &tls);
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

fn converse(
    stream: TcpStream,
    shared: &Shared,
    security: SmtpSecurity,
    tls: &Arc<ServerConfig>,
) -> std::io::Result<()> {
    let wire = match security {
        SmtpSecurity::Implicit => Wire::secure(stream, tls)?,
        SmtpSecurity::None | SmtpSecurity::StartTls => Wire::Plain(stream),
    };
    let mut lines = BufReader::new(wire);
    let (mut from, mut to, mut login) = (String::new(), vec![], None);
    write!(lines.get_mut(), "220 receiver.test ESMTP\r\n")?;
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
        let is_secure = lines.get_ref().is_secure();
        let must_secure = security == SmtpSecurity::StartTls && !is_secure;
        if verb == "STARTTLS" && must_secure {
            write!(lines.get_mut(), "220 go ahead\r\n")?;
            let Wire::Plain(stream) = lines.into_inner() else { return Ok(()) };
            lines = BufReader::new(Wire::secure(stream, tls)?);
            continue;
        }
        let mut taken = None;
        if verb == "DATA" && !to.is_empty() {
            write!(lines.get_mut(), "354 go on\r\n")?;
            taken = Some(read_data(&mut lines)?);
        }
        let out = lines.get_mut();
        match verb.as_str() {
            "EHLO" if must_secure => write!(out, "250-receiver.test\r\n250-8BITMIME\r\n250 STARTTLS\r\n")?,
            "EHLO" if is_secure => {
                write!(out, "250-receiver.test\r\n250-8BITMIME\r\n250-AUTH PLAIN\r\n250 SMTPUTF8\r\n")?
            }
            "MAIL" | "AUTH" if must_secure => write!(out, "530 5.7.0 first STARTTLS\r\n")?,
            "AUTH" => {
                let given = line.rsplit(' ').next().and_then(|text| BASE64.decode(text.as_bytes()).ok());
                login = given.and_then(|bytes| String::from_utf8(bytes).ok());
                write!(out, "235 2.7.0 welcome\r\n")?;
            }
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
            "DATA" => {
                let Some(data) = taken else {
                    write!(out, "503 no recipients\r\n")?;
                    continue;
                };
                let (from, to) = (from.clone(), std::mem::take(&mut to));
                let mail = ReceivedMail { from, to, data, login: login.clone(), is_secure };
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
