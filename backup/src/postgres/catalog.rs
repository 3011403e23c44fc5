//! What is in a database: tables with their columns, and which of them point at which.

use crate::error::{Doing, Error, Result};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, Row};
use std::collections::{BTreeMap, BTreeSet};

/// A table that holds rows itself: a plain one or a partition. Partitioned parents hold none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub schema: String,
    pub name: String,
    /// Of a partition, the topmost parent's name.
    pub parent: Option<String>,
    /// It stands for all its partitions; see [`whole_tables`].
    pub is_partitioned: bool,
    pub columns: Vec<Column>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    pub name: String,
    /// As PostgreSQL writes it, with modifiers: `numeric(20,4)`.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Computed by the database; cannot be written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_generated: bool,
    /// Its hash is the same in every database that holds the same value. Not so for enums, whose hash is that of an
    /// object id: they are hashed as text.
    #[serde(skip)]
    pub has_stable_hash: bool,
}

/// What else a restored database needs to be the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Surroundings {
    pub database: String,
    /// Who took the backup.
    pub role: String,
    /// As `pg_control_system()` says: tells this cluster from every other.
    pub system_identifier: String,
    pub server_version: String,
    pub server_major: u32,
    pub encoding: String,
    pub collate: String,
    pub ctype: String,
    /// Roles that own something or were granted something in the database.
    pub roles: Vec<String>,
    /// Of the schema; `None` where the database is not one of Counterfoil's.
    pub migration: Option<i64>,
}

impl Table {
    /// Quoted, with its schema.
    pub fn qualified(&self) -> String {
        format!("{}.{}", super::quoted(&self.schema), super::quoted(&self.name))
    }
}

/// Every table of the database's users, by schema and name. One query, whatever their number.
pub async fn tables(session: &mut PgConnection) -> Result<Vec<Table>> {
    let doing = "listing tables";
    let rows = sqlx::query(
        "SELECT n.nspname::text AS schema, c.relname::text AS table,
                (SELECT p.relname::text FROM pg_partition_ancestors(c.oid) WITH ORDINALITY AS a (oid, n)
                 JOIN pg_class p ON p.oid = a.oid WHERE c.relispartition ORDER BY a.n DESC LIMIT 1) AS parent,
                a.attname::text AS column, format_type(a.atttypid, a.atttypmod) AS type,
                a.attgenerated <> '' AS is_generated,
                coalesce(base.typtype = 'b' AND base.typname !~ '^reg' AND EXISTS (
                    SELECT FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod
                    WHERE m.amname = 'hash' AND o.opcdefault AND o.opcintype = base.oid), false) AS stable
         FROM pg_class c
         JOIN pg_namespace n ON n.oid = c.relnamespace
         LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         LEFT JOIN pg_type t ON t.oid = a.atttypid
         LEFT JOIN pg_type base ON base.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
         WHERE c.relkind = 'r' AND c.relpersistence = 'p'
           AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
         ORDER BY n.nspname, c.relname, a.attnum",
    )
    .fetch_all(session)
    .await
    .doing(doing)?;
    let mut tables = Vec::<Table>::new();
    for row in rows {
        let (schema, name): (String, String) =
            (row.try_get("schema").doing(doing)?, row.try_get("table").doing(doing)?);
        if tables.last().is_none_or(|last| (&last.schema, &last.name) != (&schema, &name)) {
            let parent = row.try_get("parent").doing(doing)?;
            tables.push(Table { schema, name, parent, is_partitioned: false, columns: vec![] });
        }
        let column: Option<String> = row.try_get("column").doing(doing)?;
        if let (Some(table), Some(name)) = (tables.last_mut(), column) {
            table.columns.push(Column {
                name,
                type_name: row.try_get("type").doing(doing)?,
                is_generated: row.try_get("is_generated").doing(doing)?,
                has_stable_hash: row.try_get("stable").doing(doing)?,
            });
        }
    }
    Ok(tables)
}

/// The same with each family of partitions as one table, by its parent's name.
pub fn whole_tables(tables: Vec<Table>) -> Vec<Table> {
    let mut whole = BTreeMap::new();
    for table in tables {
        let is_partitioned = table.parent.is_some();
        let name = table.parent.unwrap_or(table.name);
        let key = (table.schema.clone(), name.clone());
        whole.entry(key).or_insert(Table {
            schema: table.schema,
            name,
            parent: None,
            is_partitioned,
            columns: table.columns,
        });
    }
    whole.into_values().collect()
}

/// The columns of a table's primary key, in order; empty when it has none.
pub async fn primary_key(session: &mut PgConnection, table: &Table) -> Result<Vec<String>> {
    sqlx::query_scalar(
        "SELECT a.attname::text FROM pg_index i, unnest(i.indkey::int2[]) WITH ORDINALITY AS u (n, o), pg_attribute a
         WHERE i.indrelid = to_regclass($1) AND i.indisprimary AND a.attrelid = i.indrelid AND a.attnum = u.n
         ORDER BY u.o",
    )
    .bind(table.qualified())
    .fetch_all(session)
    .await
    .doing(format!("looking for the primary key of {}", table.qualified()))
}

/// A foreign key between two tables, by qualified name, with the columns on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    pub name: String,
    /// Quoted, with schema.
    pub from: String,
    pub from_columns: Vec<String>,
    pub to: String,
    pub to_columns: Vec<String>,
}

