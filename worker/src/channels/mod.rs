//! The ways by which notifications leave: mail, webhooks, SMS, Slack and PagerDuty.
//!
//! Each sends one delivery and says what came of it; nothing here knows jobs or the database. A delivery may be sent
//! twice (a worker died between the answer and its record): every channel sends an id along that stays the same.
//!
//! With `api` and `pages` this is all that speaks HTTP, and only outwards.

mod http;
mod look;
mod mail;
mod pagerduty;
mod signature;
mod slack;
mod sms;
mod smtp;
mod webhook;

pub use look::Looked;
pub use mail::{Mail, Mailer};
pub use signature::sign;

use http::Http;
use secrecy::{ExposeSecret, SecretString};
use shared::config::Config;
use shared::notification::Channel;
use shared::outgoing::Guard;
use shared::sealing::{Sealing, SealingKey};
use shared::store::notifications::deliveries::Delivery;
use shared::store::notifications::webhooks::WebhookTarget;
use tracing::{Instrument, Span, field};

/// Why a channel cannot be used as configured. Names the key, never a secret.
#[derive(Debug, thiserror::Error)]
#[error("{key} {says}")]
pub struct ChannelError {
    pub key: &'static str,
    pub says: String,
}

/// What came of a delivery that was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The other side is away or busy, or the configuration lacks something: worth another try.
    #[error("{says}")]
    Passing { says: String },
    /// The address takes no mail.
    #[error("{says}")]
    Bounced { says: String },
    /// It would be refused again.
    #[error("{says}")]
    Refused { says: String },
}

impl SendError {
    fn passing(says: impl Into<String>) -> Self {
        Self::Passing { says: says.into() }
    }

    fn refused(says: impl Into<String>) -> Self {
        Self::Refused { says: says.into() }
    }
}

/// A request to a webhook: the status of its answer, if there was one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    pub status: Option<u16>,
    pub duration_ms: u64,
}

/// Addresses are in no trace.
fn span_of(delivery: &Delivery) -> Span {
    let channel = delivery.channel.as_str();
    tracing::info_span!(
        "send",
        delivery_id = %delivery.id,
        channel,
        status = field::Empty,
        otel.name = format_args!("send {channel}"),
        otel.kind = "client",
        otel.error = field::Empty,
    )
}

fn tell(span: &Span, sent: &Result<(), SendError>) {
    if let Err(error) = sent {
        span.record("otel.error", field::display(error));
    }
}

/// All channels that are configured.
pub struct Channels {
    mailer: Option<Mailer>,
    from: String,
    public_url: Option<String>,
    slack: Option<SecretString>,
    pagerduty: Option<pagerduty::PagerDuty>,
    sms: Option<sms::Sms>,
    sealing: Option<Sealing>,
    /// To addresses of the operator's.
    http: Http,
    /// To addresses that users gave.
    guarded: Http,
    webhook_failing_days: u32,
}

impl Channels {
    pub fn new(config: &Config) -> Result<Self, ChannelError> {
        let settings = &config.notifications;
        let sealing = match &config.auth.sealing_key {
            None => None,
            Some(key) => {
                let key = SealingKey::from_bytes(key.expose_secret().as_bytes());
                let says = || "must be 64 random hex digits".to_owned();
                let key = key.ok_or_else(|| ChannelError { key: "auth.sealing_key", says: says() })?;
                Some(Sealing::new(&key))
            }
        };
        let sms = match (&settings.sms_account, &settings.sms_token, &settings.sms_from) {
            (Some(account), Some(token), Some(from)) => Some(sms::Sms {
                url: settings.sms_url.trim_end_matches('/').to_owned(),
                account: account.clone(),
                token: token.clone(),
                from: from.clone(),
            }),
            _ => None,
        };
        let pagerduty = settings
            .pagerduty_key
            .as_ref()
            .map(|key| pagerduty::PagerDuty { url: settings.pagerduty_url.clone(), key: key.clone() });
        Ok(Self {
            mailer: Mailer::new(&config.mail)?,
            from: config.mail.from.clone(),
            public_url: settings.public_url.as_ref().map(|url| url.trim_end_matches('/').to_owned()),
            slack: settings.slack_url.clone(),
            pagerduty,
            sms,
            sealing,
            http: Http::new(None),
            guarded: Http::new(Some(Guard::new(settings.networks()))),
            webhook_failing_days: settings.webhook_failing_days,
        })
    }

    pub fn webhook_failing_days(&self) -> u32 {
        self.webhook_failing_days
    }

    /// Sends over any channel but webhooks.
    pub async fn send(&self, delivery: &Delivery) -> Result<(), SendError> {
        let span = span_of(delivery);
        let sent = self.send_over(delivery).instrument(span.clone()).await;
        tell(&span, &sent);
        sent
    }

    async fn send_over(&self, delivery: &Delivery) -> Result<(), SendError> {
        let missing = |key: &str| SendError::passing(format!("{key} is not set in this worker"));
        match delivery.channel {
            Channel::Email => {
                let mailer = self.mailer.as_ref().ok_or_else(|| missing("mail.url"))?;
                mailer.send(&self.mail(delivery)).await
            }
            Channel::Sms => {
                let sms = self.sms.as_ref().ok_or_else(|| missing("notifications.sms_account"))?;
                sms.send(&self.http, delivery).await
            }
            Channel::Slack => {
                let url = self.slack.as_ref().ok_or_else(|| missing("notifications.slack_url"))?;
                slack::send(&self.http, url, self.public_url.as_deref(), delivery).await
            }
            Channel::Pagerduty => {
                let pagerduty =
                    self.pagerduty.as_ref().ok_or_else(|| missing("notifications.pagerduty_key"))?;
                pagerduty.send(&self.http, delivery).await
            }
            Channel::Webhook => Err(SendError::refused("webhooks have a way of their own")),
        }
    }

    /// Sends to a webhook, and says what its address answered.
    pub async fn call_webhook(
        &self,
        delivery: &Delivery,
        target: &WebhookTarget,
    ) -> (Asked, Result<(), SendError>) {
        let span = span_of(delivery);
        let called = webhook::call(&self.guarded, self.sealing.as_ref(), delivery, target);
        let (asked, sent) = called.instrument(span.clone()).await;
        if let Some(status) = asked.status {
            span.record("status", status);
        }
        tell(&span, &sent);
        (asked, sent)
    }

    fn mail(&self, delivery: &Delivery) -> Mail {
        let message = delivery.event.message();
        Mail {
            id: delivery.id.to_string(),
            from: self.from.clone(),
            to: delivery.recipient.clone(),
            link: self
                .public_url
                .as_ref()
                .zip(message.link.as_ref())
                .map(|(url, path)| format!("{url}{path}")),
            settings: self.public_url.as_ref().map(|url| format!("{url}/account")),
            message,
        }
    }
}
