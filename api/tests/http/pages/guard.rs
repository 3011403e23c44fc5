//! Sessions, forms of strangers, and pages that are not yours.

use super::browser::{Browser, check_page, form_token};
use crate::client::full;
use crate::server::{Project, Server};
use axum::http::{Method, header};

#[tokio::test]
async fn whoever_has_no_session_logs_in_and_comes_back() {
    let server = Server::start().await;
    server.register("jane").await;
    let mut browser = Browser::new(&server);
    let answer = browser.get("/projects?x=1").await.expect(303);
    assert_eq!(answer.header("location"), "/login?next=%2Fprojects%3Fx%3D1");
    // A link from elsewhere comes without the cookie: the page asks for itself again, from here.
    let mut request = browser.request(Method::GET, "/login?next=%2Fprojects%3Fx%3D1");
    request.headers_mut().expect("headers").insert("sec-fetch-site", "cross-site".parse().expect("a value"));
    let again = browser.send(request, crate::client::empty()).await.expect(200).text();
    assert!(again.contains("http-equiv=\"refresh\" content=\"0; url=/projects?x=1\""), "{again}");
    let page = browser.page("/login?next=%2Fprojects%3Fx%3D1").await;
    assert!(page.contains("name=\"next\" value=\"/projects?x=1\""), "{page}");

    let fields = |password: &str| {
        [
            ("email", "jane@example.org".to_owned()),
            ("password", password.to_owned()),
            ("next", "/projects?x=1".to_owned()),
        ]
    };
    let refused = browser.post_fields("/login", &fields("wrong, wrong, wrong")).await.expect(422);
    assert!(
        refused.text().contains("The address or the password is wrong")
            && !refused.headers.contains_key("set-cookie")
    );
    let answer = browser.post_fields("/login", &fields(crate::server::PASSWORD)).await.expect(303);
    assert_eq!(answer.header("location"), "/projects?x=1");
    let cookie = answer.header("set-cookie");
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && cookie.contains("Max-Age="),
        "{cookie}"
    );
    browser.take_cookie(&answer);
    let page = browser.page("/projects?x=1").await;
    assert!(page.contains("No project yet"), "{page}");

    let answer = browser.submit(&page, "/logout", &[]).await.expect(303);
    assert!(answer.header("set-cookie").contains("Max-Age=0"));
    browser.cookie = "counterfoil=gone".into();
    browser.get("/").await.expect(303);
}

#[tokio::test]
async fn behind_tls_the_cookie_is_bound_to_the_host() {
    let server = Server::start().await;
    server.register("jane").await;
    let browser = Browser::new(&server);
    let request = browser
        .request(Method::POST, "/login")
        .header("x-forwarded-proto", "https")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let body =
        format!("email=jane%40example.org&password={}", super::browser::escaped(crate::server::PASSWORD));
    let answer = browser.send(request, full(body)).await.expect(303);
    assert!(
        answer.header("set-cookie").starts_with("__Host-counterfoil="),
        "{}",
        answer.header("set-cookie")
    );
    assert!(answer.header("set-cookie").contains("; Secure"));
    assert!(answer.headers.contains_key("strict-transport-security"));
}

#[tokio::test]
async fn forms_of_other_sites_and_sessions_change_nothing() {
    let server = Server::start().await;
    server.register("jane").await;
    server.register("joe").await;
    let (jane, joe) = (Browser::log_in(&server, "jane").await, Browser::log_in(&server, "joe").await);
    let page = jane.page("/projects").await;
    let without = jane.post_fields("/projects", &[("name", "Mine".into())]).await.expect(403);
    check_page("/projects", &without, &without.text());
    let of_joe = form_token(&joe.page("/projects").await);
    jane.post_fields("/projects", &[("form_token", of_joe), ("name", "Mine".into())]).await.expect(403);
    let request = jane
        .request(Method::POST, "/projects")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let mut request = request;
    request.headers_mut().expect("headers").insert("sec-fetch-site", "cross-site".parse().expect("a value"));
    jane.send(request, full(format!("form_token={}&name=Mine", form_token(&page)))).await.expect(403);
    assert_eq!(server.count("SELECT count(*) FROM projects").await, 0);
    let made = jane.submit(&page, "/projects", &[("name", "Mine")]).await.expect(303);
    assert!(made.header("location").starts_with("/p/"));
    // A mistake brings the form back, with what was typed.
    let again = jane.submit(&page, "/projects", &[("name", &"x".repeat(201))]).await.expect(422);
    assert!(again.text().contains("at most 200 characters"), "{}", again.text());
}

