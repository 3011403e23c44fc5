//! Requests to other systems: one question, one answer, no redirect, and an end after ten seconds.

use super::SendError;
use shared::outgoing::{Guard, GuardError, agent};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(10);
/// Of an answer; what it says beyond is not read.
const ANSWER_BYTES_MAX: u64 = 16 << 10;

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Http(ureq::Agent);

pub(super) struct Answer {
    pub status: u16,
    /// As far as it is text, at most 16 KiB.
    pub text: String,
}

impl Http {
    /// Guarded: only to where that lets us.
    pub fn new(guard: Option<Guard>) -> Self {
        Self(agent(guard, PATIENCE))
    }

    /// Sends `body`; the error does not quote the address, which may be secret. Also says how long it took, in
    /// milliseconds.
    pub async fn post(
        &self,
        url: &str,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
    ) -> (Result<Answer, SendError>, u64) {
        let (agent, url) = (self.0.clone(), url.to_owned());
        let began = Instant::now();
        let answer = asked(move || {
            let mut request = agent.post(&url);
            for (name, value) in headers {
                request = request.header(name, value);
            }
            request.send(body.as_slice())
        });
        (answer.await, u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// Asks for what is at `url`, and changes nothing there.
    pub async fn get(&self, url: &str, headers: Vec<(&'static str, String)>) -> Result<Answer, SendError> {
        let (agent, url) = (self.0.clone(), url.to_owned());
        asked(move || {
            let mut request = agent.get(&url);
            for (name, value) in headers {
                request = request.header(name, value);
            }
            request.call()
        })
        .await
    }
}

async fn asked(
    ask: impl FnOnce() -> Result<ureq::http::Response<ureq::Body>, ureq::Error> + Send + 'static,
) -> Result<Answer, SendError> {
    let asked = tokio::task::spawn_blocking(move || {
        let mut response = ask().map_err(sentence)?;
        let status = response.status().as_u16();
        let mut text = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).lossy_utf8(true).reader();
        let mut read = vec![];
        // The status is the answer; a body that breaks off or is too long changes nothing.
        let _ = std::io::Read::read_to_end(&mut text, &mut read);
        Ok(Answer { status, text: String::from_utf8_lossy(&read).into_owned() })
    });
    match asked.await {
        Ok(answer) => answer,
        Err(error) => Err(SendError::passing(shared::chain(&error))),
    }
}

fn sentence(error: ureq::Error) -> SendError {
    let says = match error {
        ureq::Error::Timeout(_) => format!("there was no answer within {PATIENCE:?}"),
        ureq::Error::HostNotFound => "the host is unknown".into(),
        ureq::Error::Io(error) => format!("the connection failed: {}", shared::chain(&error)),
        ureq::Error::ConnectionFailed => "the connection failed".into(),
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) | ureq::Error::TlsRequired => {
            format!("the connection could not be secured: {error}")
        }
        ureq::Error::Other(error) => match error.downcast_ref::<GuardError>() {
            Some(refused) => refused.to_string(),
            None => "the request failed".into(),
        },
        ureq::Error::BadUri(_) => return SendError::refused("the address is not usable"),
        _ => "the request failed".into(),
    };
    SendError::passing(says)
}

/// What services say by their status: taken, try again, or never.
pub(super) fn judge(service: &str, answer: &Answer) -> Result<(), SendError> {
    let said = answer.text.chars().filter(|c| !c.is_control()).take(200).collect::<String>();
    let says = format!("{service} answered {}: {said}", answer.status);
    match answer.status {
        200..=299 => Ok(()),
        // The operator's key is wrong, which they may mend within the day.
        401 | 403 | 408 | 425 | 429 | 500..=599 => Err(SendError::Passing { says }),
        _ => Err(SendError::Refused { says }),
    }
}
