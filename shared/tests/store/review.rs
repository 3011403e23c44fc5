//! Decisions about results: whatever people do, every record stays in one place and the proof closed.

use super::results::accept_reconciliation;
use super::*;
use chrono::NaiveDate;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use shared::ids::{DecisionId, ProjectId, UserId};
use shared::store::StoreError;
use shared::store::projects::ProjectRole;
use shared::store::reconciliations::{Summary, complete};
use shared::store::results::*;
use shared::store::review::*;
use shared::store::users::NewUser;
use shared::testing::TestDatabase;
use std::collections::HashMap;

/// A completed run whose records each have a row and an id of their own.
struct Run {
    _database: TestDatabase,
    store: Store,
    job: JobId,
    project: ProjectId,
    jane: UserId,
    ann: UserId,
    /// By side: how many records, and their sum.
    totals: HashMap<&'static str, (i64, i64)>,
    matched: HashMap<&'static str, i64>,
}

const SIDES: [&str; 2] = ["left", "right"];

impl Run {
    /// `matches` are tiers with the amounts of both sides, `exceptions` sides with amounts.
    async fn make(matches: &[(&str, &[i64], &[i64])], exceptions: &[(&'static str, i64)]) -> Self {
        let database = TestDatabase::create().await;
        let store = database.store();
        let job = accept_reconciliation(&store).await;
        let lease = acquire(&store, job).await;
        let mut rows = HashMap::from([("left", 0u32), ("right", 0u32)]);
        let mut totals = HashMap::from([("left", (0, 0)), ("right", (0, 0))]);
        let mut matched = HashMap::from([("left", 0), ("right", 0)]);
        let mut record = |side: &'static str, amount: i64, in_match: bool| {
            let row = rows.get_mut(side).unwrap();
            *row += 1;
            let total = totals.get_mut(side).unwrap();
            *total = (total.0 + 1, total.1 + amount);
            *matched.get_mut(side).unwrap() += if in_match { amount } else { 0 };
            StoredRecord {
                row: *row - 1,
                line: u64::from(*row) + 1,
                id: format!("{side}-{}", *row - 1),
                date: NaiveDate::from_ymd_opt(2026, 1, 1 + *row % 28).unwrap(),
                amount,
                foreign: None,
                fields: Default::default(),
                first_seen: None,
            }
        };
        let found: Vec<StoredMatch> = matches
            .iter()
            .enumerate()
            .map(|(n, (tier, left, right))| StoredMatch {
                ordinal: n as i32,
                confidence: 1_000_000 - n as i32,
                tier: (*tier).into(),
                pass: 0,
                currency: "EUR".into(),
                difference: left.iter().sum::<i64>() - right.iter().sum::<i64>(),
                left: left.iter().map(|amount| record("left", *amount, true)).collect(),
                right: right.iter().map(|amount| record("right", *amount, true)).collect(),
                reasons: vec![],
                open_side: None,
                open_amount: None,
            })
            .collect();
        let left_over: Vec<StoredException> = exceptions
            .iter()
            .enumerate()
            .map(|(n, (side, amount))| StoredException {
                ordinal: n as i32,
                kind: if *side == "left" { "missing_right" } else { "missing_left" }.into(),
                side: (*side).into(),
                currency: "EUR".into(),
                amount: *amount,
                record: record(side, *amount, false),
                says: "nothing like it".into(),
                candidates: vec![],
                candidates_found: 0,
            })
            .collect();
        let count_of = |of: fn(&StoredMatch) -> usize| found.iter().map(of).sum::<usize>() as i64;
        let summary = Summary {
            left_records: totals["left"].0,
            right_records: totals["right"].0,
            left_matched: count_of(|m| m.left.len()),
            right_matched: count_of(|m| m.right.len()),
            matches: found.len() as i64,
            suggested: found.iter().filter(|m| m.tier == "suggested").count() as i64,
            exceptions: left_over.len() as i64,
            left_rejected: 0,
            right_rejected: 0,
            balance: vec![],
            exceptions_by_kind: Default::default(),
            passes: vec![],
        };
        let mut tx = store.begin().await.unwrap();
        write_matches(&mut tx, job, found.into_iter()).await.unwrap();
        write_exceptions(&mut tx, job, left_over.into_iter()).await.unwrap();
        complete(&mut tx, job, &summary).await.unwrap();
        release(&mut tx, &lease, &Finish::Completed { result: serde_json::json!({}) }).await.unwrap();
        tx.commit().await.unwrap();
        let run = store.reconciliation(job).await.unwrap().unwrap();
        let project = run.project_id;
        let (jane, ann) = (person(&store, project, "jane").await, person(&store, project, "ann").await);
        Run { _database: database, store, job, project, jane, ann, totals, matched }
    }

    fn decision(&self, action: Action, subject: Subject, ordinals: &[i32]) -> NewDecision {
        NewDecision {
            job_id: self.job,
            by: self.jane,
            request_id: None,
            action,
            subject,
            items: items(ordinals),
            right: vec![],
            flip_sign: false,
            assignee: None,
            due_on: None,
            reason_code: None,
            comment: None,
            undoes: None,
            is_bulk: false,
        }
    }

    fn write_off(&self, ordinals: &[i32]) -> NewDecision {
        let reason_code = Some("other".to_owned());
        NewDecision { reason_code, ..self.decision(Action::WriteOff, Subject::Exception, ordinals) }
    }

    fn by_hand(&self, left: &[i32], right: &[i32]) -> NewDecision {
        NewDecision { right: items(right), ..self.decision(Action::Match, Subject::Exception, left) }
    }

    fn undo(&self, id: DecisionId) -> NewDecision {
        NewDecision { undoes: Some(id), ..self.decision(Action::Undo, Subject::Exception, &[]) }
    }

    async fn decide(&self, new: &NewDecision) -> Result<Decided, ReviewError> {
        let mut tx = self.store.begin().await?;
        let decided = decide(&mut tx, new).await?;
        tx.commit().await.map_err(StoreError::from)?;
        Ok(decided)
    }

    async fn judge(&self, id: DecisionId, by: UserId, verdict: Verdict) -> Result<Decided, ReviewError> {
        let mut tx = self.store.begin().await?;
        let decided = judge(&mut tx, self.job, id, by, verdict, Some("because")).await?;
        tx.commit().await.map_err(StoreError::from)?;
        Ok(decided)
    }

    async fn limit(&self, amount: i64) {
        let mut tx = self.store.begin().await.unwrap();
        let limit = FourEyesLimit { currency: "EUR".into(), amount };
        set_four_eyes_limit(&mut tx, self.project, &limit).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn state(&self, table: &str, ordinal: i32) -> String {
        let statement = format!("SELECT state::text FROM {table} WHERE job_id = $1 AND ordinal = $2");
        sqlx::query_scalar(sqlx::AssertSqlSafe(statement))
            .bind(self.job)
            .bind(ordinal)
            .fetch_one(self.store.pool())
            .await
            .unwrap()
    }

    /// The whole truth, counted from the rows.
    async fn check(&self, after: &str) {
        let proof = self.store.review_proof(self.job).await.unwrap();
        for side in SIDES {
            let place = proof.places.iter().find(|place| place.side == side);
            let sum = |of: fn(&PlaceSum) -> i128| place.map_or(0, of);
            let found = i128::from(self.matched[side]) - sum(|place| place.undone.0);
            let now = found + sum(|place| place.by_hand.0) + sum(|p| p.written_off.0) + sum(|p| p.open.0);
            assert_eq!(now, i128::from(self.totals[side].1), "{side} after {after}: {place:?}");
        }
        let places: Vec<(String, i32, i64)> = sqlx::query_as(
            "SELECT side, row, count(*) FROM (
                 SELECT 'left' AS side, (r->>'row')::integer AS row FROM matches, jsonb_array_elements(records_of(left_records, left_packed)) r
                 WHERE job_id = $1 AND state NOT IN ('rejected', 'unmatched')
                 UNION ALL
                 SELECT 'right', (r->>'row')::integer FROM matches, jsonb_array_elements(records_of(right_records, right_packed)) r
                 WHERE job_id = $1 AND state NOT IN ('rejected', 'unmatched')
                 UNION ALL
                 SELECT side::text, (record->>'row')::integer FROM exceptions WHERE job_id = $1 AND state <> 'withdrawn'
             ) AS p GROUP BY 1, 2",
        )
        .bind(self.job)
        .fetch_all(self.store.pool())
        .await
        .unwrap();
        for side in SIDES {
            let there = places.iter().filter(|(s, ..)| s == side).count() as i64;
            assert_eq!(there, self.totals[side].0, "{side} after {after}");
        }
        assert!(places.iter().all(|(.., count)| *count == 1), "after {after}: {places:?}");
        let wrong: i64 = sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM (
                 SELECT kind, side, currency, state, coalesce(assignee, '00000000-0000-0000-0000-000000000000'),
                        (record->>'date')::date, count(*)::numeric, sum(amount)
                 FROM exceptions WHERE job_id = $1 GROUP BY 1, 2, 3, 4, 5, 6
                 EXCEPT
                 SELECT kind, side, currency, state, assignee, record_date, count::numeric, amount
                 FROM exception_totals WHERE job_id = $1) AS missing)
              + (SELECT count(*) FROM exceptions e WHERE job_id = $1 AND state = 'matched' AND NOT EXISTS (
                     SELECT FROM hand_matches h WHERE h.job_id = $1 AND h.ordinal = e.hand_match
                      AND h.state = 'standing' AND e.ordinal = ANY(h.left_ordinals || h.right_ordinals)))",
        )
        .bind(self.job)
        .fetch_one(self.store.pool())
        .await
        .unwrap();
        assert_eq!(wrong, 0, "counts after {after}");
    }
}

