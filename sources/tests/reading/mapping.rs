//! Mappings: what is accepted, what is refused, what is guessed.

use crate::common::mapping;
use sources::{CurrencySource, Format, Mapping, guess_mapping, peek_columns};

#[test]
fn all_mistakes_of_a_mapping_are_named_at_once() {
    let mut mapping = mapping(
        r#"
        format = "csv"
        csv.delimiter = "\""
        id = " "
        date = { column = "d", format = "%d.%m" }
        amount = { column = "" }
        currency = { fixed = "EURO" }
        fields = { id = "x", "Bad Name" = "y", good = "z" }
        "#,
    );
    let places = |mapping: &Mapping| mapping.check().into_iter().map(|error| error.at).collect::<Vec<_>>();
    assert_eq!(
        places(&mapping),
        [
            "csv.delimiter",
            "id",
            "amount.column",
            "date.format",
            "currency.fixed",
            "fields.Bad Name",
            "fields.id",
        ]
    );
    mapping.fields = (0..65).map(|i| (format!("f{i}"), "x".repeat(201))).collect();
    let errors = places(&mapping);
    assert!(errors.contains(&"fields".to_owned()) && errors.contains(&"fields.f64".to_owned()), "{errors:?}");
}

#[test]
fn unknown_keys_are_refused() {
    for bad in [
        r#"{"format":"csv","date":{"column":"d"},"amount":{"column":"a"},"currency":{"fixed":"EUR"},"filds":{}}"#,
        r#"{"format":"csv","date":{"column":"d","from":1},"amount":{"column":"a"},"currency":{"fixed":"EUR"}}"#,
        r#"{"format":"csv","date":{"column":"d"},"amount":{"column":"a"},"currency":{"fixed":"EUR","column":"c"}}"#,
        r#"{"format":"xml","date":{"column":"d"},"amount":{"column":"a"},"currency":{"fixed":"EUR"}}"#,
    ] {
        assert!(serde_json::from_str::<Mapping>(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_mapping_survives_json_and_toml() {
    let original = mapping(
        r#"
        format = "json"
        id = "i"
        date = { column = "d", format = "%Y%m%d" }
        amount = { column = "a", decimal_mark = "comma", negate = true }
        currency = { column = "c" }
        fields = { reference = "r" }
        "#,
    );
    let json = serde_json::to_string(&original).expect("as JSON");
    assert_eq!(serde_json::from_str::<Mapping>(&json).expect("from JSON"), original);
    assert_eq!(mapping(&toml::to_string(&original).expect("as TOML")), original);
}

#[test]
fn columns_and_delimiter_are_found_by_a_first_look() {
    for (bytes, format, delimiter, columns) in [
        ("\u{feff}a;b,c;d\n1;2;3\n", Format::Csv, Some(';'), vec!["a", "b,c", "d"]),
        ("\na\tb\n", Format::Csv, Some('\t'), vec!["a", "b"]),
        ("\"a,b\",c", Format::Csv, Some(','), vec!["a,b", "c"]),
        ("[{\"b\":1,\"a\":{\"x\":2}}, {\"c\":1}]", Format::Json, None, vec!["b", "a"]),
        ("{\"b\":1}\n{\"c\":1}\n", Format::Json, None, vec!["b"]),
    ] {
        let peek = peek_columns(bytes.as_bytes()).expect(bytes);
        assert_eq!((peek.format, peek.delimiter), (format, delimiter), "{bytes}");
        assert_eq!(peek.columns, columns, "{bytes}");
    }
    for bytes in ["", "[]", "[1]", "{\n}", "[{\"a\":"] {
        assert!(peek_columns(bytes.as_bytes()).is_err(), "{bytes}");
    }
}

#[test]
fn conventional_headers_need_no_mapping() {
    let file = "Transaction ID;Booking Date;Amount;CCY;Remittance text;Invoice No;Payer\n";
    let guess = guess_mapping(&peek_columns(file.as_bytes()).expect("a header")).expect("conventional names");
    assert_eq!(guess.check(), []);
    assert_eq!((guess.id.as_deref(), guess.csv.delimiter), (Some("Transaction ID"), ';'));
    assert_eq!(guess.currency, Some(CurrencySource::Column("CCY".to_owned())));
    let fields: Vec<_> =
        guess.fields.iter().map(|(field, column)| (field.as_str(), column.as_str())).collect();
    assert_eq!(
        fields,
        [("counterparty", "Payer"), ("description", "Remittance text"), ("reference", "Invoice No"),]
    );
    let guess = |header: &str| guess_mapping(&peek_columns(header.as_bytes()).expect("a header"));
    let errors = guess("amount,date,x\n").expect_err("no currency");
    let places: Vec<_> = errors.iter().map(|error| error.at.as_str()).collect();
    assert_eq!(places, ["currency.column"]);
}

#[test]
fn a_file_without_money_is_all_texts() {
    let file = "id|Last Name|http://example.org/ontology#phone_number|2nd line|Last Name|price|\n\
                7|Holm|0212-677||x|9.99|\n";
    let guess = guess_mapping(&peek_columns(file.as_bytes()).expect("a header")).expect("texts");
    assert_eq!(guess.check(), []);
    assert_eq!((guess.has_amounts(), &guess.date, &guess.currency), (false, &None, &None));
    assert_eq!(guess.id.as_deref(), Some("id"));
    let fields: Vec<_> = guess.fields.keys().map(String::as_str).collect();
    assert_eq!(
        fields,
        ["f_2nd_line", "phone_number", "price"],
        "the name is there twice: which one is meant?"
    );
    let outcome =
        crate::common::read(&guess, file.as_bytes(), &sources::ReadLimits::default()).expect("read");
    let records = &outcome.records;
    assert_eq!((records.len(), records.amount(0), records.currency(0).code()), (1, 0, "XXX"));
}

#[test]
fn money_needs_a_currency_and_texts_need_a_field() {
    let places = |text: &str| mapping(text).check().into_iter().map(|e| e.at).collect::<Vec<_>>();
    assert_eq!(places("format = \"csv\"\namount = { column = \"a\" }"), ["currency"]);
    assert_eq!(
        places("format = \"csv\"\ncurrency = { fixed = \"EUR\" }\nfields = { a = \"a\" }"),
        ["amount"]
    );
    assert_eq!(places("format = \"csv\""), ["fields"]);
    assert_eq!(places("format = \"csv\"\nfields = { a = \"a\" }"), [""; 0]);
}
