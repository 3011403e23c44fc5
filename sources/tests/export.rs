//! Results as spreadsheets get them.

use matching::{Confidence, Currency, ExceptionKind, Reason, Side, Tier};
use sources::RejectedLine;
use sources::export::{
    CandidateCells, ExceptionRow, ExceptionsCsv, Header, MatchRow, MatchesCsv, RecordCells, RejectedLinesCsv,
    safe,
};

fn record(id: &str, line: u64, amount: i64) -> RecordCells<'_> {
    RecordCells { id, line, date: 20_484, amount }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn each_record_of_a_match_is_on_one_line_and_sums_stay_right() {
    let reasons =
        ["amount equal", "=1+1"].map(|says| Reason { field: "x".into(), says: says.into(), weight: 0.5 });
    let row = MatchRow {
        number: 1,
        pass: "-batches",
        tier: Tier::Suggested,
        confidence: Confidence::from_f64(0.9),
        currency: Currency::parse("EUR").expect("known"),
        left: vec![record("@b1", 2, -300)],
        right: vec![record("l1", 2, -100), record("l2", 3, -198)],
        difference: -2,
        reasons: &reasons,
    };
    let mut csv = MatchesCsv::new(vec![], Header::Written).expect("in memory");
    csv.write(&row).expect("in memory");
    assert_eq!(
        text(csv.finish().expect("in memory")),
        "match,pass,tier,confidence,currency,left_id,left_line,left_date,left_amount,\
         right_id,right_line,right_date,right_amount,difference,reasons\n\
         1,'-batches,suggested,0.9,EUR,'@b1,2,2026-01-31,-3.00,l1,2,2026-01-31,-1.00,-0.02,amount equal; =1+1\n\
         1,'-batches,suggested,0.9,EUR,,,,,l2,3,2026-01-31,-1.98,,\n"
    );
}

#[test]
fn an_exception_lists_its_candidates() {
    let row = ExceptionRow {
        kind: ExceptionKind::Ambiguous,
        side: Side::Left,
        currency: Currency::parse("JPY").expect("known"),
        record: record("b1", 7, 300),
        says: "two are equally good, \"really\"",
        candidates: vec![
            CandidateCells { side: Side::Right, ids: vec!["l1"], confidence: Confidence::ONE },
            CandidateCells {
                side: Side::Right,
                ids: vec!["l2", "l3"],
                confidence: Confidence::from_f64(0.98),
            },
        ],
        candidates_found: 9,
    };
    let mut csv = ExceptionsCsv::new(vec![], Header::Omitted).expect("in memory");
    csv.write(&row).expect("in memory");
    assert_eq!(
        text(csv.finish().expect("in memory")),
        "ambiguous,left,b1,7,2026-01-31,300,JPY,\"two are equally good, \"\"really\"\"\",\
         right l1 (1); right l2 + l3 (0.98),9\n"
    );
}

#[test]
fn rejected_lines_are_listed() {
    let row = RejectedLine {
        line: 3,
        column: Some("=amount".into()),
        reason: "the amount is empty".into(),
        excerpt: "+49,x".into(),
    };
    let mut csv = RejectedLinesCsv::new(vec![], Header::Written).expect("in memory");
    csv.write(Side::Right, &row).expect("in memory");
    assert_eq!(
        text(csv.finish().expect("in memory")),
        "side,line,column,reason,excerpt\nright,3,'=amount,the amount is empty,\"'+49,x\"\n"
    );
}

#[test]
fn no_text_cell_is_a_formula() {
    for formula in ["=1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "＝1", "＋1", "－1", "＠x"] {
        assert_eq!(safe(formula), format!("'{formula}"));
    }
    for harmless in ["", "x=1", "1-2", " x", "'x"] {
        assert_eq!(safe(harmless), harmless);
    }
}
