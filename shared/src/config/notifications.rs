//! How people and machines are told.

use super::{hidden, parse_network};
use crate::store::notifications::Routing;
use ipnet::IpNet;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Mail leaves over `url`, or is written into `dir`; with neither, nothing is sent by mail.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Mail {
    /// `smtps://user:password@host` (TLS from the start), `smtp://…` (STARTTLS), `smtp://…?tls=never`.
    #[serde(serialize_with = "hidden")]
    #[schemars(with = "Option<super::reference::SecretText>")]
    pub url: Option<SecretString>,
    /// Folder for one `.eml` file per mail, in place of a server.
    pub dir: Option<PathBuf>,
    /// Sender of all mails.
    pub from: String,
}

/// Where people and machines are told, besides mail; see notifications.md.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Notifications {
    /// Where people reach the pages, `https://host`: for links in what is sent. Unset: no links.
    pub public_url: Option<String>,
    /// Incoming webhook of Slack.
    #[serde(serialize_with = "hidden")]
    #[schemars(with = "Option<super::reference::SecretText>")]
    pub slack_url: Option<SecretString>,
    /// Routing key of PagerDuty's Events API v2.
    #[serde(serialize_with = "hidden")]
    #[schemars(with = "Option<super::reference::SecretText>")]
    pub pagerduty_key: Option<SecretString>,
    /// Where PagerDuty answers.
    pub pagerduty_url: String,
    /// Address of a service with Twilio's interface.
    pub sms_url: String,
    /// Account at the service for SMS; unset: no SMS.
    pub sms_account: Option<String>,
    /// Password of that account.
    #[serde(serialize_with = "hidden")]
    #[schemars(with = "Option<super::reference::SecretText>")]
    pub sms_token: Option<SecretString>,
    /// Number or name that SMS come from.
    pub sms_from: Option<String>,
    /// Networks (`10.0.0.0/8`) that webhooks may lead to although they are not public.
    pub webhook_networks: Vec<String>,
    /// A webhook that takes nothing for so long is switched off, 1 to 365 days.
    pub webhook_failing_days: u32,
    /// How long the old secret signs, too, after a change, 0 to 720 h.
    pub webhook_overlap_hours: u32,
}

impl Default for Mail {
    fn default() -> Self {
        Self { url: None, dir: None, from: "Counterfoil <counterfoil@localhost>".into() }
    }
}

impl Default for Notifications {
    fn default() -> Self {
        Self {
            public_url: None,
            slack_url: None,
            pagerduty_key: None,
            pagerduty_url: "https://events.pagerduty.com/v2/enqueue".into(),
            sms_url: "https://api.twilio.com".into(),
            sms_account: None,
            sms_token: None,
            sms_from: None,
            webhook_networks: vec![],
            webhook_failing_days: 5,
            webhook_overlap_hours: 24,
        }
    }
}

impl super::Config {
    /// Which ways out there are.
    pub fn routing(&self) -> Routing {
        Routing {
            email: self.mail.url.is_some() || self.mail.dir.is_some(),
            sms: self.notifications.sms_account.is_some(),
            slack: self.notifications.slack_url.is_some(),
            pagerduty: self.notifications.pagerduty_key.is_some(),
            policies: self.policies(),
        }
    }
}

impl Notifications {
    /// Networks that webhooks may lead to although they are not public.
    pub fn networks(&self) -> Vec<IpNet> {
        self.webhook_networks.iter().filter_map(|text| parse_network(text)).collect()
    }

    pub(super) fn check(&self, mail: &Mail, wrong: &mut Vec<String>) {
        if mail.url.is_some() && mail.dir.is_some() {
            wrong.push("mail.url and mail.dir are both set; keep one".into());
        }
        let days = self.webhook_failing_days;
        if !(1..=365).contains(&days) {
            wrong.push(format!("notifications.webhook_failing_days is {days}, and must be 1 to 365"));
        }
        let hours = self.webhook_overlap_hours;
        if hours > 720 {
            wrong.push(format!("notifications.webhook_overlap_hours is {hours}, and must be 0 to 720"));
        }
        for network in self.webhook_networks.iter().filter(|text| parse_network(text).is_none()) {
            wrong.push(format!(
                "notifications.webhook_networks: {network:?} is neither an address nor a network"
            ));
        }
        let urls = [
            ("public_url", self.public_url.as_ref()),
            ("pagerduty_url", Some(&self.pagerduty_url)),
            ("sms_url", Some(&self.sms_url)),
        ];
        for (key, url) in urls {
            if url.is_some_and(|url| !url.starts_with("https://") && !url.starts_with("http://")) {
                wrong.push(format!("notifications.{key} is no http:// or https:// address"));
            }
        }
        if self.sms_account.is_some() && (self.sms_token.is_none() || self.sms_from.is_none()) {
            wrong.push(
                "notifications.sms_account needs notifications.sms_token and notifications.sms_from".into(),
            );
        }
    }
}
