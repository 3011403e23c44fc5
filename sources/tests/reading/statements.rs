//! Bank statements, format by format: what stands in the file and what becomes of it.

use crate::common::{mapping, problems, read, shown};
use sources::ReadLimits;

#[track_caller]
fn check(mapping_text: &str, file: &str, records: &str) {
    assert_eq!(shown(&mapping(mapping_text), file), records.trim());
}

const MT940: &str =
    "format = \"mt940\"\nfields = { r = \"reference\", d = \"description\", n = \"counterparty\" }";

#[test]
fn mt940_lines_become_signed_records() {
    check(
        MT940,
        ":20:STMT\r\n:25:DE99000000001234567890\r\n:28C:7/1\r\n:60F:C260130EUR100,00\r\n\
         :61:2601310131DR12,5NTRFINV-4711//B-1\r\n:86:177?00UEBERWEISUNG?20EREF+E-1?21SVWZ+Rechnung 4711\r\n\
         ?32Muster Holz?33GmbH\r\n\
         :61:251231C0102C,NTRF\r\n\
         :61:2512310102C7,NTRFNONREF//B-1\r\n:86:/NAME/ACME LTD/REMI/ORDER 5/EREF/E-2\r\n\
         :61:260131RC1,00NRTI\r\n:86:taken back\r\n\
         :62F:C260131EUR93,50\r\n-\r\n",
        "5 DE99000000001234567890/B-1 2026-01-31 -12.50 EUR [Rechnung 4711] [Muster Holz GmbH] [INV-4711]\n\
         8! \"C,NT\" is not a transaction type like NTRF\n\
         9 DE99000000001234567890/B-1#2 2026-01-02 7.00 EUR [ORDER 5] [ACME LTD] []\n\
         11 DE99000000001234567890/7/1/260130/4 2026-01-31 -1.00 EUR [taken back] [] []",
    );
}

#[test]
fn mt940_without_a_currency_needs_one_from_the_mapping() {
    let line = ":61:110701CN50,00NZ10NONREF\n";
    check(
        "format = \"mt940\"\nfields = {}",
        line,
        "error: all 1 lines were rejected; line 1, column \"currency\": the currency is empty",
    );
    check(
        "format = \"mt940\"\nfields = {}\ncurrency = { fixed = \"EUR\" }",
        line,
        "1 1 2011-07-01 50.00 EUR",
    );
    check(
        "format = \"mt940\"\nfields = {}\ncurrency = { fixed = \"EUR\" }",
        &format!(":60F:C110630USD0,00\n{line}"),
        "error: all 1 lines were rejected; line 2, column \"currency\": the currency is USD, the mapping says EUR",
    );
}

#[test]
fn the_other_date_and_other_names_are_a_matter_of_the_mapping() {
    check(
        "format = \"mt940\"\ndate = { column = \"value_date\" }\nfields = { booked = \"booking_date\" }",
        ":60F:C260130EUR0,00\n:61:2601310202C7,00NTRFX//B-9\n",
        "2 B-9 2026-01-31 7.00 EUR [2026-02-02]",
    );
    check(
        "format = \"mt940\"\nid = \"Id\"\namount = { column = \"amount\", decimal_mark = \"comma\" }",
        "",
        "error: the mapping is not usable: amount.decimal_mark: a bank statement needs no decimal mark; \
         id: the file has no column \"Id\"; did you mean \"id\"?",
    );
}

#[test]
fn a_statement_that_does_not_add_up_is_reported() {
    let file = ":20:A\n:25:ACC\n:28C:1\n:60F:C260130EUR100,00\n:61:260131D10,00NTRFX\n:61:26013XD5,00NTRFX\n\
                :62F:C260131EUR85,00\n";
    assert_eq!(
        problems(&mapping(MT940), file),
        "statement 1 of ACC does not add up: it opens with 100.00, its 1 transactions sum to -10.00 and 1 were \
         rejected, it closes with 85.00: a difference of -5.00 EUR"
    );
    let outcome = read(&mapping(MT940), file.as_bytes(), &ReadLimits::default()).expect("one record");
    let [warning] = outcome.warnings().try_into().expect("one warning");
    assert_eq!((warning.line, warning.excerpt.as_str()), (1, "ACC 1"));
    let empty = ":60F:C260130EUR100,00\n:62F:D260131EUR1,00\n";
    assert!(problems(&mapping(MT940), empty).contains("a difference of -101.00 EUR"));
    assert!(shown(&mapping(MT940), empty).contains("1 statements without a transaction"));
}

