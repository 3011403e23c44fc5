//! How long statements and waits for connections take, from what the database driver reports of each, so that no
//! statement can be forgotten. The layer that hears it is that of the traces: each report is read once.

use super::digest::{AsItIs, digest};
use metrics::Histogram;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasherDefault;
use std::sync::{Arc, RwLock};
use tracing::Event;
use tracing::field::{Field, Visit};

pub(super) const STATEMENT: &str = "sqlx::query";
pub(super) const ACQUIRE: &str = "sqlx::pool::acquire";

/// Statements whose name is remembered. There are a few hundred in the program.
const REMEMBERED_MAX: usize = 4000;
/// Pairs of operation and table; more become `other`.
const NAMES_MAX: usize = 200;

/// What the database driver reported, of a statement or of a wait for a connection.
pub(super) struct Statement<'n> {
    names: &'n StatementNames,
    pub name: Option<Arc<StatementName>>,
    pub elapsed_s: Option<f64>,
    pub rows: Option<i64>,
    acquired_s: Option<f64>,
}

/// By what a kind of statement is known in figures and traces.
pub(super) struct StatementName {
    pub operation: &'static str,
    pub table: String,
    times: Histogram,
}

impl<'n> Statement<'n> {
    pub fn read(event: &Event<'_>, names: &'n StatementNames) -> Self {
        let mut seen = Self { names, name: None, elapsed_s: None, rows: None, acquired_s: None };
        event.record(&mut seen);
        seen
    }

    pub fn count(&self) {
        if let (Some(name), Some(elapsed_s)) = (&self.name, self.elapsed_s) {
            name.times.record(elapsed_s);
        }
        if let Some(waited_s) = self.acquired_s {
            metrics::histogram!("counterfoil_database_acquire_duration_seconds").record(waited_s);
        }
    }
}

