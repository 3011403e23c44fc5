//! Reading files: tables per rule, properties for any bytes, and files that others wrote.

mod any_bytes;
mod any_damage;
mod common;
mod csv;
mod csv_options;
mod detection;
mod json;
mod mapping;
mod real_files;
mod statement_files;
mod statements;
mod tables;
