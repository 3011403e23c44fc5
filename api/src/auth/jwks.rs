//! `/.well-known/jwks.json`: the keys that access tokens are signed with.

use super::tokens::PublicKey;
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub(crate) struct PublicKeys {
    keys: Vec<PublicKey>,
}

/// The public keys, those of tomorrow and yesterday too (RFC 7517).
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "auth",
    responses((status = 200, description = "The keys", body = PublicKeys))
)]
pub(crate) async fn list_public_keys(State(api): State<Api>) -> impl IntoResponse {
    // As long as a process may take to see a new key.
    ([(header::CACHE_CONTROL, "public, max-age=300")], Json(PublicKeys { keys: api.tokens.public_keys() }))
}
