//! Style sheet, scripts and icon: inside the program, under names that change with their content, so that browsers may
//! keep them for ever.

use crate::html;
use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use flate2::Compression;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

struct Asset {
    name: &'static str,
    content_type: &'static str,
    /// `/assets/<16 hex digits>/<name>`.
    address: String,
    plain: &'static [u8],
    packed: Vec<u8>,
}

/// Everything a page loads. htmx is vendored as it was published (4.0.1, Zero-Clause BSD; see `htmx.LICENSE`).
const FILES: [(&str, &str, &[u8]); 4] = [
    ("app.css", "text/css; charset=utf-8", include_bytes!("../assets/app.css")),
    ("app.js", "text/javascript; charset=utf-8", include_bytes!("../assets/app.js")),
    ("htmx.min.js", "text/javascript; charset=utf-8", include_bytes!("../assets/htmx.min.js")),
    ("icon.svg", "image/svg+xml", include_bytes!("../assets/icon.svg")),
];

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let asset = |(name, content_type, plain): (&'static str, &'static str, &'static [u8])| {
        let hash: String = Sha256::digest(plain).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let packed = html::pack(plain, Compression::best());
        Asset { name, content_type, address: format!("/assets/{hash}/{name}"), plain, packed }
    };
    FILES.into_iter().map(asset).collect()
});

/// Where a page finds an asset.
pub(crate) fn address(name: &str) -> &'static str {
    ASSETS.iter().find(|asset| asset.name == name).map_or("", |asset| asset.address.as_str())
}

pub(crate) fn routes() -> Router {
    Router::new().route("/assets/{hash}/{name}", get(serve)).route("/favicon.ico", get(icon))
}

async fn serve(Path((hash, name)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let wanted = format!("/assets/{hash}/{name}");
    match ASSETS.iter().find(|asset| asset.address == wanted) {
        Some(asset) => send(asset, &headers),
        // Of another version: a page that asks for it is to be loaded anew.
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn icon(headers: HeaderMap) -> Response {
    match ASSETS.iter().find(|asset| asset.name == "icon.svg") {
        Some(asset) => send(asset, &headers),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn send(asset: &'static Asset, headers: &HeaderMap) -> Response {
    let mut response = if html::accepts_gzip(headers) {
        let mut response = asset.packed.as_slice().into_response();
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        response
    } else {
        asset.plain.into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The budget of a first load is 60 KB with the page itself.
    #[test]
    fn all_assets_together_are_small() {
        let bytes: usize = ASSETS.iter().map(|asset| asset.packed.len()).sum();
        assert!(bytes < 40_000, "{bytes}");
    }
}
