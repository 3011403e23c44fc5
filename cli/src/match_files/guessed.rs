//! A mapping that nobody wrote: what it was guessed to be, how sure that is, and what a person should look at.

use super::failure::Failure;
use super::inputs::{open, refused};
use matching::{Confidence, Currency, DecimalMark, Side};
use sources::{
    ColumnRole, CurrencySource, Detection, Format, Mapping, ReadError, guess_mapping, keep_key_columns,
    peek_columns,
};
use std::path::Path;

/// Says on standard error what it guessed. `currency` is that of a file which says none itself; `keep_keys` also keeps
/// the columns that may hold the other file's identifiers.
pub fn guess(side: Side, path: &Path, currency: Option<&str>, keep_keys: bool) -> Result<Mapping, Failure> {
    let of = path.display();
    let option = format!("--{}-mapping", side.as_str());
    let mut peek = peek_columns(open(path)?).map_err(|error| match error {
        ReadError::Io(error) => Failure::broken(format!("{of}: {error}")),
        other => refused(path, other),
    })?;
    if let Some(code) = currency {
        let currency =
            Currency::parse(code).map_err(|error| Failure::input([format!("--currency {error}")]))?;
        peek.currency.get_or_insert_with(|| currency.code().to_owned());
    }
    let mut mapping = guess_mapping(&peek).map_err(|errors| {
        let lacks_currency = errors.iter().any(|error| error.at.starts_with("currency"));
        let in_currency = if lacks_currency {
            "; a file in one currency that it does not name needs --currency CODE"
        } else {
            ""
        };
        let columns = peek.columns.join(", ");
        let hint = format!("{of}: its columns are {columns}; name them with {option} FILE{in_currency}");
        Failure::input(errors.iter().map(|error| format!("{of}: {error}")).chain([hint]))
    })?;
    if keep_keys {
        keep_key_columns(&mut mapping, &peek);
    }
    eprintln!("{of}: no {option}, so guessed {}", described(&mapping));
    let sure = certainty(&peek);
    if !sure.is_empty() {
        eprintln!("{of}: confidence of the guess: {}", sure.join(", "));
    }
    // A statement of texts alone lacks amounts on purpose.
    for doubt in peek.doubts().iter().filter(|_| mapping.amount.is_some()) {
        eprintln!("{of}: please look at {}: {}", doubt.at, doubt.says);
    }
    Ok(mapping)
}

/// `id = entry_id, date = posted_on (ISO), …`
fn described(mapping: &Mapping) -> String {
    let mut parts = vec![format!("id = {}", mapping.id.as_deref().unwrap_or("the line number"))];
    if let Some(date) = &mapping.date {
        let like = date.format.as_deref().unwrap_or("2026-01-31");
        parts.push(format!("date = {} (like {like})", date.column));
    }
    match &mapping.amount {
        None => parts.push("no amount column: matched by texts alone".to_owned()),
        Some(amount) => {
            let columns = amount.columns().map(|(_, column)| column).collect::<Vec<_>>().join(" and ");
            let mark = match amount.decimal_mark {
                DecimalMark::Point => "point",
                DecimalMark::Comma => "comma",
            };
            parts.push(format!("amount = {columns} (decimal {mark})"));
        }
    }
    if let Some(CurrencySource::Column(currency) | CurrencySource::Fixed(currency)) = &mapping.currency {
        parts.push(format!("currency = {currency}"));
    }
    parts.extend(mapping.fields.iter().map(|(field, column)| format!("{field} = {column}")));
    parts.push(format!("format = {}", mapping.format.as_str()));
    parts.join(", ")
}

/// `encoding windows-1252 80 %, delimiter ';' 100 %, …`: what was found out, and how sure.
fn certainty(peek: &Detection) -> Vec<String> {
    let mut sure = vec![];
    if peek.format.is_statement() {
        return sure;
    }
    let mut add = |what: String, confidence: Confidence| {
        sure.push(format!("{what} {:.0} %", confidence.as_f64() * 100.0));
    };
    if peek.format == Format::Csv {
        if let Some(encoding) = &peek.encoding {
            add(format!("encoding {}", encoding.name), encoding.confidence);
        }
        add(format!("delimiter {:?}", peek.delimiter.unwrap_or(',')), peek.delimiter_confidence);
    }
    if matches!(peek.format, Format::Csv | Format::Excel) {
        add("names in the first line".to_owned(), peek.header_confidence);
    }
    for proposal in &peek.proposals {
        let role = match proposal.role {
            None => continue,
            Some(ColumnRole::Id) => "id",
            Some(ColumnRole::Date) => "date",
            Some(ColumnRole::Amount) => "amount",
            Some(ColumnRole::Debit) => "debit",
            Some(ColumnRole::Credit) => "credit",
            Some(ColumnRole::Direction) => "direction",
            Some(ColumnRole::Currency) => "currency",
            Some(ColumnRole::Field(field)) => field,
        };
        add(format!("{role} = {}", proposal.name), proposal.confidence);
        if let (Some(ColumnRole::Date), Some(guess)) = (proposal.role, proposal.date_formats.first()) {
            add(format!("dates like {}", guess.format.unwrap_or("2026-01-31")), guess.confidence);
        }
    }
    if let Some(guess) = peek.decimal_mark {
        let mark = match guess.mark {
            DecimalMark::Point => "point",
            DecimalMark::Comma => "comma",
        };
        add(format!("decimal {mark}"), guess.confidence);
    }
    sure
}