pub async fn foreign_keys(session: &mut PgConnection) -> Result<Vec<ForeignKey>> {
    let doing = "listing foreign keys";
    let rows = sqlx::query(
        "SELECT k.conname::text AS name,
                format('%I.%I', fn.nspname, f.relname) AS from_table, format('%I.%I', tn.nspname, t.relname) AS to_table,
                ARRAY(SELECT format('%I', a.attname) FROM unnest(k.conkey) WITH ORDINALITY AS u (n, o)
                      JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n ORDER BY u.o) AS from_columns,
                ARRAY(SELECT format('%I', a.attname) FROM unnest(k.confkey) WITH ORDINALITY AS u (n, o)
                      JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n ORDER BY u.o) AS to_columns
         FROM pg_constraint k
         JOIN pg_class f ON f.oid = k.conrelid JOIN pg_namespace fn ON fn.oid = f.relnamespace
         JOIN pg_class t ON t.oid = k.confrelid JOIN pg_namespace tn ON tn.oid = t.relnamespace
         WHERE k.contype = 'f' AND k.conparentid = 0
         ORDER BY 2, 1",
    )
    .fetch_all(session)
    .await
    .doing(doing)?;
    rows.into_iter()
        .map(|row| {
            Ok(ForeignKey {
                name: row.try_get("name").doing(doing)?,
                from: row.try_get("from_table").doing(doing)?,
                from_columns: row.try_get("from_columns").doing(doing)?,
                to: row.try_get("to_table").doing(doing)?,
                to_columns: row.try_get("to_columns").doing(doing)?,
            })
        })
        .collect()
}

/// `names` in an order in which each comes after those it points at; a table may point at itself. Refuses a circle:
/// its tables cannot be loaded one after the other.
pub fn load_order(names: &[String], keys: &[ForeignKey]) -> Result<Vec<String>> {
    let mut waits_for: BTreeMap<&str, BTreeSet<&str>> =
        names.iter().map(|name| (name.as_str(), BTreeSet::new())).collect();
    for key in keys {
        if key.from != key.to
            && waits_for.contains_key(key.to.as_str())
            && let Some(of) = waits_for.get_mut(key.from.as_str())
        {
            of.insert(&key.to);
        }
    }
    let mut order = vec![];
    while !waits_for.is_empty() {
        let free: Vec<&str> =
            waits_for.iter().filter(|(_, of)| of.is_empty()).map(|(name, _)| *name).collect();
        if free.is_empty() {
            let circle: Vec<&str> = waits_for.keys().copied().collect();
            return Err(Error::Refused(format!(
                "these tables point at each other in a circle: {}",
                circle.join(", ")
            )));
        }
        for name in free {
            waits_for.remove(name);
            for of in waits_for.values_mut() {
                of.remove(name);
            }
            order.push(name.to_owned());
        }
    }
    Ok(order)
}

impl Surroundings {
    pub async fn read(session: &mut PgConnection) -> Result<Self> {
        let doing = "asking the server about itself";
        let row = sqlx::query(
            "SELECT current_database()::text AS database, current_user::text AS role,
                    (SELECT system_identifier::text FROM pg_control_system()) AS system_identifier,
                    current_setting('server_version') AS server_version,
                    current_setting('server_version_num')::integer / 10000 AS major,
                    pg_encoding_to_char(d.encoding)::text AS encoding, d.datcollate::text AS collate,
                    d.datctype::text AS ctype,
                    ARRAY(SELECT DISTINCT r.rolname::text FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid
                          WHERE s.refclassid = 'pg_authid'::regclass AND s.deptype IN ('o', 'a')
                            AND s.dbid = d.oid ORDER BY 1) AS roles,
                    to_regclass('public._sqlx_migrations') IS NOT NULL AS has_migrations
             FROM pg_database d WHERE d.datname = current_database()",
        )
        .fetch_one(&mut *session)
        .await
        .doing(doing)?;
        let migration = if row.try_get("has_migrations").doing(doing)? {
            sqlx::query_scalar("SELECT max(version) FROM public._sqlx_migrations WHERE success")
                .fetch_one(session)
                .await
                .doing(doing)?
        } else {
            None
        };
        let major: i32 = row.try_get("major").doing(doing)?;
        if major < 14 {
            // hash_record_extended, with which digests are computed.
            return Err(Error::Refused(format!(
                "PostgreSQL {major} is too old to be backed up: 14 is the first"
            )));
        }
        Ok(Self {
            database: row.try_get("database").doing(doing)?,
            role: row.try_get("role").doing(doing)?,
            system_identifier: row.try_get("system_identifier").doing(doing)?,
            server_version: row.try_get("server_version").doing(doing)?,
            server_major: u32::try_from(major).unwrap_or(0),
            encoding: row.try_get("encoding").doing(doing)?,
            collate: row.try_get("collate").doing(doing)?,
            ctype: row.try_get("ctype").doing(doing)?,
            roles: row.try_get("roles").doing(doing)?,
            migration,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(from: &str, to: &str) -> ForeignKey {
        ForeignKey {
            name: format!("{from}_{to}"),
            from: from.into(),
            from_columns: vec![],
            to: to.into(),
            to_columns: vec![],
        }
    }

    #[test]
    fn tables_come_after_those_they_point_at() {
        let names = ["a", "b", "c"].map(str::to_owned);
        let keys = [key("a", "b"), key("b", "c"), key("a", "a"), key("c", "elsewhere")];
        assert_eq!(load_order(&names, &keys).unwrap(), ["c", "b", "a"]);
        assert!(load_order(&names, &[key("a", "b"), key("b", "a")]).is_err());
    }
}
