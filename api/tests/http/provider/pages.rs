//! The same in a browser: out by the button, back with a cookie that only this browser has.

use super::{claims, issuer::Issuer, start};
use crate::pages::browser::{Browser, escaped};
use crate::server::Server;
use axum::http::Method;

/// Sends the browser out; gives the address that the provider sends it back to.
async fn go_out(browser: &mut Browser, server: &Server, issuer: &Issuer, next: &str) -> String {
    let out = browser.get(&format!("/login/provider?next={}", escaped(next))).await.expect(303);
    let cookie = out.header("set-cookie").to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    browser.take_cookie(&out);
    let (code, state) = issuer.authorize(out.header("location"), claims(server, "jane"));
    format!("/login/provider/back?code={}&state={}", escaped(&code), escaped(&state))
}

#[tokio::test]
async fn the_button_leads_out_and_back_to_where_somebody_was_going() {
    let (issuer, server) = start(|_| ()).await;
    let mut browser = Browser::new(&server);
    let page = browser.page("/login?next=%2Faccount%3Fa%3Db%26c").await;
    assert!(page.contains("Log in with Example ID"), "{page}");
    assert!(page.contains("href=\"/login/provider?next=%2Faccount%3Fa%3Db%26c\""), "{page}");
    let back = go_out(&mut browser, &server, &issuer, "/account").await;
    // As the provider sends it: from another site.
    let request = server.client.request(Method::GET, &back).header("sec-fetch-site", "cross-site");
    let request = request.header("cookie", &browser.cookie).header("accept", "text/html");
    let answer = browser.send(request, crate::client::empty()).await.expect(200);
    assert!(answer.text().contains("url=/account"), "{}", answer.text());
    let cookies: Vec<_> =
        answer.headers.get_all("set-cookie").iter().map(|v| v.to_str().expect("ASCII").to_owned()).collect();
    let session = cookies.iter().find(|cookie| cookie.starts_with("counterfoil=")).expect("a session");
    assert!(session.contains("SameSite=Strict"));
    assert!(cookies.iter().any(|cookie| cookie.starts_with("counterfoil-provider=;")), "{cookies:?}");
    browser.cookie = session.split(';').next().expect("a pair").to_owned();
    let page = browser.page("/account").await;
    assert!(page.contains("jane@example.org"), "{page}");
}

#[tokio::test]
async fn another_browser_cannot_finish_and_nobody_is_sent_elsewhere() {
    let (issuer, server) = start(|_| ()).await;
    let mut mine = Browser::new(&server);
    let back = go_out(&mut mine, &server, &issuer, "https://evil.example/").await;
    // An attacker sends the victim to the end of the attacker's own log-in.
    let victim = Browser::new(&server);
    let answer = victim.get(&back).await;
    assert!(matches!(answer.status, 401 | 422), "{}", answer.status);
    assert!(answer.text().contains("Log in with Example ID"));
    let answer = mine.get(&back).await.expect(200);
    assert!(answer.text().contains("url=/\""), "{}", answer.text());
    let answer = mine.get(&back).await.expect(401);
    assert!(answer.text().contains("begin again"));
    // Somebody said no at the provider.
    let mut mine = Browser::new(&server);
    go_out(&mut mine, &server, &issuer, "/").await;
    let answer = mine.get("/login/provider/back?error=access_denied&state=x").await.expect(422);
    assert!(answer.text().contains("did not let you in"));
    // Another site's link begins nothing.
    let request =
        server.client.request(Method::GET, "/login/provider").header("sec-fetch-site", "cross-site");
    let answer = mine.send(request, crate::client::empty()).await.expect(303);
    assert_eq!(answer.header("location"), "/login");
}
