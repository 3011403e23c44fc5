//! One job through everything, as a collector of traces and a reader of logs see it.

use crate::database::ResultTable;
use crate::deployment::Deployment;
use crate::pair::{Pair, rules};
use crate::project::Project;
use crate::wait::{PATIENCE, until};
use serde_json::Value;
use shared::testing::{OtlpReceiver, ReceivedSpan};

/// A lease of 5 s, the rescuer's period, and the job: seconds on an idle machine.
#[test]
fn a_job_is_followed_from_its_request_over_a_failure_and_a_killed_worker_to_its_end() {
    let collector = OtlpReceiver::start();
    let deployment = Deployment::create("traces")
        .set("COUNTERFOIL_TELEMETRY__OTLP__ENDPOINT", &collector.endpoint())
        .set("COUNTERFOIL_TELEMETRY__OTLP__QUEUE_SPANS_MAX", "100000");
    let api = deployment.api();
    let mut scheduler = deployment.scheduler();
    let (project, pair) = (Project::of_somebody(&api.url), Pair::make(5, 200));
    let (left, right) = pair.bring_into(&project);
    let database = &deployment.database;

    // The first attempt takes too long, the second dies with its worker, the third does it.
    let hold = database.hold(ResultTable::Matches);
    let impatient = [("COUNTERFOIL_KINDS__RECONCILIATION__TIME_LIMIT_S", "10")];
    let mut first = deployment.worker_with("worker-first", "reconciliation", 1, &impatient);
    let job = project.submit(&left, &right, &rules());
    first.wait_for_log("attempt failed");
    until("the second attempt runs", || (database.attempts(job.id).len() == 2).then_some(()));
    collector.wait_until(PATIENCE, |spans| spans.iter().any(|span| span.name == "process reconciliation"));
    first.kill_9();
    drop(hold);
    let mut second = deployment.worker("worker-second", 1);
    job.wait_until_completed();
    let shown = project.client.get(&format!("/api/jobs/{}", job.id)).expect(200);
    let trace_id = shown["trace_id"].as_str().expect("the trace of the job").to_owned();
    // What is left goes out with the processes.
    assert!(second.stop(libc::SIGTERM).success());
    assert!(scheduler.stop(libc::SIGTERM).success());

    let is_request = |span: &ReceivedSpan| span.name == "POST /api/reconciliation/jobs";
    let spans = collector
        .wait_until(PATIENCE, |spans| spans.iter().any(|span| span.trace_id == trace_id && is_request(span)));
    let spans: Vec<ReceivedSpan> = spans.into_iter().filter(|span| span.trace_id == trace_id).collect();
    let called = |name: &str| spans.iter().filter(|span| span.name == name).collect::<Vec<_>>();
    let below = |parent: &ReceivedSpan| {
        spans.iter().filter(|span| span.parent_id == parent.span_id).collect::<Vec<_>>()
    };

    let request = *called("POST /api/reconciliation/jobs").first().expect("waited for");
    assert_eq!(
        (request.service.as_str(), request.kind, request.parent_id.as_str()),
        ("counterfoil-api", 2, "")
    );
    assert_eq!(request.attributes["http.response.status_code"], "202");
    assert_eq!(request.attributes["http.route"], "/api/reconciliation/jobs");
    assert_eq!(request.attributes["counterfoil.project.id"], project.id);
    assert!(
        below(request).iter().any(|span| span.name == "insert jobs" || span.name == "insert outbox"),
        "{spans:#?}"
    );

    // One doorbell for each attempt, at least; the headers name them.
    let sent = called("send reconciliation");
    assert!(sent.len() >= 3, "{sent:#?}");
    for span in &sent {
        // Who accepted the job rings for it first, unless the relay's period comes in between; all others are the relay's.
        assert!(["counterfoil-api", "counterfoil-scheduler"].contains(&span.service.as_str()), "{span:#?}");
        assert_eq!(span.kind, 4);
        assert_eq!(span.attributes["messaging.system"], "rabbitmq");
        assert_eq!(span.parent_id, request.span_id);
    }
    let attempts = called("process reconciliation");
    let outcomes: Vec<&str> =
        attempts.iter().map(|span| span.attributes["counterfoil.job.outcome"].as_str()).collect();
    assert_eq!(outcomes, ["retried", "completed"], "who is killed tells nothing");
    for (span, attempt) in attempts.iter().zip(["1", "3"]) {
        assert_eq!((span.service.as_str(), span.kind), ("counterfoil-worker", 5));
        assert_eq!(span.parent_id, request.span_id);
        assert_eq!(span.attributes["counterfoil.job.id"], job.id.to_string());
        assert_eq!(span.attributes["messaging.system"], "rabbitmq");
        assert_eq!(span.attributes["counterfoil.job.attempt"], attempt);
        assert_eq!(span.attributes["counterfoil.project.id"], project.id);
        assert_eq!(span.links.len(), 1);
        assert!(sent.iter().any(|sent| sent.span_id == span.links[0]), "the doorbell that began it");
    }
    assert!(attempts[0].error.is_some() && attempts[0].events.contains(&"attempt failed".to_owned()));
    assert!(attempts[1].error.is_none());
    let lost = called("lost reconciliation");
    assert_eq!(lost.len(), 1);
    assert_eq!((lost[0].service.as_str(), &lost[0].parent_id), ("counterfoil-scheduler", &request.span_id));
    assert_eq!(lost[0].attributes["counterfoil.job.attempt"], "2");
    assert!(lost[0].attributes["counterfoil.worker"].contains(&format!("-{}-", first.pid())));

    // The phases of what worked, in their order, and the statements inside them.
    let phases = below(attempts[1]);
    let position = |name: &str| {
        let found = phases.iter().position(|span| span.name == name);
        found.unwrap_or_else(|| panic!("no {name} in {phases:#?}"))
    };
    assert!(position("read") < position("match") && position("match") < position("write"));
    let statements = below(phases[position("write")]);
    let copied =
        statements.iter().find(|span| span.name.starts_with("copy ") || span.name.starts_with("insert "));
    let copied = copied.unwrap_or_else(|| panic!("nothing was written: {statements:#?}"));
    assert_eq!((copied.kind, copied.attributes["db.system.name"].as_str()), (3, "postgresql"));

    // The logs speak of the same.
    let lines = |log: &str| -> Vec<Value> {
        log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
    };
    let second = lines(&second.stderr());
    let ended = second.iter().find(|line| line["message"] == "attempt ended").expect("its last word");
    let request_id = shown["request_id"].as_str().expect("the request of the job");
    for (key, value) in [
        ("job_id", Value::from(job.id.to_string())),
        ("project_id", project.id.clone().into()),
        ("request_id", request_id.into()),
        ("trace_id", trace_id.clone().into()),
        ("attempt", 3.into()),
    ] {
        assert_eq!(ended[key], value, "{key} of {ended}");
    }
    let first = lines(&first.stderr());
    let is_bad = |line: &&Value| ["WARN", "ERROR"].contains(&line["level"].as_str().unwrap_or(""));
    // Slow statements and transactions that were ended are told as well, and are no failures.
    let is_failure = |line: &&Value| line["error"].is_string();
    let of_job = |line: &&Value| line["job_id"] == job.id.to_string();
    let reports: Vec<&Value> = first.iter().filter(is_bad).filter(of_job).filter(is_failure).collect();
    assert_eq!(reports.len(), 1, "one report for one failure: {reports:#?}");
    assert_eq!(reports[0]["trace_id"], trace_id);
}

