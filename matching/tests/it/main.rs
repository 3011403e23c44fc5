//! The matching core from outside: tables that read like a statement next to a ledger, properties of
//! random input, cancellation, and files that other people made.

mod cancel;
mod carry;
mod few_against_many;
mod groups;
mod labelled;
mod learned;
mod netting;
mod presets;
mod properties;
mod real_files;
mod rule_checks;
mod soundness;
mod sums;
mod table;
mod tables_conversion;
mod tables_dates;
mod tables_exceptions;
mod tables_matches;
mod tables_money;
mod tables_references;
mod tables_series;
mod two_sided;
mod working_set;
