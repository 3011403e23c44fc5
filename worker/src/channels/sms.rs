//! SMS through a service with Twilio's interface.

use super::SendError;
use super::http::{Http, judge};
use data_encoding::BASE64;
use secrecy::{ExposeSecret, SecretString};
use shared::store::notifications::deliveries::Delivery;
use url::form_urlencoded;

/// Two messages' worth: longer ones cost more than they tell.
const CHARS_MAX: usize = 300;

pub(super) struct Sms {
    /// Without a slash at the end.
    pub url: String,
    pub account: String,
    pub token: SecretString,
    pub from: String,
}

impl Sms {
    /// Whether the service knows the account and its password, without a message; in words.
    pub async fn look(&self, http: &Http) -> Result<String, SendError> {
        let url = format!("{}/2010-04-01/Accounts/{}.json", self.url, self.account_in_path());
        let answer = http.get(&url, vec![("authorization", self.login())]).await?;
        match answer.status {
            200..=299 => Ok("the service knows the account".into()),
            // It has Twilio's interface for messages alone.
            404 | 405 => Ok("the service answers, and does not say whether it knows the account".into()),
            _ => judge("the SMS service", &answer).map(|()| String::new()),
        }
    }

    fn account_in_path(&self) -> String {
        form_urlencoded::byte_serialize(self.account.as_bytes()).collect()
    }

    fn login(&self) -> String {
        let text = format!("{}:{}", self.account, self.token.expose_secret());
        format!("Basic {}", BASE64.encode(text.as_bytes()))
    }

    pub async fn send(&self, http: &Http, delivery: &Delivery) -> Result<(), SendError> {
        let message = delivery.event.message();
        let text = match message.says.as_str() {
            "" => message.title,
            says => format!("{}. {says}", message.title),
        };
        let text: String = text.chars().take(CHARS_MAX).collect();
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("To", &delivery.recipient)
            .append_pair("From", &self.from)
            .append_pair("Body", &text)
            .finish();
        let headers = vec![
            ("content-type", "application/x-www-form-urlencoded".to_owned()),
            ("authorization", self.login()),
            // Services that know it send a repetition once.
            ("i-twilio-idempotency-token", delivery.id.to_string()),
        ];
        let url = format!("{}/2010-04-01/Accounts/{}/Messages.json", self.url, self.account_in_path());
        let (answer, _) = http.post(&url, headers, body.into_bytes()).await;
        judge("the SMS service", &answer?)
    }
}
