//! Which rows of each table belong to a tenant. A list, so that a new table cannot be forgotten: a test compares it
//! with the schema.

/// A table and its way to a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TenantTable {
    pub name: &'static str,
    pub rows: TenantRows,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TenantRows {
    /// The rows `t` that meet this belong to project `$1` and to no other. They change: a restore may overwrite them.
    Changing(&'static str),
    /// The same; a restore only ever adds what is missing. They are written once, or what became of them live (a job's
    /// lease, what people decided) fits to no older version of their row.
    WrittenOnce(&'static str),
    /// The same, of those that do not meet `unless` in the live database, where `s` is the row of the backup.
    /// [`PROJECT_WAS_THERE`] may be asked.
    Conditional { rows: &'static str, unless: &'static str },
    /// Rows that the tenant's own point at, and that others may share: a restore adds those that are missing and
    /// leaves the others as they are.
    Shared(&'static str),
    /// Not in a tenant's backup, and why.
    Left(&'static str),
}

use TenantRows::{Changing, Conditional, Left, Shared, WrittenOnce};

/// True while a merge brings rows into a project that was live before it.
pub const PROJECT_WAS_THERE: &str = "current_setting('counterfoil.project_was_there', true) = 'yes'";

const OF_PROJECT: &str = "t.project_id = $1";
const OF_RECONCILIATION: &str = "t.job_id IN (SELECT job_id FROM reconciliations WHERE project_id = $1)";
const OF_DECISION: &str = "t.decision_id IN (SELECT id FROM review_decisions WHERE project_id = $1)";
const OF_JOB: &str = "t.job_id IN (SELECT id FROM jobs WHERE project_id = $1)";

/// Every table of the schema that survives a crash, by name; unlogged ones are in no backup.
pub const TENANT_TABLES: &[TenantTable] = &[
    table("_sqlx_migrations", Left("of the schema, not of a tenant")),
    table("alerts", Left("conditions of now: what a restore brings back must not ring again")),
    table("api_keys", Left("a restore must not open again what was shut")),
    table("attempts", WrittenOnce(OF_JOB)),
    table("audit_checkpoints", Left("signatures under a log that is only ever added to")),
    table("audit_heads", Left("a log that is only ever added to: what a restore brings back does not unmake it")),
    table("audit_records", Left("a log that is only ever added to: what a restore brings back does not unmake it")),
    table("backup_alerts", Left("of the system")),
    table("backup_copies", Left("the records of backups are not restored by them")),
    table("backup_removals", Left("of the system")),
    table("backup_stores", Left("of the system")),
    table("backups", Left("the records of backups are not restored by them")),
    table("batches", WrittenOnce(OF_PROJECT)),
    table("concurrency_limits", Changing("t.scope = 'project' AND t.name = $1::text")),
    table("data_sources", Changing(OF_PROJECT)),
    table("deliveries", Left("what left the system does not come back, and is not sent again by a restore")),
    table("dispatch_marks", Left("how far the relay is, of all tenants together")),
    table("doorbells_out", Left("hints of a few seconds; the rescuer rings again")),
    table("exception_totals", Left("counted anew when a run is next reviewed")),
    table("exceptions", WrittenOnce(OF_RECONCILIATION)),
    table("files", Changing(OF_PROJECT)),
    table("four_eyes_limits", Changing(OF_PROJECT)),
    table("four_eyes_past_limits", WrittenOnce(OF_PROJECT)),
    table("hand_matches", WrittenOnce(OF_PROJECT)),
    table("idempotency_keys", Left("answers to requests of a day, by user")),
    table("identities", Left("of people, who may belong to several tenants")),
    table("inbox", Left("of people, who may belong to several tenants")),
    table("invitations", Left("a restore must not open again what was shut")),
    table("job_events", WrittenOnce(OF_JOB)),
    table("job_ledger", Left("books of all tenants together, kept by a trigger as jobs come back")),
    table("jobs", WrittenOnce(OF_PROJECT)),
    table("login_failures", Left("by address, of all tenants together")),
    table("mail_bounces", Left("by address, of all tenants together")),
    table("matched_records", WrittenOnce(OF_RECONCILIATION)),
    table("matches", WrittenOnce(OF_RECONCILIATION)),
    table("notification_preferences", Left("of people, who may belong to several tenants")),
    table("notification_settings", Left("of people, who may belong to several tenants")),
    table("notifications", Left("news; who was told knows, and a restore must not tell it again")),
    table("organisations", Shared("t.id = (SELECT organisation_id FROM projects WHERE id = $1)")),
    table("outbox", Left("doorbells; the rescuer rings again for what is available")),
    table("password_resets", Left("a restore must not open again what was shut")),
    // Who was let out of a project that is there must not be let in again.
    table("project_members", Conditional { rows: OF_PROJECT, unless: PROJECT_WAS_THERE }),
    table("projects", Changing("t.id = $1")),
    table("queue_pauses", Left("of the system")),
    table("reconciliations", WrittenOnce(OF_PROJECT)),
    table("recovery_codes", Left("a restore must not open again what was shut")),
    table("refresh_tokens", Left("a restore must not open again what was shut")),
    table("rejected_lines", WrittenOnce(OF_RECONCILIATION)),
    table("restores", Left("the records of restores are not restored by them")),
    table("review_changes", WrittenOnce(OF_DECISION)),
    table("review_decisions", WrittenOnce(OF_PROJECT)),
    table("review_reasons", Changing(OF_PROJECT)),
    table("review_verdicts", WrittenOnce(OF_DECISION)),
    table(
        "review_waiting",
        Conditional {
            rows: OF_PROJECT,
            unless: "EXISTS (SELECT FROM review_verdicts v WHERE v.decision_id = s.decision_id)",
        },
    ),
    table("schedule_ticks", WrittenOnce("t.schedule_id IN (SELECT id FROM schedules WHERE project_id = $1)")),
    table("schedules", Changing(OF_PROJECT)),
    table("second_factors", Left("of people, who may belong to several tenants")),
    table("sessions", Left("a restore must not open again what was shut")),
    table("shipped_schedules", Left("of the system")),
    table(
        "users",
        Shared(
            "t.id IN (SELECT user_id FROM project_members WHERE project_id = $1
                UNION SELECT created_by FROM projects WHERE id = $1
                UNION SELECT o.founded_by FROM organisations o JOIN projects p ON p.organisation_id = o.id
                      WHERE p.id = $1 AND o.founded_by IS NOT NULL
                UNION SELECT uploaded_by FROM files WHERE project_id = $1
                UNION SELECT created_by FROM data_sources WHERE project_id = $1
                UNION SELECT created_by FROM jobs WHERE project_id = $1
                UNION SELECT created_by FROM batches WHERE project_id = $1
                UNION SELECT decided_by FROM review_decisions WHERE project_id = $1
                UNION SELECT v.judged_by FROM review_verdicts v JOIN review_decisions d ON d.id = v.decision_id
                      WHERE d.project_id = $1
                UNION SELECT created_by FROM schedules WHERE project_id = $1)",
        ),
    ),
    table("wal_archive", Left("of the system")),
    table("webhook_attempts", Left("the log of what left the system")),
    table("webhooks", Left("a restore must not open again what was shut")),
    table("workers", Left("processes that live, of all tenants together")),
];

const fn table(name: &'static str, rows: TenantRows) -> TenantTable {
    TenantTable { name, rows }
}

impl TenantRows {
    /// The condition on `t` for one project, as SQL; `None` for tables that are left out.
    pub fn of(&self, project: uuid::Uuid) -> Option<String> {
        match self {
            Changing(condition)
            | WrittenOnce(condition)
            | Shared(condition)
            | Conditional { rows: condition, .. } => {
                // COPY takes no parameters; a UUID has nothing in it that could end the text.
                Some(condition.replace("$1", &format!("'{project}'::uuid")))
            }
            Left(_) => None,
        }
    }

    /// Which rows `s` of a backup stay out of the live database, as SQL.
    pub fn unless(&self) -> &'static str {
        match self {
            Conditional { unless, .. } => unless,
            _ => "false",
        }
    }
}
