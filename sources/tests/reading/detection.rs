//! What a file seems to be, by its names and its values: realistic beginnings and the mapping proposed.

use crate::common::read;
use matching::Confidence;
use sources::{
    AmountCells, CurrencySource, Format, Mapping, ReadLimits, Told, detect, guess_mapping, peek_columns_as,
};
use std::path::Path;

/// A mapping on one line: `id date[format] amount currency | field=column …`.
fn shown(mapping: &Mapping) -> String {
    let amount_column = mapping.amount.as_ref().expect("an amount");
    let amount = match &amount_column.cells {
        AmountCells::Signed { column } => column.clone(),
        AmountCells::Directed { column, direction } => format!("{column}({direction})"),
        AmountCells::Split { debit, credit, signed: false } => format!("{credit}-{debit}"),
        AmountCells::Split { debit, credit, signed: true } => format!("{credit}+{debit}"),
    };
    let currency = match &mapping.currency {
        Some(CurrencySource::Column(column)) => column.clone(),
        Some(CurrencySource::Fixed(code)) => format!("={code}"),
        None => "-".to_owned(),
    };
    let date_column = mapping.date.as_ref().expect("a date");
    let date = date_column.format.as_ref().map_or(String::new(), |format| format!("[{format}]"));
    let fields: String = mapping.fields.iter().map(|(field, column)| format!(" {field}={column}")).collect();
    format!(
        "{} {}{date} {amount}{} {currency} |{fields}",
        mapping.id.as_deref().unwrap_or("-"),
        date_column.column,
        if amount_column.decimal_mark == matching::DecimalMark::Comma { "[,]" } else { "" },
    )
}

#[track_caller]
fn check(file: &[u8], proposed: &str) {
    let detection = detect(file).expect("a file");
    let mapping = guess_mapping(&detection).unwrap_or_else(|errors| panic!("{errors:?} in {detection:#?}"));
    assert_eq!(mapping.check(), []);
    assert_eq!(shown(&mapping), proposed, "{detection:#?}");
    let outcome = read(&mapping, file, &ReadLimits::default()).expect("readable as proposed");
    assert_eq!(outcome.rejected, [], "every line of these files is good");
}

#[test]
fn bank_exports_of_several_countries_are_understood() {
    for (file, proposed) in [
        (
            "Buchungstag;Valuta;Auftraggeber/Empfänger;Verwendungszweck;Betrag (EUR)\n\
             31.01.2026;02.02.2026;Müller GmbH;Rechnung 4711;-1.234,50\n\
             01.02.2026;02.02.2026;Weber AG;RE 77;12,00\n",
            "- Buchungstag[%d.%m.%Y] Betrag (EUR)[,] =EUR | counterparty=Auftraggeber/Empfänger \
             description=Verwendungszweck value_date=Valuta",
        ),
        (
            "Kontonummer;DE12 3456\nZeitraum;01.01.2026 - 31.01.2026\n\n\
             Buchungsdatum;Buchungstext;Soll;Haben;Währung\n\
             31.01.2026;Miete;800,00;;EUR\n30.01.2026;Gehalt;;2.500,00;EUR\n29.01.2026;Strom;45,10;;EUR\n",
            "- Buchungsdatum[%d.%m.%Y] Haben-Soll[,] Währung | description=Buchungstext",
        ),
        (
            "Date opération;Libellé;Débit;Crédit;Devise\n\
             13/01/2026;LOYER;-800,00;;EUR\n14/01/2026;SALAIRE;;2500,00;EUR\n",
            "- Date opération[%d/%m/%Y] Crédit+Débit[,] Devise | description=Libellé",
        ),
        (
            "Datum,Naam / Omschrijving,Rekening,Tegenrekening,Af Bij,Bedrag (EUR),Mededelingen\n\
             20260131,Jansen,NL01,NL02,Af,\"12,50\",factuur 1\n20260201,De Vries,NL01,NL03,Bij,\"7,00\",huur\n",
            "- Datum[%Y%m%d] Bedrag (EUR)(Af Bij)[,] =EUR | counterparty=Naam / Omschrijving \
             counterparty_account=Tegenrekening \
             description=Mededelingen",
        ),
        (
            "Transaction ID\tPosted\tAmount\tCCY\tMemo\n\
             T1\t01/31/2026\t$1,200.00\tUSD\tdeposit\nT2\t02/01/2026\t-$3.50\tUSD\tfee\n",
            "Transaction ID Posted[%m/%d/%Y] Amount CCY | description=Memo",
        ),
        (
            "Fecha;Concepto;Importe;Saldo;Divisa\n31-01-2026;NOMINA;2.500,00;3.000,00;EUR\n\
             30-01-2026;ALQUILER;-800,00;500,00;EUR\n",
            "- Fecha[%d-%m-%Y] Importe[,] Divisa | description=Concepto",
        ),
        (
            "Bokföringsdag;Valutadag;Text;Belopp;Saldo;Valuta\n\
             2026-01-30;2026-01-31;Hyra;-8 000,00;10,00;SEK\n2026-02-01;2026-02-01;Lön;25 000,00;25 010,00;SEK\n",
            "- Bokföringsdag Belopp[,] Valuta | description=Text value_date=Valutadag",
        ),
        (
            "Data operacji;Opis operacji;Kwota;Waluta\n2026-01-31;PRZELEW;-12,00;PLN\n2026-02-01;WPLATA;5,50;PLN\n",
            "- Data operacji Kwota[,] Waluta | description=Opis operacji",
        ),
        (
            "entry_id,date,amount,currency,invoice_no\nG1,31-Jan-2026,1.00,EUR,I1\nG2,01-Feb-2026,2.00,EUR,I2\n",
            "entry_id date[%d-%b-%Y] amount currency | reference=invoice_no",
        ),
        (
            "[{\"order_id\": \"a\", \"gross_amount\": 1.5, \"created_at\": \"2026-01-31T10:00:00Z\", \"currency\": \"EUR\"}]",
            "order_id created_at gross_amount currency |",
        ),
    ] {
        check(file.as_bytes(), proposed);
        let (windows_1252, _, unmappable) = encoding_rs::WINDOWS_1252.encode(file);
        if !unmappable && !file.is_ascii() {
            check(&windows_1252, proposed);
            assert_eq!(detect(&windows_1252).expect("a file").encoding.expect("CSV").name, "windows-1252");
        }
    }
}

