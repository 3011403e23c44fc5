//! What columns are called, in the languages of the files we have met. The tables are set like text: a name a
//! line would hide them.

use super::ColumnRole;

/// A name as it is compared: letters and digits in lower case, without accents.
pub(super) fn plain(name: &str) -> String {
    let unaccented = |c: char| match c {
        'à'..='å' | 'ą' | 'ă' => 'a',
        'ç' | 'ć' | 'č' => 'c',
        'è'..='ë' | 'ę' | 'ě' => 'e',
        'ì'..='ï' | 'ı' => 'i',
        'ñ' | 'ń' | 'ň' => 'n',
        'ò'..='ö' | 'ø' | 'ő' => 'o',
        'ù'..='ü' | 'ů' | 'ű' => 'u',
        'ý' | 'ÿ' => 'y',
        'ś' | 'š' | 'ş' => 's',
        'ź' | 'ż' | 'ž' => 'z',
        'ł' => 'l',
        'ğ' => 'g',
        'ř' => 'r',
        other => other,
    };
    name.chars().flat_map(char::to_lowercase).filter(|c| c.is_alphanumeric()).map(unaccented).collect()
}

/// How well a plain name fits a role, 0 to 1: exactly a known name (earlier ones best), or with one in it.
pub(super) fn score(role: ColumnRole, plain: &str) -> f64 {
    let names = names_of(role);
    if let Some(rank) = names.iter().position(|name| *name == plain) {
        return 1.0 - 0.005 * rank.min(40) as f64;
    }
    let within = |name: &&&str| name.len() >= 4 && plain.len() <= 40 && plain.contains(**name);
    if names.iter().any(|name| within(&name)) { 0.6 } else { 0.0 }
}

/// Words that mean money, but not the amount of the line.
pub(super) fn is_other_money(plain: &str) -> bool {
    const WORDS: [&str; 26] = [
        "balance",
        "saldo",
        "solde",
        "fee",
        "tax",
        "vat",
        "mwst",
        "ust",
        "iva",
        "tva",
        "btw",
        "rate",
        "kurs",
        "quantity",
        "qty",
        "price",
        "discount",
        "commission",
        "count",
        "kontostand",
        "stan",
        "limit",
        "original",
        "foreign",
        "ursprung",
        "gebuhr",
    ];
    WORDS.iter().any(|word| plain.contains(word))
}

fn names_of(role: ColumnRole) -> &'static [&'static str] {
    match role {
        ColumnRole::Id => &ID,
        ColumnRole::Date => &DATE,
        ColumnRole::Amount => &AMOUNT,
        ColumnRole::Debit => &DEBIT,
        ColumnRole::Credit => &CREDIT,
        ColumnRole::Direction => &DIRECTION,
        ColumnRole::Currency => &CURRENCY,
        ColumnRole::Field(field) => {
            FIELDS.iter().find(|(name, _)| *name == field).map_or(&[], |(_, names)| *names)
        }
    }
}

#[rustfmt::skip]
const ID: [&str; 15] = [
    "id", "entryid", "transactionid", "txid", "recordid", "lineid", "externalid", "uid", "uuid",
    "transactionno", "transactionnumber", "transaction", "umsatzid", "buchungsid", "idtransakcji",
];

/// The booking date before others: the value date is a field.
#[rustfmt::skip]
const DATE: [&str; 50] = [
    "date", "bookingdate", "bookedon", "bookedat", "booked", "postingdate", "posteddate", "postedon",
    "postedat", "posted", "transactiondate", "completeddate", "valuedate", "settlementdate", "entrydate",
    "invoicedate", "documentdate", "orderdate", "payoutdate", "adjustmentdate", "occurredat", "capturedat",
    "chargedat", "refundedat", "createdat", "settledat", "paidat", "timestamp", "buchungstag",
    "buchungsdatum", "buchung", "datum", "belegdatum", "dateoperation", "datecomptable",
    "datedecomptabilisation", "fechaoperacion", "fechacontable", "fecha", "datacontabile", "dataoperazione",
    "data", "datamovimento", "datalancamento", "dataksiegowania", "dataoperacji", "bokforingsdag",
    "bokforingsdatum", "dato", "kirjauspaiva",
];

#[rustfmt::skip]
const AMOUNT: [&str; 30] = [
    "amount", "amt", "transactionamount", "amounteur", "amountusd", "amountgbp", "betrag", "umsatz",
    "montant", "importe", "importo", "bedrag", "valor", "kwota", "belopp", "belob", "maara", "castka",
    "tutar", "osszeg", "value", "sum", "total", "grossamount", "totalamount", "netamount", "gross", "net",
    "betraginkontowahrung", "kwotatransakcji",
];

