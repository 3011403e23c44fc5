//! Tables: a CSV file next to what is read from it.

use crate::common::{mapping, read, shown};
use sources::{Mapping, ReadError, ReadLimits, read_sample};

fn standard() -> Mapping {
    mapping(
        r#"
        format = "csv"
        id = "id"
        date = { column = "date" }
        amount = { column = "amount" }
        currency = { column = "ccy" }
        fields = { text = "text" }
        "#,
    )
}

/// `file` has the standard header in front.
fn check(file: impl AsRef<[u8]>, expected: &[&str]) {
    let mut bytes = b"id,date,amount,ccy,text\n".to_vec();
    bytes.extend_from_slice(file.as_ref());
    assert_eq!(shown(&standard(), &bytes), expected.join("\n"));
}

#[test]
fn records_are_read_with_their_line_numbers() {
    check(
        "a,2026-01-31,1.50,EUR,x\nb,2026-02-01,-2,JPY,\n",
        &["2 a 2026-01-31 1.50 EUR [x]", "3 b 2026-02-01 -2 JPY []"],
    );
    // CR LF, no end behind the last line, blank lines that count but hold no data, white space around cells.
    check(
        "a , 2026-01-31,1,EUR, x \r\n\r\n   \r\nb,2026-01-31,\"1,234.00\",usd,y",
        &["2 a 2026-01-31 1.00 EUR [x]", "5 b 2026-01-31 1234.00 USD [y]"],
    );
}

/// Bad lines and repeated ids are lines too.
#[test]
fn a_sample_is_exactly_the_first_lines() {
    let file = "id,date,amount,ccy,text\na,2026-01-31,1,EUR,x\nb,bad,1,EUR,x\na,2026-01-31,1,EUR,x\n\
                c,2026-01-31,1,EUR,x\nd,2026-01-31,bad,EUR,x\n";
    let taken = |lines_max: u64| {
        let sample = read_sample(file.as_bytes(), &standard(), &ReadLimits::default(), lines_max);
        let sample = sample.expect("a sample");
        assert_eq!(sample.lines_read, lines_max.min(5));
        assert_eq!(sample.whole, lines_max > 5);
        let rejected: Vec<u64> = sample.rejected.iter().map(|line| line.line).collect();
        (sample.records.len(), rejected)
    };
    assert_eq!(taken(1), (1, vec![]));
    assert_eq!(taken(2), (1, vec![3]));
    assert_eq!(taken(3), (1, vec![3, 4]));
    assert_eq!(taken(4), (2, vec![3, 4]));
    assert_eq!(taken(5), (2, vec![3, 4, 6]));
    assert_eq!(taken(6), (2, vec![3, 4, 6]));
}

#[test]
fn quoted_cells_keep_delimiters_quotes_and_line_breaks() {
    check(
        "a,2026-01-31,1,EUR,\"x, \"\"y\"\"\"\nb,2026-01-31,2,EUR,\"two\nlines\r\nor three\"\nc,2026-01-31,3,EUR,\"\"\n",
        &[
            "2 a 2026-01-31 1.00 EUR [x, \\\"y\\\"]",
            "3 b 2026-01-31 2.00 EUR [two\\nlines\\r\\nor three]",
            "6 c 2026-01-31 3.00 EUR []",
        ],
    );
    // As spreadsheets see it: a quote inside an unquoted cell is a character.
    check("a,2026-01-31,1,EUR,5\" pipe\n", &["2 a 2026-01-31 1.00 EUR [5\\\" pipe]"]);
}

#[test]
fn a_forgotten_quote_costs_its_own_line_only() {
    check(
        "a,2026-01-31,1,EUR,\"open\nb,2026-01-31,2,EUR,y\nc,2026-01-31,3,EUR,z\n",
        &["2! a quoted cell never ends", "3 b 2026-01-31 2.00 EUR [y]", "4 c 2026-01-31 3.00 EUR [z]"],
    );
    check(
        "a,2026-01-31,1,EUR,\"open\nb,2026-01-31,2,EUR,\"y\"\nc,2026-01-31,3,EUR,z\n",
        &[
            "2! there is text behind the closing quote of a cell",
            "3 b 2026-01-31 2.00 EUR [y]",
            "4 c 2026-01-31 3.00 EUR [z]",
        ],
    );
    check(
        "a,2026-01-31,1,EUR,\"x\"y\nb,2026-01-31,2,EUR,y\n",
        &["2! there is text behind the closing quote of a cell", "3 b 2026-01-31 2.00 EUR [y]"],
    );
}