#[tokio::test]
async fn strangers_find_nothing_and_members_no_system() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let id = project.submit().await;
    server.register("joe").await;
    let joe = Browser::log_in(&server, "joe").await;
    let base = format!("/p/{}", project.id);
    let reconciliation = format!("{base}/reconciliations/{id}");
    for path in [
        base.clone(),
        format!("{base}/reconcile"),
        format!("{base}/reconciliations"),
        reconciliation.clone(),
        format!("{reconciliation}/events"),
        format!("{reconciliation}/matches"),
        format!("{reconciliation}/files/results.csv"),
        format!("{base}/jobs"),
        format!("{base}/jobs/counts"),
        format!("{base}/jobs/{id}"),
        format!("{base}/failed"),
        format!("{base}/schedules"),
        format!("{base}/reconcile/rules?left={}&right={}", project.left, project.right),
        "/system/jobs".into(),
        "/system/queues".into(),
        "/system/schedules".into(),
        "/nothing/here".into(),
        format!("/p/{}/jobs", "x".repeat(50)),
    ] {
        let answer = joe.get(&path).await.expect(404);
        check_page(&path, &answer, &answer.text());
        assert!(!answer.text().contains("Books"), "{path}");
    }
    let page = joe.page("/projects").await;
    for path in [format!("{reconciliation}/cancel"), format!("{base}/jobs/{id}/cancel")] {
        joe.submit(&page, &path, &[]).await.expect(404);
    }
    // The API goes on talking JSON.
    assert_eq!(joe.get("/api/nothing").await.expect(404).header("content-type"), "application/problem+json");
}

#[tokio::test]
async fn a_first_load_is_small_and_assets_stay() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let browser = Browser::log_in(&server, "jane").await;
    let packed = async |path: &str| {
        let request = browser.request(Method::GET, path).header(header::ACCEPT_ENCODING, "gzip, br");
        let answer = browser.send(request, crate::client::empty()).await.expect(200);
        assert_eq!(answer.header("content-encoding"), "gzip", "{path}");
        answer
    };
    let path = format!("/p/{}/jobs", project.id);
    let page = browser.page(&path).await;
    let mut bytes = packed(&path).await.body.len();
    let assets: Vec<&str> = page.split('"').filter(|part| part.starts_with("/assets/")).collect();
    assert_eq!(assets.len(), 4, "{assets:?}");
    for asset in assets {
        let answer = packed(asset).await;
        assert!(answer.header("cache-control").contains("immutable"));
        bytes += answer.body.len();
    }
    println!("a first load is {bytes} bytes");
    assert!(bytes <= 60 * 1024, "{bytes}");
    browser.get("/assets/0000000000000000/app.css").await.expect(404);
}

#[tokio::test]
async fn the_theme_is_kept_and_times_follow_the_zone() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    project.submit().await;
    let mut browser = Browser::log_in(&server, "jane").await;
    let list = format!("/p/{}/reconciliations", project.id);
    let page = browser.page(&list).await;
    assert!(page.contains("data-theme=\"system\"") && page.contains(" UTC</time>"), "{page}");
    let answer =
        browser.submit(&page, "/preferences", &[("theme", "dark"), ("back", &list)]).await.expect(303);
    assert_eq!(answer.header("location"), list);
    assert!(answer.header("set-cookie").starts_with("theme=dark;"));
    browser.cookie.push_str("; theme=dark; zone=Asia%2FTokyo");
    let page = browser.page(&list).await;
    assert!(
        page.contains("data-theme=\"dark\"") && page.contains("JST") && !page.contains(" UTC</time>"),
        "{page}"
    );
}
