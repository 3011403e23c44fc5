//! One row for each thing that can be in the way.

use super::*;

fn now() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn ago(seconds: i64) -> DateTime<Utc> {
    now() - TimeDelta::seconds(seconds)
}

/// Available, its doorbell sent a second ago, with a worker that has a free slot.
fn job() -> SeenJob {
    SeenJob {
        now: now(),
        state: JobState::Available,
        kind: "mail".into(),
        queue: "mail".into(),
        attempt: 0,
        attempts_max: 5,
        due_at: ago(1),
        rung_at: ago(1),
        finished_at: None,
        cancel_requested_at: None,
        error: None,
        worker: None,
        lease_expires_at: None,
        worker_heartbeat_at: None,
        last_outcome: None,
        pause: None,
        limits: vec![],
        crew: SeenCrew { workers: 2, slots: 4, busy: 1, last_heartbeat_at: Some(ago(2)) },
        doorbell: None,
        relay: SeenRelay { looked_at: Some(ago(1)), confirmed_at: Some(ago(3)), trouble: None },
    }
}

fn doorbell() -> SeenDoorbell {
    SeenDoorbell { waiting_since: ago(1), ahead_in_lane: 0, of_higher_priority: 0, other_projects: 0 }
}

fn pause() -> SeenPause {
    SeenPause {
        reason: "the bank is closed.".into(),
        paused_by: "ada@example.org".into(),
        paused_at: ago(60),
    }
}

fn limit(taken: i64) -> SeenLimit {
    let holders = vec![Holder { job_id: JobId(uuid::Uuid::from_u128(7)), project_id: None }];
    SeenLimit { scope: LimitScope::Kind, subject: "mail".into(), jobs_max: 2, taken, holders }
}

fn scheduled(last_outcome: Option<&str>) -> SeenJob {
    SeenJob {
        state: JobState::Scheduled,
        due_at: now() + TimeDelta::hours(1),
        last_outcome: last_outcome.map(Into::into),
        error: last_outcome.map(|_| "no answer".into()),
        attempt: 1,
        ..job()
    }
}

fn running() -> SeenJob {
    SeenJob {
        state: JobState::Running,
        worker: Some("w1".into()),
        lease_expires_at: Some(now() + TimeDelta::seconds(9)),
        worker_heartbeat_at: Some(ago(2)),
        ..job()
    }
}

#[track_caller]
fn check(job: SeenJob, reasons: &[(&str, &str)]) {
    let found = explain(&Seen::Job(Box::new(job)), Duration::from_secs(60));
    let words: Vec<&str> = found.iter().map(Reason::as_str).collect();
    let expected: Vec<&str> = reasons.iter().map(|(word, _)| *word).collect();
    assert_eq!(words, expected, "{found:?}");
    for (reason, (_, part)) in found.iter().zip(reasons) {
        let says = reason.to_string();
        assert!(says.contains(part) && says.ends_with(['.', '?']), "{says}");
    }
}

#[test]
fn scheduled_jobs_wait_for_their_time_by_whoever_set_it() {
    check(scheduled(None), &[("not_due", "not to start before 2026-03-01T13:00:00Z")]);
    check(
        scheduled(Some("retried")),
        &[("between_attempts", "Attempt 1 of 5 failed; the next one starts at")],
    );
    check(scheduled(Some("snoozed")), &[("snoozed", "until 2026-03-01T13:00:00Z, uncounted: no answer.")]);
    check(
        SeenJob { due_at: ago(60), ..scheduled(None) },
        &[("not_staged", "due since 2026-03-01T11:59:00Z")],
    );
    check(SeenJob { due_at: ago(1), ..scheduled(None) }, &[("not_due", "")]);
}

#[test]
fn what_will_be_in_the_way_is_said_of_scheduled_jobs_too() {
    let crew = SeenCrew::default();
    let both = SeenJob { pause: Some(pause()), crew, ..scheduled(None) };
    check(both, &[("not_due", ""), ("queue_paused", "ada@example.org"), ("no_worker", "has been seen")]);
}

#[test]
fn a_paused_queue_is_the_first_reason() {
    let paused = SeenJob { pause: Some(pause()), doorbell: Some(doorbell()), ..job() };
    let says = "Queue mail is paused by ada@example.org since 2026-03-01T11:59:00Z: the bank is closed.";
    check(paused.clone(), &[("queue_paused", says)]);
    // Nobody looks after a paused queue.
    let for_long = SeenJob { rung_at: ago(9000), relay: SeenRelay::default(), ..paused };
    check(for_long, &[("queue_paused", "")]);
}

