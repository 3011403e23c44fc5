//! Jobs, failed groups, queues and schedules.

use super::browser::Browser;
use crate::outcome::{acquire, finish};
use crate::server::{Project, Server};
use shared::job::JobState;
use shared::store::jobs::Finish;

#[tokio::test]
async fn jobs_are_counted_filtered_shown_and_changed() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let browser = Browser::log_in(&server, "jane").await;
    let base = format!("/p/{}", project.id);
    assert!(browser.page(&format!("{base}/jobs")).await.contains("No jobs yet"));
    assert!(browser.page(&format!("{base}/failed")).await.contains("No job has failed for good"));
    let (dead, waiting) = (project.submit().await, project.submit().await);
    let lease = acquire(&server.store, dead).await;
    finish(&server.store, &lease, Finish::Dead { error: "the <ledger> is gone".into() }).await;

    let page = browser.page(&format!("{base}/jobs")).await;
    assert!(page.contains("Failed") && page.contains("Waiting") && page.contains("hx-get"), "{page}");
    let page = browser.page(&format!("{base}/jobs?state=dead&text=LEDGER&created_from=2020-01-01")).await;
    assert!(
        page.contains("the &#60;ledger&#62; is gone") || page.contains("the &lt;ledger&gt; is gone"),
        "{page}"
    );
    assert!(!page.contains(&waiting.to_string()));
    assert!(browser.page(&format!("{base}/jobs/counts?state=dead")).await.contains("aria-current"));
    browser.get(&format!("{base}/jobs?state=nonsense")).await.expect(422);

    // A group of failures, looked at and started over.
    let page = browser.page(&format!("{base}/failed")).await;
    let (_, rest) = page.split_once("bulk?action=redrive").expect("an offer");
    let address = format!(
        "{base}/jobs/bulk?action=redrive{}",
        rest.split('"').next().expect("an end").replace("&amp;", "&")
    );
    let page = browser.page(&address).await;
    assert!(page.contains("Start over: 1 job"), "{page}");
    let answer = browser
        .submit(&page, &format!("{base}/jobs/bulk"), &[("action", "redrive"), ("state", "dead")])
        .await
        .expect(303);
    assert!(browser.page(answer.header("location")).await.contains("1 of 1 jobs started over"));
    assert_ne!(server.store.job(dead).await.expect("read").expect("there").state, JobState::Dead);
    assert!(
        browser
            .get(&format!("{base}/jobs/bulk?action=cancel&text=x"))
            .await
            .expect(422)
            .text()
            .contains("cannot be changed together")
    );

    // One job.
    let address = format!("{base}/jobs/{waiting}");
    let page = browser.page(&address).await;
    for says in ["What happened", "Accepted", "Arguments", &waiting.to_string(), "Stop"] {
        assert!(page.contains(says), "no {says} in {page}");
    }
    browser.submit(&page, &format!("{address}/cancel"), &[]).await.expect(303);
    assert!(browser.page(&address).await.contains("Cancelled"));
    browser.submit(&page, &format!("{address}/redrive"), &[]).await.expect(409);
    browser.submit(&page, &format!("{address}/nonsense"), &[]).await.expect(404);
}

#[tokio::test]
async fn administrators_pause_queues_and_set_limits() {
    let server = Server::start().await;
    server.log_in_as_platform_admin("root").await;
    let browser = Browser::log_in(&server, "root").await;
    let page = browser.page("/system/queues").await;
    assert!(page.contains("Reconciliation") && page.contains("Open"), "{page}");
    let pause = "/system/queues/reconciliation/pause";
    browser.submit(&page, pause, &[("reason", "month end")]).await.expect(303);
    let page = browser.page("/system/queues").await;
    assert!(page.contains("month end") && page.contains("root@example.org"), "{page}");
    browser.submit(&page, "/system/queues/reconciliation/resume", &[]).await.expect(303);
    let limit = [("scope", "kind"), ("name", "reconciliation"), ("jobs_max", "3")];
    browser.submit(&page, "/system/limits", &limit).await.expect(303);
    let page = browser.page("/system/queues").await;
    assert!(!page.contains("month end") && page.contains("Remove"), "{page}");
    browser
        .submit(&page, "/system/limits", &[("scope", "kind"), ("name", "x"), ("jobs_max", "many")])
        .await
        .expect(422);
    browser.submit(&page, "/system/limits/remove", &limit[..2]).await.expect(303);
    let offers = |page: &str| page.matches("/system/limits/remove").count();
    assert_eq!(offers(&browser.page("/system/queues").await) + 1, offers(&page));
    browser.page("/system/jobs").await;
    browser.page("/system/failed").await;
    browser.page("/system/schedules").await;
}

#[tokio::test]
async fn schedules_are_shown_in_words_run_and_paused() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let browser = Browser::log_in(&server, "jane").await;
    let base = format!("/p/{}/schedules", project.id);
    assert!(browser.page(&base).await.contains("Nothing runs by itself here"));
    let id = project.schedule().await;
    let page = browser.page(&base).await;
    assert!(
        page.contains("At 02:30 every day, Europe/Berlin") && page.contains("class=\"chart spark\""),
        "{page}"
    );
    let address = format!("{base}/{id}");
    let page = browser.page(&address).await;
    assert!(page.contains("Next times") && page.matches("<li><span>").count() == 5, "{page}");
    browser.submit(&page, &format!("{address}/pause"), &[]).await.expect(303);
    assert!(browser.page(&address).await.contains("Paused"));
    browser.submit(&page, &format!("{address}/resume"), &[("list", "1")]).await.expect(303);
    let answer = browser.submit(&page, &format!("{address}/run"), &[]).await.expect(303);
    assert!(browser.page(answer.header("location")).await.contains("Reconciliation"));
    assert!(browser.page(&address).await.contains("Run now"));
}