impl Visit for Statement<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        match field.name() {
            "elapsed_secs" => self.elapsed_s = Some(value),
            "acquired_after_secs" => self.acquired_s = Some(value),
            _ => {}
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "rows_returned" {
            self.rows = i64::try_from(value).ok();
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        // The statement is empty when the summary says it all; the summary comes first.
        if field.name() == "summary" && !value.ends_with('…')
            || field.name() == "db.statement" && !value.is_empty()
        {
            self.name = Some(self.names.of(value));
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

#[derive(Default)]
pub(super) struct StatementNames {
    by_statement: RwLock<HashMap<u64, Arc<StatementName>, BuildHasherDefault<AsItIs>>>,
    names: RwLock<HashSet<(&'static str, String)>>,
}

impl StatementNames {
    fn of(&self, sql: &str) -> Arc<StatementName> {
        let key = digest(sql);
        if let Some(known) = self.by_statement.read().unwrap_or_else(|e| e.into_inner()).get(&key) {
            return known.clone();
        }
        let (operation, table) = self.bounded(name_of(sql));
        let times = metrics::histogram!(
            "counterfoil_database_query_duration_seconds", "operation" => operation, "table" => table.clone()
        );
        let name = Arc::new(StatementName { operation, table, times });
        let mut remembered = self.by_statement.write().unwrap_or_else(|e| e.into_inner());
        if remembered.len() < REMEMBERED_MAX {
            remembered.insert(key, name.clone());
        }
        name
    }

    fn bounded(&self, name: (&'static str, String)) -> (&'static str, String) {
        let mut names = self.names.write().unwrap_or_else(|e| e.into_inner());
        if names.contains(&name) {
            name
        } else if names.len() < NAMES_MAX {
            names.insert(name.clone());
            name
        } else {
            ("other", "other".to_owned())
        }
    }
}

const VERBS: [&str; 13] = [
    "select", "insert", "update", "delete", "copy", "begin", "commit", "rollback", "lock", "set", "create",
    "drop", "listen",
];

/// What a statement does, and to which table. One of several parts has the name of what it updates, else of what it
/// inserts, else of what it deletes. Linear in the text.
fn name_of(sql: &str) -> (&'static str, String) {
    let words = words(sql);
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    // `FOR UPDATE` and `ON CONFLICT DO UPDATE` write nothing by themselves.
    let does = |verb: &str| {
        (0..words.len()).find(|at| word(*at) == verb && !["for", "do"].contains(&word(at.wrapping_sub(1))))
    };
    let (verb, at) = match word(0) {
        "with" => ["update", "insert", "delete"]
            .into_iter()
            .find_map(|verb| Some((verb, does(verb)?)))
            .unwrap_or(("select", 0)),
        verb => (verb, 0),
    };
    let operation = VERBS.iter().find(|known| **known == verb).copied().unwrap_or("other");
    let named_after = |mark: &str| {
        let marks = (at..words.len()).filter(|at| word(*at) == mark);
        // What is read from may be a function; what is written to is followed by its columns.
        let marks = marks.filter(|at| mark != "from" || word(at + 2) != "(");
        marks.map(|at| word(at + 1)).find(|name| is_table(name)).map(without_month)
    };
    let table = match operation {
        "select" | "delete" => named_after("from"),
        "insert" => named_after("into"),
        "update" | "copy" => named_after(operation),
        _ => None,
    };
    (operation, table.unwrap_or_default())
}

/// Lower-case; a bracket or comma is a word of its own, a text or number none.
fn words(sql: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for c in sql.chars() {
        if c.is_ascii_alphanumeric() || c == '_' {
            words.last_mut().expect("never empty").push(c.to_ascii_lowercase());
            continue;
        }
        if words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if c == '(' {
            words.last_mut().expect("never empty").push(c);
            words.push(String::new());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn is_table(word: &str) -> bool {
    const NO_TABLES: [&str; 3] = ["select", "only", "lateral"];
    word.starts_with(|c: char| c.is_ascii_lowercase()) && !NO_TABLES.contains(&word) && word.len() <= 60
}

/// Partitions are named by their month.
fn without_month(table: &str) -> String {
    table.trim_end_matches(|c: char| c.is_ascii_digit() || c == '_').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_has_the_name_of_what_it_does_first() {
        let named = |sql: &str| {
            let (operation, table) = name_of(sql);
            format!("{operation} {table}")
        };
        for (sql, name) in [
            ("SELECT 1", "select "),
            ("\n\nSELECT id FROM jobs WHERE x = 'from elsewhere'\n", "select jobs"),
            ("SELECT count(*) FROM (SELECT 1 FROM outbox) AS x", "select outbox"),
            ("SELECT extract(epoch FROM now() - min(due_at)) FROM jobs", "select jobs"),
            ("UPDATE jobs SET state = 'running' FROM picked WHERE TRUE", "update jobs"),
            ("DELETE FROM outbox WHERE id = ANY($1)", "delete outbox"),
            ("INSERT INTO job_ledger (accepted) SELECT 1 FROM jobs", "insert job_ledger"),
            ("INSERT INTO keys VALUES (1) ON CONFLICT (key) DO UPDATE SET a = 1", "insert keys"),
            ("WITH due AS (SELECT id FROM jobs FOR UPDATE SKIP LOCKED) UPDATE jobs SET x = 1", "update jobs"),
            ("WITH a AS (SELECT 1 FROM jobs) SELECT * FROM a", "select jobs"),
            ("WITH a AS (DELETE FROM outbox), b AS (UPDATE jobs SET x = 1 FROM y) SELECT 1", "update jobs"),
            (
                "WITH a AS (DELETE FROM batches WHERE EXISTS (SELECT FROM jobs)) SELECT 1 FROM a",
                "delete batches",
            ),
            ("COPY matches FROM STDIN (FORMAT binary)", "copy matches"),
            ("LOCK TABLE matches_2026_11", "lock "),
            ("SELECT * FROM matches_2026_11", "select matches"),
            ("BEGIN", "begin "),
            ("VACUUM", "other "),
            ("", "other "),
        ] {
            assert_eq!(named(sql), name, "{sql}");
        }
    }

    #[test]
    fn names_are_bounded_whatever_is_asked() {
        let times = StatementNames::default();
        let kept = (0..1000).filter(|n| times.bounded(("select", format!("t{n}x"))).0 == "select").count();
        assert_eq!(kept, NAMES_MAX);
        assert_eq!(times.bounded(("select", "t3x".into())), ("select", "t3x".into()), "those known stay");
        for n in 0..2 * REMEMBERED_MAX {
            let _ = times.of(&format!("SELECT {n}"));
        }
        assert_eq!(times.by_statement.read().unwrap().len(), REMEMBERED_MAX);
    }
}