#[rustfmt::skip]
const DEBIT: [&str; 18] = [
    "debit", "debitamount", "debits", "moneyout", "paidout", "withdrawal", "withdrawals", "withdrawalamt",
    "soll", "lastschrift", "ausgang", "ausgaben", "cargo", "dare", "uscite", "debito", "uit", "obciazenia",
];

#[rustfmt::skip]
const CREDIT: [&str; 18] = [
    "credit", "creditamount", "credits", "moneyin", "paidin", "deposit", "deposits", "depositamt", "haben",
    "gutschrift", "eingang", "einnahmen", "abono", "avere", "entrate", "credito", "in", "uznania",
];

#[rustfmt::skip]
const DIRECTION: [&str; 14] = [
    "dc", "drcr", "crdr", "debitcredit", "creditdebit", "cdtdbtind", "direction", "sollhaben", "sh", "afbij",
    "creditdebitindicator", "debitcreditindicator", "sign", "sollhabenkennzeichen",
];

#[rustfmt::skip]
const CURRENCY: [&str; 22] = [
    "currency", "ccy", "curr", "currencycode", "cur", "isocurrency", "transactioncurrency", "wahrung", "whg",
    "waehrung", "devise", "monnaie", "divisa", "moneda", "valuta", "munt", "moeda", "waluta", "mena", "para",
    "parabirimi", "valuuta",
];

type Field = (&'static str, &'static [&'static str]);

/// The fields rules ask for, in the order they are proposed.
#[rustfmt::skip]
pub(super) const FIELDS: [Field; 9] = [
    (
        "reference",
        &[
            "reference", "ref", "invoice", "invoiceno", "invoicenumber", "invoiceref", "invoiceid",
            "documentno", "documentnumber", "paymentreference", "customerreference", "referenz",
            "kundenreferenz", "referencia", "riferimento", "kenmerk", "referentie", "viite",
            "rechnungsnummer", "belegnummer", "belegnr", "rechnungsnr", "factuurnummer", "numerofacture",
            "orderno", "ordernumber",
        ],
    ),
    (
        "description",
        &[
            "description", "desc", "text", "memo", "narrative", "details", "particulars", "purpose",
            "remittance", "remittancetext", "remittanceinformation", "paymentdetails", "bookingtext", "note",
            "notes", "comment", "reason", "verwendungszweck", "vwz", "buchungstext", "buchungsdetails",
            "libelle", "libelleoperation", "concepto", "descripcion", "descrizione", "causale",
            "descrizioneoperazione", "omschrijving", "mededelingen", "descricao", "historico", "opis",
            "tytul", "tytulem", "opisoperacji", "beskrivning", "beskrivelse", "tekst", "viesti", "popis",
            "kozlemeny", "aciklama", "reasoncode", "feetype", "status",
        ],
    ),
    (
        "counterparty",
        &[
            "counterparty", "counterpartyname", "party", "partner", "name", "payee", "payer", "beneficiary",
            "customer", "customername", "supplier", "vendor", "merchant", "merchantname", "company",
            "auftraggeberempfanger", "auftraggeber", "empfanger", "zahlungsempfanger", "zahlungsbeteiligter",
            "namezahlungsbeteiligter", "beguenstigterzahlungspflichtiger", "begunstigterzahlungspflichtiger",
            "tiers", "beneficiario", "ordinante", "naam", "naamtegenpartij", "nadawcaodbiorca", "kontrahent",
            "saajamaksaja", "mottagare",
        ],
    ),
    (
        "counterparty_account",
        &[
            "counterpartyaccount", "counterpartyiban", "beneficiaryaccount", "payeraccount",
            "kontonummeriban", "ibanzahlungsbeteiligter", "tegenrekening", "tegenrekeningibanbban",
            "gegenkonto",
        ],
    ),
    (
        "end_to_end_id",
        &[
            "endtoendid", "e2eid", "endtoend", "endtoendreference", "endezuendereferenz",
        ],
    ),
    (
        "order_id",
        &[
            "orderid", "order", "bestellnummer", "orderref",
        ],
    ),
    (
        "batch",
        &[
            "batch", "batchid", "batchref", "batchno", "depositid", "settlementid", "payoutid",
            "payoutbatchid", "sammlerreferenz",
        ],
    ),
    (
        "account",
        &[
            "account", "accountid", "accountno", "accountnumber", "bankaccount", "iban", "konto",
            "auftragskonto",
        ],
    ),
    (
        "value_date",
        &[
            "valuedate", "valutadatum", "valuta", "wertstellung", "wertstellungsdatum", "datevaleur",
            "datedevaleur", "fechavalor", "datavaluta", "rentedatum", "rentedag", "datawaluty", "valutadag",
        ],
    ),
];
