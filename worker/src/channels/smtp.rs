//! SMTP: one connection per mail. Who answers in which step decides what an error means, so the steps are ours and
//! only the protocol is the library's.

use super::SendError;
use lettre::address::Envelope;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use percent_encoding::percent_decode_str;
use shared::breaker::{Breaker, BreakerRules};
use std::time::{Duration, Instant};
use url::Url;

/// For a connection, and for the whole mail.
const CONNECT_MAX: Duration = Duration::from_secs(15);
const MAIL_MAX: Duration = Duration::from_secs(60);

/// A mail server that takes our mails.
pub struct SmtpServer {
    host: String,
    port: u16,
    security: Security,
    credentials: Option<Credentials>,
    /// A server that cannot be reached, five times in a row, is left alone for a while; what it says of a mail is no
    /// failure of it.
    breaker: Breaker,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Security {
    /// TLS from the start.
    Implicit,
    /// STARTTLS, and no mail without it.
    StartTls,
    None,
}

impl SmtpServer {
    /// `smtps://user:password@host:465`, `smtp://user:password@host:587`, `smtp://host:25?tls=never`. The error does
    /// not quote the URL.
    pub(super) fn parse(url: &str) -> Result<Self, &'static str> {
        let url = Url::parse(url).map_err(|_| "is no URL")?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or("has no host")?.to_owned();
        let mut never = false;
        for (name, value) in url.query_pairs() {
            match (&*name, &*value) {
                ("tls", "never") => never = true,
                ("tls", "required") => {}
                _ => return Err("has a query that is not understood: only ?tls=required or ?tls=never"),
            }
        }
        let security = match (url.scheme(), never) {
            ("smtps", false) => Security::Implicit,
            ("smtps", true) => return Err("says both smtps and ?tls=never"),
            ("smtp", false) => Security::StartTls,
            ("smtp", true) => Security::None,
            _ => return Err("must begin with smtp:// or smtps://"),
        };
        let decoded = |text: &str| percent_decode_str(text).decode_utf8().map(|text| text.into_owned());
        let credentials = match (url.username(), url.password()) {
            ("", None) => None,
            (user, password) => {
                let user = decoded(user).map_err(|_| "has a user that is no text")?;
                let password =
                    decoded(password.unwrap_or("")).map_err(|_| "has a password that is no text")?;
                Some(Credentials::new(user, password))
            }
        };
        if credentials.is_some() && security == Security::None {
            return Err("would send its password in the clear: leave ?tls=never out");
        }
        let port = match (url.port(), security) {
            (Some(port), _) => port,
            (None, Security::Implicit) => 465,
            (None, Security::StartTls) => 587,
            (None, Security::None) => 25,
        };
        let breaker = Breaker::new("mail", BreakerRules::default());
        Ok(Self { host, port, security, credentials, breaker })
    }

    pub(super) async fn send(&self, envelope: &Envelope, mail: &[u8]) -> Result<(), SendError> {
        if let Err(wait) = self.breaker.admit(Instant::now()) {
            let says = format!(
                "the mail server failed again and again; it is left alone for {} s",
                wait.as_secs() + 1
            );
            return Err(SendError::passing(says));
        }
        match tokio::time::timeout(MAIL_MAX, self.converse(envelope, mail)).await {
            Ok(ended) => ended,
            Err(_) => {
                self.breaker.failed(Instant::now());
                Err(SendError::passing(format!("the mail server took longer than {MAIL_MAX:?}")))
            }
        }
    }

    /// Goes as far as before the first mail, and leaves: whether it is there, how the way is secured, and whether it
    /// lets us in. What it would say of a mail shows only when there is one.
    pub(super) async fn look(&self) -> Result<String, SendError> {
        let opened = tokio::time::timeout(MAIL_MAX, self.open()).await;
        let too_long = |_| SendError::passing(format!("the mail server took longer than {MAIL_MAX:?}"));
        let mut connection = opened.map_err(too_long)??;
        let _ = connection.quit().await;
        let way = match self.security {
            Security::Implicit => "TLS",
            Security::StartTls => "STARTTLS",
            Security::None => "no TLS",
        };
        let login = if self.credentials.is_some() { ", takes our login" } else { "" };
        Ok(format!("{}:{} answers over {way}{login}", self.host, self.port))
    }

    async fn converse(&self, envelope: &Envelope, mail: &[u8]) -> Result<(), SendError> {
        let mut connection = self.open().await?;
        connection.send(envelope, mail).await.map_err(|error| judge(&error))?;
        // It has taken the mail; whether it hears the good-bye changes nothing.
        let _ = connection.quit().await;
        Ok(())
    }