async fn person(store: &Store, project: ProjectId, name: &str) -> UserId {
    let id = UserId::new();
    let email = format!("{id}@example.test");
    let user =
        NewUser { id, email, name: name.into(), password_hash: "none".into(), is_platform_admin: false };
    store.insert_user(&user).await.unwrap();
    store.set_project_member(project, id, ProjectRole::Approver).await.unwrap();
    id
}

fn items(ordinals: &[i32]) -> Vec<Item> {
    ordinals.iter().map(|&ordinal| Item { ordinal, version: None }).collect()
}

async fn small() -> Run {
    Run::make(
        &[("confirmed", &[10_000], &[10_000]), ("suggested", &[5_000], &[3_000, 2_000])],
        &[("left", 7_000), ("left", -1_234), ("right", 4_000), ("right", 2_950), ("right", 90_000)],
    )
    .await
}

#[tokio::test]
async fn a_rejected_match_leaves_its_records_open_until_that_is_taken_back() {
    let run = small().await;
    let rejected = run.decide(&run.decision(Action::Reject, Subject::Match, &[1])).await.unwrap();
    run.check("reject").await;
    let filter = ExceptionFilter { kind: Some("released".into()), ..Default::default() };
    let open = run.store.review_exceptions(run.job, &filter, ExceptionOrder::Amount, None, 10);
    let open = open.await.unwrap();
    let amounts: Vec<i64> = open.iter().map(|item| item.found.amount).collect();
    assert_eq!(amounts, [5_000, 3_000, 2_000]);
    // Into another match: then the first one cannot simply come back.
    let mut new = run.by_hand(&[open[0].found.ordinal], &[2]);
    assert!(matches!(run.decide(&new).await, Err(ReviewError::Wrong { member: "reason_code", .. })));
    new.reason_code = Some("fee".into());
    let made = run.decide(&new).await.unwrap();
    run.check("match").await;
    assert!(matches!(run.decide(&run.undo(rejected.id)).await, Err(ReviewError::Refused(_))));
    run.decide(&run.undo(made.id)).await.unwrap();
    run.check("undo of match").await;
    run.decide(&run.undo(rejected.id)).await.unwrap();
    run.check("undo of reject").await;
    assert_eq!(run.state("matches", 1).await, "as_found");
    assert!(matches!(run.decide(&run.undo(rejected.id)).await, Err(ReviewError::Refused(_))), "only once");
}

