//! The figures a dashboard draws, as Prometheus would read them.

use crate::place::{Place, queue_a, queue_that_is_not_there};
use crate::watchful::eventually;
use metrics_exporter_prometheus::PrometheusBuilder;

/// Counts on this thread only, which is all there is: each test has a runtime of one thread.
async fn lines_after_a_little_of_everything(place: &Place) -> Vec<String> {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _counting = metrics::set_default_local_recorder(&recorder);
    let queue = place.queue();
    let doorbells = [queue_a(), queue_that_is_not_there()].map(|queue| place.doorbell(queue));
    queue.publish(&doorbells).await.expect("publishing");
    place.inject(b"no doorbell").await;
    let mut worker = place.worker(queue_a(), 1);
    worker.run(1).await;
    eventually("the dead letter", 1, async || queue.dead_letters().await.expect("looking")).await;
    // The consumer's own connection is still there when we look.
    recorder.handle().render().lines().map(str::to_owned).collect()
}

fn assert_has(lines: &[String], wanted: &[&str]) {
    for wanted in wanted {
        assert!(lines.iter().any(|line| line == wanted), "no {wanted} in\n{}", lines.join("\n"));
    }
}

const OF_BOTH_LIVES: [&str; 4] = [
    r#"counterfoil_queue_published_total{queue="a",outcome="confirmed"} 1"#,
    r#"counterfoil_queue_published_total{queue="nowhere",outcome="unroutable"} 1"#,
    r#"counterfoil_queue_deliveries_total{queue="a"} 1"#,
    r#"counterfoil_queue_undecodable_total{queue="a"} 1"#,
];

#[tokio::test]
async fn in_process_the_figures_tell_what_happened() {
    let lines = lines_after_a_little_of_everything(&Place::in_process()).await;
    assert_has(&lines, &OF_BOTH_LIVES);
}

#[tokio::test]
async fn amqp_the_figures_tell_what_happened() {
    let place = Place::amqp();
    let lines = lines_after_a_little_of_everything(&place).await;
    assert_has(&lines, &OF_BOTH_LIVES);
    assert_has(
        &lines,
        &[
            r#"counterfoil_queue_connected{role="publish"} 1"#,
            r#"counterfoil_queue_connected{role="consume"} 1"#,
            r#"counterfoil_queue_sessions_total{role="publish",outcome="opened"} 1"#,
            r#"counterfoil_queue_sessions_total{role="consume",outcome="opened"} 1"#,
        ],
    );
    place.tear_down().await;
}
