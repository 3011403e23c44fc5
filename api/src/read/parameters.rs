//! Query strings.

use crate::problem::{Mistake, Problem};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde::de::value::{Error as WordError, StrDeserializer};
use std::ops::RangeInclusive;
use std::str::FromStr;

/// A query that is read parameter by parameter.
pub(crate) trait ReadQuery: Sized {
    fn read(parameters: &mut Parameters) -> Option<Self>;
}

/// A query without mistakes: unknown and repeated parameters are refused too.
pub(crate) struct Query<T>(pub T);

impl<T: ReadQuery, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut parameters = Parameters::parse(parts)?;
        let query = T::read(&mut parameters);
        match (query, parameters.finish()) {
            (Some(query), mistakes) if mistakes.is_empty() => Ok(Query(query)),
            (_, mistakes) => Err(Problem::invalid(mistakes)),
        }
    }
}

/// The parameters of one query string.
#[derive(Default)]
pub(crate) struct Parameters {
    pairs: Vec<(String, String)>,
    asked: Vec<(&'static str, bool)>,
    mistakes: Vec<Mistake>,
}

/// Also bounds the list of mistakes.
const PARAMETERS_MAX: usize = 50;

impl Parameters {
    fn parse(parts: &Parts) -> Result<Self, Problem> {
        let mut parameters = Self::default();
        match axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&parts.uri) {
            Ok(axum::extract::Query(pairs)) if pairs.len() <= PARAMETERS_MAX => parameters.pairs = pairs,
            Ok(_) => return Err(Self::unreadable("there are more than 50 parameters")),
            Err(_) => return Err(Self::unreadable("the query string is malformed")),
        }
        Ok(parameters)
    }

    fn unreadable(detail: &str) -> Problem {
        Problem::invalid(vec![Mistake {
            pointer: None,
            parameter: None,
            code: "query",
            detail: detail.into(),
        }])
    }

    pub fn required<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        match self.take(name, true) {
            Some(text) => self.read(name, &text, read),
            None => self.wrong(name, "missing", format!("{name} is missing")),
        }
    }

    /// `None` also when it is wrong, with the mistake noted.
    pub fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.take(name, false).and_then(|text| self.read(name, &text, read))
    }

    fn read<T>(
        &mut self,
        name: &'static str,
        text: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        read(text).map_err(|detail| self.wrong::<T>(name, "value", detail)).ok()
    }

    fn wrong<T>(&mut self, name: &str, code: &'static str, detail: String) -> Option<T> {
        let parameter = Some(name.chars().take(100).collect());
        self.mistakes.push(Mistake { pointer: None, parameter, code, detail });
        None
    }

    fn take(&mut self, name: &'static str, required: bool) -> Option<String> {
        self.asked.push((name, required));
        let at = self.pairs.iter().position(|(n, _)| n == name)?;
        Some(self.pairs.remove(at).1)
    }

    fn finish(mut self) -> Vec<Mistake> {
        for (name, _) in std::mem::take(&mut self.pairs) {
            let known: Vec<_> = self.asked.iter().map(|(known, _)| *known).collect();
            let _: Option<()> = if known.contains(&name.as_str()) {
                self.wrong(&name, "repeated", "may be given once".into())
            } else if known.is_empty() {
                self.wrong(&name, "unknown_parameter", "this address takes no parameters".into())
            } else {
                self.wrong(&name, "unknown_parameter", format!("known are {}", known.join(", ")))
            };
        }
        self.mistakes
    }

    pub fn id<T: FromStr>(text: &str) -> Result<T, String> {
        text.parse().map_err(|_| "must be an id (a UUID)".to_owned())
    }

    pub fn integer(range: RangeInclusive<u32>) -> impl FnOnce(&str) -> Result<u32, String> {
        move |text| {
            let wrong = || format!("must be a whole number, {} to {}", range.start(), range.end());
            text.parse().ok().filter(|n| range.contains(n)).ok_or_else(wrong)
        }
    }

    pub fn number(range: RangeInclusive<f64>) -> impl FnOnce(&str) -> Result<f64, String> {
        move |text| {
            let wrong = || format!("must be a number, {} to {}", range.start(), range.end());
            text.parse().ok().filter(|n| range.contains(n)).ok_or_else(wrong)
        }
    }

    /// One of the words that `T` knows.
    pub fn choice<T: DeserializeOwned>(text: &str) -> Result<T, String> {
        let word: String = text.chars().take(100).collect();
        T::deserialize(StrDeserializer::<WordError>::new(&word)).map_err(|error| error.to_string())
    }
}

/// What a query asks for; tests compare it with the document.
#[cfg(test)]
pub(crate) fn asked<T: ReadQuery>() -> Vec<(&'static str, bool)> {
    let mut parameters = Parameters::default();
    T::read(&mut parameters);
    parameters.asked.sort_unstable();
    parameters.asked
}
