//! Setting up a second factor: the secret as a picture and as text, then a first code, then recovery codes.

use super::{again, mistake};
use crate::ask::Refusal;
use crate::form::Posted;
use crate::html::Html;
use crate::problem::Mistake;
use crate::shell::{Shell, Visit};
use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use qrcode::{Color, QrCode};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Offer {
    secret: String,
    address: String,
}

#[derive(Template)]
#[template(path = "account/second_factor.html")]
pub(crate) struct OfferPage {
    pub shell: Shell,
    pub secret: String,
    pub address: String,
    pub qr: Option<Html>,
    pub mistakes: Vec<Mistake>,
}

#[derive(Template)]
#[template(path = "account/recovery_codes.html")]
pub(crate) struct CodesPage {
    pub shell: Shell,
    pub codes: Vec<String>,
}

#[derive(Deserialize)]
struct RecoveryCodes {
    recovery_codes: Vec<String>,
}

pub(super) async fn offer(visit: Visit, form: Posted) -> Result<Response, Refusal> {
    let body = json!({"password": form.raw("password")});
    match visit.ask.post::<Offer>("/api/auth/second-factor", &body).await {
        Ok(offer) => Ok(visit.page(&offer_page(visit.shell("account"), offer.secret, offer.address, vec![]))),
        Err(refusal) => again(&visit, refusal).await,
    }
}

fn offer_page(shell: Shell, secret: String, address: String, mistakes: Vec<Mistake>) -> OfferPage {
    OfferPage { shell, qr: qr(&address), secret, address, mistakes }
}

/// A wrong code brings the same secret back: it is in the authenticator already.
pub(super) async fn confirm(visit: Visit, form: Posted) -> Result<Response, Refusal> {
    let body = json!({"code": form.get("code")});
    match visit.ask.post::<RecoveryCodes>("/api/auth/second-factor/confirm", &body).await {
        Ok(codes) => {
            Ok(visit.page(&CodesPage { shell: visit.shell("account"), codes: codes.recovery_codes }))
        }
        Err(refusal) if refusal.status == StatusCode::UNPROCESSABLE_ENTITY => {
            let wrong = vec![mistake("code", "is not the code that the authenticator shows now")];
            let (secret, address) = (form.get("secret").to_owned(), form.get("address").to_owned());
            let page = offer_page(visit.shell("account"), secret, address, wrong);
            Ok(visit.page_of(StatusCode::UNPROCESSABLE_ENTITY, &page))
        }
        Err(refusal) => Err(refusal),
    }
}

pub(super) async fn remove(visit: Visit, form: Posted) -> Result<Response, Refusal> {
    let body = json!({"password": form.raw("password"), "code": form.get("code")});
    match visit.ask.act("/api/auth/second-factor/remove", Some(&body)).await {
        Ok(()) => Ok(Redirect::to("/account?done=removed").into_response()),
        Err(refusal) => again(&visit, refusal).await,
    }
}

/// One path of dark squares, with the four quiet ones around that readers ask for. `None`: too long for a picture.
pub(crate) fn qr(text: &str) -> Option<Html> {
    let code = QrCode::new(text.as_bytes()).ok()?;
    let width = code.width();
    let mut path = String::new();
    for (at, color) in code.to_colors().into_iter().enumerate() {
        if color == Color::Dark {
            path.push_str(&format!("M{} {}h1v1h-1z", at % width + 4, at / width + 4));
        }
    }
    let side = width + 8;
    Some(Html(format!(
        "<svg class=\"qr\" viewBox=\"0 0 {side} {side}\" role=\"img\" aria-label=\"The key as a QR code\" \
         shape-rendering=\"crispEdges\"><path d=\"{path}\"/></svg>"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_its_three_corners() {
        let Html(svg) = qr("otpauth://totp/Counterfoil:jane?secret=ABC").expect("short enough");
        // The outer edge of the finder pattern at the top left, seven squares.
        assert!((4..11).all(|x| svg.contains(&format!("M{x} 4h"))), "{svg}");
        assert!(qr(&"x".repeat(5000)).is_none());
    }
}
