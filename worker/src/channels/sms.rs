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
        let account: String = form_urlencoded::byte_serialize(self.account.as_bytes()).collect();
        let login = BASE64.encode(format!("{}:{}", self.account, self.token.expose_secret()).as_bytes());
        let headers = vec![
            ("content-type", "application/x-www-form-urlencoded".to_owned()),
            ("authorization", format!("Basic {login}")),
            // Services that know it send a repetition once.
            ("i-twilio-idempotency-token", delivery.id.to_string()),
        ];
        let url = format!("{}/2010-04-01/Accounts/{account}/Messages.json", self.url);
        let (answer, _) = http.post(&url, headers, body.into_bytes()).await;
        judge("the SMS service", &answer?)
    }
}
