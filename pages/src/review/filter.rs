//! What a queue shows: the words of its address, and what the API calls them.

use crate::form::Fields;
use crate::html::escape_query;
use serde_json::{Map, Value, json};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Queue {
    Exceptions,
    Matches,
}

impl Queue {
    /// In addresses, ours and the API's.
    pub fn as_str(self) -> &'static str {
        match self {
            Queue::Exceptions => "exceptions",
            Queue::Matches => "matches",
        }
    }

    /// One of its items.
    pub fn subject(self) -> &'static str {
        match self {
            Queue::Exceptions => "exception",
            Queue::Matches => "match",
        }
    }

    fn names(self) -> &'static [&'static str] {
        match self {
            Queue::Exceptions => &[
                "state",
                "kind",
                "side",
                "assignee",
                "reason_code",
                "currency",
                "min_amount",
                "max_amount",
                "min_age_days",
                "max_age_days",
                "dated_from",
                "dated_through",
                "due_before",
                "waiting",
                "text",
                "order",
            ],
            Queue::Matches => &[
                "state",
                "min_confidence",
                "max_confidence",
                "assignee",
                "reason_code",
                "currency",
                "min_amount",
                "max_amount",
                "due_before",
                "waiting",
                "text",
            ],
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Filter {
    pub queue: Queue,
    given: Vec<(&'static str, String)>,
}

impl Filter {
    pub fn read(queue: Queue, asked: &Fields) -> Self {
        let given = |name: &&'static str| asked.given(name).map(|value| (*name, value.to_owned()));
        Self { queue, given: queue.names().iter().filter_map(given).collect() }
    }

    pub fn get(&self, name: &str) -> &str {
        self.given.iter().find(|(given, _)| *given == name).map_or("", |(_, value)| value)
    }

    /// Which ones: those that wait, unless said otherwise.
    pub fn state(&self) -> &str {
        match (self.get("state"), self.queue) {
            ("", Queue::Exceptions) => "open",
            ("", Queue::Matches) => "suggested",
            (state, _) => state,
        }
    }

    /// Whether more is asked for than the state and the order.
    pub fn is_narrow(&self) -> bool {
        self.given.iter().any(|(name, _)| !matches!(*name, "state" | "order"))
    }

    /// For hidden fields.
    pub fn pairs(&self) -> &[(&'static str, String)] {
        &self.given
    }

    /// As it stands in our own addresses.
    pub fn query(&self) -> String {
        let pairs = self.given.iter().map(|(name, value)| format!("{name}={}", escape_query(value)));
        pairs.collect::<Vec<_>>().join("&")
    }

    /// In the words of the API. An amount is in `currency`, unless another one is chosen.
    fn words(&self, currency: &str) -> Vec<(&'static str, String)> {
        let mut words: Vec<(&'static str, String)> = match (self.queue, self.state()) {
            (_, "any") => vec![],
            (Queue::Exceptions, state) => vec![("state", state.into())],
            (Queue::Matches, tier @ ("suggested" | "confirmed")) => {
                vec![("tier", tier.into()), ("state", "as_found".into())]
            }
            (Queue::Matches, state) => vec![("state", state.into())],
        };
        words.extend(self.given.iter().filter(|(name, _)| !matches!(*name, "state" | "order")).cloned());
        let has_amount = !self.get("min_amount").is_empty() || !self.get("max_amount").is_empty();
        if has_amount && self.get("currency").is_empty() && !currency.is_empty() {
            words.push(("currency", currency.into()));
        }
        words
    }

    /// For the list of the API.
    pub fn api_query(&self, currency: &str) -> String {
        let mut query = String::new();
        for (name, value) in self.words(currency) {
            query.push_str(&format!("&{name}={}", escape_query(&value)));
        }
        if !self.get("order").is_empty() {
            query.push_str(&format!("&order={}", escape_query(self.get("order"))));
        }
        query
    }

    /// For deciding about all that fit.
    pub fn api_body(&self, currency: &str) -> Value {
        let words: Map<String, Value> =
            self.words(currency).into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        json!({ self.queue.as_str(): words })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(queue: Queue, query: &str) -> Filter {
        Filter::read(queue, &Fields::parse(query.as_bytes()))
    }

    #[test]
    fn what_waits_is_shown_unless_something_else_is_asked_for() {
        assert_eq!(filter(Queue::Exceptions, "x=y").api_query("EUR"), "&state=open");
        assert_eq!(filter(Queue::Matches, "").api_query("EUR"), "&tier=suggested&state=as_found");
        assert_eq!(filter(Queue::Matches, "state=rejected").api_query("EUR"), "&state=rejected");
        assert_eq!(filter(Queue::Matches, "state=any").api_query("EUR"), "");
    }

    #[test]
    fn amounts_are_in_the_currency_of_the_run() {
        let asked = filter(Queue::Exceptions, "min_amount=10&order=amount&kind=a%26b");
        assert_eq!(asked.api_query("EUR"), "&state=open&kind=a%26b&min_amount=10&currency=EUR&order=amount");
        assert_eq!(
            asked.api_body("EUR"),
            json!({"exceptions": {"state": "open", "kind": "a&b", "min_amount": "10", "currency": "EUR"}})
        );
        assert!(asked.is_narrow() && !filter(Queue::Exceptions, "order=amount").is_narrow());
    }
}
