//! Forms of pages, read with their token.

use crate::Site;
use crate::ask::Refusal;
use crate::problem::Document;
use crate::session;
use axum::RequestExt;
use axum::extract::{FromRequest, RawForm, Request};
use axum::http::StatusCode;

/// The fields of a form that was made for this session.
pub(crate) struct Posted(Fields);

/// Names and values in the order of the form; a name may come several times.
#[derive(Debug, Default, Clone)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    pub fn parse(bytes: &[u8]) -> Self {
        Self(bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(read_pair).collect())
    }

    /// The value, without white space around it; empty when there is none.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value.trim())
    }

    /// The value as it was typed: for passwords.
    pub fn raw(&self, name: &str) -> &str {
        self.0.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }

    /// As [`Self::get`]; `None` when empty.
    pub fn given(&self, name: &str) -> Option<&str> {
        Some(self.get(name)).filter(|value| !value.is_empty())
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(found, _)| found == name)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn read_pair(pair: &[u8]) -> (String, String) {
    let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
    let value = pair.get(at + 1..).unwrap_or_default();
    (unescape(&pair[..at]), unescape(value))
}

/// Percent signs and pluses; what is no UTF-8 becomes replacement characters.
fn unescape(bytes: &[u8]) -> String {
    let digit = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                plain.push((high << 4 | low) as u8);
                at += 2;
            }
            (b'+', ..) => plain.push(b' '),
            _ => plain.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&plain).into_owned()
}

impl std::ops::Deref for Posted {
    type Target = Fields;

    fn deref(&self) -> &Fields {
        &self.0
    }
}

impl FromRequest<Site> for Posted {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &Site) -> Result<Self, Refusal> {
        let token = session::token(request.headers()).map(str::to_owned);
        let form: Result<RawForm, _> = request.extract().await;
        let bytes = form
            .map_err(|_| refusal(StatusCode::BAD_REQUEST, "The body is not a form, or it is too long"))?
            .0;
        let fields = Fields::parse(&bytes);
        check_token(token.as_deref(), fields.get("form_token"))?;
        Ok(Self(fields))
    }
}

/// Refuses a form that was made for another session.
pub(crate) fn check_token(session: Option<&str>, given: &str) -> Result<(), Refusal> {
    match session {
        Some(session) if session::is_form_token(session, given) => Ok(()),
        _ => Err(refusal(
            StatusCode::FORBIDDEN,
            "The form belongs to another session: open the page and send it again",
        )),
    }
}

pub(crate) fn refusal(status: StatusCode, detail: &str) -> Refusal {
    Refusal::new(status, Document { detail: detail.into(), ..Document::of_status(status) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn forms_are_read_as_browsers_write_them() {
        let fields = Fields::parse(b"a=1&b=+x+%26+%C3%A9+&a=2&empty=&bare&=x&bad=%zz%4");
        assert_eq!((fields.get("a"), fields.get("b"), fields.get("bad")), ("1", "x & é", "%zz%4"));
        assert_eq!((fields.given("empty"), fields.has("bare"), fields.get("none")), (None, true, ""));
        assert_eq!(fields.iter().count(), 7);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_form(bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'%'), Just(b'&')], 0..80)) {
            let fields = Fields::parse(&bytes);
            let pairs = bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
            prop_assert_eq!(fields.iter().count(), pairs.count());
        }

        #[test]
        fn what_is_escaped_reads_back(text in ".{0,40}") {
            let fields = Fields::parse(format!("a={}", crate::html::escape_query(&text)).as_bytes());
            prop_assert_eq!(fields.raw("a"), text);
        }
    }
}