#[test]
fn a_limit_is_named_with_those_who_have_its_places() {
    let reached = SeenJob { limits: vec![limit(2)], doorbell: Some(doorbell()), ..job() };
    let says = "The kind limit of mail is reached: 2 of 2 run (00000000-0000-0000-0000-000000000007).";
    check(reached, &[("limit_reached", says)]);
    check(SeenJob { limits: vec![limit(1)], ..job() }, &[("doorbell_unanswered", "")]);
    let shut = SeenLimit { jobs_max: 0, taken: 0, ..limit(0) };
    check(SeenJob { limits: vec![shut], ..job() }, &[("limit_reached", "lets none run")]);
    let others = SeenDoorbell { ahead_in_lane: 3, ..doorbell() };
    let queued = SeenJob { limits: vec![limit(2)], doorbell: Some(others), ..job() };
    check(queued, &[("limit_reached", ""), ("waits_its_turn", "3 of the same project")]);
}

#[test]
fn workers_may_be_missing_silent_or_busy() {
    let never = SeenJob { crew: SeenCrew::default(), ..job() };
    check(never, &[("no_worker", "No worker that knows mail has been seen"), ("doorbell_unanswered", "")]);
    let last_heartbeat_at = Some(ago(120));
    let silent = SeenJob { crew: SeenCrew { last_heartbeat_at, ..Default::default() }, ..job() };
    check(silent, &[("no_worker", "heard of at 2026-03-01T11:58:00Z"), ("doorbell_unanswered", "")]);
    let busy = SeenJob { crew: SeenCrew { busy: 4, ..job().crew }, doorbell: Some(doorbell()), ..job() };
    check(busy, &[("workers_busy", "All 4 slots of the 2 workers"), ("waits_its_turn", "")]);
}

#[test]
fn a_doorbell_waits_for_others_for_a_relay_or_for_the_broker() {
    let others = SeenDoorbell { ahead_in_lane: 1000, of_higher_priority: 2, other_projects: 3, ..doorbell() };
    let waits = SeenJob { doorbell: Some(others), ..job() };
    check(waits.clone(), &[("waits_its_turn", "at least 1000 of the same project")]);

    let silent = SeenRelay { looked_at: Some(ago(300)), ..Default::default() };
    let unsent = SeenJob { rung_at: ago(200), relay: silent.clone(), ..waits.clone() };
    check(unsent, &[("relay_silent", "last: 2026-03-01T11:55:00Z")]);
    // It has only just been asked for.
    check(SeenJob { relay: silent, ..waits.clone() }, &[("waits_its_turn", "")]);

    let trouble = Some("connection refused\nby somebody".to_owned());
    let relay = SeenRelay { trouble, ..job().relay };
    check(SeenJob { relay, ..waits }, &[("broker_away", "2026-03-01T11:59:57Z. connection refused.")]);
}

#[test]
fn a_doorbell_that_was_sent_may_go_unanswered() {
    check(job(), &[("doorbell_unanswered", "It rings again at 2026-03-01T12:00:59Z.")]);
}

#[test]
fn running_jobs_have_a_holder_until_it_is_silent_or_told_to_stop() {
    check(running(), &[("leased", "Worker w1 runs it and has its lease until 2026-03-01T12:00:09Z")]);
    let expired = SeenJob { lease_expires_at: Some(ago(3)), ..running() };
    check(expired, &[("lease_expired", "its lease ran out at 2026-03-01T11:59:57Z")]);
    let told = SeenJob { cancel_requested_at: Some(ago(1)), ..running() };
    check(told, &[("cancel_requested", "w1 notices"), ("leased", "")]);
}

#[test]
fn final_jobs_say_how_they_ended() {
    let ended = |state, error: Option<&str>| SeenJob {
        state,
        finished_at: Some(ago(5)),
        error: error.map(Into::into),
        ..job()
    };
    check(ended(JobState::Completed, None), &[("completed", "2026-03-01T11:59:55Z")]);
    check(ended(JobState::Cancelled, None), &[("cancelled", "2026-03-01T11:59:55Z")]);
    check(ended(JobState::Dead, Some("no such file")), &[("dead", "11:59:55Z: no such file.")]);
}

#[test]
fn what_follows_a_batch_waits_for_all_of_it() {
    let batch =
        SeenBatch { batch_id: BatchId(uuid::Uuid::nil()), name: "March".into(), jobs: 9, unfinished: 2 };
    let found = explain(&Seen::Follows(batch), Duration::ZERO);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].as_str(), "follows_batch");
    assert!(
        found[0].to_string().ends_with("(March), of which 2 of 9 jobs are not final yet."),
        "{}",
        found[0]
    );
}
