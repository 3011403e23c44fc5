//! Data sources: the bytes of a file in, [`matching::Records`] out, by a mapping that people write.
//!
//! Words: a *file* holds *lines* (CSV lines, JSON elements) of *cells* in *columns*; a [`Mapping`] says which
//! column is the id, date, amount and currency of a *record* and which columns are kept as named text
//! *fields*. A line that gives no record is *rejected* with its number and the reason: kept and rejected
//! lines together are all lines of the file, so nothing is dropped silently.
//!
//! Reads any `impl Read` as a stream: what stays in memory are the kept columns, one line, and the bounded
//! list of rejected lines. Knows no async runtime, no database and no HTTP by architecture invariant.
//!
//! Start reading at [`read_records`]; the way out is [`export`].

mod amount;
mod amount_column;
mod csv_block;
mod csv_blocks;
mod csv_lines;
mod csv_reader;
mod csv_record;
mod date;
mod detect;
pub mod export;
mod extract;
mod guess;
mod json_array;
mod json_elements;
mod json_object;
mod mapping;
mod mapping_check;
mod memory_limit;
mod opened;
mod outcome;
mod physical_lines;
mod read;
mod seen_ids;
mod statements;
mod tables;
mod text_encoding;
mod text_file;
mod transcode;

pub use amount_column::{AmountCells, AmountColumn};
pub use detect::Detection as Peek;
pub use detect::{
    ColumnProposal, ColumnRole, DateGuess, DecimalGuess, Detection, Doubt, Told, detect, peek_columns,
    peek_columns_as,
};
pub use extract::NO_DATE;
pub use guess::{guess_mapping, keep_key_columns};
pub use mapping::{CsvOptions, CurrencySource, DateColumn, ExcelOptions, Format, Mapping};
pub use mapping_check::MappingError;
pub use memory_limit::{LimitTooSmall, MemoryLimit};
pub use outcome::{ReadError, ReadLimits, ReadOutcome, ReadProgress, ReadSample, RejectedLine};
pub use read::{read_records, read_records_keeping, read_sample};
pub use statements::columns::COLUMNS as STATEMENT_COLUMNS;
pub use statements::control::StatementControl;
pub use text_encoding::TextEncoding;
