//! TOML as a tree with places.

use super::finding::Finding;
use super::tree::{Content, Member, Node, Span};
use serde_json::Value;
use toml::de::{DeTable, DeValue};

/// Or every mistake of the syntax.
pub fn parse(text: &str) -> Result<Node, Vec<Finding>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(Node { span: 0..0, content: table_of(table.get_ref()) });
    }
    let finding = |error: &toml::de::Error| Finding {
        span: error.span().unwrap_or(0..0),
        at: String::new(),
        says: error.message().replace('\n', ", "),
    };
    Err(errors.iter().map(finding).collect())
}

fn table_of(table: &DeTable<'_>) -> Content {
    let member = |(key, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
        let key_name: &std::borrow::Cow<'_, str> = key.get_ref();
        Member {
            key: key_name.to_string(),
            key_span: key.span(),
            node: node_of(value.get_ref(), value.span()),
        }
    };
    let mut members: Vec<Member> = table.iter().map(member).collect();
    // As they stand in the file, so that mistakes come in its order.
    members.sort_by_key(|member| member.key_span.start);
    Content::Table(members)
}

fn node_of(value: &DeValue<'_>, span: Span) -> Node {
    let content = match value {
        DeValue::String(text) => Content::Scalar(Value::from(text.as_ref())),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Content::Scalar(Value::from(number)),
            Err(_) => Content::Odd("a number that is too large"),
        },
        DeValue::Float(number) => {
            let finite = number.as_str().parse().ok().and_then(serde_json::Number::from_f64);
            finite.map_or(Content::Odd("a number that is not finite"), |n| Content::Scalar(Value::Number(n)))
        }
        DeValue::Boolean(is) => Content::Scalar(Value::from(*is)),
        DeValue::Datetime(_) => Content::Odd("a date without quotation marks"),
        DeValue::Array(items) => {
            Content::List(items.iter().map(|item| node_of(item.get_ref(), item.span())).collect())
        }
        DeValue::Table(table) => table_of(table),
    };
    Node { span, content }
}