#[test]
fn every_bad_line_says_which_column_and_why() {
    // With one good character beyond ASCII the file is UTF-8, and a bad one is a mistake of its line.
    let mut file = b"ok,2026-01-31,1,EUR,\xc3\xa9\n".to_vec();
    for line in [
        &b"a,2026-01-31,1,EUR"[..],
        b"b,2026-01-31,1,EUR,x,y",
        b"c,31.01.2026,1,EUR,x",
        b"d,2026-01-31,1.005,EUR,x",
        b"e,2026-01-31,abc,EUR,x",
        b"f,2026-01-31,,EUR,x",
        b"g,2026-01-31,1,XXZ,x",
        b"h,2026-01-31,1,,x",
        b",2026-01-31,1,EUR,x",
        b"ok,2026-01-31,2,EUR,x",
        b"i,2026-01-31,1,EUR,\xff",
        b"j,2026-01-31,1,EUR,\0",
        b"k,,1,EUR,x",
        b"l,2026-01-31,99999999999999999999,EUR,x",
    ] {
        file.extend_from_slice(line);
        file.push(b'\n');
    }
    check(
        file,
        &[
            "2 ok 2026-01-31 1.00 EUR [é]",
            "3! the line has 4 cells where the header has 5",
            "4! the line has 6 cells where the header has 5",
            "5! date: \"31.01.2026\" is not a date like 2026-01-31",
            "6! amount: \"1.005\" has more than 2 decimals",
            "7! amount: \"abc\" is not an amount",
            "8! amount: the amount is empty",
            "9! ccy: \"XXZ\" is not an ISO 4217 currency code",
            "10! ccy: the currency is empty",
            "11! id: the id is empty",
            "12! id: the id \"ok\" is already on line 2",
            "13! text: the line is not UTF-8",
            "14! text: the cell contains a NUL character",
            "15! date: the date is empty",
            "16! amount: \"99999999999999999999\" is too large",
        ],
    );
}

#[test]
fn a_european_file_is_read_as_its_mapping_says() {
    let mapping = mapping(
        r#"
        format = "csv"
        csv.delimiter = ";"
        date = { column = "Buchung", format = "%d.%m.%Y" }
        amount = { column = "Betrag", decimal_mark = "comma", negate = true }
        currency = { fixed = "EUR" }
        fields = { description = "Text", reference = "Text" }
        "#,
    );
    let file = "\u{feff}Buchung;Betrag;Text\r\n31.01.2026;1.234,56;Müller\r\n01.02.2026;-7;\"a;b\"\r\n";
    assert_eq!(
        shown(&mapping, file),
        "2 2 2026-01-31 -1234.56 EUR [Müller] [Müller]\n3 3 2026-02-01 7.00 EUR [a;b] [a;b]"
    );
}

#[test]
fn missing_columns_are_named_at_once_with_the_nearest_name() {
    let says = shown(&standard(), "ID,date,Amuont,text,text\n1,2,3,4,5\n");
    for part in [
        "id: the file has no column \"id\"; did you mean \"ID\"?",
        "amount.column: the file has no column \"amount\"; did you mean \"Amuont\"?",
        "currency.column: the file has no column \"ccy\"; it has ",
        "fields.text: the file has 2 columns named \"text\"",
    ] {
        assert!(says.contains(part), "{part:?} in {says:?}");
    }
}

#[test]
fn a_file_that_is_no_csv_is_recognised() {
    for (bytes, part) in [
        (&b"PK\x03\x04...."[..], "Excel"),
        (b"\x1f\x8b\x08\0", "compressed"),
        (b"[{\"id\":1}]", "JSON"),
        (b"{\"id\":1}", "JSON"),
        (b"id,date,amount,ccy,te\xc3\xa9\xc3\xa9\xffxt\n1", "UTF-8"),
        (b"id,date,amount,ccy,text\ra,2026-01-31,1,EUR,x\r", "CR alone"),
        (b"id,\"date\n", "header line"),
    ] {
        match read(&standard(), bytes, &ReadLimits::default()) {
            Err(ReadError::NotThisFormat { says }) => assert!(says.contains(part), "{part:?} in {says:?}"),
            other => panic!("{part}: {other:?}"),
        }
    }
}