#[tokio::test]
async fn a_match_by_hand_is_checked() {
    let run = small().await;
    let wrong = async |new: NewDecision| run.decide(&new).await.unwrap_err().to_string();
    assert!(wrong(run.by_hand(&[0], &[])).await.contains("2 to"));
    assert!(wrong(run.by_hand(&[2], &[0])).await.contains("side"));
    assert!(wrong(run.by_hand(&[0, 0], &[2])).await.contains("twice"));
    assert!(wrong(run.by_hand(&[0], &[99])).await.contains("no exception number 100"));
    let mut made = run.by_hand(&[0], &[2, 3]);
    made.reason_code = Some("nothing_of_the_kind".into());
    assert!(wrong(made.clone()).await.contains("reason code"));
    made.reason_code = Some("rounding".into());
    let decided = run.decide(&made).await.unwrap();
    assert_eq!((decided.hand_match, decided.items), (Some(0), 3));
    run.check("one to many").await;
    assert!(wrong(run.write_off(&[2])).await.contains("matched"));
    let hand = &run.store.hand_matches(run.job, None, None, 10).await.unwrap()[0];
    assert_eq!((hand.left_sum, hand.right_sum, hand.difference), (7_000, 6_950, 50));
    run.decide(&run.decision(Action::Unmatch, Subject::HandMatch, &[0])).await.unwrap();
    run.check("taken apart").await;
    assert_eq!(run.state("exceptions", 0).await, "open");
}

