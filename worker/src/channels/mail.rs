//! Mail: text and HTML from one template each, over SMTP or into files.

use super::smtp::SmtpServer;
use super::{ChannelError, SendError};
use askama::Template;
use lettre::address::Envelope;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use secrecy::ExposeSecret;
use shared::config;
use shared::notification::{Fact, Message};
use std::path::{Path, PathBuf};

/// One mail to one person.
pub struct Mail {
    /// The delivery's: names the mail, however often it is sent.
    pub id: String,
    pub from: String,
    pub to: String,
    pub message: Message,
    /// Of the pages.
    pub link: Option<String>,
    /// Where the reader says what they want to get.
    pub settings: Option<String>,
}

#[derive(Template)]
#[template(path = "mail.txt")]
struct TextBody<'a> {
    title: &'a str,
    says: &'a str,
    facts: &'a [Fact],
    link: Option<&'a str>,
    settings: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "mail.html")]
struct HtmlBody<'a> {
    title: &'a str,
    says: &'a str,
    facts: &'a [Fact],
    link: Option<&'a str>,
    settings: Option<&'a str>,
}

/// Where mails go.
pub enum Mailer {
    Smtp(SmtpServer),
    /// One `.eml` file per mail.
    Directory(PathBuf),
}

impl Mailer {
    /// As configured; `None`: no mail leaves.
    pub fn new(settings: &config::Mail) -> Result<Option<Self>, ChannelError> {
        settings
            .from
            .parse::<Mailbox>()
            .map_err(|error| ChannelError { key: "mail.from", says: format!("is no address: {error}") })?;
        match (&settings.url, &settings.dir) {
            (Some(url), _) => SmtpServer::parse(url.expose_secret())
                .map(|server| Some(Self::Smtp(server)))
                .map_err(|says| ChannelError { key: "mail.url", says: says.to_owned() }),
            (None, Some(dir)) => Ok(Some(Self::Directory(dir.clone()))),
            (None, None) => Ok(None),
        }
    }

    /// Whether mails would leave, without one; in words.
    pub async fn look(&self) -> Result<String, SendError> {
        match self {
            Self::Smtp(server) => server.look().await,
            Self::Directory(dir) => look_at(dir)
                .map(|()| format!("written into {}", dir.display()))
                .map_err(|error| SendError::passing(format!("{}: {error}", dir.display()))),
        }
    }

    /// `Ok` when somebody else has taken responsibility for it.
    pub async fn send(&self, mail: &Mail) -> Result<(), SendError> {
        let (envelope, bytes) = mail.format()?;
        match self {
            Self::Smtp(server) => server.send(&envelope, &bytes).await,
            Self::Directory(dir) => {
                let (dir, name) = (dir.clone(), format!("{}.eml", mail.id));
                let writing = tokio::task::spawn_blocking(move || write_whole(&dir, &name, &bytes));
                match writing.await {
                    Ok(written) => {
                        written.map_err(|error| SendError::passing(format!("writing into mail.dir: {error}")))
                    }
                    Err(error) => Err(SendError::passing(shared::chain(&error))),
                }
            }
        }
    }
}

/// Whether a file can be made there, or in the nearest folder above that there is: the folder is made with the first mail.
fn look_at(dir: &Path) -> std::io::Result<()> {
    let there = dir.ancestors().find(|path| path.exists()).unwrap_or(dir);
    let probe = there.join(format!(".counterfoil-probe-{}", uuid::Uuid::new_v4().simple()));
    std::fs::File::create_new(&probe)?;
    std::fs::remove_file(probe)
}

/// Whole or not there; a second writing replaces the first.
fn write_whole(dir: &Path, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)?;
    let part = dir.join(format!("{name}.part"));
    std::fs::write(&part, bytes)?;
    std::fs::rename(part, dir.join(name))
}

impl Mail {
    fn format(&self) -> Result<(Envelope, Vec<u8>), SendError> {
        let unusable = |error: &dyn std::error::Error| {
            SendError::refused(format!("the mail cannot be written: {}", shared::chain(error)))
        };
        let from: Mailbox = self.from.parse().map_err(|error| unusable(&error))?;
        // An address that is none cannot take mail, today or tomorrow.
        let to = self.to.parse().map_err(|error| SendError::Bounced {
            says: format!("the address is not usable: {}", shared::chain(&error)),
        })?;
        let id = format!("<{}@{}>", self.id, from.email.domain());
        let message = lettre::Message::builder()
            .from(from)
            .to(Mailbox::new(None, to))
            .subject(&self.message.title)
            .message_id(Some(id))
            .multipart(MultiPart::alternative_plain_html(self.text(), self.html()));
        let mut message = message.map_err(|error| unusable(&error))?;
        // Keeps absence notes from answering (RFC 3834).
        let name = HeaderName::new_from_ascii_str("Auto-Submitted");
        message.headers_mut().insert_raw(HeaderValue::new(name, "auto-generated".into()));
        Ok((message.envelope().clone(), message.formatted()))
    }

    fn text(&self) -> String {
        let body = TextBody {
            title: &self.message.title,
            says: self.message.says.trim_end(),
            facts: &self.message.facts,
            link: self.link.as_deref(),
            settings: self.settings.as_deref(),
        };
        body.render().unwrap_or_else(|_| self.message.title.clone())
    }

    fn html(&self) -> String {
        let body = HtmlBody {
            title: &self.message.title,
            says: self.message.says.trim_end(),
            facts: &self.message.facts,
            link: self.link.as_deref(),
            settings: self.settings.as_deref(),
        };
        body.render().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::notification::Event;

    fn mail(title: &str) -> Mail {
        let says = "It is <over>.\nReally & truly.\n".to_owned();
        let facts = vec![Fact { label: "Job", value: "<b>7</b>".into() }];
        let message = Message { title: title.into(), says, facts, link: None };
        Mail {
            id: "0198".into(),
            from: "Counterfoil <cf@example.org>".into(),
            to: "jane@example.org".into(),
            message,
            link: Some("https://cf.example.org/jobs/7".into()),
            settings: None,
        }
    }

    #[test]
    fn both_bodies_say_the_same_and_html_is_escaped() {
        let mail = mail("Done");
        let text = mail.text();
        assert_eq!(
            text,
            "Done\n\nIt is <over>.\nReally & truly.\n\nJob: <b>7</b>\n\nhttps://cf.example.org/jobs/7\n\n-- \nSent by Counterfoil."
        );
        let html = mail.html();
        for part in
            ["It is &#60;over&#62;.", "&#60;b&#62;7&#60;/b&#62;", "href=\"https://cf.example.org/jobs/7\""]
        {
            assert!(html.contains(part), "{part} in {html}");
        }
    }

    #[test]
    fn a_mail_is_named_after_its_delivery_and_nothing_can_add_headers() {
        let message =
            Event::StoreFilling { store: "a\r\nBcc: eve@example.org".into(), used_percent: 9 }.message();
        let (_, bytes) = Mail { message, ..mail("") }.format().unwrap();
        let bytes = String::from_utf8(bytes).unwrap();
        let head = bytes.split("\r\n\r\n").next().unwrap();
        assert!(head.contains("Message-ID: <0198@example.org>"), "{head}");
        assert!(head.contains("Auto-Submitted: auto-generated"), "{head}");
        assert!(!head.to_lowercase().contains("\r\nbcc:"), "{head}");
    }

    #[test]
    fn what_is_no_address_bounces() {
        let error = Mail { to: "nobody at all".into(), ..mail("x") }.format().unwrap_err();
        assert!(matches!(error, SendError::Bounced { .. }), "{error:?}");
    }
}
