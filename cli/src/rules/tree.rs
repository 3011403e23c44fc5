//! A file's keys and values with the places where they stand.

use serde_json::Value;
use std::ops::Range;

/// Bytes of the file.
pub type Span = Range<usize>;

/// A value. TOML and JSON both become this, so that everything behind looks at one kind of tree.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub span: Span,
    pub content: Content,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    Table(Vec<Member>),
    List(Vec<Node>),
    /// Neither array nor object.
    Scalar(Value),
    /// What JSON does not have, in words: `a date`, `a number that is not finite`.
    Odd(&'static str),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    pub key: String,
    pub key_span: Span,
    pub node: Node,
}

impl Node {
    pub fn member(&self, key: &str) -> Option<&Member> {
        match &self.content {
            Content::Table(members) => members.iter().find(|member| member.key == key),
            _ => None,
        }
    }

    /// What the value is, for sentences.
    pub fn kind(&self) -> &'static str {
        match &self.content {
            Content::Table(_) => "a table",
            Content::List(_) => "a list",
            Content::Scalar(Value::String(_)) => "a text",
            Content::Scalar(Value::Bool(_)) => "true or false",
            Content::Scalar(Value::Number(_)) => "a number",
            Content::Scalar(_) => "null",
            Content::Odd(kind) => kind,
        }
    }

    /// Where `pass[2].amount.percent` stands, or as much of it as there is.
    pub fn find(&self, place: &str) -> Span {
        let (mut node, mut span) = (self, self.span.clone());
        for part in place.split(['.', '[', ']']).filter(|part| !part.is_empty()) {
            let next = match &node.content {
                Content::List(items) => part.parse::<usize>().ok().and_then(|i| items.get(i)),
                _ => node.member(part).map(|member| &member.node),
            };
            let Some(next) = next else { break };
            (node, span) = (next, next.span.clone());
        }
        span
    }
}
