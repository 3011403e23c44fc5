//! From the cells of one line to the parts of a record.

use crate::amount::{AmountFormat, Direction};
use crate::date::DateFormat;
use crate::{AmountCells, CurrencySource, Format, Mapping, MappingError, ReadLimits};
use matching::{Currency, DecimalMark};

/// The day of records without a date: before all calendars, so that results show none.
pub const NO_DATE: i32 = i32::MIN;
/// ISO 4217's code for no currency.
const NO_CURRENCY: &str = "XXX";

/// A mapping made ready for use on many lines. Columns are numbered by their place in [`Self::columns`].
pub(crate) struct Extract {
    columns: Vec<String>,
    id: Option<usize>,
    date: Option<usize>,
    amount: AmountOf,
    amount_format: AmountFormat,
    currency: CurrencyOf,
    fields: Vec<usize>,
    field_names: Vec<String>,
    date_format: DateFormat,
    /// Cells may be dates, which are handed on as ISO.
    typed: bool,
    negate: bool,
    id_bytes_max: usize,
    cell_bytes_max: usize,
}

enum AmountOf {
    /// The records are no money.
    Nothing,
    Signed(usize),
    Directed {
        amount: usize,
        direction: usize,
    },
    Split {
        debit: usize,
        credit: usize,
        signed: bool,
    },
}

enum CurrencyOf {
    Fixed { currency: Currency, exponent: u32 },
    Column(usize),
}

/// The last texts and what they meant: neighbours mostly share currency and date.
#[derive(Default)]
pub(crate) struct Memo {
    currency: Option<(String, Currency, u32)>,
    date: Option<(String, i32)>,
}

/// The parts of a record, borrowed from its line.
pub(crate) struct Parts<'a> {
    /// `None` when the mapping names no id column.
    pub id: Option<&'a str>,
    pub date: i32,
    pub amount: i64,
    pub currency: Currency,
}

/// Why a line gives no record.
pub(crate) struct Refusal {
    /// Index into [`Extract::columns`].
    pub column: usize,
    pub reason: String,
}

impl Extract {
    /// Refuses a mapping that does not pass [`Mapping::check`].
    pub fn new(mapping: &Mapping, limits: &ReadLimits) -> Result<Self, Vec<MappingError>> {
        let errors = mapping.check();
        if !errors.is_empty() {
            return Err(errors);
        }
        let mut columns: Vec<String> = vec![];
        let mut number = |name: &str| {
            let name = name.trim();
            columns.iter().position(|known| known == name).unwrap_or_else(|| {
                columns.push(name.to_owned());
                columns.len() - 1
            })
        };
        let refused = |at: &str, says: String| vec![MappingError::new(at, says)];
        let currency = match &mapping.currency {
            None => {
                let currency =
                    Currency::parse(NO_CURRENCY).map_err(|e| refused("currency", e.to_string()))?;
                CurrencyOf::Fixed { currency, exponent: currency.exponent() }
            }
            Some(CurrencySource::Fixed(code)) => {
                let currency = Currency::parse(code).map_err(|e| refused("currency.fixed", e.to_string()))?;
                CurrencyOf::Fixed { currency, exponent: currency.exponent() }
            }
            Some(CurrencySource::Column(column)) => CurrencyOf::Column(number(column)),
        };
        let date = mapping.date.as_ref();
        let date_format = date.and_then(|date| date.format.as_deref());
        let date_format = DateFormat::parse(date_format).map_err(|says| refused("date.format", says))?;
        let amount = mapping.amount.as_ref();
        Ok(Extract {
            id: mapping.id.as_deref().map(&mut number),
            date: date.map(|date| number(&date.column)),
            amount: match amount.map(|amount| &amount.cells) {
                None => AmountOf::Nothing,
                Some(AmountCells::Signed { column }) => AmountOf::Signed(number(column)),
                Some(AmountCells::Directed { column, direction }) => {
                    AmountOf::Directed { amount: number(column), direction: number(direction) }
                }
                Some(AmountCells::Split { debit, credit, signed }) => {
                    AmountOf::Split { debit: number(debit), credit: number(credit), signed: *signed }
                }
            },
            amount_format: AmountFormat {
                mark: amount.map_or(DecimalMark::Point, |amount| amount.decimal_mark),
                exponents: mapping.format == Format::Json || mapping.format.is_typed(),
            },
            currency,
            fields: mapping.fields.values().map(|column| number(column)).collect(),
            field_names: mapping.fields.keys().cloned().collect(),
            date_format,
            typed: mapping.format.is_typed(),
            negate: amount.is_some_and(|amount| amount.negate),
            id_bytes_max: limits.id_bytes_max,
            cell_bytes_max: limits.cell_bytes_max,
            columns,
        })
    }

