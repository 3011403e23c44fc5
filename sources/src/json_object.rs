//! The wanted members of one JSON object as texts.

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// What a member of the object holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Member<'a> {
    /// Not there, or `null`.
    Nothing,
    /// A string without its quotes and escapes, a number as written, `true` or `false`.
    Text(Cow<'a, str>),
    /// Says why the member has no text.
    Bad(&'static str),
}

/// Reads one JSON text that must be an object. Gives one [`Member`] per name of `columns`, and tells
/// `see_key` every key of the object.
///
/// An error of the category `Data` means that the text is JSON but no object.
pub(crate) fn read_members<'a>(
    text: &'a str,
    columns: &[String],
    see_key: &mut dyn FnMut(&str),
) -> serde_json::Result<Vec<Member<'a>>> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let members = Members { columns, see_key }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(members)
}

struct Members<'c> {
    columns: &'c [String],
    see_key: &'c mut dyn FnMut(&str),
}

impl<'de> DeserializeSeed<'de> for Members<'_> {
    type Value = Vec<Member<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = Vec<Member<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members: Vec<Option<Member<'de>>> = vec![None; self.columns.len()];
        while let Some(key) = map.next_key::<String>()? {
            let key = key.trim();
            (self.see_key)(key);
            match self.columns.iter().position(|column| column == key) {
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
                Some(column) => {
                    let member = member_of(map.next_value::<&RawValue>()?.get());
                    let twice = members[column].is_some();
                    members[column] =
                        Some(if twice { Member::Bad("the object has this key twice") } else { member });
                }
            }
        }
        Ok(members.into_iter().map(|member| member.unwrap_or(Member::Nothing)).collect())
    }
}

fn member_of(raw: &str) -> Member<'_> {
    match raw.as_bytes().first() {
        Some(b'n') => Member::Nothing,
        Some(b'{') => Member::Bad("the value is an object, not a text or number"),
        Some(b'[') => Member::Bad("the value is an array, not a text or number"),
        Some(b'"') if raw.contains('\\') => match serde_json::from_str::<String>(raw) {
            Ok(text) => Member::Text(Cow::Owned(text)),
            Err(_) => Member::Bad("the text has a broken escape"),
        },
        Some(b'"') => Member::Text(Cow::Borrowed(raw[1..].strip_suffix('"').unwrap_or(&raw[1..]))),
        _ => Member::Text(Cow::Borrowed(raw)),
    }
}
