//! Where the broker is and what we call things there.

use super::super::{QueueError, QueueName, name};
use lapin::uri::AMQPUri;
use secrecy::{ExposeSecret, SecretString};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// No `Debug`: the URI holds a password.
pub(super) struct Broker {
    pub(super) uri: AMQPUri,
    prefix: String,
    queues: Vec<QueueName>,
    pub(super) length_max: u32,
    pub(super) silence_max: Duration,
    /// A session of ours has seen all queues there: one that is missing was deleted.
    pub(super) declared: AtomicBool,
}

impl Broker {
    /// A peer that says nothing for twice this long is gone. Seconds; the URL's `heartbeat` overrides it.
    const HEARTBEAT_S: u16 = 10;

    pub(super) fn new(
        url: &SecretString,
        prefix: &str,
        queues: &[QueueName],
        length_max: u32,
        silence_max: Duration,
    ) -> Result<Self, QueueError> {
        let url = url.expose_secret();
        if !(url.starts_with("amqp://") || url.starts_with("amqps://")) {
            return Err(QueueError::InvalidUrl("it does not start with amqp:// or amqps://"));
        }
        // The parser drops such a host and takes localhost, which would be the wrong broker without a word.
        if url.contains("//[") || url.contains("@[") {
            return Err(QueueError::InvalidUrl("IPv6 addresses are not understood, use a host name"));
        }
        // The parser's message may repeat the URL, hence the password.
        let mut uri: AMQPUri = url
            .parse()
            .map_err(|_| QueueError::InvalidUrl("it is not scheme://user:password@host:port/vhost"))?;
        uri.query.heartbeat.get_or_insert(Self::HEARTBEAT_S);
        if !name::is_well_formed(prefix) {
            return Err(QueueError::InvalidPrefix(prefix.chars().take(2 * QueueName::LEN_MAX).collect()));
        }
        Ok(Self {
            uri,
            prefix: prefix.to_owned(),
            queues: queues.to_vec(),
            length_max,
            silence_max,
            declared: AtomicBool::new(false),
        })
    }

    /// Host and port, for messages.
    pub(super) fn address(&self) -> String {
        format!("{}:{}", self.uri.authority.host, self.uri.authority.port)
    }

    pub(super) fn declares(&self, queue: &QueueName) -> bool {
        self.queues.contains(queue)
    }

    pub(super) fn queues(&self) -> impl Iterator<Item = String> {
        self.queues.iter().map(|queue| self.name_of(queue))
    }

    /// What the broker calls the queue; at most 121 bytes, AMQP allows 255.
    pub(super) fn name_of(&self, queue: &QueueName) -> String {
        format!("{}.{queue}", self.prefix)
    }

    /// Which queue of ours the broker calls so.
    pub(super) fn queue_of(&self, name: &str) -> Option<QueueName> {
        QueueName::parse(name.strip_prefix(&self.prefix)?.strip_prefix('.')?).ok()
    }

    pub(super) fn dead_letters(&self) -> String {
        format!("{}.{}", self.prefix, QueueName::RESERVED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broker(url: &str, prefix: &str) -> Result<Broker, QueueError> {
        let queues = [QueueName::parse("mail").expect("a name")];
        Broker::new(&SecretString::from(url.to_owned()), prefix, &queues, 1000, Duration::from_secs(1))
    }

    #[test]
    fn the_url_says_where_and_who() {
        let broker = broker("amqps://jo:p%40ss@mq.example:5671/%2f", "cf").expect("valid");
        assert_eq!(broker.address(), "mq.example:5671");
        assert_eq!(
            (broker.uri.authority.userinfo.password.as_str(), broker.uri.vhost.as_str()),
            ("p@ss", "/")
        );
        assert_eq!(broker.queues().collect::<Vec<_>>(), ["cf.mail"]);
        assert_eq!(broker.dead_letters(), "cf.dead-letters");
        assert_eq!(broker.queue_of("cf.mail").as_ref().map(QueueName::as_str), Some("mail"));
        assert_eq!((broker.queue_of("other.mail"), broker.queue_of("cfmail")), (None, None));
    }

    #[test]
    fn a_bad_url_is_refused_without_showing_its_password() {
        for url in
            ["", "http://h", "amqp:secret@h", "amqp://u:secret@[::1]:5672/%2f", "amqp://u:secret@h:99999"]
        {
            let error = broker(url, "cf").err().unwrap_or_else(|| panic!("{url} was accepted"));
            assert!(matches!(error, QueueError::InvalidUrl(_)));
            assert!(!format!("{error} {error:?}").contains("secret"));
        }
    }

    #[test]
    fn a_bad_prefix_is_refused() {
        for prefix in ["", "Mixed", "a b", &"p".repeat(61)] {
            assert!(matches!(broker("amqp://h", prefix), Err(QueueError::InvalidPrefix(_))), "{prefix:?}");
        }
    }
}
