//! Files and requests with mistakes: each is named, and nothing is left half made.

use crate::client::Answer;
use crate::deployment::Peaceful;
use crate::pair::{Pair, rules};
use crate::project::{Job, Project, number, text};
use crate::wait::until;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Columns as in the files below.
fn mapping() -> Value {
    json!({
        "format": "csv",
        "id": "id",
        "date": { "column": "date" },
        "amount": { "column": "amount" },
        "currency": { "column": "currency" },
        "fields": { "reference": "reference" },
    })
}

fn by_reference() -> Value {
    json!({ "version": 1, "pass": [{ "name": "reference", "key": [{ "left": "reference", "right": "reference" }] }] })
}

const LEDGER: &str = "id,date,amount,currency,reference\n\
                      l1,2026-01-05,10.00,EUR,R-1001\n\
                      l2,2026-01-09,8.00,EUR,R-1008\n";

fn project() -> (std::sync::Arc<Peaceful>, Project) {
    let place = Peaceful::shared();
    let project = Project::of_somebody(&place.api.url);
    (place, project)
}

/// A reconciliation of a bank statement with this text against [`LEDGER`].
fn reconcile(project: &Project, bank: &str) -> Job {
    let left = project.source("bank.csv", bank.as_bytes(), &mapping());
    let right = project.source("ledger.csv", LEDGER.as_bytes(), &mapping());
    project.submit(&left, &right, &by_reference())
}

/// JSON pointers of everything that the problem names, sorted.
fn pointers(answer: &Answer) -> Vec<String> {
    let problem = answer.expect_problem(422);
    let errors = problem["errors"].as_array().expect("errors");
    assert!(errors.iter().all(|e| !text(e, "detail").is_empty() && !text(e, "code").is_empty()), "{problem}");
    let mut pointers: Vec<String> = errors.iter().map(|error| text(error, "pointer")).collect();
    pointers.sort_unstable();
    pointers
}

#[test]
fn malformed_lines_are_listed_and_counted_and_the_others_reconciled() {
    let (_place, project) = project();
    let bank = "id,date,amount,currency,reference\n\
                b1,2026-01-05,10.00,EUR,R-1001\n\
                b2,2026-13-05,20.00,EUR,R-1002\n\
                b3,2026-01-06,=HYPERLINK(1),EUR,R-1003\n\
                b4,2026-01-06,5.00,XQX,R-1004\n\
                b1,2026-01-07,7.00,EUR,R-1005\n\
                b6,2026-01-07\n\
                b7,2026-01-07,1.005,EUR,R-1007\n\
                =b8,2026-13-09,8.00,EUR,R-1008\n\
                b9,2026-01-09,8.00,EUR,R-1008\n";
    let job = reconcile(&project, bank);
    let summary = job.wait_until_completed().summary();
    let figures =
        ["left_records", "left_rejected", "right_records", "right_rejected", "matches", "exceptions"];
    assert_eq!(figures.map(|key| number(&summary, key)), [2, 7, 2, 0, 2, 0], "{summary}");

    let rejected = job.all_pages("rejected-lines?limit=3");
    let seen: Vec<_> =
        rejected.iter().map(|r| (text(r, "side"), number(r, "line"), r["column"].as_str())).collect();
    let line = |line, column| ("left".to_owned(), line, column);
    assert_eq!(
        seen,
        [
            line(3, Some("date")),
            line(4, Some("amount")),
            line(5, Some("currency")),
            line(6, Some("id")),
            line(7, None),
            line(8, Some("amount")),
            line(9, Some("date")),
        ]
    );
    let reason = |nth: usize| text(&rejected[nth], "reason");
    assert!(reason(2).contains("XQX"), "{}", reason(2));
    assert!(reason(3).contains("line 2"), "where the id was seen first: {}", reason(3));
    assert!(text(&rejected[0], "excerpt").starts_with("b2,2026-13-05"), "{rejected:?}");
    let lines: BTreeSet<String> = (0..7).map(reason).collect();
    assert!(lines.len() >= 5, "reasons tell the mistakes apart: {lines:?}");

    let downloaded = job.get("rejected-lines.csv").expect_csv();
    assert_eq!(downloaded.len(), 7);
    // In a spreadsheet it would be a formula.
    assert!(downloaded[6]["excerpt"].starts_with("'=b8"), "{downloaded:?}");
}

#[test]
fn a_file_of_bad_lines_alone_makes_the_job_dead_at_once_and_leaves_no_rows() {
    let (place, project) = project();
    let header = "id,date,amount,currency,reference\n";
    let all_bad = format!("{header}b1,5 January,10.00,EUR,R-1001\nb2,6 January,20.00,EUR,R-1002\n");
    // What is wrong, and what the error must say.
    let cases =
        [(all_bad.as_str(), vec!["2", "5 January", "bank.csv"]), (header, vec!["no data lines", "bank.csv"])];
    for (bank, says) in cases {
        let job = reconcile(&project, bank);
        let seen = job.wait_for_end();
        assert_eq!((&seen["state"], number(&seen, "attempt")), (&"dead".into(), 1), "{seen}");
        let error = text(&seen, "error");
        assert!(says.iter().all(|word| error.contains(word)), "{error}");
        assert_eq!(seen["summary"], Value::Null);
        assert_eq!(place.deployment.database.result_rows(job.id), 0);
        for below in ["results", "exceptions", "rejected-lines", "summary", "exceptions.csv"] {
            job.get(below).expect_problem(409);
        }
    }
}