#[test]
fn the_order_of_day_and_month_is_decided_by_values_or_said_to_be_unclear() {
    let file = |dates: &[&str]| {
        let lines: String = dates.iter().map(|date| format!("{date},1.00,EUR\n")).collect();
        format!("date,amount,currency\n{lines}")
    };
    let look = |dates: &[&str]| {
        let detection = detect(file(dates).as_bytes()).expect("a file");
        let column = detection.proposals[0].clone();
        let formats: Vec<_> = column.date_formats.iter().filter_map(|guess| guess.format).collect();
        (formats, column.date_order_unclear)
    };
    assert_eq!(look(&["13/02/2026", "01/02/2026"]), (vec!["%d/%m/%Y"], false));
    assert_eq!(look(&["02/13/2026", "01/02/2026"]), (vec!["%m/%d/%Y"], false));
    // All in one month, or one day of every month: sorted dates tell.
    assert_eq!(
        look(&["01/02/2026", "02/02/2026", "03/02/2026", "05/02/2026", "07/02/2026"]),
        (vec!["%d/%m/%Y", "%m/%d/%Y"], false)
    );
    assert_eq!(
        look(&["02/01/2026", "02/02/2026", "02/03/2026", "02/05/2026", "02/07/2026"]),
        (vec!["%m/%d/%Y", "%d/%m/%Y"], false)
    );
    let (formats, unclear) = look(&["01/02/2026"]);
    assert_eq!((formats.len(), unclear), (2, true));
}

#[test]
fn the_decimal_mark_has_a_confidence() {
    let look = |amounts: &[&str]| {
        let lines: String = amounts.iter().map(|amount| format!("2026-01-31;{amount};EUR\n")).collect();
        let detection = detect(format!("date;amount;currency\n{lines}").as_bytes()).expect("a file");
        let guess = detection.decimal_mark.expect("amounts");
        (guess.mark, guess.confidence.as_f64())
    };
    assert_eq!(look(&["1.234,50", "7,00"]), (matching::DecimalMark::Comma, 0.99));
    assert_eq!(look(&["1,234.50", "7.00"]), (matching::DecimalMark::Point, 0.99));
    assert_eq!(look(&["100", "7"]), (matching::DecimalMark::Point, 0.5));
}

#[test]
fn formats_are_told_apart_by_their_beginning() {
    for (file, format) in [
        ("OFXHEADER:100\n\n<OFX>", Format::Ofx),
        ("<?xml version=\"1.0\"?>\n<?OFX OFXHEADER=\"200\"?><OFX>", Format::Ofx),
        ("<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.02\"><BkToCstmrStmt>", Format::Camt),
        ("ABNANL2A\n940\n:20:X\n:25:1\n", Format::Mt940),
        ("{1:F01BANK}{2:O940}{4:\n:20:X\n", Format::Mt940),
        ("01,A,B,260131,,1,,,2/\n02,A,B,1,260131,,USD,2/\n", Format::Bai2),
        ("01,02\n03,04\n", Format::Csv),
        ("{\"a\": 1}\n", Format::Json),
    ] {
        let detection = detect(file.as_bytes()).expect(file);
        assert_eq!(detection.format, format, "{file}");
    }
}

