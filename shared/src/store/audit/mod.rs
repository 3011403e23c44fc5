//! The audit log: who did what, when and from where, in one chain of hashes for each tenant.
//!
//! [`append`] runs in the transaction of the change itself, as its last statement: it takes the lock of the chain's
//! head, which the next change of the same tenant waits for until the commit. So there is no change without its
//! record, no record without its change, and the order of the records is the order of the commits.
//!
//! A record's hash is SHA-256 over the hash before it and the record as canonical JSON. The database checks both, and
//! refuses to change or remove records; whoever gets around that (its superuser) breaks the chain from there on, unless
//! they make all of it anew up to the head, which the signed checkpoints show. See [`verify`].

mod checkpoints;
mod context;
mod list;
mod verify;

pub use checkpoints::{Checkpoint, CheckpointSigner, signed_bytes};
pub use context::{Context, Note, current, is_named, is_user};
pub use list::{AuditFilter, AuditRecord};
pub use verify::{Broken, ChainState};

use super::StoreError;
use crate::ids::{ProjectId, UserId};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

/// Whose chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tenant(pub Uuid);

impl Tenant {
    /// What belongs to no project: accounts, logins, queues, limits.
    pub const SYSTEM: Tenant = Tenant(Uuid::nil());
}

impl From<Option<ProjectId>> for Tenant {
    fn from(id: Option<ProjectId>) -> Self {
        id.map_or(Tenant::SYSTEM, Into::into)
    }
}

impl From<ProjectId> for Tenant {
    fn from(id: ProjectId) -> Self {
        Tenant(id.0)
    }
}

/// What happened.
#[derive(Debug, Clone)]
pub struct NewAuditRecord {
    pub tenant: Tenant,
    /// `noun.verb`.
    pub action: String,
    pub subject_kind: &'static str,
    pub subject_id: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
    pub by: AuditedBy,
}

/// Who, and from where.
#[derive(Debug, Clone, Default)]
pub struct AuditedBy {
    /// Its name and address are written down as they are at the time.
    pub user_id: Option<UserId>,
    /// Somebody without an account: a shell's user, an address that failed to log in.
    pub name: Option<String>,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
    pub request_id: Option<String>,
}

/// Appends a record to its tenant's chain, in the transaction of the change. To be called last: from here to the
/// commit, other changes of the tenant wait. Two round trips.
pub async fn append(conn: &mut PgConnection, new: NewAuditRecord) -> Result<(), StoreError> {
    // The update changes nothing; it locks the row and gives it, also when another transaction has just made it.
    let head: Head = sqlx::query_as(
        "INSERT INTO audit_heads AS h (tenant, seq, hash) VALUES ($1, 0, decode(repeat('00', 32), 'hex'))
         ON CONFLICT (tenant) DO UPDATE SET seq = h.seq
         RETURNING seq, hash, clock_timestamp() AS at, (SELECT name FROM users WHERE id = $2) AS name,
                   (SELECT email FROM users WHERE id = $2) AS email",
    )
    .bind(new.tenant.0)
    .bind(new.by.user_id)
    .fetch_one(&mut *conn)
    .await?;
    let Head { seq, hash: previous, at, name, email } = head;
    let (seq, name) = (seq + 1, name.or(new.by.name));
    let content = canonical(&json!({
        "tenant": new.tenant.0, "seq": seq, "at": instant(at), "action": new.action,
        "subject": {"kind": new.subject_kind, "id": new.subject_id},
        "before": new.before, "after": new.after,
        "by": {
            "user_id": new.by.user_id, "name": name, "email": email, "ip": new.by.ip,
            "user_agent": new.by.user_agent, "request_id": new.by.request_id,
        },
    }));
    sqlx::query(
        "INSERT INTO audit_records (tenant, seq, at, action, user_id, subject_kind, subject_id, content,
                                    previous_hash, hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(new.tenant.0)
    .bind(seq)
    .bind(at)
    .bind(&new.action)
    .bind(new.by.user_id)
    .bind(new.subject_kind)
    .bind(&new.subject_id)
    .bind(&content)
    .bind(&previous)
    .bind(hash_of(&previous, &content).as_slice())
    .execute(conn)
    .await?;
    Ok(())
}

/// The end of a chain, and who goes on with it.
#[derive(sqlx::FromRow)]
struct Head {
    seq: i64,
    hash: Vec<u8>,
    at: DateTime<Utc>,
    name: Option<String>,
    email: Option<String>,
}

/// With microseconds, which is what Postgres keeps.
fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn hash_of(previous: &[u8], content: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(previous);
    hash.update(content.as_bytes());
    hash.finalize().into()
}

/// Members sorted, nothing between them, U+0000 left out (Postgres has no text with it).
fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    text
}

fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort_unstable();
            text.push('{');
            for (i, name) in names.into_iter().enumerate() {
                if i > 0 {
                    text.push(',');
                }
                write_canonical(&Value::String(name.clone()), text);
                text.push(':');
                write_canonical(&members[name], text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    text.push(',');
                }
                write_canonical(item, text);
            }
            text.push(']');
        }
        Value::String(string) if string.contains('\0') => {
            write_canonical(&Value::String(string.replace('\0', "")), text);
        }
        other => text.push_str(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_json_has_one_form() {
        let value = json!({"b": [1, {"z": null, "a": "é\"\n"}], "a": {"d": 1.5, "c": true}, "n": "x\0y"});
        assert_eq!(canonical(&value), r#"{"a":{"c":true,"d":1.5},"b":[1,{"a":"é\"\n","z":null}],"n":"xy"}"#);
    }
}
