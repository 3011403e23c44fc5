//! Files of every format, damaged at random: reading ends without panic, and every line is accounted for.

use crate::common::{cases, mapping, read};
use crate::tables::{parquet, workbook};
use parquet::basic::Compression;
use proptest::prelude::*;
use sources::{Format, Mapping, ReadError, ReadLimits, detect, guess_mapping};
use std::sync::LazyLock;

const MT940: &str = ":20:STMT\r\n:25:DE99\r\n:28C:7/1\r\n:60F:C260130EUR100,00\r\n\
    :61:2601310131DR12,5NTRFINV-4711//B-1\r\n:86:177?00UEBERWEISUNG?20EREF+E-1?21SVWZ+Re 4711?32M\u{fc}ller?33GmbH\r\n\
    :61:2512310102C7,NTRFNONREF//B-1\r\n:86:/NAME/ACME LTD/REMI/ORDER 5/EREF/E-2\r\n:62F:C260131EUR94,50\r\n-\r\n";

const CAMT: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Document xmlns=\"urn:x:camt.053.001.08\"><BkToCstmrStmt>\
    <Stmt><Id>S</Id><Acct><Id><IBAN>DE99</IBAN></Id><Ccy>EUR</Ccy></Acct><Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp>\
    <Amt Ccy=\"EUR\">10</Amt><CdtDbtInd>DBIT</CdtDbtInd></Bal><Ntry><Amt Ccy=\"EUR\">30.00</Amt><CdtDbtInd>CRDT</CdtDbtInd>\
    <Sts>BOOK</Sts><BookgDt><Dt>2026-01-31</Dt></BookgDt><AcctSvcrRef>B7</AcctSvcrRef><NtryDtls><TxDtls><Amt Ccy=\"EUR\">\
    10</Amt></TxDtls><TxDtls><Amt Ccy=\"EUR\">20</Amt><RmtInf><Ustrd>a &amp; b &#x41;</Ustrd></RmtInf></TxDtls></NtryDtls>\
    </Ntry></Stmt></BkToCstmrStmt></Document>";

const OFX: &str = "OFXHEADER:100\n\n<OFX><STMTRS><CURDEF>USD<BANKACCTFROM><ACCTID>99</BANKACCTFROM><BANKTRANLIST>\
    <STMTTRN><TRNTYPE>DEBIT<DTPOSTED>20260131120000[-5:EST]<TRNAMT>-1234,50<FITID>F1<NAME>AT&T &amp; &#65;</STMTTRN>\
    <BUYMF><INVTRAN><FITID>1</INVTRAN></BUYMF><!-- c --><STMTTRN><DTPOSTED>20260131<TRNAMT>1<NAME><![CDATA[x]]></STMTTRN>\
    </BANKTRANLIST><LEDGERBAL><BALAMT>7</LEDGERBAL></STMTRS></OFX>";

const BAI2: &str = "01,BANK,US,260131,0600,1,,,2/\n02,US,BANK,1,260131,,USD,2/\n03,ACC,,010,10000,,/\n88,015,12345,,/\n\
    16,165,2500,V,260202,,BR1,INV-7,PAYMENT, FIRST/\n16,475,155,D,2,0,1,1,2,BR2,,CHECK\n88,NUMBER 5\n\
    49,25000,6/\n98,25000,1,8/\n99,25000,1,10/\n";

/// Whole files with a mapping that reads them.
static FILES: LazyLock<Vec<(Mapping, Vec<u8>)>> = LazyLock::new(|| {
    let statement = |format: Format, text: &str| (Mapping::of_statement(format), text.as_bytes().to_vec());
    let table = |toml: &str, bytes: Vec<u8>| (mapping(toml), bytes);
    let excel = "format = \"excel\"\nid = \"Id\"\ndate.column = \"Booked\"\namount.column = \"Amount\"\n\
                 currency = { fixed = \"EUR\" }\nexcel.header_row = 3";
    let columns = "format = \"parquet\"\nid = \"id\"\ndate.column = \"at\"\namount.column = \"amount\"\n\
                   currency = { fixed = \"EUR\" }\nfields = { text = \"text\", day = \"day\" }";
    vec![
        statement(Format::Mt940, MT940),
        statement(Format::Camt, CAMT),
        statement(Format::Ofx, OFX),
        statement(Format::Bai2, BAI2),
        table(excel, workbook()),
        table(columns, parquet(Compression::SNAPPY)),
    ]
});