#[test]
fn a_caller_s_trace_goes_on_here_and_a_problem_names_it() {
    let collector = OtlpReceiver::start();
    let deployment = Deployment::create("traceparent")
        .set("COUNTERFOIL_TELEMETRY__OTLP__ENDPOINT", &collector.endpoint())
        .set("COUNTERFOIL_TELEMETRY__OTLP__SAMPLE_RATIO", "0");
    let api = deployment.api();
    let ask = |headers: &[(&str, &str)]| {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
        let mut request = agent.get(format!("{}/api/jobs/nothing", api.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let text = request.call().expect("an answer").body_mut().read_to_string().expect("a text");
        let problem: Value = serde_json::from_str(&text).expect("JSON");
        problem["trace_id"].as_str().expect("always there").to_owned()
    };
    let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let sampled = format!("00-{trace_id}-00f067aa0ba902b7-01");
    // What is no traceparent begins a trace of its own, and of those none is sampled here.
    for nonsense in ["", "00-0-0-00", "00-00000000000000000000000000000000-00f067aa0ba902b7-01"] {
        assert_ne!(ask(&[("traceparent", nonsense)]), trace_id);
    }
    assert_ne!(ask(&[("traceparent", &sampled), ("traceparent", &sampled)]), trace_id, "one or none");
    assert_eq!(ask(&[("traceparent", &sampled)]), trace_id);
    let spans = collector.wait_until(PATIENCE, |spans| !spans.is_empty());
    for span in &spans {
        assert_eq!(span.trace_id, trace_id);
    }
    let request = spans.iter().find(|span| span.kind == 2).expect("the request");
    assert_eq!(
        (request.name.as_str(), request.parent_id.as_str()),
        ("GET /api/jobs/{id}", "00f067aa0ba902b7")
    );
}
