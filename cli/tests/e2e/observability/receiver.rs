//! Whoever is told of alerts: one HTTP server for the webhook, Slack and PagerDuty, and one for mail.

use crate::wait::within;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub struct Receiver {
    http: u16,
    mail: u16,
    heard: Arc<Mutex<Vec<Message>>>,
    ended: Arc<AtomicBool>,
}

#[derive(Debug, Clone)]
pub struct Message {
    /// The path that was asked, or `mail`.
    pub way: String,
    pub authorization: String,
    pub text: String,
}

/// From a broken thing to the message; a few evaluations, scrapes and waits of a second each.
const PATIENCE: Duration = Duration::from_secs(60);

impl Receiver {
    pub fn start() -> Self {
        let (heard, ended) = (Arc::default(), Arc::default());
        let http = serve(&heard, &ended, read_request);
        let mail = serve(&heard, &ended, read_mail);
        Self { http, mail, heard, ended }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.http)
    }

    pub fn mail_address(&self) -> String {
        format!("127.0.0.1:{}", self.mail)
    }

    /// Waits for a message that came that way and holds all these words.
    #[track_caller]
    pub fn wait_for(&self, way: &str, words: &[&str]) -> Message {
        let fits =
            |message: &&Message| message.way == way && words.iter().all(|word| message.text.contains(word));
        within(PATIENCE, &format!("{words:?} by {way}"), || {
            self.heard.lock().expect("what was heard").iter().find(fits).cloned()
        })
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the threads that wait for somebody.
        for port in [self.http, self.mail] {
            let _ = TcpStream::connect(("127.0.0.1", port));
        }
    }
}

type Heard = Arc<Mutex<Vec<Message>>>;

fn serve(
    heard: &Heard,
    ended: &Arc<AtomicBool>,
    read: fn(TcpStream) -> std::io::Result<Vec<Message>>,
) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (heard, ended) = (heard.clone(), ended.clone());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if ended.load(Ordering::Relaxed) {
                return;
            }
            let heard = heard.clone();
            std::thread::spawn(move || {
                // A client that breaks off has said nothing.
                let messages = read(stream).unwrap_or_default();
                heard.lock().expect("what was heard").extend(messages);
            });
        }
    });
    port
}

fn read_request(mut stream: TcpStream) -> std::io::Result<Vec<Message>> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let way = line.split_whitespace().nth(1).unwrap_or_default().to_owned();
    let (mut length, mut authorization) = (0, String::new());
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap_or(0),
            "authorization" => authorization = value.trim().to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")?;
    Ok(vec![Message { way, authorization, text: String::from_utf8_lossy(&body).into_owned() }])
}

fn read_mail(mut stream: TcpStream) -> std::io::Result<Vec<Message>> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut mails = vec![];
    stream.write_all(b"220 here\r\n")?;
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(mails);
        }
        match line.get(..4).unwrap_or_default().to_ascii_uppercase().as_str() {
            "DATA" => {
                stream.write_all(b"354 go on\r\n")?;
                let mut text = String::new();
                loop {
                    line.clear();
                    reader.read_line(&mut line)?;
                    if line == ".\r\n" || line.is_empty() {
                        break;
                    }
                    text.push_str(&line);
                }
                mails.push(Message { way: "mail".into(), authorization: String::new(), text });
                stream.write_all(b"250 taken\r\n")?;
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n")?;
                return Ok(mails);
            }
            _ => stream.write_all(b"250 fine\r\n")?,
        }
    }
}