#[derive(Debug, Clone)]
enum Damage {
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Drop(prop::sample::Index, usize),
    Double(prop::sample::Index, usize),
    Insert(prop::sample::Index, Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        4 => (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Flip(at, byte)),
        1 => at().prop_map(Damage::Cut),
        2 => (at(), 1usize..60).prop_map(|(at, length)| Damage::Drop(at, length)),
        2 => (at(), 1usize..200).prop_map(|(at, length)| Damage::Double(at, length)),
        2 => (at(), prop::sample::select(vec![
            "<", ">", "&", "\"", "<!DOCTYPE a>", "</Stmt>", "<Ntry>", "\n:61:", "\n:60F:", "?20", "//", ",", "/", "\n88,",
            "\n16,", "\n49,", "-", "\u{fc}", "99999999999999999999", "[", "]]>", "<![CDATA[", "é", "€",
        ])).prop_map(|(at, text)| Damage::Insert(at, text.as_bytes().to_vec())),
    ]
}

fn damaged(mut bytes: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        let length = bytes.len();
        if length == 0 {
            break;
        }
        match damage {
            Damage::Flip(at, byte) => bytes[at.index(length)] = *byte,
            Damage::Cut(at) => bytes.truncate(at.index(length)),
            Damage::Drop(at, count) => {
                let at = at.index(length);
                bytes.drain(at..(at + count).min(length));
            }
            Damage::Double(at, count) => {
                let at = at.index(length);
                let piece = bytes[at..(at + count).min(length)].to_vec();
                bytes.splice(at..at, piece);
            }
            Damage::Insert(at, piece) => {
                let at = at.index(length);
                bytes.splice(at..at, piece.iter().copied());
            }
        }
    }
    bytes
}

/// Whatever the file: an error, or an account of every line and sums that hold.
fn check(mapping: &Mapping, bytes: &[u8]) -> Result<(), TestCaseError> {
    let limits = ReadLimits { line_bytes_max: 4_000, ..ReadLimits::default() };
    let controls = match read(mapping, bytes, &limits) {
        Ok(outcome) => {
            let records = &outcome.records;
            prop_assert_eq!(records.len() + outcome.rejected.len(), outcome.lines_read as usize);
            prop_assert!(!records.is_empty());
            prop_assert!(outcome.rejected.iter().all(|line| line.excerpt.chars().count() <= 200));
            if mapping.format.is_statement() {
                let kept: u64 = outcome.controls.iter().map(|control| control.kept).sum();
                let rejected: u64 = outcome.controls.iter().map(|control| control.rejected).sum();
                prop_assert_eq!((kept, rejected), (records.len() as u64, outcome.rejected.len() as u64));
                let ids: std::collections::HashSet<_> = records.rows().map(|row| records.id(row)).collect();
                prop_assert_eq!(ids.len(), records.len());
            }
            outcome.controls
        }
        Err(ReadError::NoTransactions { controls }) => controls,
        Err(ReadError::InvalidMapping(_) | ReadError::Io(_)) => {
            return Err(TestCaseError::fail("the file is to blame, not the mapping or the disk"));
        }
        Err(_) => vec![],
    };
    for control in controls {
        if let (Some(opening), Some(closing), Some(difference)) =
            (control.opening, control.closing, control.difference)
        {
            prop_assert_eq!(i128::from(opening) + control.sum + difference, i128::from(closing));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(3_000))]

    #[test]
    fn damaged_files_end_without_panic(
        file in 0usize..6, damages in prop::collection::vec(damage(), 0..6), other in 0usize..6,
    ) {
        let (mapping, whole) = &FILES[file];
        let bytes = damaged(whole.clone(), &damages);
        check(mapping, &bytes)?;
        // The wrong mapping for the file, too.
        check(&FILES[other].0, &bytes)?;
    }

    #[test]
    fn detection_ends_without_panic_and_what_it_proposes_is_usable(
        file in 0usize..6, damages in prop::collection::vec(damage(), 0..6),
        noise in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        for bytes in [damaged(FILES[file].1.clone(), &damages), noise] {
            if let Ok(detection) = detect(&bytes) {
                prop_assert_eq!(detect(&bytes).ok(), Some(detection.clone()), "the same every time");
                if let Ok(mapping) = guess_mapping(&detection) {
                    prop_assert_eq!(mapping.check(), vec![]);
                }
            }
        }
    }
}
