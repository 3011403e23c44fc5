//! Tables: a JSON file next to what is read from it.

use crate::common::{mapping, read, shown};
use sources::{Mapping, ReadError, ReadLimits};

fn standard() -> Mapping {
    mapping(
        r#"
        format = "json"
        id = "id"
        date = { column = "at" }
        amount = { column = "amount" }
        currency = { fixed = "EUR" }
        fields = { text = "text" }
        "#,
    )
}

fn check(file: impl AsRef<[u8]>, expected: &[&str]) {
    assert_eq!(shown(&standard(), file), expected.join("\n"));
}

#[test]
fn an_array_is_read_element_by_element() {
    check(
        r#" [ {"id": 1, "at": "2026-01-31T10:00:00Z", "amount": 12.30, "text": "a \"b\" \u00e4 ]}", "more": [{}, "]"]},
              {"at": "2026-02-01", "amount": "-7", "id": "x", "text": null} ] "#,
        &["1 1 2026-01-31 12.30 EUR [a \\\"b\\\" ä ]}]", "2 x 2026-02-01 -7.00 EUR []"],
    );
}

#[test]
fn json_lines_are_read_with_their_line_numbers() {
    check(
        "\u{feff}\n{\"id\":\"a\",\"at\":\"2026-01-31\",\"amount\":1,\"text\":\"x\"}\r\n\n\
         {\"id\":\"b\",\"at\":\"2026-01-31\",\"amount\":2}\n{\"id\":\"c\",\n[1]\n\
         {\"id\":\"d\",\"at\":\"2026-01-31\",\"amount\":3}",
        &[
            "2 a 2026-01-31 1.00 EUR [x]",
            "4 b 2026-01-31 2.00 EUR []",
            "5! not JSON: EOF while parsing a value, at line 1 column 10 of the element",
            "6! the element is not an object",
            "7 d 2026-01-31 3.00 EUR []",
        ],
    );
}

#[test]
fn every_bad_element_says_which_column_and_why() {
    check(
        br#"[
            {"id": "a", "at": "2026-01-31", "amount": 1, "text": "x"},
            42, null, "text", [1, 2], {},
            {"id": "b", "at": "2026-01-31", "amount": 0.30000000000000004},
            {"id": "c", "at": "2026-01-31", "amount": {"value": 1}},
            {"id": "d", "at": "2026-01-31", "amount": 1, "text": ["x"]},
            {"id": "e", "at": "2026-01-31", "amount": 1, "amount": 2},
            {"id": "f", "at": "2026-01-31", "amount": 1, "text": "\ud800"},
            {"id": "g", "at": "2026-01-31", "amount": 1e3},
            {"id": "h", "at": 20260131, "amount": 1},
            {"id": "a", "at": "2026-01-31", "amount": 2},
            {"id": "i", "at": "2026-01-31", "amount": 1, "text": "\u0000"}
        ]"#,
        &[
            "1 a 2026-01-31 1.00 EUR [x]",
            "2! the element is not an object",
            "3! the element is not an object",
            "4! the element is not an object",
            "5! the element is not an object",
            "6! id: the id is empty",
            "7! amount: \"0.30000000000000004\" has more than 2 decimals",
            "8! amount: the value is an object, not a text or number",
            "9! text: the value is an array, not a text or number",
            "10! amount: the object has this key twice",
            "11! text: the text has a broken escape",
            "12 g 2026-01-31 1000.00 EUR []",
            "13! at: \"20260131\" is not a date like 2026-01-31",
            "14! id: the id \"a\" is already on line 1",
            "15! text: the cell contains a NUL character",
        ],
    );
    check(
        b"[{\"id\":\"a\",\"at\":\"2026-01-31\",\"amount\":1,\"text\":\"x\"},{\"id\":\"\xff\"}]",
        &["1 a 2026-01-31 1.00 EUR [x]", "2! the element is not UTF-8"],
    );
}

#[test]
fn broken_syntax_says_where_and_gives_nothing() {
    let good = r#"{"id":"a","at":"2026-01-31","amount":1,"text":"x"}"#;
    for (file, element, byte) in [
        (format!("[{good}"), 1, 1),
        (format!("[{good},"), 2, 52),
        (format!("[{good},]"), 2, 52),
        (format!("[{good},,{good}]"), 2, 52),
        (format!("[{good} {good}]"), 1, 1),
        (format!("[{good},  {{\"id\" 1}}, {good}]"), 2, 54),
        (format!("[{good},{{\"id\":\"x}}]"), 2, 52),
        (format!("[{good}}}]"), 1, 1),
        (format!("[{good}] x"), 2, 52),
        (format!("[{good}][]"), 2, 52),
        (format!("[{good},{{]]"), 2, 52),
    ] {
        match read(&standard(), file.as_bytes(), &ReadLimits::default()) {
            Err(ReadError::BrokenJson { element: e, byte: b, .. }) => {
                assert_eq!((e, b), (element, byte), "{file}")
            }
            other => panic!("{file}: {other:?}"),
        }
    }
}

#[test]
fn deep_nesting_is_refused_without_harm() {
    let deep = format!("[{}{}]", "[".repeat(200_000), "]".repeat(200_000));
    assert!(read(&standard(), deep.as_bytes(), &ReadLimits::default()).is_err());
    let deep = format!("{{\"id\":{}{}}}", "[".repeat(200_000), "]".repeat(200_000));
    assert!(read(&standard(), deep.as_bytes(), &ReadLimits::default()).is_err());
}

#[test]
fn a_column_that_no_element_has_is_a_mistake_of_the_mapping() {
    let says = shown(&standard(), r#"[{"ID":"a","at":"2026-01-31","amont":1},{"text":"x"}]"#);
    for part in [
        "id: the file has no column \"id\"; did you mean \"ID\"?",
        "amount.column: the file has no column \"amount\"; did you mean \"amont\"?",
    ] {
        assert!(says.contains(part), "{part:?} in {says:?}");
    }
    assert!(!says.contains("fields.text"), "{says}");
}

#[test]
fn what_is_no_json_and_what_is_empty_is_told_apart() {
    for bytes in ["id,date\n1,2", "\"text\"", "42", "{\n  \"id\": 1,\n  \"at\": 2\n}"] {
        let read = read(&standard(), bytes.as_bytes(), &ReadLimits::default());
        assert!(matches!(read, Err(ReadError::NotThisFormat { .. })), "{bytes}: {read:?}");
    }
    for bytes in ["", "  \n", "[]", " [ \n ] \n"] {
        let read = read(&standard(), bytes.as_bytes(), &ReadLimits::default());
        assert!(matches!(read, Err(ReadError::Empty)), "{bytes}: {read:?}");
    }
}

#[test]
fn an_element_over_the_limit_is_rejected_and_the_next_one_read() {
    let limits = ReadLimits { line_bytes_max: 80, ..ReadLimits::default() };
    let element = |id: &str, text: &str| {
        format!("{{\"id\":\"{id}\",\"at\":\"2026-01-31\",\"amount\":1,\"text\":\"{text}\"}}")
    };
    let long = element("a", &"x,]}".repeat(100_000));
    for file in [format!("[{long},{}]", element("b", "y")), format!("{long}\n{}\n", element("b", "y"))] {
        let outcome = read(&standard(), file.as_bytes(), &limits).expect("one is readable");
        assert_eq!((outcome.records.len(), outcome.records.id(0), outcome.records.line(0)), (1, "b", 2));
        assert!(outcome.rejected[0].reason.contains("longer than 80 bytes"));
        assert_eq!(outcome.bytes_read, file.len() as u64);
    }
}