fn camt(entries: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.08\"><BkToCstmrStmt>\
         <Stmt><Id>S1</Id><Acct><Id><IBAN>DE99</IBAN></Id><Ccy>EUR</Ccy></Acct>\
         <Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy=\"EUR\">10</Amt><CdtDbtInd>DBIT</CdtDbtInd></Bal>\
         <Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy=\"EUR\">20</Amt><CdtDbtInd>CRDT</CdtDbtInd></Bal>\
         {entries}</Stmt></BkToCstmrStmt></Document>"
    )
}

fn entry(amount: &str, status: &str, details: &[&str]) -> String {
    let details: String = details.iter().map(|detail| format!("<TxDtls>{detail}</TxDtls>")).collect();
    format!(
        "<Ntry><Amt Ccy=\"EUR\">{amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>{status}</Sts>\
         <BookgDt><Dt>2026-01-31</Dt></BookgDt><AcctSvcrRef>B7</AcctSvcrRef>\
         <NtryDtls>{details}</NtryDtls><AddtlNtryInf>credit &amp; more</AddtlNtryInf></Ntry>"
    )
}

const CAMT: &str = "format = \"camt\"\nfields = { b = \"batch\", d = \"description\", e = \"end_to_end_id\", n = \"counterparty\" }";

#[test]
fn an_entry_becomes_its_transactions_when_they_explain_it() {
    let first = "<Refs><EndToEndId>E1</EndToEndId></Refs><Amt Ccy=\"EUR\">10.50</Amt>\
                 <RltdPties><Dbtr><Pty><Nm>Ann</Nm></Pty></Dbtr></RltdPties><RmtInf><Ustrd>one</Ustrd></RmtInf>";
    let second = "<Refs><EndToEndId>NOTPROVIDED</EndToEndId></Refs>\
                  <AmtDtls><TxAmt><Amt Ccy=\"EUR\">19.5</Amt></TxAmt></AmtDtls>";
    check(
        CAMT,
        &camt(&entry("30.00", "<Cd>BOOK</Cd>", &[first, second])),
        "1 DE99/B7/1 2026-01-31 10.50 EUR [B7] [one] [E1] [Ann]\n\
         2 DE99/B7/2 2026-01-31 19.50 EUR [B7] [credit & more] [] []",
    );
    assert_eq!(problems(&mapping(CAMT), camt(&entry("30.00", "BOOK", &[first, second]))), "");
    // A cent is missing: the entry stays whole.
    check(
        CAMT,
        &camt(&entry("30.01", "BOOK", &[first, second])),
        "1 DE99/B7 2026-01-31 30.01 EUR [] [credit & more one] [] []",
    );
    check(
        CAMT,
        &camt(&entry("30.00", "BOOK", &[first])),
        "1 DE99/B7 2026-01-31 30.00 EUR [] [one] [E1] [Ann]",
    );
    check(
        CAMT,
        &camt(&(entry("30.00", "PDNG", &[]) + &entry("30.00", "BOOK", &[]))),
        "1! the entry is not booked, its status is PDNG\n2 DE99/B7 2026-01-31 30.00 EUR [] [credit & more] [] []",
    );
}

#[test]
fn a_camt_file_is_strict_xml_without_declarations() {
    let good = camt(&entry("1", "BOOK", &[]));
    for (bad, says) in [
        (good.replace("<Document", "<!DOCTYPE x [<!ENTITY a \"b\">]><Document"), "document type declaration"),
        (good.replace("&amp;", "&secret;"), "the entity &secret; is not accepted"),
        (good[..good.len() - 20].to_owned(), "the file is broken at byte"),
        (good.replace("</Ntry>", "</Entry>"), "the file is broken at byte"),
        (good.replace("BkToCstmrStmt", "CstmrCdtTrfInitn"), "not a camt statement"),
        ("<html></html>".to_owned(), "not a camt statement"),
        (format!("<Document><BkToCstmrStmt>{}", "<a>".repeat(5_000)), "nested too deep"),
        (format!("<Document><BkToCstmrStmt><a>{}", "x".repeat(3 << 20)), "too long"),
    ] {
        let shown = shown(&mapping("format = \"camt\""), &bad);
        assert!(shown.starts_with("error: ") && shown.contains(says), "{says}: {shown}");
    }
}

const OFX: &str =
    "format = \"ofx\"\nfields = { c = \"counterparty\", d = \"description\", v = \"transaction_code\" }";

