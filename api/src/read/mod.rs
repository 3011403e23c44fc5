//! Reading requests so that every mistake is reported, not only the first: bodies field by field, query strings
//! parameter by parameter, with the place of each.
//!
//! Deriving deserializers would be shorter, and would stop at the first mistake.

mod body;
mod fields;
mod parameters;
mod path;
mod place;
mod values;

pub(crate) use body::{JsonBody, JsonDraft, ParsedBody, ReadBody, is_json};
#[cfg(test)]
pub(crate) use body::{asked as asked_of_body, draft};
pub(crate) use fields::{Fields, object};
#[cfg(test)]
pub(crate) use parameters::asked as asked_of_query;
pub(crate) use parameters::{Parameters, Query, ReadQuery};
pub(crate) use path::{PathId, SecondId};
pub(crate) use place::{Place, push_pointer};
pub(crate) use values::{
    boolean, character, choice, email, id, integer, list, number, password, signed, text, texts,
};
