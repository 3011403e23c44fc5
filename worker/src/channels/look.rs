//! Whether the ways out are there, found out without telling anybody anything: for `counterfoil doctor`.

use super::{Channels, SendError};
use secrecy::ExposeSecret;
use std::time::Duration;
use url::Url;

const PATIENCE: Duration = Duration::from_secs(12);

/// Of one channel that is configured.
#[derive(Debug)]
pub struct Looked {
    /// The setting that it is configured by.
    pub key: &'static str,
    /// In words, without anything secret; or why it would not take a message.
    pub found: Result<String, SendError>,
}

impl Channels {
    /// Asks every configured channel but webhooks; takes at most 12 s. Whether Slack and PagerDuty take our key shows
    /// only with a message: of them it says that they can be reached.
    pub async fn look(&self) -> Vec<Looked> {
        let mail = async { Some(self.mailer.as_ref()?.look().await) };
        let slack = async { Some(self.reach("Slack", self.slack.as_ref()?.expose_secret()).await) };
        let pagerduty = async { Some(self.reach("PagerDuty", &self.pagerduty.as_ref()?.url).await) };
        let sms = async { Some(self.sms.as_ref()?.look(&self.http).await) };
        let (mail, slack, pagerduty, sms) =
            tokio::join!(in_time(mail), in_time(slack), in_time(pagerduty), in_time(sms));
        [
            ("mail", mail),
            ("notifications.slack_url", slack),
            ("notifications.pagerduty_key", pagerduty),
            ("notifications.sms_account", sms),
        ]
        .into_iter()
        .filter_map(|(key, found)| Some(Looked { key, found: found? }))
        .collect()
    }

    /// Whether anything answers there; its path, which may be the secret, is not asked for.
    async fn reach(&self, service: &str, url: &str) -> Result<String, SendError> {
        let unusable = || SendError::refused("the address is not usable");
        let origin = Url::parse(url).map_err(|_| unusable())?.origin();
        if !origin.is_tuple() {
            return Err(unusable());
        }
        self.http.get(&origin.ascii_serialization(), vec![]).await?;
        Ok(format!("{service} can be reached; whether it takes what is sent shows with the first message"))
    }
}

async fn in_time(
    look: impl Future<Output = Option<Result<String, SendError>>>,
) -> Option<Result<String, SendError>> {
    let too_long = |_| Some(Err(SendError::passing(format!("no answer within {PATIENCE:?}"))));
    tokio::time::timeout(PATIENCE, look).await.unwrap_or_else(too_long)
}
