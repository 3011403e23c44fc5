//! Addressing: to whom a notification goes, over which channels, and when.

use super::alerts;
use super::deliveries::{NewDelivery, insert_delivery};
use super::notify;
use crate::ids::{NotificationId, ProjectId, UserId, WebhookId};
use crate::notification::{
    Audience, Channel, Event, EventKind, Message, Mode, PersonalChannel, QuietHours, Severity, Timing, Wishes,
};
use crate::policy::Policies;
use crate::store::{Store, StoreError};
use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;
use std::collections::BTreeMap;

/// Which ways out there are, by the configuration, and how often each is tried.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Routing {
    pub email: bool,
    pub sms: bool,
    pub slack: bool,
    pub pagerduty: bool,
    pub policies: Policies,
}

/// What one round of [`Store::address_next`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressed {
    pub id: NotificationId,
    pub event: String,
    /// Deliveries with a job; the others are held or suppressed.
    pub jobs: u32,
    /// `false`: written by a newer version, and left for a scheduler of that version.
    pub is_known: bool,
}

/// People told of one notification at most.
const PEOPLE_MAX: i64 = 1000;
/// Deaths of jobs in one project are told this often at most, together.
const DEATHS_TOGETHER: TimeDelta = TimeDelta::minutes(5);
/// How long an event that this version does not know waits for one that does.
const UNKNOWN_KEPT: TimeDelta = TimeDelta::hours(1);

#[derive(sqlx::FromRow)]
struct Pending {
    id: NotificationId,
    project_id: Option<ProjectId>,
    event: String,
    data: Value,
    created_at: DateTime<Utc>,
    now: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct Person {
    id: UserId,
    email: String,
    phone: Option<String>,
    time_zone: Option<String>,
    quiet_from: Option<NaiveTime>,
    quiet_to: Option<NaiveTime>,
    digest_at: Option<NaiveTime>,
    modes: Json<BTreeMap<String, Mode>>,
    has_bounced: bool,
}

impl Store {
    /// Addresses the oldest notification after `after` that waits for it, in one transaction: alert, inboxes,
    /// deliveries and their jobs are there together. `None`: none waits, or another notifier is at it.
    ///
    /// May run anywhere, any number of times; one at a time is at work. `at` replaces the database's time in tests.
    pub async fn address_next(
        &self,
        after: Option<NotificationId>,
        routing: &Routing,
        at: Option<DateTime<Utc>>,
    ) -> Result<Option<Addressed>, StoreError> {
        let mut tx = self.begin().await?;
        let is_alone: bool =
            sqlx::query_scalar("SELECT pg_try_advisory_xact_lock(hashtextextended('notifier', 0))")
                .fetch_one(&mut *tx)
                .await?;
        if !is_alone {
            return Ok(None);
        }
        let pending: Option<Pending> = sqlx::query_as(
            "SELECT id, project_id, event, data, created_at, coalesce($2, now()) AS now
             FROM notifications n
             WHERE addressed_at IS NULL AND ($1::uuid IS NULL OR id > $1)
               AND (event <> 'job.dead' OR NOT EXISTS (
                   SELECT FROM notifications t
                   WHERE t.event = 'job.dead' AND t.told_by IS NULL
                     AND t.project_id IS NOT DISTINCT FROM n.project_id
                     AND t.addressed_at > coalesce($2, now()) - $3 * interval '1 second'))
             ORDER BY id LIMIT 1 FOR UPDATE",
        )
        .bind(after)
        .bind(at)
        .bind(DEATHS_TOGETHER.num_seconds() as f64)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(pending) = pending else { return Ok(None) };
        let mut event: Event = match serde_json::from_value(pending.data.clone()) {
            Ok(event) => event,
            Err(_) if pending.now - pending.created_at < UNKNOWN_KEPT => {
                let (id, event) = (pending.id, pending.event);
                return Ok(Some(Addressed { id, event, jobs: 0, is_known: false }));
            }
            Err(error) => {
                tracing::error!(notification_id = %pending.id, event = pending.event, %error, "nobody can be told of it");
                set_aside(&mut tx, &pending).await?;
                tx.commit().await?;
                return Ok(Some(Addressed {
                    id: pending.id,
                    event: pending.event,
                    jobs: 0,
                    is_known: false,
                }));
            }
        };
        if let Event::JobDead { jobs, .. } = &mut event {
            *jobs = 1 + tell_together(&mut tx, &pending).await?;
        }
        let jobs = address(&mut tx, &pending, &event, routing).await?;
        tx.commit().await?;
        Ok(Some(Addressed { id: pending.id, event: pending.event, jobs, is_known: true }))
    }

