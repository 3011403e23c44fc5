//! Spans on their way to a collector that is away, busy, and there. One test, since a process has one exporter.

use shared::config::Config;
use shared::telemetry::Telemetry;
use shared::telemetry::metric::Role;
use shared::telemetry::trace::{self, TraceContext};
use shared::testing::{OtlpReceiver, ReceivedSpan, free_ports};
use std::time::{Duration, Instant};

/// For everything that takes a few seconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Spans of a crate of ours are recorded, those of others are not.
const OURS: &str = "worker";

#[test]
fn spans_wait_for_nobody_and_arrive_with_all_they_know() {
    let [port] = free_ports();
    let address = format!("127.0.0.1:{port}").parse().expect("an address");
    let mut config = Config::default();
    config.telemetry.otlp.endpoint = Some(format!("http://{address}"));
    config.telemetry.otlp.headers = Some("X-Scope=books, authorization=Bearer canary".to_owned().into());
    config.telemetry.otlp.queue_spans_max = 16;
    let telemetry = Telemetry::start(&config, &[Role::Worker]).expect("the first of this process");
    let counted = |outcome: &str| {
        let text = telemetry.metrics.render();
        let series = format!("counterfoil_trace_spans_total{{outcome=\"{outcome}\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&series));
        line.expect("from the start").parse::<u64>().expect("a number")
    };
    assert_eq!(["exported", "dropped", "failed"].map(counted), [0, 0, 0]);

    // Nobody listens. What does not fit is dropped, and those who record do not wait: a failed batch takes 7 s of tries.
    const SPANS: u64 = 20_000;
    let began_at = Instant::now();
    for n in 0..SPANS {
        tracing::info_span!(target: OURS, "many", n).in_scope(|| ());
    }
    assert!(began_at.elapsed() < Duration::from_secs(5), "{:?}", began_at.elapsed());
    let dropped = counted("dropped");
    assert!(dropped > SPANS - 2000, "{dropped} of {SPANS} were dropped");

    // The batch that was tried in vain arrives once somebody is there, or is counted as failed.
    let collector = OtlpReceiver::start_at(address);
    collector.0.answer(503);
    collector.0.wait_for(1, PATIENCE);
    collector.0.answer(200);
    // The queue may still be full: again and again, until one has its place.
    let mut later = 0;
    collector.wait_until(PATIENCE, |spans| {
        let is_there = named(spans, "the collector is back").is_some();
        if !is_there {
            later += 1;
            tracing::info_span!(target: OURS, "the collector is back").in_scope(|| ());
        }
        is_there
    });
    within(|| counted("exported") + counted("failed") + counted("dropped") == SPANS + later);
    assert!(counted("exported") >= 1);
    let request = &collector.0.requests()[0];
    assert_eq!(request.path, "/v1/traces");
    assert_eq!(request.header("content-type"), "application/x-protobuf");
    assert_eq!((request.header("x-scope"), request.header("authorization")), ("books", "Bearer canary"));

    // What the collector calls wrong is not sent again.
    collector.0.answer(400);
    let failed = counted("failed");
    tracing::info_span!(target: OURS, "refused").in_scope(|| ());
    within(|| counted("failed") == failed + 1);
    collector.0.answer(200);

    let parent = TraceContext::root();
    let link = TraceContext::root();
    let given = parent.child();
    {
        let outer = tracing::error_span!(
            target: OURS,
            "outer",
            job_id = "j-1",
            request_id = "",
            attempt = 3,
            status = tracing::field::Empty,
            otel.with.messaging.system = "rabbitmq",
            otel.name = "process x",
            otel.kind = "consumer",
            otel.context = &given.to_bytes()[..],
            otel.parent = &parent.to_bytes()[..],
            otel.link = &link.to_bytes()[..],
            otel.error = tracing::field::Empty,
        );
        let _in_outer = outer.enter();
        assert_eq!(trace::current(), Some(given));
        outer.record("status", 200);
        tracing::warn!(target: OURS, says = "x".repeat(5000), "went wrong");
        let inner = tracing::info_span!(target: OURS, "inner");
        inner.in_scope(|| tracing::error!(target: OURS, "went very wrong"));
        // Not of a crate of ours.
        tracing::info_span!(target: "elsewhere", "foreign").in_scope(|| {
            assert_eq!(trace::current(), Some(given), "what is not recorded is looked through");
        });
        outer.record("otel.error", "it failed");
    }
    let unsampled = parent.unsampled();
    tracing::info_span!(target: OURS, "unsampled", otel.parent = &unsampled.to_bytes()[..]).in_scope(|| {
        assert!(!trace::current().expect("one").is_sampled());
        tracing::info_span!(target: OURS, "below").in_scope(|| ());
    });

    // The last ones go out on the way out.
    drop(telemetry);
    let spans = collector.spans();
    let outer = named(&spans, "process x").expect("it was sent at the end");
    assert_eq!(outer.service, "counterfoil-worker");
    assert_eq!(format!("00-{}-{}-01", outer.trace_id, outer.span_id), given.to_string());
    assert_eq!(format!("00-{}-{}-01", outer.trace_id, outer.parent_id), parent.to_string());
    assert!(link.to_string().contains(&outer.links[0]));
    assert_eq!((outer.kind, outer.error.as_deref()), (5, Some("it failed")));
    assert_eq!(outer.events, ["went wrong"]);
    assert!(outer.started_at < outer.ended_at);
    let attributes: Vec<_> = outer.attributes.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(
        attributes,
        [
            ("counterfoil.job.attempt", "3"),
            ("counterfoil.job.id", "j-1"),
            ("http.response.status_code", "200"),
            ("messaging.system", "rabbitmq")
        ]
    );
    let inner = named(&spans, "inner").expect("it was sent, too");
    assert_eq!((&inner.trace_id, &inner.parent_id), (&outer.trace_id, &outer.span_id));
    assert_eq!(inner.error.as_deref(), Some("went very wrong"));
    for absent in ["foreign", "unsampled", "below"] {
        assert!(named(&spans, absent).is_none(), "{absent}");
    }
    tracing::info_span!(target: OURS, "afterwards").in_scope(|| ());
}

fn named<'s>(spans: &'s [ReceivedSpan], name: &str) -> Option<&'s ReceivedSpan> {
    spans.iter().find(|span| span.name == name)
}

#[track_caller]
fn within(mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "waited in vain");
        std::thread::sleep(Duration::from_millis(20));
    }
}
