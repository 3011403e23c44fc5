//! CSV as other programs write it: encodings, lines above the header, and amounts in two cells.

use crate::common::{mapping, shown};

fn with(options: &str) -> sources::Mapping {
    mapping(&format!("format = \"csv\"\ndate.column = \"date\"\n{options}"))
}

const PLAIN: &str =
    "amount.column = \"amount\"\ncurrency = { fixed = \"EUR\" }\nfields = { text = \"text\" }\n";

fn utf_16(text: &str) -> Vec<u8> {
    std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

#[test]
fn texts_are_decoded_as_told_or_found_out() {
    let file = "date,amount,text\n2026-01-31,1.00,Sch\u{f6}ne Gr\u{fc}\u{df}e\n";
    let read = "2 2 2026-01-31 1.00 EUR [Sch\u{f6}ne Gr\u{fc}\u{df}e]";
    let (windows_1252, _, _) = encoding_rs::WINDOWS_1252.encode(file);
    for bytes in [file.as_bytes().to_vec(), windows_1252.to_vec(), utf_16(file)] {
        assert_eq!(shown(&with(PLAIN), bytes), read);
    }
    let told = with(&format!("{PLAIN}[csv]\nencoding = \"ISO-8859-1\"\n"));
    assert_eq!(shown(&told, &windows_1252), read);
    let wrong = with(&format!("{PLAIN}[csv]\nencoding = \"utf-8\"\n"));
    assert_eq!(
        shown(&wrong, &windows_1252),
        "error: all 1 lines were rejected; line 2, column \"text\": the line is not utf-8"
    );
    let japanese = with(&format!("{PLAIN}[csv]\nencoding = \"shift_jis\"\n"));
    assert_eq!(
        shown(&japanese, b"date,amount,text\n2026-01-31,1,\x93\xfa\n2026-01-31,2,\x93\n"),
        "2 2 2026-01-31 1.00 EUR [\u{65e5}]\n3! text: the line is not shift_jis"
    );
}

#[test]
fn options_that_cannot_be_are_mistakes_of_the_mapping() {
    let shown = shown(&with(&format!("{PLAIN}[csv]\nencoding = \"klingon\"\nheader_line = 0\n")), "");
    for says in ["csv.encoding: \"klingon\" is not the name of an encoding", "csv.header_line: "] {
        assert!(shown.contains(says), "{shown}");
    }
    for amount in [
        "{ debit = \"a\" }",
        "{ column = \"a\", debit = \"b\", credit = \"c\" }",
        "{ direction = \"a\" }",
        "{ column = \"a\", signed = true }",
        "{}",
    ] {
        let text = format!(
            "format = \"csv\"\ndate.column = \"d\"\ncurrency = {{ fixed = \"EUR\" }}\namount = {amount}"
        );
        assert!(toml::from_str::<sources::Mapping>(&text).is_err(), "{amount}");
    }
}

#[test]
fn a_letterhead_above_the_header_is_skipped_and_lines_keep_their_numbers() {
    let file = "Account \"1\nbalance;\"\n\ndate,amount,text\n2026-01-31,1,a\nTotal,,\n";
    assert_eq!(
        shown(&with(&format!("{PLAIN}[csv]\nheader_line = 4\n")), file),
        "5 5 2026-01-31 1.00 EUR [a]\n6! date: \"Total\" is not a date like 2026-01-31"
    );
    assert_eq!(
        shown(&with(&format!("{PLAIN}[csv]\nheader_line = 40\n")), file),
        "error: the file has no data lines"
    );
}

#[test]
fn debit_and_credit_columns_give_signed_amounts() {
    let file = "date,out,in\n2026-01-31,5.00,\n2026-01-31,,7\n2026-01-31,1,2\n2026-01-31,,\n2026-01-31,x,\n";
    assert_eq!(
        shown(&with("amount = { debit = \"out\", credit = \"in\" }\ncurrency = { fixed = \"EUR\" }"), file),
        "2 2 2026-01-31 -5.00 EUR\n3 3 2026-01-31 7.00 EUR\n4! out: a debit and a credit on the same line\n\
         5! out: neither a debit nor a credit\n6! out: \"x\" is not an amount"
    );
    let file = "date,amount,dc\n2026-01-31,5.00,D\n2026-01-31,7,Haben\n2026-01-31,1,?\n";
    assert_eq!(
        shown(
            &with("amount = { column = \"amount\", direction = \"dc\" }\ncurrency = { fixed = \"EUR\" }"),
            file
        ),
        "2 2 2026-01-31 -5.00 EUR\n3 3 2026-01-31 7.00 EUR\n4! dc: \"?\" says neither debit nor credit"
    );
    let file = "date,amount\n2026-01-31,5.00 DR\n2026-01-31,7CR\n2026-01-31,1.23457E+12\n";
    assert_eq!(
        shown(&with("amount.column = \"amount\"\ncurrency = { fixed = \"EUR\" }"), file),
        "2 2 2026-01-31 -5.00 EUR\n3 3 2026-01-31 7.00 EUR\n4! amount: \"1.23457E+12\" is written with an \
         exponent, which may have cost digits: export it as a plain number"
    );
}