    /// Resolves alerts whose condition the database itself shows to be over.
    pub async fn resolve_past_alerts(&self) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let over: Vec<String> = sqlx::query_scalar(
            "SELECT condition FROM alerts a
             WHERE resolved_at IS NULL AND (
                 (event = 'backup.failed' AND EXISTS (
                     SELECT FROM backups b WHERE b.state <> 'failed' AND b.finished_at > a.last_at
                       AND b.class::text = split_part(a.condition, ':', 2)))
                 -- It was healed, or is not kept any more.
                 OR (event = 'backup.verification_failed' AND EXISTS (
                     SELECT FROM backups b WHERE b.id::text = split_part(a.condition, ':', 2)
                       AND (b.is_good OR b.state = 'removed')))
                 -- Workers have found it over.
                 OR (SELECT c.resolved_at IS NOT NULL FROM backup_alerts c WHERE c.condition = a.condition
                     ORDER BY c.id DESC LIMIT 1))
             LIMIT 100 FOR UPDATE SKIP LOCKED",
        )
        .fetch_all(&mut *tx)
        .await?;
        for condition in &over {
            alerts::resolve(&mut tx, condition).await?;
        }
        tx.commit().await?;
        Ok(over.len() as u64)
    }
}

async fn set_aside(conn: &mut PgConnection, pending: &Pending) -> Result<(), StoreError> {
    sqlx::query("UPDATE notifications SET addressed_at = $2, title = event, says = '', severity = 'info' WHERE id = $1")
        .bind(pending.id)
        .bind(pending.now)
        .execute(conn)
        .await?;
    Ok(())
}

/// The other dead jobs of the project that nobody was told of: this one tells of them.
async fn tell_together(conn: &mut PgConnection, pending: &Pending) -> Result<u32, StoreError> {
    let told = sqlx::query(
        "UPDATE notifications SET addressed_at = $3, told_by = $1
         WHERE addressed_at IS NULL AND event = 'job.dead' AND id <> $1 AND project_id IS NOT DISTINCT FROM $2",
    )
    .bind(pending.id)
    .bind(pending.project_id)
    .bind(pending.now)
    .execute(conn)
    .await?;
    Ok(u32::try_from(told.rows_affected()).unwrap_or(u32::MAX - 1))
}

async fn address(
    conn: &mut PgConnection,
    pending: &Pending,
    event: &Event,
    routing: &Routing,
) -> Result<u32, StoreError> {
    let (kind, message) = (event.kind(), event.message());
    sqlx::query(
        "UPDATE notifications SET addressed_at = $2, severity = $3, title = $4, says = $5, link = $6, data = $7
         WHERE id = $1",
    )
    .bind(pending.id)
    .bind(pending.now)
    .bind(kind.severity())
    .bind(&message.title)
    .bind(&message.says)
    .bind(&message.link)
    .bind(Json(event))
    .execute(&mut *conn)
    .await?;
    let is_acknowledged = match event.condition() {
        Some(condition) => open_alert(conn, pending, &condition, event, &message).await?,
        None => false,
    };
    let mut channels = vec![];
    let mut jobs = 0;
    for person in people(conn, pending.project_id, event.audience(), kind).await? {
        if person.mode(kind, PersonalChannel::Inbox) != Mode::Off {
            put_into_inbox(conn, person.id, pending.id).await?;
        }
        // Somebody is at it: no need to ring at every occurrence.
        if is_acknowledged {
            continue;
        }
        for delivery in person.deliveries(kind, pending, routing) {
            channels.push(delivery.channel);
            jobs += u32::from(insert_delivery(conn, &delivery, routing).await?);
        }
    }
    if !is_acknowledged {
        for (channel, recipient) in machines(conn, pending.project_id, event, routing).await? {
            channels.push(channel);
            let delivery = NewDelivery::now(pending.id, channel, recipient, None, kind.severity());
            jobs += u32::from(insert_delivery(conn, &delivery, routing).await?);
        }
    }
    if let Some(condition) = event.condition() {
        alerts::add_channels(conn, &condition, &channels).await?;
    }
    Ok(jobs)
}

/// Opens an alert, or counts one more occurrence; says whether somebody has acknowledged it.
async fn open_alert(
    conn: &mut PgConnection,
    pending: &Pending,
    condition: &str,
    event: &Event,
    message: &Message,
) -> Result<bool, StoreError> {
    let says = match message.says.as_str() {
        "" => message.title.clone(),
        says => format!("{}: {says}", message.title).chars().take(4000).collect(),
    };
    alerts::open(conn, pending.project_id, condition, event.kind(), &says).await
}

async fn put_into_inbox(conn: &mut PgConnection, user: UserId, id: NotificationId) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO inbox (user_id, notification_id) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(user)
        .bind(id)
        .execute(conn)
        .await?;
    Ok(())
}

