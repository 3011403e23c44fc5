//! Readers of single JSON values. Each notes what is wrong and gives `None`.

use super::Place;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// The kind of a value, for sentences.
pub(crate) fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn string(value: Value, place: &mut Place<'_>) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        other => place.wrong("type", format!("must be a text, not {}", name_of(&other))),
    }
}

/// A text of so many characters, without control characters, white space at both ends forgotten.
pub(crate) fn text(chars: RangeInclusive<usize>) -> impl FnOnce(Value, &mut Place<'_>) -> Option<String> {
    move |value, place| {
        let text = string(value, place)?;
        let text = text.trim();
        check_length(text, &chars, place)?;
        if text.chars().any(char::is_control) {
            return place.wrong("control_character", "must not contain control characters");
        }
        Some(text.to_owned())
    }
}

fn check_length(text: &str, chars: &RangeInclusive<usize>, place: &mut Place<'_>) -> Option<()> {
    let (n, min, max) = (text.chars().count(), chars.start(), chars.end());
    if n < *min {
        return place.wrong("too_short", format!("must have at least {min} characters, not {n}"));
    }
    if n > *max {
        return place.wrong("too_long", format!("must have at most {max} characters, not {n}"));
    }
    Some(())
}

/// 3 to 254 characters with one `@` inside and a dot-separated domain behind it. Whether mail arrives there is
/// another question.
pub(crate) fn email(value: Value, place: &mut Place<'_>) -> Option<String> {
    let email = text(3..=254)(value, place)?;
    let plausible = email.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && !domain.contains('@')
            && domain.split('.').all(|label| !label.is_empty())
            && !email.contains(char::is_whitespace)
    });
    if plausible { Some(email) } else { place.wrong("format", "must be an e-mail address") }
}

/// Characters of any kind, taken as they are.
pub(crate) fn password(
    chars: RangeInclusive<usize>,
) -> impl FnOnce(Value, &mut Place<'_>) -> Option<SecretString> {
    move |value, place| {
        let password = string(value, place)?;
        check_length(&password, &chars, place)?;
        Some(password.into())
    }
}

pub(crate) fn id<T: FromStr>(value: Value, place: &mut Place<'_>) -> Option<T> {
    let text = string(value, place)?;
    text.parse().ok().or_else(|| place.wrong("format", "must be an id (a UUID)"))
}

pub(crate) fn number(range: RangeInclusive<f64>) -> impl FnOnce(Value, &mut Place<'_>) -> Option<f64> {
    move |value, place| match value.as_f64() {
        Some(number) if range.contains(&number) => Some(number),
        Some(_) => place.wrong("range", format!("must be {} to {}", range.start(), range.end())),
        None => place.wrong("type", format!("must be a number, not {}", name_of(&value))),
    }
}

pub(crate) fn integer(range: RangeInclusive<u32>) -> impl FnOnce(Value, &mut Place<'_>) -> Option<u32> {
    move |value, place| match &value {
        Value::Number(number) => {
            let integer = number.as_u64().and_then(|n| u32::try_from(n).ok()).filter(|n| range.contains(n));
            integer.or_else(|| {
                place.wrong("range", format!("must be a whole number, {} to {}", range.start(), range.end()))
            })
        }
        other => place.wrong("type", format!("must be a whole number, not {}", name_of(other))),
    }
}

pub(crate) fn signed(range: RangeInclusive<i32>) -> impl FnOnce(Value, &mut Place<'_>) -> Option<i32> {
    move |value, place| match &value {
        Value::Number(number) => {
            let integer = number.as_i64().and_then(|n| i32::try_from(n).ok()).filter(|n| range.contains(n));
            integer.or_else(|| {
                place.wrong("range", format!("must be a whole number, {} to {}", range.start(), range.end()))
            })
        }
        other => place.wrong("type", format!("must be a whole number, not {}", name_of(other))),
    }
}

pub(crate) fn boolean(value: Value, place: &mut Place<'_>) -> Option<bool> {
    value.as_bool().or_else(|| place.wrong("type", format!("must be true or false, not {}", name_of(&value))))
}

/// A single character.
pub(crate) fn character(value: Value, place: &mut Place<'_>) -> Option<char> {
    let text = string(value, place)?;
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(character), None) => Some(character),
        _ => place.wrong("length", "must be a single character"),
    }
}

