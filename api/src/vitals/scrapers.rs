//! Who may read the figures.

use crate::problem::Problem;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{Digest, SHA256, digest};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use secrecy::{ExposeSecret, SecretString};

/// Those who send the token, or everybody.
pub(super) struct Scrapers {
    /// Digests are equally long: comparing them tells nothing of the token, not even its length.
    wanted: Option<Digest>,
}

impl Scrapers {
    pub fn with(token: Option<&SecretString>) -> Self {
        Self { wanted: token.map(|token| digest(&SHA256, token.expose_secret().as_bytes())) }
    }

    /// Takes as long for a token that is almost right as for any other.
    pub fn admit(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let Some(wanted) = &self.wanted else { return Ok(()) };
        let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = given.and_then(|given| given.split_once(' '));
        let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let is_it = token.is_some_and(|(_, token)| {
            let given = digest(&SHA256, token.trim().as_bytes());
            verify_slices_are_equal(given.as_ref(), wanted.as_ref()).is_ok()
        });
        if is_it {
            return Ok(());
        }
        tracing::info!(sent = given.is_some(), "figures were asked for without their token");
        Err(Problem::unauthenticated(
            "The figures need the token that http.metrics_token says, as Authorization: Bearer",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_itself_opens() {
        let token = "0123456789abcdef0123456789abcdef";
        let scrapers = Scrapers::with(Some(&token.to_owned().into()));
        let admits = |header: Option<String>| {
            let mut headers = HeaderMap::new();
            if let Some(header) = header {
                headers.insert(AUTHORIZATION, header.parse().unwrap());
            }
            scrapers.admit(&headers).is_ok()
        };
        assert!(admits(Some(format!("Bearer {token}"))) && admits(Some(format!("bearer  {token} "))));
        for wrong in [
            String::new(),
            token.to_owned(),
            "Bearer".to_owned(),
            "Bearer ".to_owned(),
            format!("Basic {token}"),
            format!("Bearer {}", &token[1..]),
            format!("Bearer {token}0"),
            format!("Bearer {}", token.to_uppercase()),
        ] {
            assert!(!admits(Some(wrong.clone())), "{wrong:?}");
        }
        assert!(!admits(None));
        assert!(Scrapers::with(None).admit(&HeaderMap::new()).is_ok(), "none is wanted");
    }
}