#[test]
fn ofx_is_read_with_and_without_end_tags() {
    let sgml = "OFXHEADER:100\nDATA:OFXSGML\n\n<OFX><BANKMSGSRSV1><STMTTRNRS><STMTRS><CURDEF>USD\n\
        <BANKACCTFROM><BANKID>1<ACCTID>99</BANKACCTFROM><BANKTRANLIST>\n\
        <STMTTRN><TRNTYPE>DEBIT<DTPOSTED>20260131120000[-5:EST]<TRNAMT>-1234,50<FITID>F1<NAME>AT&T &amp; Co</STMTTRN>\n\
        <STMTTRN><TRNTYPE>CREDIT<DTPOSTED>20260230<TRNAMT>1<FITID>F2<NAME>x</STMTTRN>\n\
        <STMTTRN><TRNTYPE>CREDIT<DTPOSTED>20260131<TRNAMT>5.<FITID>F1<NAME>x<MEMO>y\n\
        <CURRENCY><CURRATE>1.1<CURSYM>EUR</CURRENCY></STMTTRN>\n\
        </BANKTRANLIST><LEDGERBAL><BALAMT>7</LEDGERBAL></STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>";
    let records = "1 99/F1 2026-01-31 -1234.50 USD [AT&T & Co] [AT&T & Co] [DEBIT]\n\
                   2! booking_date: \"20260230\" is not a date like 2026-01-31\n\
                   3 99/F1#2 2026-01-31 5.00 EUR [x] [y] [CREDIT]";
    check(OFX, sgml, records);
    let cut = &sgml[..sgml.len() - 80];
    assert!(shown(&mapping(OFX), cut).contains("broken at byte"), "{}", shown(&mapping(OFX), cut));
    check(
        OFX,
        "<?xml version=\"1.0\"?><?OFX OFXHEADER=\"200\"?><OFX><CCSTMTRS><CURDEF>JPY</CURDEF>\
         <CCACCTFROM><ACCTID>4</ACCTID></CCACCTFROM><BANKTRANLIST><!-- a > b -->\
         <STMTTRN><DTPOSTED>20260131</DTPOSTED><TRNAMT>-500</TRNAMT><NAME><![CDATA[A > B]]></NAME><MEMO/></STMTTRN>\
         </BANKTRANLIST></CCSTMTRS></OFX>",
        "1 4/1 2026-01-31 -500 JPY [A > B] [A > B] []",
    );
    for bad in ["<OFX><!DOCTYPE a></OFX>", "a,b\n1,2\n", "<OFX", "<OFX><STMTTRN>"] {
        assert!(shown(&mapping(OFX), bad).starts_with("error: "), "{bad}");
    }
}

const BAI2: &str =
    "format = \"bai2\"\nfields = { d = \"description\", r = \"reference\", v = \"value_date\" }";

#[test]
fn bai2_amounts_are_minor_units_and_totals_are_checked() {
    let file = "01,BANK,US,260131,0600,1,,,2/\n02,US,BANK,1,260131,,USD,2/\n\
        03,ACC,,010,10000,,/\n88,015,12345,,/\n\
        16,165,2500,V,260202,,BR1,INV-7,PAYMENT, FIRST/\n16,475,155,S,1,2,3,BR2,,CHECK\n88,NUMBER 5\n\
        16,890,1,,,,OWN/\n49,25001,6/\n98,25001,1,8/\n99,25001,1,10/\n";
    check(
        BAI2,
        file,
        "5 ACC/BR1 2026-01-31 25.00 USD [PAYMENT, FIRST] [INV-7] [2026-02-02]\n\
         6 ACC/BR2 2026-01-31 -1.55 USD [CHECK NUMBER 5] [] []\n\
         8! transaction_code: the type code \"890\" is neither a credit nor a debit",
    );
    assert_eq!(
        problems(&mapping(BAI2), file),
        "statement 2026-01-31 of ACC: its control total is \"25001\" in the trailer of line 9, but its amounts sum to 25000"
    );
    assert!(shown(&mapping(BAI2), &file[..file.len() - 20]).contains("without its trailer"));
    assert!(shown(&mapping(BAI2), "16,165,2500").contains("does not begin with a record 01"));
}

#[test]
fn a_bare_format_is_a_whole_mapping_that_survives_writing() {
    for format in ["mt940", "camt", "ofx", "bai2"] {
        let bare = mapping(&format!("format = {format:?}"));
        assert_eq!(bare.check(), vec![], "{format}");
        assert_eq!(bare, sources::Mapping::of_statement(bare.format));
        let json = serde_json::to_string(&bare).expect("JSON");
        assert_eq!(serde_json::from_str::<sources::Mapping>(&json).expect("a mapping"), bare);
    }
    // Of other formats it is a mapping with mistakes: nothing is said about what to compare.
    let places: Vec<String> = mapping("format = \"csv\"").check().into_iter().map(|error| error.at).collect();
    assert_eq!(places, ["fields"]);
}