#[test]
fn a_file_without_data_is_empty() {
    for bytes in ["", "\u{feff}", "\n\r\n  \n", "id,date,amount,ccy,text", "id,date,amount,ccy,text\n\n"] {
        assert!(
            matches!(read(&standard(), bytes.as_bytes(), &ReadLimits::default()), Err(ReadError::Empty)),
            "{bytes:?}"
        );
    }
}

#[test]
fn every_limit_holds() {
    let file = |line: &str, times: usize| {
        let lines: String = (0..times).map(|i| line.replace('#', &i.to_string())).collect();
        format!("id,date,amount,ccy,text\n{lines}").into_bytes()
    };
    let good = "#,2026-01-31,1,EUR,some text\n";
    let limits = ReadLimits { records_max: 3, ..ReadLimits::default() };
    assert!(read(&standard(), &file(good, 3), &limits).is_ok());
    assert!(matches!(
        read(&standard(), &file(good, 4), &limits),
        Err(ReadError::TooManyRecords { limit: 3 })
    ));

    let limits = ReadLimits { rejected_max: 3, ..ReadLimits::default() };
    let bad = [file(good, 1), b"x\n".repeat(4)].concat();
    match read(&standard(), &bad, &limits) {
        Err(ReadError::TooManyRejected { limit: 3, first }) => assert_eq!(first[0].line, 3),
        other => panic!("{other:?}"),
    }
    assert!(read(&standard(), &bad[..bad.len() - 2], &limits).is_ok());

    let limits = ReadLimits { kept_bytes_max: 30, ..ReadLimits::default() };
    assert!(matches!(
        read(&standard(), &file(good, 4), &limits),
        Err(ReadError::TooMuchText { limit_bytes: 30 })
    ));

    // Lines over the limit are rejected in any form, and the line behind them is read.
    let limits =
        ReadLimits { line_bytes_max: 60, cell_bytes_max: 20, id_bytes_max: 5, ..ReadLimits::default() };
    let long = "x".repeat(200_000);
    let short = "x".repeat(21);
    let text = format!(
        "a,2026-01-31,1,EUR,{long}\nb,2026-01-31,1,EUR,x\nc,2026-01-31,1,EUR,\"{short}\n{short}\n\"\n\
         d,2026-01-31,1,EUR,{short}\neeeeee,2026-01-31,1,EUR,x\nf,2026-01-31,1,EUR,x"
    );
    let outcome = read(&standard(), &file(&text, 1), &limits).expect("mostly readable");
    let rejected: Vec<_> = outcome.rejected.iter().map(|r| (r.line, r.reason.as_str())).collect();
    assert_eq!(
        rejected,
        [
            (2, "the line is longer than 60 bytes"),
            (4, "a quoted cell does not end within 60 bytes"),
            (5, "the line has 1 cells where the header has 5"),
            (6, "a quoted cell does not end within 60 bytes"),
            (7, "the cell has 21 bytes, more than 20"),
            (8, "the id has 6 bytes, more than 5"),
        ]
    );
    let kept: Vec<_> = outcome.records.rows().map(|row| outcome.records.id(row).to_owned()).collect();
    assert_eq!(kept, ["b", "f"]);
    assert!(outcome.rejected.iter().all(|line| line.excerpt.chars().count() <= 200));
}

#[test]
fn a_file_where_no_line_is_readable_says_so() {
    match read(&standard(), b"id,date,amount,ccy,text\na,1,2,3,4\nb\n", &ReadLimits::default()) {
        Err(ReadError::AllRejected { lines: 2, first }) => assert_eq!(first.len(), 2),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_sample_stops_early_and_keeps_what_it_has() {
    let mapping = mapping(
        r#"
        format = "csv"
        id = "id"
        date = { column = "date" }
        amount = { column = "amount" }
        currency = { fixed = "EUR" }
        "#,
    );
    let text = "id,date,amount\na,2026-01-05,1.00\nb,2026-01-05,x\nc,2026-01-05,3.00\n";
    let sample = |lines| {
        let sample = sources::read_sample(text.as_bytes(), &mapping, &ReadLimits::default(), lines).unwrap();
        (sample.lines_read, sample.records.len(), sample.rejected.len(), sample.whole)
    };
    assert_eq!(sample(2), (2, 1, 1, false));
    assert_eq!(sample(100), (3, 2, 1, true));
    // Nothing but bad lines is an answer, too.
    let bad =
        sources::read_sample(&b"id,date,amount\na,x,1\n"[..], &mapping, &ReadLimits::default(), 9).unwrap();
    assert_eq!((bad.records.len(), bad.rejected.len()), (0, 1));
}
