//! The ways by which people and machines are told: mail, Slack, PagerDuty, SMS, webhooks. Nobody gets a message.

use super::finding::Finding;
use super::within;
use secrecy::ExposeSecret;
use shared::config::Config;
use worker::channels::{Channels, Looked};

pub async fn check(config: &Config) -> Vec<Finding> {
    let channels = match Channels::new(config) {
        Ok(channels) => channels,
        Err(error) => {
            let (means, fix) =
                ("Workers do not start with it.", "Correct the setting; see docs/configuration.md.");
            return vec![Finding::failed(error.key, error.says, means, fix)];
        }
    };
    let mut findings = match within(channels.look()).await {
        Ok(looked) => looked.into_iter().map(judged).collect(),
        Err(says) => {
            vec![Finding::failed("notifications", says, MEANS_NOTHING, "Is there a firewall in between?")]
        }
    };
    findings.extend(not_set(config));
    findings.extend(sender(config));
    findings.extend(links(config));
    findings.push(webhooks(config));
    findings
}

const MEANS_NOTHING: &str = "What people and machines should be told waits, and is given up after a day.";

fn judged(looked: Looked) -> Finding {
    let Looked { key, found } = looked;
    let fix = match key {
        "mail" => {
            "Is the server up, the port right (465 for smtps, 587 for smtp with STARTTLS), its certificate of its name, the \
             login right? Or mail.dir: a folder that can be written."
        }
        "notifications.sms_account" => "Look at notifications.sms_url, sms_account and sms_token.",
        "notifications.pagerduty_key" => {
            "Look at notifications.pagerduty_url, and whether this machine may go there."
        }
        _ => "Look at the address, and whether this machine may go there.",
    };
    match found {
        Ok(found) => Finding::ok(key, found),
        Err(error) => Finding::failed(key, error.to_string(), MEANS_NOTHING, fix),
    }
}

fn not_set(config: &Config) -> Vec<Finding> {
    let routing = config.routing();
    let mut findings = vec![];
    if !routing.email {
        findings
            .push(Finding::skipped("mail", "neither mail.url nor mail.dir is set: nothing is sent by mail"));
    }
    let unset: Vec<&str> = [
        ("notifications.slack_url", routing.slack),
        ("notifications.pagerduty_key", routing.pagerduty),
        ("notifications.sms_account", routing.sms),
    ]
    .into_iter()
    .filter_map(|(key, is_set)| (!is_set).then_some(key))
    .collect();
    if !unset.is_empty() {
        findings.push(Finding::skipped("notifications", format!("{} not set", unset.join(", "))));
    }
    findings
}

/// A server that takes mails for the world refuses, or loses, those that come from nowhere.
fn sender(config: &Config) -> Option<Finding> {
    let from = &config.mail.from;
    let is_nowhere = from.trim_end_matches('>').ends_with("@localhost");
    (config.mail.url.is_some() && is_nowhere).then(|| {
        Finding::warning(
            "mail.from",
            format!("mails come from {from}"),
            "Other servers refuse them, or take them for junk.",
            "Set mail.from to an address of a domain that lets this server send for it.",
        )
    })
}

fn links(config: &Config) -> Option<Finding> {
    let routing = config.routing();
    let leaves = config.mail.url.is_some() || routing.slack;
    (leaves && config.notifications.public_url.is_none()).then(|| {
        Finding::warning(
            "notifications.public_url",
            "not set",
            "What is sent has no links: people must look for what it is about.",
            "Set it to where people reach the pages, https://host.",
        )
    })
}

fn webhooks(config: &Config) -> Finding {
    let check = "notifications.webhooks";
    if config.auth.sealing_key.as_ref().is_none_or(|key| key.expose_secret().is_empty()) {
        return Finding::warning(
            check,
            "auth.sealing_key is not set",
            "Nobody can have a webhook, nor a second factor: their secrets could not be kept.",
            "`openssl rand -hex 32`, the same for API and workers.",
        );
    }
    let networks = config.notifications.networks();
    if let Some(all) = networks.iter().find(|network| network.prefix_len() == 0) {
        return Finding::warning(
            check,
            format!("notifications.webhook_networks has {all}"),
            "Whoever may make a webhook can have this machine ask itself, its network, and its cloud for secrets.",
            "Name the networks of the receivers only.",
        );
    }
    match networks.len() {
        0 => Finding::ok(check, "may lead to public addresses"),
        more => Finding::ok(check, format!("may lead to public addresses and {more} networks besides")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;
    use shared::testing::{SmtpReceiver, free_ports};

    fn states(findings: &[Finding]) -> Vec<(&str, State)> {
        findings.iter().map(|finding| (finding.check.as_str(), finding.state)).collect()
    }

    fn config(change: impl FnOnce(&mut Config)) -> Config {
        let mut config = Config::default();
        let key = "00112233445566778899aabbccddeeff00112233445566778899aabbccddee01";
        config.auth.sealing_key = Some(key.to_owned().into());
        change(&mut config);
        config
    }

    #[tokio::test]
    async fn mail_is_looked_at_without_a_mail() {
        let server = SmtpReceiver::start();
        let with_url = |url: String| config(|config| config.mail.url = Some(url.into()));
        let found = check(&with_url(server.url())).await;
        assert_eq!(
            states(&found),
            [
                ("mail", State::Ok),
                ("notifications", State::Skipped),
                ("mail.from", State::Warning),
                ("notifications.public_url", State::Warning),
                ("notifications.webhooks", State::Ok),
            ]
        );
        assert!(found[0].found.contains("answers over no TLS"), "{found:?}");
        assert!(server.mails().is_empty(), "nobody got a mail");

        let [port] = free_ports();
        let found = check(&with_url(format!("smtp://127.0.0.1:{port}?tls=never"))).await;
        assert_eq!((found[0].check.as_str(), found[0].state), ("mail", State::Failed), "{found:?}");
        let found = check(&with_url("smtp://127.0.0.1?tls=perhaps".into())).await;
        assert_eq!(states(&found), [("mail.url", State::Failed)], "no worker starts with it");
    }

    #[tokio::test]
    async fn mails_into_a_folder_need_one_that_can_be_written() {
        let dir = tempfile::tempdir().unwrap();
        let with_dir = |dir: &std::path::Path| config(|config| config.mail.dir = Some(dir.into()));
        let found = check(&with_dir(&dir.path().join("not/there/yet"))).await;
        assert_eq!(states(&found)[0], ("mail", State::Ok));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is made");
        std::fs::write(dir.path().join("file"), "").unwrap();
        let found = check(&with_dir(&dir.path().join("file"))).await;
        assert_eq!(states(&found)[0], ("mail", State::Failed), "{found:?}");
    }

    #[tokio::test]
    async fn webhooks_that_may_lead_anywhere_or_nowhere_are_told() {
        let of = async |config: Config| check(&config).await.pop().unwrap();
        let to =
            |network: &str| config(|config| config.notifications.webhook_networks = vec![network.into()]);
        assert_eq!(of(to("0.0.0.0/0")).await.state, State::Warning);
        let some = of(to("10.1.0.0/16")).await;
        assert!(some.state == State::Ok && some.found.contains("1 networks"), "{some:?}");
        let nowhere = of(Config::default()).await;
        assert!(nowhere.state == State::Warning && nowhere.found.contains("sealing_key"), "{nowhere:?}");
    }
}