    /// The distinct columns of the file that are needed, trimmed.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    pub fn field_names(&self) -> &[String] {
        &self.field_names
    }

    pub fn id_column(&self) -> Option<usize> {
        self.id
    }

    /// `cells` in the order of [`Self::columns`]; white space around them is no part of them. `fields` is
    /// overwritten with the text fields. `is_clean`: no cell is too long or has a NUL character.
    pub fn parts<'a>(
        &self,
        cells: &[&'a str],
        is_clean: bool,
        memo: &mut Memo,
        fields: &mut Vec<&'a str>,
    ) -> Result<Parts<'a>, Refusal> {
        let cell = |column: usize| trim(cells[column]);
        let refuse = |column: usize, reason: String| Refusal { column, reason };
        if !is_clean {
            self.check_cells(cells)?;
        }
        let id =
            self.id.map(|column| check_id(cell(column), self.id_bytes_max).map_err(|e| refuse(column, e)));
        let id = id.transpose()?;
        let date = match self.date {
            None => NO_DATE,
            Some(column) => self.date(cell(column), memo).map_err(|e| refuse(column, e))?,
        };
        let (currency, exponent) = self.currency.read(cells, memo)?;
        let amount = self.amount.read(cells, self.amount_format, exponent)?;
        let amount = if self.negate { -amount } else { amount };
        fields.clear();
        fields.extend(self.fields.iter().map(|column| cell(*column)));
        Ok(Parts { id, date, amount, currency })
    }

    fn check_cells(&self, cells: &[&str]) -> Result<(), Refusal> {
        for (column, text) in cells.iter().enumerate() {
            let text = text.trim();
            if text.len() > self.cell_bytes_max {
                let reason = format!("the cell has {} bytes, more than {}", text.len(), self.cell_bytes_max);
                return Err(Refusal { column, reason });
            }
            // Databases refuse it in texts, and no bank writes it.
            if text.contains('\0') {
                return Err(Refusal { column, reason: "the cell contains a NUL character".to_owned() });
            }
        }
        Ok(())
    }

    fn date(&self, text: &str, memo: &mut Memo) -> Result<i32, String> {
        if let Some((known, date)) = &memo.date
            && known == text
        {
            return Ok(*date);
        }
        let date = match self.date_format.read(text) {
            Err(error) if self.typed => DateFormat::Iso.read(text).map_err(|_| error),
            date => date,
        }?;
        memo.date = Some((text.to_owned(), date));
        Ok(date)
    }
}

/// [`str::trim`], at once where there is nothing to trim.
fn trim(text: &str) -> &str {
    let is_plain = |byte: &u8| (b'!'..=b'~').contains(byte);
    match text.as_bytes() {
        [] => text,
        [first, .., last] if is_plain(first) && is_plain(last) => text,
        [only] if is_plain(only) => text,
        _ => text.trim(),
    }
}

fn check_id(id: &str, bytes_max: usize) -> Result<&str, String> {
    match id.len() {
        0 => Err("the id is empty".to_owned()),
        n if n > bytes_max => Err(format!("the id has {n} bytes, more than {bytes_max}")),
        _ => Ok(id),
    }
}

impl AmountOf {
    fn read(&self, cells: &[&str], format: AmountFormat, exponent: u32) -> Result<i64, Refusal> {
        match *self {
            AmountOf::Nothing => Ok(0),
            AmountOf::Signed(column) => {
                format.read(cells[column], exponent).map_err(|reason| Refusal { column, reason })
            }
            AmountOf::Directed { amount: column, direction } => {
                let amount = format.read(cells[column], exponent);
                let amount = amount.map_err(|reason| Refusal { column, reason })?;
                match Direction::parse(cells[direction]) {
                    Some(Direction::Credit) => Ok(amount),
                    Some(Direction::Debit) => Ok(-amount),
                    None => {
                        let shown: String = cells[direction].trim().chars().take(40).collect();
                        let reason = format!("{shown:?} says neither debit nor credit");
                        Err(Refusal { column: direction, reason })
                    }
                }
            }
            AmountOf::Split { debit, credit, signed } => format
                .read_split(cells[debit], cells[credit], exponent, signed)
                .map_err(|reason| Refusal { column: debit, reason }),
        }
    }
}

impl CurrencyOf {
    fn read(&self, cells: &[&str], memo: &mut Memo) -> Result<(Currency, u32), Refusal> {
        let column = match *self {
            CurrencyOf::Fixed { currency, exponent } => return Ok((currency, exponent)),
            CurrencyOf::Column(column) => column,
        };
        let text = trim(cells[column]);
        if let Some((known, currency, exponent)) = &memo.currency
            && known == text
        {
            return Ok((*currency, *exponent));
        }
        if text.is_empty() {
            return Err(Refusal { column, reason: "the currency is empty".to_owned() });
        }
        let currency = Currency::parse(text).map_err(|e| Refusal { column, reason: e.to_string() })?;
        let exponent = currency.exponent();
        memo.currency = Some((text.to_owned(), currency, exponent));
        Ok((currency, exponent))
    }
}
