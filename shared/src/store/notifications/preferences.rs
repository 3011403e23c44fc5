//! What each person wants to be told, over which channels, and when.

use crate::ids::UserId;
use crate::notification::Mode;
use crate::store::audit::{Note, Tenant};
use crate::store::{Store, StoreError};
use chrono::NaiveTime;
use serde_json::json;

/// Somebody's choices, whole: what is not among them is as the defaults have it.
#[derive(Debug, Clone, PartialEq)]
pub struct PersonalSettings {
    /// E.164.
    pub phone: Option<String>,
    /// By its IANA name.
    pub time_zone: String,
    pub quiet: Option<(NaiveTime, NaiveTime)>,
    pub digest_at: NaiveTime,
    pub modes: Vec<ChosenMode>,
}

#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct ChosenMode {
    pub event: String,
    /// `inbox`, `email` or `sms`.
    pub channel: String,
    pub mode: Mode,
}

type Row = (Option<String>, String, Option<NaiveTime>, Option<NaiveTime>, NaiveTime);

impl Store {
    pub async fn notification_settings(&self, user_id: UserId) -> Result<PersonalSettings, StoreError> {
        let row: Option<Row> = sqlx::query_as(
            "SELECT phone, time_zone, quiet_from, quiet_to, digest_at FROM notification_settings WHERE user_id = $1",
        )
        .bind(user_id)
        .fetch_optional(self.pool())
        .await?;
        let modes = sqlx::query_as(
            "SELECT event, channel, mode FROM notification_preferences WHERE user_id = $1 ORDER BY event, channel",
        )
        .bind(user_id)
        .fetch_all(self.pool())
        .await?;
        let eight = NaiveTime::from_hms_opt(8, 0, 0).unwrap_or_default();
        let (phone, time_zone, from, to, digest_at) = row.unwrap_or((None, "UTC".into(), None, None, eight));
        Ok(PersonalSettings { phone, time_zone, quiet: from.zip(to), digest_at, modes })
    }

    /// Replaces everything somebody has chosen.
    pub async fn set_notification_settings(
        &self,
        user_id: UserId,
        settings: &PersonalSettings,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO notification_settings (user_id, phone, time_zone, quiet_from, quiet_to, digest_at)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (user_id) DO UPDATE SET phone = excluded.phone, time_zone = excluded.time_zone,
                 quiet_from = excluded.quiet_from, quiet_to = excluded.quiet_to, digest_at = excluded.digest_at",
        )
        .bind(user_id)
        .bind(&settings.phone)
        .bind(&settings.time_zone)
        .bind(settings.quiet.map(|(from, _)| from))
        .bind(settings.quiet.map(|(_, to)| to))
        .bind(settings.digest_at)
        .execute(&mut *tx)
        .await?;
        sqlx::query("DELETE FROM notification_preferences WHERE user_id = $1")
            .bind(user_id)
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "INSERT INTO notification_preferences (user_id, event, channel, mode)
             SELECT $1, event, channel, mode::notification_mode
             FROM unnest($2::text[], $3::text[], $4::text[]) AS chosen (event, channel, mode)",
        )
        .bind(user_id)
        .bind(settings.modes.iter().map(|chosen| chosen.event.as_str()).collect::<Vec<_>>())
        .bind(settings.modes.iter().map(|chosen| chosen.channel.as_str()).collect::<Vec<_>>())
        .bind(settings.modes.iter().map(|chosen| chosen.mode.as_str()).collect::<Vec<_>>())
        .execute(&mut *tx)
        .await?;
        let after = json!({
            "time_zone": settings.time_zone, "has_phone": settings.phone.is_some(),
            "has_quiet_hours": settings.quiet.is_some(), "chosen": settings.modes.len(),
        });
        Note::of(Tenant::SYSTEM, "notification_settings", user_id).after(after).commit(tx).await
    }
}
