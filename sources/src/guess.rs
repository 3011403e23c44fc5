//! A mapping from column names alone, for files with conventional headers.

use crate::{AmountColumn, CsvOptions, CurrencySource, DateColumn, Mapping, MappingError, Peek};

/// Names in lower case without anything that is no letter or digit; earlier ones win.
const ID: &[&str] = &["id", "entryid", "transactionid", "txid", "recordid", "lineid", "externalid", "uid"];
const DATE: &[&str] = &[
    "date",
    "bookingdate",
    "bookedon",
    "bookedat",
    "booked",
    "postingdate",
    "posteddate",
    "postedon",
    "postedat",
    "transactiondate",
    "valuedate",
    "settlementdate",
    "entrydate",
    "invoicedate",
    "occurredat",
    "createdat",
];
const AMOUNT: &[&str] =
    &["amount", "amt", "value", "sum", "total", "grossamount", "netamount", "totalamount"];
const CURRENCY: &[&str] = &["currency", "ccy", "curr", "currencycode", "cur"];
const FIELDS: [(&str, &[&str]); 4] = [
    (
        "reference",
        &[
            "reference",
            "ref",
            "invoice",
            "invoiceno",
            "invoicenumber",
            "invoiceref",
            "invoiceid",
            "documentno",
            "documentnumber",
            "endtoendid",
            "orderid",
            "orderno",
        ],
    ),
    (
        "description",
        &[
            "description",
            "desc",
            "text",
            "memo",
            "narrative",
            "details",
            "purpose",
            "remittance",
            "remittancetext",
            "remittanceinformation",
            "bookingtext",
            "note",
        ],
    ),
    (
        "counterparty",
        &[
            "counterparty",
            "party",
            "partner",
            "name",
            "payee",
            "payer",
            "beneficiary",
            "customer",
            "supplier",
            "vendor",
            "merchant",
            "company",
        ],
    ),
    (
        "batch",
        &["batch", "batchid", "batchref", "batchno", "deposit", "depositid", "settlementid", "payoutid"],
    ),
];

/// Guesses by the header only: amounts with a decimal point and ISO dates are assumed, never found out, and a
/// file that is written otherwise is rejected line by line rather than misread silently.
///
/// The errors name what was not found, all at once.
pub fn guess_mapping(peek: &Peek) -> Result<Mapping, Vec<MappingError>> {
    let find = |names: &[&str]| {
        names.iter().find_map(|name| peek.columns.iter().find(|c| plain(c) == *name)).cloned()
    };
    let first_id = || peek.columns.first().filter(|column| plain(column).ends_with("id")).cloned();
    let need = |at: &str, what: &str, names: &[&str]| {
        find(names).ok_or_else(|| {
            let says = format!("no column looks like the {what}; known names are {}", names.join(", "));
            MappingError { at: at.to_owned(), says }
        })
    };
    let date = need("date.column", "date", DATE);
    let amount = need("amount.column", "amount", AMOUNT);
    let currency = need("currency.column", "currency", CURRENCY);
    match (date, amount, currency) {
        (Ok(date), Ok(amount), Ok(currency)) => {
            let fields = FIELDS.iter().filter_map(|(field, names)| Some(((*field).to_owned(), find(names)?)));
            Ok(Mapping {
                format: peek.format,
                csv: peek.delimiter.map_or_else(CsvOptions::default, |delimiter| CsvOptions { delimiter }),
                id: find(ID).or_else(first_id),
                date: DateColumn { column: date, format: None },
                amount: AmountColumn::signed(&amount),
                currency: CurrencySource::Column(currency),
                fields: fields.collect(),
            })
        }
        (date, amount, currency) => {
            Err([date, amount, currency].into_iter().filter_map(Result::err).collect())
        }
    }
}

fn plain(column: &str) -> String {
    column.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