#[test]
fn uploads_that_are_empty_or_too_large_are_refused_and_nothing_is_kept() {
    let (place, project) = project();
    assert_eq!(pointers(&project.upload("empty.csv", b"")), ["#/file"]);

    let small =
        place.deployment.api_with("api-small-uploads", &[("COUNTERFOIL_HTTP__UPLOAD_BYTES_MAX", "1000")]);
    let project_there = Project::of_somebody(&small.url);
    project_there.upload("largest.csv", &[b'x'; 1000]).expect(201);
    let problem = project_there.upload("larger.csv", &[b'x'; 1001]).expect_problem(413);
    assert!(text(&problem, "detail").contains("1000"), "{problem}");

    for (project, files) in [(&project, 0), (&project_there, 1)] {
        let listed = project.client.all_pages(&format!("/api/files?project_id={}", project.id));
        assert_eq!(listed.len(), files);
        // A refused upload may be answered just before its object goes.
        until("no object without a file", || {
            (place.deployment.objects_of(&project.id) == files).then_some(())
        });
    }
}

#[test]
fn a_mapping_that_does_not_fit_the_file_is_refused_with_all_its_mistakes() {
    let (_place, project) = project();
    let file = text(&project.upload("ledger.csv", LEDGER.as_bytes()).expect(201), "id");

    let mut wrong = mapping();
    wrong["amount"]["column"] = "Betrag".into();
    wrong["fields"]["batch"] = "Sammler".into();
    let refused = project.describe(&file, "Ledger", &wrong);
    assert_eq!(pointers(&refused), ["#/mapping/amount/column", "#/mapping/fields/batch"]);
    let detail = text(&refused.expect_problem(422)["errors"][0], "detail");
    assert!(detail.contains("Betrag"), "{detail}");

    let wrong = json!({
        "format": "xlsx", "date": {}, "amount": { "column": 7 }, "currency": { "fixed": "EURO" }, "colour": "red",
    });
    let named = pointers(&project.describe(&file, "", &wrong));
    for pointer in
        ["#/name", "#/mapping/format", "#/mapping/date/column", "#/mapping/amount/column", "#/mapping/colour"]
    {
        assert!(named.iter().any(|p| p == pointer), "{pointer} is not in {named:?}");
    }
    let sources = project.client.all_pages(&format!("/api/data-sources?project_id={}", project.id));
    assert_eq!(sources, [Value::Null; 0]);
}

#[test]
fn rules_that_do_not_fit_are_refused_with_all_their_mistakes_and_no_job_is_made() {
    let (_place, project) = project();
    let (left, right) = Pair::make(9, 20).bring_into(&project);
    let rules_with = |change: &dyn Fn(&mut Value)| {
        let mut rules = rules();
        change(&mut rules);
        rules
    };
    let fields_and_figures = rules_with(&|rules| {
        rules["version"] = 2.into();
        rules["pass"][0]["key"][0]["left"] = "invoice".into();
        rules["pass"][5]["amount"]["percent"] = "250".into();
        rules["pass"][6]["date"] = json!({});
    });
    let shape = rules_with(&|rules| {
        rules["threshold"] = 2.into();
        rules["pass"][0]["cardinality"] = "2:2".into();
        rules["pass"][1]["keys"] = json!([]);
    });
    let cases: [(Value, &[&str]); 3] = [
        (
            fields_and_figures,
            &[
                "#/rules/pass/0/key/0/left",
                "#/rules/pass/5/amount/percent",
                "#/rules/pass/6/date/window_days",
                "#/rules/version",
            ],
        ),
        (shape, &["#/rules/pass/0/cardinality", "#/rules/pass/1/keys", "#/rules/threshold"]),
        (json!({ "version": 1, "pass": [] }), &["#/rules/pass"]),
    ];
    for (rules, expected) in &cases {
        assert_eq!(pointers(&project.ask(&left, &right, rules)), *expected);
    }
    let sources_and_rules = ["#/left_source_id", "#/right_source_id", "#/rules"].map(str::to_owned).into();
    let unknown = "00000000-0000-7000-8000-000000000000";
    assert_eq!(pointers(&project.ask(&left, &left, &by_reference())), ["#/right_source_id"]);
    let nothing_fits = project.ask(unknown, unknown, &json!(7));
    assert_eq!(BTreeSet::from_iter(pointers(&nothing_fits)), sources_and_rules);
    let jobs = project.client.all_pages(&format!("/api/reconciliation/jobs?project_id={}", project.id));
    assert_eq!(jobs, [Value::Null; 0]);
}
