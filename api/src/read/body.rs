//! JSON bodies.

use super::{Fields, Place, object};
use crate::problem::{Mistake, Problem, ProblemKind};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use bytes::Bytes;
use serde_json::Value;
use std::sync::Arc;

/// A body that is read member by member.
pub(crate) trait ReadBody: Sized {
    fn read(fields: &mut Fields<'_>) -> Option<Self>;
}

/// A body without mistakes.
pub(crate) struct JsonBody<T>(pub T);

/// A body that may have mistakes, for routes that look for more of them before they answer.
pub(crate) struct JsonDraft<T> {
    pub body: Option<T>,
    pub mistakes: Vec<Mistake>,
}

impl<T: ReadBody, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let draft = JsonDraft::<T>::from_request(request, state).await?;
        match draft.body {
            Some(body) if draft.mistakes.is_empty() => Ok(JsonBody(body)),
            _ => Err(Problem::invalid(draft.mistakes)),
        }
    }
}

/// A body that the guard has read already.
#[derive(Clone)]
pub(crate) struct ParsedBody(pub Arc<Value>);

impl<T: ReadBody, S: Send + Sync> FromRequest<S> for JsonDraft<T> {
    type Rejection = Problem;

    async fn from_request(mut request: Request, state: &S) -> Result<Self, Problem> {
        if let Some(ParsedBody(value)) = request.extensions_mut().remove() {
            return Ok(read_draft(Arc::unwrap_or_clone(value)));
        }
        if !is_json(request.headers()) {
            return Err(Problem::new(ProblemKind::UnsupportedMediaType, "Send application/json"));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| {
            if rejection.into_response().status() == StatusCode::PAYLOAD_TOO_LARGE {
                Problem::new(ProblemKind::TooLarge, "A JSON body has at most 1 MiB")
            } else {
                Problem::new(ProblemKind::MalformedJson, "The body broke off")
            }
        })?;
        let value = serde_json::from_slice(&bytes)
            .map_err(|error| Problem::new(ProblemKind::MalformedJson, error.to_string()))?;
        Ok(read_draft(value))
    }
}

fn read_draft<T: ReadBody>(value: Value) -> JsonDraft<T> {
    let mut mistakes = vec![];
    refuse_zero_characters(&value, &mut Place::root(&mut mistakes));
    let body = object(T::read)(value, &mut Place::root(&mut mistakes));
    JsonDraft { body, mistakes }
}

/// PostgreSQL cannot store them, and nobody means them.
fn refuse_zero_characters(value: &Value, place: &mut Place<'_>) {
    match value {
        Value::String(text) if text.contains('\0') => {
            let _: Option<()> = place.wrong("zero_character", "must not contain the character U+0000");
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                refuse_zero_characters(item, &mut place.below(&i.to_string()));
            }
        }
        Value::Object(members) => {
            for (name, value) in members {
                if name.contains('\0') {
                    let _: Option<()> = place.below(name).wrong("zero_character", "must not contain U+0000");
                }
                refuse_zero_characters(value, &mut place.below(name));
            }
        }
        _ => {}
    }
}

pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let essence = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// What a body asks for; tests compare it with its schema.
#[cfg(test)]
pub(crate) fn asked<T: ReadBody>() -> Vec<(&'static str, bool)> {
    let mut mistakes = vec![];
    let mut fields = Fields::new(Default::default(), Place::root(&mut mistakes));
    T::read(&mut fields);
    let mut asked: Vec<_> = fields
        .finish()
        .into_iter()
        .map(|(name, need)| (name, need == super::fields::Need::Required))
        .collect();
    asked.sort_unstable();
    asked
}

#[cfg(test)]
pub(crate) fn draft<T: ReadBody>(value: Value) -> JsonDraft<T> {
    read_draft(value)
}