#[test]
fn plain_names_over_wrong_values_are_proposed_with_little_confidence() {
    let detection = detect(b"id,date,amount,currency\n1,2,x,4\n").expect("a file");
    let mapping = guess_mapping(&detection).expect("plain names");
    assert_eq!(shown(&mapping), "id date amount currency |");
    let low = detection.proposals.iter().filter(|proposal| proposal.confidence.as_f64() < 0.4).count();
    assert_eq!(low, 3, "{detection:?}");
}

#[test]
fn a_good_name_bears_some_bad_lines() {
    let file = "Datum;Betrag;Waehrung\n31.01.2026;1,50;EUR\n30.01.2026;?;EUR\n29.01.2026;2,00;\n";
    let mapping = guess_mapping(&detect(file.as_bytes()).expect("a file")).expect("good names");
    assert_eq!(shown(&mapping), "- Datum[%d.%m.%Y] Betrag[,] Waehrung |");
}

#[test]
fn what_a_person_says_is_believed() {
    let file = "one;two|three\nid;a|b\n1;x|\u{e4}\n".as_bytes();
    let as_told = |told: Told| peek_columns_as(file, &told);
    let bars = Told { delimiter: Some('|'), header_line: Some(2), ..Told::default() };
    let detection = as_told(bars).expect("a file");
    assert_eq!(detection.columns, ["id;a", "b"]);
    assert_eq!((detection.delimiter, detection.header_line), (Some('|'), Some(2)));
    assert_eq!(
        (detection.delimiter_confidence, detection.header_confidence),
        (Confidence::ONE, Confidence::ONE)
    );
    let latin = Told { encoding: Some("windows-1252".into()), delimiter: Some('|'), ..Told::default() };
    let detection = as_told(latin).expect("a file");
    assert_eq!(detection.encoding.expect("CSV").name, "windows-1252");
    assert_eq!(detection.proposals[1].examples, ["b", "\u{c3}\u{a4}"]);
    for (told, says) in [
        (Told { header_line: Some(9), ..Told::default() }, "line 9 has no names of columns"),
        (Told { encoding: Some("klingon".into()), ..Told::default() }, "there is no encoding \"klingon\""),
    ] {
        assert_eq!(as_told(told).unwrap_err().to_string(), says);
    }
    assert_eq!(as_told(Told::default()).expect("a file"), detect(file).expect("a file"));
}

#[test]
fn an_id_that_comes_again_is_named() {
    let says = |file: &str| {
        let doubts = detect(file.as_bytes()).expect("a file").doubts();
        doubts.into_iter().find(|doubt| doubt.at == "id").map(|doubt| doubt.says)
    };
    let rest = "date,amount,currency\n";
    let twice = says(&format!("id,{rest}7,2026-01-31,1,EUR\n8,2026-01-31,2,EUR\n7,2026-01-31,3,EUR\n"));
    assert!(twice.expect("a doubt").starts_with("the column \"id\" has \"7\" more than once"));
    assert_eq!(says(&format!("id,{rest}7,2026-01-31,1,EUR\n8,2026-01-31,2,EUR\n")), None);
    assert!(
        says("date,amount,currency\n2026-01-31,1,EUR\n")
            .expect("a doubt")
            .starts_with("no column looks like")
    );
}

#[test]
fn a_header_below_a_letterhead_is_found() {
    let file = "Bank of Somewhere\nAccount: 123, period: January\n\ndate,amount,currency\n2026-01-31,1,EUR\n";
    let detection = detect(file.as_bytes()).expect("a file");
    assert_eq!((detection.header_line, detection.columns.len()), (Some(4), 3));
    check(file.as_bytes(), "- date amount currency |");
    let bare = detect(b"2026-01-31,1.00,EUR\n2026-02-01,2.00,EUR\n").expect("a file");
    assert!(bare.header_confidence.as_f64() < 0.5, "there are no names");
}

