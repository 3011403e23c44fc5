//! What is found out of the ways out without a message.

use secrecy::SecretString;
use shared::config::Config;
use shared::testing::{HttpReceiver, free_ports};
use worker::channels::Channels;

fn channels(base: &str) -> Channels {
    let mut config = Config::default();
    let settings = &mut config.notifications;
    settings.slack_url = Some(SecretString::from(format!("{base}/slack/T0/secret-part")));
    settings.pagerduty_key = Some(SecretString::from("routing-key"));
    settings.pagerduty_url = format!("{base}/v2/enqueue");
    settings.sms_url = base.to_owned();
    settings.sms_account = Some("AC1".into());
    settings.sms_token = Some(SecretString::from("sms-token"));
    settings.sms_from = Some("+15005550006".into());
    Channels::new(&config).expect("usable")
}

async fn looked(channels: &Channels) -> Vec<(&'static str, Result<String, String>)> {
    let looked = channels.look().await.into_iter();
    looked.map(|of| (of.key, of.found.map_err(|error| error.to_string()))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn services_are_asked_whether_they_are_there_and_get_no_message() {
    let receiver = HttpReceiver::start();
    let base = format!("http://{}", receiver.address());
    let found = looked(&channels(&base)).await;
    let keys: Vec<_> = found.iter().map(|(key, _)| *key).collect();
    assert_eq!(keys, ["notifications.slack_url", "notifications.pagerduty_key", "notifications.sms_account"]);
    assert!(found.iter().all(|(_, found)| found.is_ok()), "{found:?}");
    let asked = receiver.requests();
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|request| request.body.is_empty()), "nobody is told anything");
    assert!(!asked.iter().any(|request| request.path.contains("secret-part")), "the secret stays here");

    receiver.answer(401);
    let found = looked(&channels(&base)).await;
    assert!(found[0].1.is_ok() && found[1].1.is_ok(), "they are there: {found:?}");
    assert!(found[2].1.as_ref().is_err_and(|why| why.contains("answered 401")), "{found:?}");

    let [port] = free_ports();
    let found = looked(&channels(&format!("http://127.0.0.1:{port}"))).await;
    assert!(found.iter().all(|(_, found)| found.is_err()), "{found:?}");
}
