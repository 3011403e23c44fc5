//! JSON as a tree with places.
//!
//! `serde_json` says whether the text is JSON at all; what walks over it here relies on that, and on its bound of
//! nesting.

use super::finding::{Finding, Lines};
use super::tree::{Content, Member, Node};
use serde_json::Value;

/// Or the mistake of the syntax.
pub fn parse(text: &str) -> Result<Node, Vec<Finding>> {
    if let Err(error) = serde_json::from_str::<Value>(text) {
        let start = Lines::of(text).offset(error.line(), error.column());
        let full = error.to_string();
        let says = full.split(" at line ").next().unwrap_or(&full).to_owned();
        return Err(vec![Finding { span: start..start, at: String::new(), says }]);
    }
    let mut walk = Walk { text, at: 0 };
    Ok(walk.value())
}

struct Walk<'t> {
    text: &'t str,
    at: usize,
}

impl Walk<'_> {
    fn peek(&mut self) -> u8 {
        let bytes = self.text.as_bytes();
        while bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        bytes.get(self.at).copied().unwrap_or(b'}')
    }

    fn value(&mut self) -> Node {
        let next = self.peek();
        let start = self.at;
        let content = match next {
            b'{' => self.table(),
            b'[' => self.list(),
            b'"' => Content::Scalar(Value::String(self.string())),
            _ => self.word(),
        };
        Node { span: start..self.at, content }
    }

    fn table(&mut self) -> Content {
        let mut members = vec![];
        self.at += 1;
        while self.peek() != b'}' {
            let start = self.at;
            let key = self.string();
            let key_span = start..self.at;
            self.peek();
            self.at += 1;
            members.push(Member { key, key_span, node: self.value() });
            if self.peek() == b',' {
                self.at += 1;
            }
        }
        self.at += 1;
        Content::Table(members)
    }

    fn list(&mut self) -> Content {
        let mut items = vec![];
        self.at += 1;
        while self.peek() != b']' {
            items.push(self.value());
            if self.peek() == b',' {
                self.at += 1;
            }
        }
        self.at += 1;
        Content::List(items)
    }

    fn string(&mut self) -> String {
        let (bytes, start) = (self.text.as_bytes(), self.at);
        self.at += 1;
        while let Some(&byte) = bytes.get(self.at) {
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                break;
            }
        }
        serde_json::from_str(&self.text[start..self.at]).unwrap_or_default()
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self) -> Content {
        let start = self.at;
        let rest = &self.text.as_bytes()[start..];
        let len =
            rest.iter().take_while(|b| !matches!(b, b',' | b']' | b'}') && !b.is_ascii_whitespace()).count();
        // Never without progress, whatever stands there.
        self.at += len.max(1);
        Content::Scalar(serde_json::from_str(&self.text[start..self.at]).unwrap_or_default())
    }
}