async fn people(
    conn: &mut PgConnection,
    project_id: Option<ProjectId>,
    audience: Audience,
    kind: EventKind,
) -> Result<Vec<Person>, StoreError> {
    let (person, members, except) = match (audience, project_id) {
        (Audience::Person(id), _) => (Some(id), None, None),
        (Audience::Members(role, except), Some(_)) => (None, Some(role), except),
        (Audience::Members(_, except), None) => (None, None, except),
        (Audience::PlatformAdministrators, _) => (None, None, None),
    };
    Ok(sqlx::query_as(
        "SELECT u.id, u.email, s.phone, s.time_zone, s.quiet_from, s.quiet_to, s.digest_at,
                (SELECT coalesce(jsonb_object_agg(p.channel, p.mode), '{}') FROM notification_preferences p
                 WHERE p.user_id = u.id AND p.event = $1) AS modes,
                EXISTS (SELECT FROM mail_bounces b WHERE b.address = lower(u.email)) AS has_bounced
         FROM users u LEFT JOIN notification_settings s ON s.user_id = u.id
         WHERE CASE WHEN $2::uuid IS NOT NULL THEN u.id = $2
                    WHEN $3::project_role IS NOT NULL
                    THEN u.id IN (SELECT user_id FROM project_members WHERE project_id = $4 AND role >= $3)
                    ELSE u.is_platform_admin END
           AND u.id IS DISTINCT FROM $5 AND u.disabled_at IS NULL
         ORDER BY u.id LIMIT $6",
    )
    .bind(kind.as_str())
    .bind(person)
    .bind(members)
    .bind(project_id)
    .bind(except)
    .bind(PEOPLE_MAX)
    .fetch_all(conn)
    .await?)
}

impl Person {
    fn mode(&self, kind: EventKind, channel: PersonalChannel) -> Mode {
        match self.modes.get(channel.as_str()) {
            Some(mode) if kind.is_chosen() => *mode,
            // Somebody asks whether it works.
            _ if kind == EventKind::Test => Mode::AtOnce,
            _ => kind.default_mode(channel),
        }
    }

    fn wishes(&self) -> Wishes {
        let zone = self.time_zone.as_deref().and_then(|name| name.parse().ok());
        let quiet = self.quiet_from.zip(self.quiet_to).map(|(from, to)| QuietHours { from, to });
        Wishes {
            zone: zone.unwrap_or(chrono_tz::UTC),
            quiet,
            digest_at: self.digest_at.unwrap_or(NaiveTime::MIN),
        }
    }

    fn deliveries(&self, kind: EventKind, pending: &Pending, routing: &Routing) -> Vec<NewDelivery> {
        let mut ways = vec![];
        if routing.email {
            ways.push((PersonalChannel::Email, Channel::Email, self.email.clone()));
        }
        if let (true, Some(phone)) = (routing.sms, &self.phone) {
            ways.push((PersonalChannel::Sms, Channel::Sms, phone.clone()));
        }
        let urgency = if kind == EventKind::Test { Severity::Critical } else { kind.severity() };
        let planned = ways.into_iter().filter_map(|(personal, channel, recipient)| {
            let timing = self.wishes().timing(self.mode(kind, personal), urgency, pending.now);
            let new = NewDelivery::now(pending.id, channel, recipient, Some(self.id), kind.severity());
            match timing {
                Timing::Never => None,
                _ if channel == Channel::Email && self.has_bounced => Some(new.suppressed()),
                Timing::Now => Some(new),
                Timing::At(at) => Some(new.held_until(at)),
            }
        });
        planned.collect()
    }
}

/// Recipients that are no people.
async fn machines(
    conn: &mut PgConnection,
    project_id: Option<ProjectId>,
    event: &Event,
    routing: &Routing,
) -> Result<Vec<(Channel, String)>, StoreError> {
    let kind = event.kind();
    let mut recipients = vec![];
    let is_over = kind == EventKind::ConditionOver;
    if routing.slack && kind.is_operational() && (kind.severity() >= Severity::Warning || is_over) {
        recipients.push((Channel::Slack, "-".to_owned()));
    }
    // What rang there is told to stop ringing.
    let rings = |kind: EventKind| kind.severity() == Severity::Critical;
    let rang = match event {
        Event::ConditionOver { event, .. } => EventKind::parse(event).is_some_and(rings),
        _ => rings(kind),
    };
    if routing.pagerduty && rang {
        recipients.push((Channel::Pagerduty, "-".to_owned()));
    }
    if kind.is_for_webhooks() {
        let webhooks: Vec<WebhookId> = sqlx::query_scalar(
            "SELECT id FROM webhooks
             WHERE project_id IS NOT DISTINCT FROM $1 AND disabled_at IS NULL
               AND (events = '{}' OR $2 = ANY(events)) ORDER BY id",
        )
        .bind(project_id)
        .bind(kind.as_str())
        .fetch_all(conn)
        .await?;
        recipients.extend(webhooks.into_iter().map(|id| (Channel::Webhook, id.to_string())));
    }
    Ok(recipients)
}

/// Tells that a condition is over, as a notification of its own.
pub(super) async fn tell_over(
    conn: &mut PgConnection,
    project_id: Option<ProjectId>,
    condition: &str,
    event: &str,
    says: &str,
) -> Result<(), StoreError> {
    let (condition, event, says) = (condition.to_owned(), event.to_owned(), says.to_owned());
    notify(conn, project_id, &Event::ConditionOver { condition, event, says }).await?;
    Ok(())
}
