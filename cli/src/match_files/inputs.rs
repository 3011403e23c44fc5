//! The two files, their mappings, and reading them.

use super::failure::{Doing, Failure};
use super::guessed::guess;
use super::progress::{Interrupt, Meter};
use matching::Side;
use serde::de::DeserializeOwned;
use sources::{
    Mapping, MappingError, MemoryLimit, ReadError, ReadLimits, ReadOutcome, RejectedLine,
    read_records_keeping,
};
use std::fmt::Display;
use std::fs::{File, Metadata};
use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Mappings and rules are written by people, and the largest table of rates has 2 MB; more is a wrong file.
const SETTINGS_BYTES_MAX: u64 = 4 << 20;

/// One side's file, found and with a mapping that fits it.
pub struct Input {
    pub side: Side,
    pub path: PathBuf,
    pub mapping: Mapping,
    pub size_bytes: u64,
}

impl Input {
    /// Guesses the mapping and says what it guessed where none is given; see [`guess`].
    pub fn prepare(
        side: Side,
        path: &Path,
        mapping: Option<&Path>,
        currency: Option<&str>,
        keep_keys: bool,
    ) -> Result<Self, Failure> {
        // Not opened: a pipe can be opened only once, and `<(zcat bank.csv.gz)` is a fine input.
        let size_bytes = look_at(path)?.len();
        let mapping = match mapping {
            Some(mapping_path) => {
                let mapping: Mapping = load(mapping_path)?;
                accept(mapping_path, &mapping.check())?;
                mapping
            }
            None => guess(side, path, currency, keep_keys)?,
        };
        Ok(Input { side, path: path.to_owned(), mapping, size_bytes })
    }

    /// The mapping as TOML, to be corrected by a person and given with `--left-mapping` or `--right-mapping`.
    pub fn mapping_text(&self) -> Result<String, Failure> {
        let text = toml::to_string(&self.mapping);
        let text = text.map_err(|error| Failure::broken(format!("writing the mapping: {error}")))?;
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        Ok(format!(
            "# What the columns of {} mean; every key is explained in docs/rules.md.\n{text}",
            name.escape_debug()
        ))
    }

    /// Names of the text fields every record of this side will have.
    pub fn fields(&self) -> Vec<String> {
        self.mapping.fields.keys().cloned().collect()
    }

    pub fn read(
        &self,
        memory: &MemoryLimit,
        meter: &Meter,
        interrupt: &Interrupt,
    ) -> Result<ReadOutcome, Failure> {
        let file = open(&self.path)?;
        let store = memory.text_store().doing("keeping texts")?;
        let mut bytes_before = 0;
        let read =
            read_records_keeping(file, &self.mapping, &ReadLimits::default(), store, &mut |progress| {
                meter.read(progress.bytes - bytes_before);
                bytes_before = progress.bytes;
                if interrupt.happened() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
        let of = self.path.display();
        if let Ok(outcome) = &read {
            for warning in outcome.warnings() {
                eprintln!("{of}: {}", warning.reason);
            }
        }
        read.map_err(|error| match error {
            ReadError::Cancelled => Failure::Interrupted,
            ReadError::Io(error) => Failure::broken(format!("{of}: {error}")),
            ReadError::InvalidMapping(errors) | ReadError::MissingColumns(errors) => {
                Failure::input(errors.iter().map(|error| format!("{of}: {error}")))
            }
            ReadError::TooManyRejected { ref first, .. } | ReadError::AllRejected { ref first, .. } => {
                let lines = first.iter().skip(1).take(4).map(|line| format!("{of}: {}", rejected_text(line)));
                Failure::input(std::iter::once(format!("{of}: {error}")).chain(lines))
            }
            other => refused(&self.path, other),
        })
    }
}

fn rejected_text(line: &RejectedLine) -> String {
    let column = line.column.as_deref().map(|column| format!(", column {column:?}")).unwrap_or_default();
    format!("line {}{column}: {}", line.line, line.reason)
}

/// TOML, or JSON in a file named .json.
fn load<T: DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    let text = read_settings(path)?;
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) {
        serde_json::from_str(&text).map_err(|error| refused(path, error))
    } else {
        toml::from_str(&text).map_err(|error| refused(path, error.to_string().trim_end()))
    }
}

/// The text of a file that people write: a mapping, rules, a table of rates.
pub fn read_settings(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = open(path)?.take(SETTINGS_BYTES_MAX + 1).read_to_string(&mut text);
    read.map_err(|error| refused(path, error))?;
    if text.len() as u64 > SETTINGS_BYTES_MAX {
        return Err(refused(path, format_args!("has more than {SETTINGS_BYTES_MAX} bytes")));
    }
    Ok(text)
}

/// A file that is not there, or is a folder, is a mistake in the arguments.
fn look_at(path: &Path) -> Result<Metadata, Failure> {
    let metadata = std::fs::metadata(path).map_err(|error| refused(path, error))?;
    if metadata.is_dir() { Err(refused(path, "is a folder")) } else { Ok(metadata) }
}

pub(super) fn open(path: &Path) -> Result<File, Failure> {
    look_at(path)?;
    File::open(path).map_err(|error| refused(path, error))
}

pub(super) fn refused(path: &Path, says: impl Display) -> Failure {
    Failure::input([format!("{}: {says}", path.display())])
}

/// Every mistake of a mapping, or nothing.
fn accept(path: &Path, errors: &[MappingError]) -> Result<(), Failure> {
    if errors.is_empty() {
        return Ok(());
    }
    Err(Failure::input(errors.iter().map(|error| format!("{}: {error}", path.display()))))
}
