//! The cluster that is protected, as seen by PostgreSQL's own programs and by our own statements.

mod catalog;
mod figures;
mod programs;
mod restore_mark;
mod scratch_database;
mod scratch_dir;
mod server;
mod snapshot;

pub use catalog::{
    Column, ForeignKey, Surroundings, Table, foreign_keys, load_order, primary_key, tables, whole_tables,
};
pub use figures::{Figures, differences, figures_of};
pub(crate) use figures::{figures_in, row_hash};
pub use programs::Programs;
pub use restore_mark::RestoreMark;
pub use scratch_database::{ScratchDatabase, sweep_scratch_databases};
pub use scratch_dir::ScratchDir;
pub use server::{Account, RestoredServer};
pub use snapshot::{Snapshot, SnapshotNote};

pub(crate) use programs::{run, run_with};
pub(crate) use restore_mark::{RESUMABLE_FOR, clear_restore_mark, restore_mark};

use crate::error::{Doing, Result};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection, PgConnection};

/// A database, and how to reach it.
#[derive(Clone)]
pub struct Target {
    options: PgConnectOptions,
}

impl Target {
    pub fn new(options: PgConnectOptions) -> Self {
        Self { options: options.application_name("counterfoil backup") }
    }

    pub fn database(&self) -> &str {
        self.options.get_database().unwrap_or_else(|| self.options.get_username())
    }

    /// Another database of the same cluster.
    pub fn with_database(&self, name: &str) -> Self {
        Self { options: self.options.clone().database(name) }
    }

    /// A session whose output does not depend on the server's settings, and which no time limit of theirs ends.
    pub async fn connect(&self) -> Result<PgConnection> {
        let options = self.options.clone().options([
            ("statement_timeout", "0"),
            ("lock_timeout", "0"),
            ("idle_in_transaction_session_timeout", "0"),
            ("DateStyle", "ISO"),
            ("IntervalStyle", "postgres"),
            ("TimeZone", "UTC"),
            ("extra_float_digits", "1"),
            ("bytea_output", "hex"),
            ("jit", "off"),
        ]);
        PgConnection::connect_with(&options)
            .await
            .doing(format!("connecting to database {}", self.database()))
    }

    /// For PostgreSQL's programs: all by environment, so that no password shows in a list of processes.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let socket = self.options.get_socket().map(|path| path.display().to_string());
        let url = self.options.to_url_lossy();
        let query = |wanted: &str| {
            url.query_pairs().find(|(key, _)| key == wanted).map(|(_, value)| value.into_owned())
        };
        let ssl_mode = match self.options.get_ssl_mode() {
            PgSslMode::Disable => "disable",
            PgSslMode::Allow => "allow",
            PgSslMode::Prefer => "prefer",
            PgSslMode::Require => "require",
            PgSslMode::VerifyCa => "verify-ca",
            PgSslMode::VerifyFull => "verify-full",
        };
        let mut variables = vec![
            ("PGHOST", socket.unwrap_or_else(|| self.options.get_host().to_owned())),
            ("PGPORT", self.options.get_port().to_string()),
            ("PGUSER", self.options.get_username().to_owned()),
            ("PGDATABASE", self.database().to_owned()),
            ("PGSSLMODE", ssl_mode.to_owned()),
            ("PGAPPNAME", "counterfoil backup".to_owned()),
            ("PGCONNECT_TIMEOUT", "30".to_owned()),
        ];
        variables.extend(url.password().map(|password| ("PGPASSWORD", percent_decoded(password))));
        for (variable, key) in
            [("PGSSLROOTCERT", "sslrootcert"), ("PGSSLCERT", "sslcert"), ("PGSSLKEY", "sslkey")]
        {
            variables.extend(query(key).map(|value| (variable, value)));
        }
        variables
    }
}

/// Closes a session politely; an error means that it was closed already.
pub async fn close(connection: PgConnection) {
    let _ = connection.close().await;
}

/// A name as an SQL identifier.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                plain.push(byte);
                at += 3;
            }
            None => {
                plain.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_told_by_environment_what_the_url_says() {
        let options = "postgres://u:p%40s%25%3A%20%C3%A9@h.example:6543/d?sslmode=require".parse().unwrap();
        let variables = Target::new(options).environment();
        let of = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_str());
        assert_eq!(of("PGPASSWORD"), Some("p@s%: é"));
        assert_eq!((of("PGHOST"), of("PGPORT"), of("PGUSER")), (Some("h.example"), Some("6543"), Some("u")));
        assert_eq!((of("PGDATABASE"), of("PGSSLMODE")), (Some("d"), Some("require")));
    }

    #[test]
    fn identifiers_cannot_end_early() {
        assert_eq!(quoted(r#"a"; DROP"#), r#""a""; DROP""#);
    }
}