#[tokio::test]
async fn what_has_changed_since_is_not_decided() {
    let run = small().await;
    let mut new = run.write_off(&[0]);
    new.items[0].version = Some(0);
    run.decide(&new).await.unwrap();
    let mut other = run.decision(Action::Assign, Subject::Exception, &[0]);
    other.items[0].version = Some(0);
    let stale = run.decide(&other).await.unwrap_err();
    assert!(matches!(stale, ReviewError::Stale { version: 1, .. }), "{stale}");
}

#[tokio::test]
async fn above_the_limit_a_decision_waits_for_another_person() {
    let run = small().await;
    run.limit(50_000).await;
    assert!(!run.decide(&run.write_off(&[0])).await.unwrap().is_proposed());
    let proposed = run.decide(&run.write_off(&[4])).await.unwrap();
    assert!(proposed.is_proposed());
    run.check("a proposal").await;
    assert_eq!(run.state("exceptions", 4).await, "open");
    let waits = run.decide(&run.write_off(&[4])).await.unwrap_err();
    assert!(waits.to_string().contains("second person"), "{waits}");
    let waiting = run.store.waiting_decisions(run.project, Some(run.ann), None, 10).await.unwrap();
    assert_eq!(waiting.len(), 1);
    assert!(run.store.waiting_decisions(run.project, Some(run.jane), None, 10).await.unwrap().is_empty());
    let Err(ReviewError::Store(own)) = run.judge(proposed.id, run.jane, Verdict::Approved).await else {
        panic!("not by the same person")
    };
    assert_eq!(own.constraint(), Some("review_verdicts_another_person"));
    run.judge(proposed.id, run.ann, Verdict::Approved).await.unwrap();
    assert_eq!(run.state("exceptions", 4).await, "written_off");
    run.check("an approval").await;
    // Taking it back moves the same money.
    let undo = run.decide(&run.undo(proposed.id)).await.unwrap();
    assert!(undo.is_proposed());
    run.judge(undo.id, run.ann, Verdict::Refused).await.unwrap();
    assert_eq!(run.state("exceptions", 4).await, "written_off");
    let undo = run.decide(&run.undo(proposed.id)).await.unwrap();
    run.judge(undo.id, run.jane, Verdict::Withdrawn).await.unwrap();
    let undo = run.decide(&run.undo(proposed.id)).await.unwrap();
    run.judge(undo.id, run.ann, Verdict::Approved).await.unwrap();
    assert_eq!(run.state("exceptions", 4).await, "open");
    run.check("an approved undo").await;
    assert!(run.store.waiting_decisions(run.project, None, None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn records_above_the_limit_need_a_second_person_though_their_sum_is_nothing() {
    let run = Run::make(
        &[("suggested", &[100_000, -100_000], &[60_000, -60_000])],
        &[("left", 100_000), ("left", -100_000)],
    )
    .await;
    run.limit(50_000).await;
    // Made, taken apart, and found: the same money is asked about each time.
    let made = run.decide(&run.by_hand(&[0, 1], &[])).await.unwrap();
    assert!(made.is_proposed());
    run.judge(made.id, run.ann, Verdict::Approved).await.unwrap();
    let number = made.hand_match.expect("its number");
    assert_eq!(run.state("hand_matches", number).await, "standing");
    let apart = run.decide(&run.decision(Action::Unmatch, Subject::HandMatch, &[number])).await.unwrap();
    assert!(apart.is_proposed());
    run.judge(apart.id, run.ann, Verdict::Approved).await.unwrap();
    assert_eq!(run.state("hand_matches", number).await, "undone");
    run.check("taking it apart").await;
    let rejected = run.decide(&run.decision(Action::Reject, Subject::Match, &[0])).await.unwrap();
    assert!(rejected.is_proposed());
    run.judge(rejected.id, run.ann, Verdict::Approved).await.unwrap();
    let undo = run.decide(&run.undo(rejected.id)).await.unwrap();
    assert!(undo.is_proposed());
    run.judge(undo.id, run.ann, Verdict::Approved).await.unwrap();
    assert_eq!(run.state("matches", 0).await, "as_found");
    run.check("taking the rejection back").await;
}

#[tokio::test]
async fn a_limit_that_is_loosened_holds_on_for_the_runs_that_were_there() {
    let run = small().await;
    run.limit(50_000).await;
    run.limit(1_000_000).await;
    assert!(run.decide(&run.write_off(&[4])).await.unwrap().is_proposed(), "90,000 were above it");
    run.limit(2_000_000).await;
    let mut tx = run.store.begin().await.unwrap();
    remove_four_eyes_limit(&mut tx, run.project, "EUR").await.unwrap();
    tx.commit().await.unwrap();
    assert!(
        run.decide(&run.decision(Action::Reject, Subject::Match, &[1])).await.unwrap().status
            == DecisionStatus::Effective,
        "5,000 never were"
    );
    // As for a run that came after it.
    sqlx::query("UPDATE reconciliations SET created_at = now() + interval '1 hour' WHERE job_id = $1")
        .bind(run.job)
        .execute(run.store.pool())
        .await
        .unwrap();
    assert!(!run.decide(&run.write_off(&[1])).await.unwrap().is_proposed());
    run.check("loosening").await;
}

#[tokio::test]
async fn the_database_refuses_what_goes_around_the_rules() {
    let run = small().await;
    run.limit(50_000).await;
    let small_one = run.decide(&run.write_off(&[0])).await.unwrap().id;
    let refused = async |statement: &'static str, id: DecisionId| {
        let done = sqlx::query(statement).bind(run.job).bind(id).execute(run.store.pool()).await;
        let error = StoreError::from(done.expect_err(statement));
        error.constraint().unwrap_or_else(|| panic!("{error:?}")).to_owned()
    };
    let around = [
        (
            "UPDATE exceptions SET state = 'written_off', decided = gen_random_uuid()
          WHERE job_id = $1 AND ordinal = 1 AND $2::uuid IS NOT NULL",
            "review_decided",
        ),
        (
            "UPDATE exceptions SET state = 'written_off', decided = $2 WHERE job_id = $1 AND ordinal = 4",
            "review_four_eyes",
        ),
        (
            "UPDATE exceptions SET state = 'matched', decided = $2 WHERE job_id = $1 AND ordinal = 1",
            "exceptions_matched_in_one",
        ),
        (
            "UPDATE matches SET state = 'accepted', decided = $2 WHERE job_id = $1 AND ordinal = 0",
            "matches_only_suggestions_accepted",
        ),
        // Its records would be in no place.
        (
            "UPDATE matches SET state = 'rejected', decided = $2 WHERE job_id = $1 AND ordinal = 1",
            "matches_records_in_one_place",
        ),
        ("UPDATE review_decisions SET comment = 'x' WHERE job_id = $1 AND id = $2", "review_history_kept"),
        ("DELETE FROM review_changes WHERE job_id = $1 AND decision_id = $2", "review_history_kept"),
    ];
    for (statement, constraint) in around {
        assert_eq!(refused(statement, small_one).await, constraint, "{statement}");
    }
    run.check("all that").await;
    assert!(run.store.delete_reconciliation(run.job).await.unwrap(), "it goes with its reconciliation");
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM review_decisions")
        .fetch_one(run.store.pool())
        .await
        .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn the_next_run_takes_over_what_review_left_open() {
    let run = small().await;
    run.decide(&run.decision(Action::Accept, Subject::Match, &[1])).await.unwrap();
    run.decide(&run.decision(Action::Unmatch, Subject::Match, &[0])).await.unwrap();
    run.decide(&run.write_off(&[1])).await.unwrap();
    let mut made = run.by_hand(&[0], &[2, 3]);
    made.reason_code = Some("rounding".into());
    run.decide(&made).await.unwrap();
    let mut open = vec![];
    let visited = run.store.visit_open_items(run.job, |item| {
        open.push(item.record.id);
        Ok::<_, std::convert::Infallible>(())
    });
    visited.await.unwrap();
    open.sort();
    // The pair that was taken apart, and the exception that nobody touched.
    assert_eq!(open, ["left-0", "right-0", "right-5"]);
    let asked: Vec<String> = (0..6).map(|n| format!("left-{n}")).collect();
    let mut ids: HashMap<u64, Vec<&str>> = HashMap::new();
    for id in &asked {
        ids.entry(shared::store::matched_records::hash_of(id)).or_default().push(id);
    }
    let settled = run.store.matched_in_chain(run.job, 2, "left", &ids).await.unwrap();
    let mut settled: Vec<_> = settled.into_iter().map(|(id, place)| (id, place.by)).collect();
    settled.sort_by(|a, b| a.0.cmp(&b.0));
    use shared::store::matched_records::SettledBy::*;
    let expected = [("left-1", Match), ("left-2", HandMatch), ("left-3", WriteOff)];
    assert_eq!(settled, expected.map(|(id, by)| (id.to_owned(), by)));
}

#[tokio::test]
async fn a_filter_is_decided_as_one_and_undone_as_one() {
    let exceptions: Vec<(&str, i64)> = (0..200).map(|n| ("left", 100 + n)).collect();
    let run = Run::make(&[], &exceptions).await;
    let filter =
        ExceptionFilter { amount_max: Some(149), state: Some(ExceptionState::Open), ..Default::default() };
    let fitting = Fitting::Exceptions(filter);
    let preview = run.store.preview_review(run.job, &fitting).await.unwrap();
    assert_eq!((preview.ordinals.len(), preview.sums[0].1), (50, 50));
    let bulk = NewDecision { is_bulk: true, ..run.write_off(&preview.ordinals) };
    let decided = run.decide(&bulk).await.unwrap();
    run.check("bulk").await;
    let again = run.store.preview_review(run.job, &fitting).await.unwrap();
    assert!(again.ordinals.is_empty() && again.token != preview.token);
    run.decide(&run.undo(decided.id)).await.unwrap();
    run.check("undo of bulk").await;
    let once_more = run.store.preview_review(run.job, &fitting).await.unwrap();
    assert_eq!(once_more.ordinals, preview.ordinals);
    assert_ne!(once_more.token, preview.token, "the same items in other versions");
}

/// One random thing that somebody may try.
async fn try_something(run: &Run, random: &mut StdRng, done: &mut Vec<DecisionId>) -> String {
    let matches = 6;
    let exceptions: i32 =
        sqlx::query_scalar("SELECT (max(ordinal) + 1)::integer FROM exceptions WHERE job_id = $1")
            .bind(run.job)
            .fetch_one(run.store.pool())
            .await
            .unwrap();
    let one = |random: &mut StdRng, below: i32| random.random_range(0..below);
    let new = match random.random_range(0..12) {
        0 => run.decision(Action::Accept, Subject::Match, &[one(random, matches)]),
        1 => run.decision(Action::Reject, Subject::Match, &[one(random, matches)]),
        2 => run.decision(Action::Unmatch, Subject::Match, &[one(random, matches)]),
        3 => run.decision(Action::Unmatch, Subject::HandMatch, &[one(random, 4)]),
        4 | 5 => {
            let count = random.random_range(1..4);
            let some: Vec<i32> = (0..count).map(|_| one(random, exceptions)).collect();
            run.write_off(&some)
        }
        6..=8 => {
            let places: Vec<(i32, String)> = sqlx::query_as(
                "SELECT ordinal, side::text FROM exceptions WHERE job_id = $1 AND state = 'open' ORDER BY ordinal",
            )
            .bind(run.job)
            .fetch_all(run.store.pool())
            .await
            .unwrap();
            let mut some = |side: &str| -> Vec<i32> {
                let all = places.iter().filter(|(_, s)| s == side).map(|(ordinal, _)| *ordinal);
                all.filter(|_| random.random_range(0..3) == 0).take(3).collect()
            };
            let (left, right) = (some("left"), some("right"));
            NewDecision { reason_code: Some("other".into()), ..run.by_hand(&left, &right) }
        }
        9 => NewDecision {
            assignee: Some(run.ann),
            ..run.decision(Action::Assign, Subject::Exception, &[one(random, exceptions)])
        },
        _ if done.is_empty() => return "nothing".into(),
        _ => run.undo(done[random.random_range(0..done.len())]),
    };
    let says = format!("{:?} of {:?} {:?} {:?}", new.action, new.items, new.right, new.undoes);
    match run.decide(&new).await {
        Ok(decided) if decided.is_proposed() => {
            let (by, verdict) = match random.random_range(0..4) {
                0 => (run.ann, Verdict::Refused),
                1 => (run.jane, Verdict::Withdrawn),
                2 => return format!("{says}: left waiting"),
                _ => (run.ann, Verdict::Approved),
            };
            let judged = run.judge(decided.id, by, verdict).await;
            match judged {
                Ok(_) | Err(ReviewError::Refused(_)) => {}
                Err(error) => panic!("{says}: {error:?}"),
            }
            done.push(decided.id);
            format!("{says}: {verdict:?}")
        }
        Ok(decided) => {
            done.push(decided.id);
            format!("{says}: done")
        }
        // Refused, with a reason; never by a constraint of the database, which is only the last line.
        Err(ReviewError::Store(error)) => panic!("{says}: {error:?}"),
        Err(error) => format!("{says}: {error}"),
    }
}

#[tokio::test]
async fn any_sequence_of_decisions_keeps_the_proof_closed_and_each_record_in_one_place() {
    for seed in 0..6 {
        let mut random = StdRng::seed_from_u64(seed);
        let run = Run::make(
            &[
                ("confirmed", &[10_000], &[10_000]),
                ("confirmed", &[4_000, 100], &[4_100]),
                ("suggested", &[5_000], &[3_000, 2_000]),
                ("suggested", &[-70], &[-71]),
                ("suggested", &[60_000], &[60_000]),
                ("confirmed", &[1], &[1]),
            ],
            &[
                ("left", 7_000),
                ("left", -1_234),
                ("left", 55_000),
                ("right", 4_000),
                ("right", 2_950),
                ("right", 90_000),
            ],
        )
        .await;
        run.limit(20_000).await;
        let (mut done, mut trail) = (vec![], vec![]);
        let mut changed = 0;
        for _ in 0..60 {
            let before = done.len();
            trail.push(try_something(&run, &mut random, &mut done).await);
            changed += done.len() - before;
            run.check(&format!("seed {seed}: {}", trail.join("\n"))).await;
        }
        assert!(changed > 10, "seed {seed} did hardly anything: {}", trail.join("\n"));
    }
}