/// The maps that the authors of these files suggest, where their amount is not a matter of the rule.
#[test]
fn example_files_are_proposed_as_their_authors_suggest() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/lerian_examples");
    if !folder.is_dir() {
        println!("skipped: ../shared/data/lerian_examples is not beside this checkout");
        return;
    }
    for (file, id, date, amount, description) in [
        (
            "context-01-card-acquirer-settlement/data/ledger-midaz.csv",
            "ledger_tx_id",
            "occurred_at",
            "amount",
            "description",
        ),
        (
            "context-01-card-acquirer-settlement/data/acquirer-settlement.json",
            "acquirer_tx_id",
            "settlement_date",
            "gross_amount",
            "",
        ),
        (
            "context-01-card-acquirer-settlement/data/chargebacks.csv",
            "chargeback_id",
            "occurred_at",
            "amount",
            "reason_code",
        ),
        (
            "context-02-bank-statement-vs-ledger/data/midaz-ledger-export.json",
            "ledger_entry_id",
            "posted_at",
            "amount",
            "description",
        ),
        (
            "context-02-bank-statement-vs-ledger/data/bank-statement.csv",
            "bank_entry_id",
            "booking_date",
            "amount",
            "description",
        ),
        (
            "context-02-bank-statement-vs-ledger/data/bank-adjustments.csv",
            "adjustment_id",
            "adjustment_date",
            "amount",
            "reason",
        ),
        (
            "context-03-marketplace-payouts/data/orders.csv",
            "order_id",
            "order_date",
            "gross_amount",
            "status",
        ),
        (
            "context-03-marketplace-payouts/data/gateway-transactions.json",
            "gateway_tx_id",
            "captured_at",
            "gross_amount",
            "status",
        ),
        ("context-03-marketplace-payouts/data/refunds.csv", "refund_id", "refunded_at", "amount", "reason"),
        ("context-03-marketplace-payouts/data/seller-payouts.csv", "payout_id", "payout_date", "amount", ""),
    ] {
        let bytes = std::fs::read(folder.join(file)).expect(file);
        let mapping = guess_mapping(&detect(&bytes).expect(file)).unwrap_or_else(|e| panic!("{file}: {e:?}"));
        let amount_column = mapping
            .amount
            .iter()
            .flat_map(sources::AmountColumn::columns)
            .next()
            .map(|(_, column)| column.to_owned());
        assert_eq!(mapping.id.as_deref(), Some(id), "{file}");
        assert_eq!(mapping.date.as_ref().map(|date| date.column.as_str()), Some(date), "{file}");
        assert_eq!(amount_column.as_deref(), Some(amount), "{file}");
        assert_eq!(mapping.currency, Some(CurrencySource::Column("currency".to_owned())), "{file}");
        assert_eq!(mapping.fields.get("description").map_or("", String::as_str), description, "{file}");
        let outcome = read(&mapping, &bytes, &ReadLimits::default()).expect(file);
        assert_eq!((outcome.records.len(), outcome.rejected.len()), (1_000, 0), "{file}");
    }
    let fees = std::fs::read(folder.join("context-01-card-acquirer-settlement/data/acquirer-fees.csv"));
    let errors = guess_mapping(&detect(&fees.expect("a file")).expect("CSV")).expect_err("has no currency");
    assert!(errors.iter().any(|error| error.at == "currency.column"), "{errors:?}");
}

#[test]
fn a_short_statement_with_totals_below_is_one() {
    let file = "Datum;Betrag;Verwendungszweck;Waehrung\n\
                01.02.2026;1.234,50;Rechnung 1001;EUR\n03.02.2026;-50,00;Rechnung 1002;EUR\n\
                04.02.2026;12,00;Rechnung 1003;EUR\nSumme;1.196,50;;\nSaldo alt;0,00;;\n";
    let mapping = guess_mapping(&detect(file.as_bytes()).expect("a file")).expect("a mapping");
    assert_eq!(shown(&mapping), "- Datum[%d.%m.%Y] Betrag[,] Waehrung | description=Verwendungszweck");
    let outcome = read(&mapping, file.as_bytes(), &ReadLimits::default()).expect("readable as proposed");
    assert_eq!(outcome.records.len(), 3);
    assert_eq!(outcome.rejected.iter().map(|line| line.line).collect::<Vec<_>>(), [5, 6]);
}

#[test]
fn a_program_is_no_table() {
    let program: Vec<u8> = (0..4_000u32).flat_map(|i| [b'a', 0, 3, (i * i % 256) as u8, b',']).collect();
    let refused = detect(&program).expect_err("no table").to_string();
    assert!(refused.contains("no table"), "{refused}");
}

#[test]
fn columns_that_may_identify_something_elsewhere_are_kept_on_request() {
    let file = "gateway_tx_id,payment_id,seller_id,amount,currency,captured_at,fee\n\
                G-1,PAY-17,S-1,10.00,EUR,2026-02-01,0.10\nG-2,PAY-18,S-1,11.00,EUR,2026-02-01,0.11\n\
                G-3,PAY-19,S-1,12.00,EUR,2026-02-02,0.12\n";
    let detection = detect(file.as_bytes()).expect("a file");
    let mut mapping = guess_mapping(&detection).expect("a mapping");
    assert_eq!(mapping.fields.len(), 0);
    sources::keep_key_columns(&mut mapping, &detection);
    assert_eq!(mapping.fields.keys().collect::<Vec<_>>(), ["payment_id"]);
    assert_eq!(mapping.check(), []);
}