/// One of the words that `T` knows.
pub(crate) fn choice<T: DeserializeOwned>(value: Value, place: &mut Place<'_>) -> Option<T> {
    let text = string(value, place)?;
    // Cut, because the word comes back in the sentence.
    let word: String = text.chars().take(100).collect();
    serde_json::from_value(Value::String(word))
        .map_err(|error| place.wrong::<T>("choice", error.to_string()))
        .ok()
}

pub(crate) fn list<T>(
    items_max: usize,
    read: impl Fn(Value, &mut Place<'_>) -> Option<T>,
) -> impl FnOnce(Value, &mut Place<'_>) -> Option<Vec<T>> {
    move |value, place| match value {
        Value::Array(items) if items.len() > items_max => {
            place.wrong("too_many", format!("must have at most {items_max} elements, not {}", items.len()))
        }
        Value::Array(items) => {
            let read: Vec<_> = items
                .into_iter()
                .enumerate()
                .map(|(i, item)| read(item, &mut place.below(&i.to_string())))
                .collect();
            read.into_iter().collect()
        }
        other => place.wrong("type", format!("must be an array, not {}", name_of(&other))),
    }
}

/// An object whose members are all texts.
pub(crate) fn texts(
    members_max: usize,
) -> impl FnOnce(Value, &mut Place<'_>) -> Option<BTreeMap<String, String>> {
    move |value, place| match value {
        Value::Object(members) if members.len() > members_max => {
            place.wrong("too_many", format!("must have at most {members_max} members, not {}", members.len()))
        }
        Value::Object(members) => {
            let read: Vec<_> = members
                .into_iter()
                .map(|(name, value)| string(value, &mut place.below(&name)).map(|text| (name, text)))
                .collect();
            read.into_iter().collect()
        }
        other => place.wrong("type", format!("must be an object, not {}", name_of(&other))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused<T>(read: impl FnOnce(Value, &mut Place<'_>) -> Option<T>, value: Value) -> &'static str {
        let mut mistakes = vec![];
        assert!(read(value, &mut Place::root(&mut mistakes)).is_none());
        assert_eq!(mistakes.len(), 1, "{mistakes:?}");
        mistakes[0].code
    }

    fn accepted<T>(read: impl FnOnce(Value, &mut Place<'_>) -> Option<T>, value: Value) -> T {
        let mut mistakes = vec![];
        let value = read(value, &mut Place::root(&mut mistakes));
        value.unwrap_or_else(|| panic!("{mistakes:?}"))
    }

    #[test]
    fn texts_are_trimmed_and_counted_in_characters() {
        assert_eq!(accepted(text(1..=3), json!(" äöü ")), "äöü");
        assert_eq!(refused(text(1..=3), json!("   ")), "too_short");
        assert_eq!(refused(text(1..=3), json!("abcd")), "too_long");
        assert_eq!(refused(text(1..=3), json!("a\nb")), "control_character");
        assert_eq!(refused(text(1..=3), json!(1)), "type");
    }

    #[test]
    fn addresses_have_two_sides() {
        for good in ["a@b.c", "jane.doe+x@mail.example.org", "a@localhost"] {
            assert_eq!(accepted(email, json!(good)), good);
        }
        for bad in ["a@", "@b.c", "a b@c.d", "a@b..c", "a@b@c", "abc", "a@.b"] {
            assert!(matches!(refused(email, json!(bad)), "format" | "too_short"), "{bad}");
        }
    }

    #[test]
    fn numbers_stay_in_their_range() {
        assert_eq!(accepted(number(0.0..=1.0), json!(1)), 1.0);
        assert_eq!(refused(number(0.0..=1.0), json!(1.0001)), "range");
        assert_eq!(refused(number(0.0..=1.0), json!("1")), "type");
        assert_eq!(accepted(integer(0..=9), json!(9)), 9);
        for bad in [json!(-1), json!(10), json!(1.5), json!(1e300)] {
            assert_eq!(refused(integer(0..=9), bad), "range");
        }
    }

    #[test]
    fn every_element_is_looked_at() {
        let mut mistakes = vec![];
        let read = list(3, boolean)(json!([true, 1, "x"]), &mut Place::root(&mut mistakes));
        assert!(read.is_none());
        let pointers: Vec<_> = mistakes.iter().map(|m| m.pointer.as_deref().unwrap()).collect();
        assert_eq!(pointers, ["#/1", "#/2"]);
        assert_eq!(refused(list(1, boolean), json!([true, true])), "too_many");
    }
}
