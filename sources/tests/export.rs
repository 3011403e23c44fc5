//! Results as spreadsheets get them.

use matching::{Confidence, Currency, ExceptionKind, Reason, Side, Tier};
use sources::RejectedLine;
use sources::export::{
    CandidateCells, ExceptionRow, ExceptionsCsv, Foreign, Header, JsonLines, MatchRow, MatchesCsv,
    RecordCells, RejectedLinesCsv, ResultWorkbook, safe,
};

fn record(id: &str, line: u64, amount: i64) -> RecordCells<'_> {
    RecordCells { id, line, date: 20_484, amount, foreign: None }
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
         right_id,right_line,right_date,right_amount,difference,reasons,left_currency,left_converted,\
         right_currency,right_converted,match_id\n\
         1,'-batches,suggested,0.9,EUR,'@b1,2,2026-01-31,-3.00,l1,2,2026-01-31,-1.00,-0.02,amount equal; =1+1,,,,,m_276a63b7e4a8910d1526f73736ba4ec2\n\
         1,'-batches,suggested,0.9,EUR,,,,,l2,3,2026-01-31,-1.98,,,,,,,m_276a63b7e4a8910d1526f73736ba4ec2\n"
    );
}

#[test]
fn an_amount_in_another_currency_is_written_in_both() {
    let foreign = Foreign { currency: Currency::parse("JPY").expect("known"), converted: 625 };
    let row = MatchRow {
        number: 1,
        pass: "fx",
        tier: Tier::Confirmed,
        confidence: Confidence::ONE,
        currency: Currency::parse("EUR").expect("known"),
        left: vec![RecordCells { foreign: Some(foreign), ..record("b1", 2, 1000) }],
        right: vec![record("l1", 2, 625)],
        difference: 0,
        reasons: &[],
    };
    let mut csv = MatchesCsv::new(vec![], Header::Omitted).expect("in memory");
    csv.write(&row).expect("in memory");
    assert_eq!(
        text(csv.finish().expect("in memory")),
        "1,fx,confirmed,1,EUR,b1,2,2026-01-31,1000,l1,2,2026-01-31,6.25,0.00,,JPY,6.25,,,m_2476a64bf033ab2c86d0b650ad3cd975\n"
    );
    let mut json = JsonLines::new(vec![]);
    json.write_match(&row).expect("in memory");
    let json = text(json.finish().expect("in memory"));
    assert!(json.contains(r#""amount":"1000","foreign":{"currency":"JPY","converted":"6.25"}"#), "{json}");
    let mut book = ResultWorkbook::with_rows_max(3).expect("a folder for temporary files");
    book.write_match(&row).expect("written");
    let bytes = book.finish(vec![]).expect("written");
    let line = &sheet(&bytes, "Matches")[1];
    assert!(line.ends_with(",\"JPY\",6.25,,,\"m_2476a64bf033ab2c86d0b650ad3cd975\""), "{line}");
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
        first_run: 3,
    };
    let mut csv = ExceptionsCsv::new(vec![], Header::Omitted).expect("in memory");
    csv.write(&row).expect("in memory");
    assert_eq!(
        text(csv.finish().expect("in memory")),
        "ambiguous,left,b1,7,2026-01-31,300,JPY,\"two are equally good, \"\"really\"\"\",\
         right l1 (1); right l2 + l3 (0.98),9,x_c35952f3e4193734439fc4957357beed,3\n"
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

/// Cells of a sheet as texts, row by row.
fn sheet(bytes: &[u8], name: &str) -> Vec<String> {
    use calamine::{Data, Reader, Xlsx};
    let mut book = Xlsx::new(std::io::Cursor::new(bytes)).expect("a workbook");
    let range = book.worksheet_range(name).expect("a sheet");
    let cell = |cell: &Data| match cell {
        Data::String(text) => format!("{text:?}"),
        Data::DateTime(date) => {
            let (year, month, day, ..) = date.to_ymd_hms_milli();
            format!("{year}-{month:02}-{day:02}")
        }
        other => other.to_string(),
    };
    range.rows().map(|row| row.iter().map(cell).collect::<Vec<_>>().join(",")).collect()
}

#[test]
fn a_workbook_has_typed_cells_and_texts_that_nothing_runs() {
    let reasons = [Reason { field: "x".into(), says: "=1+1".into(), weight: 0.5 }];
    let row = |number: u64, amount: i64| MatchRow {
        number,
        pass: "=cmd|' /C calc'!A0",
        tier: Tier::Confirmed,
        confidence: Confidence::from_f64(0.9),
        currency: Currency::parse("EUR").expect("known"),
        left: vec![record("@b1", 2, amount)],
        right: vec![record("l1", 2, amount), record("l2", 3, -198)],
        difference: -2,
        reasons: &reasons,
    };
    let mut book = ResultWorkbook::with_rows_max(3).expect("a folder for temporary files");
    book.write_match(&row(1, -300)).expect("written");
    book.write_match(&row(2, i64::MAX)).expect("written");
    let line = RejectedLine { line: 9, column: None, reason: "+bad".into(), excerpt: "x".repeat(40_000) };
    book.write_rejected_line(Side::Right, &line).expect("written");
    let exception = ExceptionRow {
        kind: ExceptionKind::Ambiguous,
        side: Side::Left,
        currency: Currency::parse("JPY").expect("known"),
        record: record("b1", 7, 300),
        says: "two",
        candidates: vec![],
        candidates_found: 2,
        first_run: 1,
    };
    book.write_exception(&exception).expect("written");
    let bytes = book.finish(vec![]).expect("written");
    let first = sheet(&bytes, "Matches");
    assert_eq!(
        first[1..],
        [
            "1,\"=cmd|' /C calc'!A0\",\"confirmed\",0.9,\"EUR\",\"@b1\",2,2026-01-31,-3,\"l1\",2,2026-01-31,-3,-0.02,\"=1+1\",,,,,\"m_276a63b7e4a8910d1526f73736ba4ec2\"",
            "1,\"=cmd|' /C calc'!A0\",\"confirmed\",0.9,\"EUR\",,,,,\"l2\",3,2026-01-31,-1.98,,,,,,,\"m_276a63b7e4a8910d1526f73736ba4ec2\"",
        ]
    );
    let second = sheet(&bytes, "Matches 2");
    assert_eq!(second[0], first[0], "every sheet has the names");
    assert!(second[1].contains("\"92233720368547758.07\""), "too long for a number: {}", second[1]);
    assert_eq!(
        sheet(&bytes, "Exceptions")[1],
        "\"ambiguous\",\"left\",\"b1\",7,2026-01-31,300,\"JPY\",\"two\",,2,\"x_c35952f3e4193734439fc4957357beed\",1"
    );
    let csv = [
        text(MatchesCsv::new(vec![], Header::Written).and_then(MatchesCsv::finish).expect("in memory")),
        text(ExceptionsCsv::new(vec![], Header::Written).and_then(ExceptionsCsv::finish).expect("in memory")),
        text(
            RejectedLinesCsv::new(vec![], Header::Written)
                .and_then(RejectedLinesCsv::finish)
                .expect("in memory"),
        ),
    ];
    for (name, csv) in ["Matches", "Exceptions", "Rejected lines"].iter().zip(csv) {
        assert_eq!(sheet(&bytes, name)[0].replace('"', ""), csv.trim_end(), "the same names in both");
    }
    let rejected = &sheet(&bytes, "Rejected lines")[1];
    assert!(rejected.starts_with("\"right\",9,,\"+bad\",\"xxx") && rejected.len() < 32_800);
}

#[test]
fn json_lines_keep_amounts_as_texts() {
    let reasons = [Reason { field: "amount".into(), says: "amount equal".into(), weight: 0.5 }];
    let mut json = JsonLines::new(vec![]);
    json.write_match(&MatchRow {
        number: 1,
        pass: "exact",
        tier: Tier::Confirmed,
        confidence: Confidence::ONE,
        currency: Currency::parse("EUR").expect("known"),
        left: vec![record("b1", 2, i64::MAX)],
        right: vec![record("l1", 2, 100)],
        difference: -2,
        reasons: &reasons,
    })
    .expect("in memory");
    let line = RejectedLine { line: 9, column: Some("a".into()), reason: "bad".into(), excerpt: "=1".into() };
    json.write_rejected_line(Side::Left, &line).expect("in memory");
    assert_eq!(
        text(json.finish().expect("in memory")),
        "{\"id\":\"m_2476a64bf033ab2c86d0b650ad3cd975\",\"match\":1,\"pass\":\"exact\",\"tier\":\"confirmed\",\"confidence\":1.0,\"currency\":\"EUR\",\
         \"left\":[{\"id\":\"b1\",\"line\":2,\"date\":\"2026-01-31\",\"amount\":\"92233720368547758.07\"}],\
         \"right\":[{\"id\":\"l1\",\"line\":2,\"date\":\"2026-01-31\",\"amount\":\"1.00\"}],\"difference\":\"-0.02\",\
         \"reasons\":[{\"field\":\"amount\",\"says\":\"amount equal\",\"weight\":0.5}]}\n\
         {\"side\":\"left\",\"line\":9,\"column\":\"a\",\"reason\":\"bad\",\"excerpt\":\"=1\"}\n"
    );
}