    /// A connection that takes mails.
    async fn open(&self) -> Result<AsyncSmtpConnection, SendError> {
        let before = |doing: &'static str| {
            move |error: Error| SendError::passing(format!("{doing}: {}", shared::chain(&error)))
        };
        let hello = ClientId::default();
        // Brackets belong to the URL, not to the address.
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        let tls = || TlsParameters::new_rustls(host.to_owned()).map_err(before("preparing TLS"));
        let at_once = if self.security == Security::Implicit { Some(tls()?) } else { None };
        let server = (host, self.port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, Some(CONNECT_MAX), &hello, at_once, None)
                .await
                .inspect_err(|_| self.breaker.failed(Instant::now()))
                .map_err(before("connecting to the mail server"))?;
        self.breaker.succeeded();
        if self.security == Security::StartTls {
            connection.starttls(tls()?, &hello).await.map_err(before("securing the connection"))?;
        }
        if let Some(credentials) = &self.credentials {
            let answer = connection.auth(DEFAULT_MECHANISMS, credentials).await;
            answer.map_err(before("logging in to the mail server"))?;
        }
        Ok(connection)
    }
}

/// What an answer to the mail itself means.
fn judge(error: &Error) -> SendError {
    let says = format!("the mail server says: {}", shared::chain(error));
    match error.status() {
        Some(code) if error.is_permanent() => judge_permanent(u16::from(code), &error.to_string(), says),
        // Non-ASCII addresses on a server that knows none.
        None if error.is_client() => SendError::Refused { says },
        _ => SendError::Passing { says },
    }
}

/// Permanent answers are about the address, unless their code (RFC 5321) or enhanced code (RFC 3463) says otherwise:
/// the login is missing, the command was not understood, the content or sender is not wanted.
fn judge_permanent(code: u16, text: &str, says: String) -> SendError {
    match (code, enhanced_subject(text)) {
        (530 | 534 | 535 | 538, _) => SendError::Passing { says },
        (500..=504 | 555, _) | (_, Some(3 | 5 | 6 | 7)) => SendError::Refused { says },
        // Too large or over quota.
        (552, _) => SendError::Refused { says },
        _ => SendError::Bounced { says },
    }
}

/// The middle of `5.1.1`.
fn enhanced_subject(text: &str) -> Option<u32> {
    text.split(|c: char| !c.is_ascii_digit() && c != '.').find_map(|word| {
        let mut parts = word.split('.');
        let (class, subject, detail) = (parts.next()?, parts.next()?, parts.next()?);
        if class != "5" || parts.next().is_some() || detail.is_empty() || detail.len() > 3 {
            return None;
        }
        subject.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_how_safe_the_way_is() {
        let parsed =
            |url: &str| SmtpServer::parse(url).map(|s| (s.port, s.security, s.credentials.is_some()));
        assert_eq!(parsed("smtps://u:p%40ss@mail.example.org"), Ok((465, Security::Implicit, true)));
        assert_eq!(parsed("smtp://u:p@mail.example.org"), Ok((587, Security::StartTls, true)));
        assert_eq!(parsed("smtp://mail.example.org:26?tls=never"), Ok((26, Security::None, false)));
        for wrong in [
            "mail.example.org",
            "http://mail.example.org",
            "smtp://",
            "smtp://u:p@mail.example.org?tls=never",
            "smtp://mail.example.org?tls=maybe",
            "smtps://mail.example.org?tls=never",
        ] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_answers_about_the_address_are_bounces() {
        let judged = |code, text: &str| match judge_permanent(code, text, String::new()) {
            SendError::Bounced { .. } => "bounced",
            SendError::Refused { .. } => "refused",
            SendError::Passing { .. } => "passing",
        };
        for (code, text, expected) in [
            (550, "5.1.1 no such user", "bounced"),
            (550, "no such user", "bounced"),
            (553, "mailbox name 10.0.0.1 not allowed", "bounced"),
            (550, "5.7.1 relaying denied", "refused"),
            (554, "5.6.0 cannot convert", "refused"),
            (554, "transaction failed", "bounced"),
            (552, "5.2.2 over quota", "refused"),
            (503, "bad sequence", "refused"),
            (535, "5.7.8 bad credentials", "passing"),
            (530, "log in first", "passing"),
        ] {
            assert_eq!(judged(code, text), expected, "{code} {text}");
        }
    }
}
