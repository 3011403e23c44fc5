//! The event stream of a run's page: what is to be shown, ready to be put in.

use super::browser::Browser;
use crate::outcome::{Outcome, acquire};
use crate::server::{Project, Server};
use axum::http::{Method, header};
use serde_json::Value;
use shared::job::JobProgress;
use shared::store::jobs::Held;
use std::time::Duration;

fn html(event: &crate::client::SentEvent) -> &str {
    event.data["html"].as_str().expect("HTML")
}

#[tokio::test]
async fn a_running_page_is_sent_what_it_shows_until_the_end() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let id = project.submit().await;
    let browser = Browser::log_in(&server, "jane").await;
    let page = format!("/p/{}/reconciliations/{id}", project.id);
    let request = |last: Option<&str>| {
        let request = browser.request(Method::GET, &format!("{page}/events"));
        let request = request.header(header::ACCEPT, "text/event-stream");
        last.iter().fold(request, |request, id| request.header("last-event-id", *id))
    };
    let mut events = server.client.events_of(request(None)).await;
    assert_eq!((events.status, events.content_type.as_deref()), (200, Some("text/event-stream")));
    let first = events.next().await.expect("an event");
    assert_eq!((first.event.as_str(), &first.data["title"]), ("part", &Value::Null));
    assert!(html(&first).contains("It waits for a free worker"), "{}", html(&first));

    let lease = acquire(&server.store, id).await;
    let running = events.next().await.expect("an event");
    assert!(html(&running).contains("Running"), "{}", html(&running));

    let progress = JobProgress { phase: "reading left".into(), percent: 12.5, rows_done: 1, rows_total: 8 };
    let held = Held { job_id: id, fence: lease.fence, progress: Some(progress) };
    server.store.renew(&[held], Duration::from_secs(60)).await.expect("renewed");
    let told = events.next().await.expect("an event");
    assert!(
        html(&told).contains("Reading left") && html(&told).contains("value=\"12.5\""),
        "{}",
        html(&told)
    );

    Outcome::default().write_with(&server.store, &lease).await;
    let mut last = events.next().await.expect("an event");
    // How many of the states in between are seen is a matter of time.
    while last.event == "part" {
        last = events.next().await.expect("an event");
    }
    assert_eq!(last.event, "end");
    // What it sends is what the page is, without its frame.
    let whole = browser.page(&page).await;
    assert!(html(&last).starts_with("<main ") && html(&last).ends_with("</main>"), "{}", html(&last));
    assert!(whole.contains("Balance proof") && whole.contains(html(&last)), "{whole}\n{}", html(&last));
    let title = last.data["title"].as_str().expect("a title");
    assert!(whole.contains(&format!("<title>{title}</title>")), "{title}");
    assert_eq!(events.next().await, None);
    assert_eq!(server.client.events_of(request(Some(&last.id))).await.status, 204);
}
