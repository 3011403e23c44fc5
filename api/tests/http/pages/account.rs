//! Accounts on the pages: sessions that go on and end, second factors, invitations, keys; and the audit log of it all.

use super::browser::Browser;
use crate::client::Answer;
use crate::server::{PASSWORD, Project, Server};
use axum::http::header;
use chrono::TimeDelta;

/// Name and value of a cookie that the answer sets.
fn cookie(answer: &Answer, name: &str) -> String {
    let set = answer.headers.get_all(header::SET_COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = set.filter_map(|cookie| cookie.split(';').next());
    pairs.find(|pair| pair.starts_with(&format!("{name}="))).unwrap_or_else(|| panic!("no {name}")).to_owned()
}

async fn log_in(server: &Server) -> Answer {
    let form = [("email", "jane@example.org".to_owned()), ("password", PASSWORD.to_owned())];
    Browser::new(server).post_fields("/login", &form).await.expect(303)
}

#[tokio::test]
async fn a_session_goes_on_when_its_token_expires_and_forms_with_it() {
    let server = Server::start().await;
    server.register("jane").await;
    let began = log_in(&server).await;
    let (access, refresh) = (cookie(&began, "counterfoil"), cookie(&began, "counterfoil-refresh"));
    let mut browser = Browser::new(&server);
    browser.cookie = format!("{access}; {refresh}");
    let page = browser.page("/projects").await;

    // The browser has dropped the cookie of the access token. Two requests come at once, and both are served.
    server.clock.advance(TimeDelta::minutes(61));
    browser.cookie = refresh.clone();
    let (one, other) = tokio::join!(browser.get("/projects"), browser.get("/account"));
    let (one, other) = (one.expect(200), other.expect(200));
    assert_eq!(cookie(&one, "counterfoil"), cookie(&other, "counterfoil"));
    assert_ne!(cookie(&one, "counterfoil"), access);
    // The form of the page before is still of this session.
    browser.cookie = format!("{}; {}", cookie(&one, "counterfoil"), cookie(&one, "counterfoil-refresh"));
    browser.submit(&page, "/projects", &[("name", "Later")]).await.expect(303);
    // A form that comes with the refresh token alone is served, too.
    server.clock.advance(TimeDelta::minutes(61));
    browser.cookie = cookie(&one, "counterfoil-refresh");
    let answer = browser.submit(&page, "/projects", &[("name", "Even later")]).await.expect(303);
    cookie(&answer, "counterfoil");
}

#[tokio::test]
async fn a_session_that_is_ended_opens_no_page() {
    let server = Server::start().await;
    server.register("jane").await;
    let (here, there) = (Browser::log_in(&server, "jane").await, log_in(&server).await);
    let mut elsewhere = Browser::new(&server);
    elsewhere.cookie =
        format!("{}; {}", cookie(&there, "counterfoil"), cookie(&there, "counterfoil-refresh"));
    elsewhere.page("/account").await;
    let page = here.page("/account").await;
    assert_eq!(page.matches("aria-label=\"End the session").count(), 2, "{page}");
    assert_eq!(page.matches("This one").count(), 1);
    here.submit(&page, "/account/sessions/end-others", &[]).await.expect(303);
    let answer = elsewhere.get("/account").await.expect(303);
    assert!(answer.header("location").starts_with("/login"));
    // Not with the refresh token either, which is taken away.
    elsewhere.cookie = cookie(&there, "counterfoil-refresh");
    let answer = elsewhere.get("/account").await.expect(303);
    assert_eq!(cookie(&answer, "counterfoil-refresh"), "counterfoil-refresh=");
    here.page("/account").await;

    // A changed password.
    let change = |new: &'static str, again: &'static str| {
        [("current_password", PASSWORD), ("new_password", new), ("again", again)]
    };
    let path = "/account/password";
    let refused = here.submit(&page, path, &change("a new long password", "another one")).await.expect(422);
    assert!(refused.text().contains("is not the same"), "{}", refused.text());
    let answer = here.submit(&page, path, &change("a new long password", "a new long password")).await;
    let page = here.page(answer.expect(303).header("location")).await;
    assert!(page.contains("The password is changed"), "{page}");
}

#[tokio::test]
async fn a_second_factor_is_set_up_and_asked_for() {
    let server = Server::start().await;
    server.register("jane").await;
    let browser = Browser::log_in(&server, "jane").await;
    let page = browser.page("/account").await;
    let offer = browser.submit(&page, "/account/second-factor", &[("password", PASSWORD)]).await.expect(200);
    let offer = offer.text();
    assert!(offer.contains("class=\"qr\"") && offer.contains("otpauth://"), "{offer}");
    let (_, rest) = offer.split_once("name=\"secret\" value=\"").expect("the key");
    let secret = rest.split('"').next().expect("an end").to_owned();
    let code = || crate::identity::code(&secret, server.clock.now().timestamp());
    let confirm = "/account/second-factor/confirm";
    let wrong = [("secret", secret.as_str()), ("address", "otpauth://x"), ("code", "000000x")];
    let refused = browser.submit(&offer, confirm, &wrong).await.expect(422).text();
    assert!(refused.contains(&secret), "{refused}");
    let right = code();
    let codes = browser.submit(&offer, confirm, &[("code", &right)]).await.expect(200).text();
    let (_, list) = codes.split_once("<main").expect("content");
    assert_eq!(list.matches("<li>").count(), 10, "{codes}");
    assert!(browser.page("/account").await.contains("takes a code of your authenticator"));

    let fields = |code: &str| {
        [
            ("email", "jane@example.org".to_owned()),
            ("password", PASSWORD.to_owned()),
            ("code", code.to_owned()),
        ]
    };
    let visitor = Browser::new(&server);
    let asked = visitor.post_fields("/login", &fields("")[..2]).await.expect(422).text();
    assert!(asked.contains("has a second factor"), "{asked}");
    visitor.post_fields("/login", &fields("000000")).await.expect(422);
    server.clock.advance(TimeDelta::seconds(60));
    visitor.post_fields("/login", &fields(&code())).await.expect(303);
    server.clock.advance(TimeDelta::seconds(60));
    let page = browser.page("/account").await;
    let remove = [("password", PASSWORD), ("code", &code())];
    browser.submit(&page, "/account/second-factor/remove", &remove).await.expect(303);
    visitor.post_fields("/login", &fields("")[..2]).await.expect(303);
}

#[tokio::test]
async fn people_are_invited_and_machines_get_keys() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let jane = Browser::log_in(&server, "jane").await;
    let base = format!("/p/{}", project.id);
    let page = jane.page(&format!("{base}/members")).await;
    let invite = [("role", "operator"), ("email", "joe@example.org"), ("days", "7")];
    let made = jane.submit(&page, &format!("{base}/invitations"), &invite).await.expect(200).text();
    let (_, rest) = made.split_once("/invitation?token=").expect("the address");
    let token = rest.split('<').next().expect("an end").to_owned();

    // Joe has no account: he makes one, and is a member at once.
    let mut joe = Browser::new(&server);
    let page = joe.page(&format!("/invitation?token={token}")).await;
    assert!(page.contains(&format!("/register?invitation={token}")), "{page}");
    let page = joe.page(&format!("/register?invitation={token}")).await;
    assert!(page.contains(&token), "{page}");
    let fields = [
        ("email", "joe@example.org".to_owned()),
        ("name", "Joe".to_owned()),
        ("password", PASSWORD.to_owned()),
        ("invitation", token.clone()),
    ];
    let short = [fields[0].clone(), fields[1].clone(), ("password", "short".to_owned())];
    let refused = joe.post_fields("/register", &short).await.expect(422).text();
    assert!(refused.contains("password"), "{refused}");
    let answer = joe.post_fields("/register", &fields).await.expect(303);
    joe.take_cookie(&answer);
    let page = joe.page(&base).await;
    assert!(!page.contains("API keys"), "{page}");
    joe.get(&format!("{base}/keys")).await.expect(403);
    let page = joe.page(&format!("/invitation?token={token}")).await;
    joe.submit(&page, "/invitation", &[("token", &token)]).await.expect(422);

    // Roles.
    let page = jane.page(&format!("{base}/members")).await;
    let (_, rest) = page.split_once("Joe").expect("the new member");
    let (_, rest) = rest.split_once(&format!("{base}/members/")).expect("a form");
    let member = format!("{base}/members/{}", rest.split('"').next().expect("an end"));
    jane.submit(&page, &member, &[("action", "role"), ("role", "approver")]).await.expect(303);
    assert!(joe.page("/projects").await.contains("Approver"));
    jane.submit(&page, &member, &[("action", "remove")]).await.expect(303);
    joe.get(&base).await.expect(404);

    // Keys.
    let keys = format!("{base}/keys");
    let page = jane.page(&keys).await;
    let made = jane.submit(&page, &keys, &[("name", "nightly"), ("role", "operator"), ("days", "30")]).await;
    let made = made.expect(200).text();
    assert_eq!(made.matches("cfk_").count(), 2, "{made}");
    let page = jane.page(&keys).await;
    assert!(page.contains("nightly") && page.matches("cfk_").count() == 1, "{page}");
    let (_, rest) = page.split_once(&format!("action=\"{keys}/")).expect("a form to revoke");
    let revoke = format!("{keys}/{}", rest.split('"').next().expect("an end"));
    jane.submit(&page, &revoke, &[]).await.expect(303);
    assert!(jane.page(&keys).await.contains("No keys yet"));

    let page = jane.page(&format!("{base}/audit")).await;
    for says in ["Api key: revoke", "Member: remove", "Invitation: create", "jane"] {
        assert!(page.contains(says), "no {says} in {page}");
    }
    // Who did it from a page, and under which request.
    assert!(!page.contains("nobody known") && page.contains("jane@example.org"), "{page}");
    let records = page.matches("<tr data-item>").count();
    assert_eq!(page.matches("Request <span").count(), records, "{page}");
    assert!(jane.page(&format!("{base}/audit?who=JANE@")).await.contains("Api key: revoke"));
    assert!(jane.page(&format!("{base}/audit?who=nobody+else")).await.contains("Nothing fits."));
    let page = jane.page(&format!("{base}/audit?action=member.remove&from=2020-01-01")).await;
    assert!(page.contains("Member: remove") && !page.contains("Api key: create"), "{page}");
}

#[tokio::test]
async fn the_log_of_the_system_and_its_workers_are_for_administrators() {
    let server = Server::start().await;
    server.log_in_as_platform_admin("root").await;
    let root = Browser::log_in(&server, "root").await;
    assert!(root.page("/system/audit?action=account.log_in").await.contains("Account: log in"));
    root.page("/system/workers").await;
    server.register("joe").await;
    let joe = Browser::log_in(&server, "joe").await;
    joe.get("/system/workers").await.expect(404);
    joe.get("/system/audit").await.expect(404);
}
