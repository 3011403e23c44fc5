//! `/api/notifications/settings`: what the caller wants to be told, over which channels, and when.

use crate::caller::Caller;
use crate::problem::Problem;
use crate::read::{Fields, JsonBody, Place, ReadBody, choice, list, object, text};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use chrono::NaiveTime;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::notification::{EventKind, Mode, PersonalChannel};
use shared::schedule::zone;
use shared::store::notifications::{ChosenMode, PersonalSettings};
use utoipa::ToSchema;

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettingsBody {
    /// For SMS, with the country: `+49301234567`.
    #[schema(pattern = r"^\+[1-9][0-9]{6,14}$", nullable = false)]
    phone: Option<String>,
    /// By its IANA name; UTC unless said otherwise.
    #[schema(value_type = Option<String>, nullable = false, example = "Europe/Berlin")]
    time_zone: String,
    /// In these hours only what is critical is sent; the rest comes after.
    #[schema(nullable = false)]
    quiet_hours: Option<QuietHoursBody>,
    /// When daily digests are sent, `HH:MM`; 08:00 unless said otherwise.
    #[schema(value_type = Option<String>, nullable = false, example = "08:00")]
    digest_at: NaiveTime,
    /// What is left out is as the defaults have it; see `GET`.
    #[schema(value_type = Option<Vec<NotificationChoiceBody>>, max_items = 200, nullable = false)]
    choices: Vec<NotificationChoiceBody>,
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct QuietHoursBody {
    /// `HH:MM`
    #[schema(value_type = String, example = "22:00")]
    from: NaiveTime,
    /// `HH:MM`; before `from`: the next morning.
    #[schema(value_type = String, example = "07:00")]
    to: NaiveTime,
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NotificationChoiceBody {
    #[schema(value_type = String, example = "reconciliation.finished")]
    event: EventKind,
    channel: ChannelWord,
    mode: ModeWord,
}

#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PersonalChannel)]
pub(crate) enum ChannelWord {
    Inbox,
    Email,
    Sms,
}

#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = NotificationMode)]
pub(crate) enum ModeWord {
    Off,
    AtOnce,
    Hourly,
    Daily,
}

impl From<ModeWord> for Mode {
    fn from(word: ModeWord) -> Self {
        match word {
            ModeWord::Off => Mode::Off,
            ModeWord::AtOnce => Mode::AtOnce,
            ModeWord::Hourly => Mode::Hourly,
            ModeWord::Daily => Mode::Daily,
        }
    }
}

impl From<Mode> for ModeWord {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Off => Self::Off,
            Mode::AtOnce => Self::AtOnce,
            Mode::Hourly => Self::Hourly,
            Mode::Daily => Self::Daily,
        }
    }
}

impl ChannelWord {
    const ALL: [(Self, PersonalChannel); 3] = [
        (Self::Inbox, PersonalChannel::Inbox),
        (Self::Email, PersonalChannel::Email),
        (Self::Sms, PersonalChannel::Sms),
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Inbox => "inbox",
            Self::Email => "email",
            Self::Sms => "sms",
        }
    }
}

fn time(value: Value, place: &mut Place<'_>) -> Option<NaiveTime> {
    let text = text(5..=5)(value, place)?;
    let time = NaiveTime::parse_from_str(&text, "%H:%M").ok();
    time.or_else(|| place.wrong("format", "must be a time of day, HH:MM"))
}

fn phone(value: Value, place: &mut Place<'_>) -> Option<String> {
    let phone = text(8..=16)(value, place)?;
    let digits = phone.strip_prefix('+').unwrap_or("");
    let is_number =
        !digits.starts_with('0') && digits.len() >= 7 && digits.bytes().all(|b| b.is_ascii_digit());
    if is_number {
        Some(phone)
    } else {
        place.wrong("format", "must be a number with its country: +49301234567")
    }
}

fn time_zone(value: Value, place: &mut Place<'_>) -> Option<String> {
    let name = text(1..=64)(value, place)?;
    match zone(&name) {
        Ok(zone) => Some(zone.name().to_owned()),
        Err(error) => place.wrong("unknown", error.to_string()),
    }
}

fn event(value: Value, place: &mut Place<'_>) -> Option<EventKind> {
    let name = text(1..=100)(value, place)?;
    let kind = EventKind::parse(&name).filter(|kind| kind.is_chosen());
    kind.or_else(|| place.wrong("unknown", "there is no such event to choose about"))
}

impl ReadBody for SettingsBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let before = fields.mistakes();
        let phone = fields.optional("phone", phone);
        let time_zone = fields.optional("time_zone", time_zone).unwrap_or_else(|| "UTC".into());
        let quiet_hours = fields.optional(
            "quiet_hours",
            object(|fields| {
                let (from, to) = (fields.required("from", time), fields.required("to", time));
                Some(QuietHoursBody { from: from?, to: to? })
            }),
        );
        let eight = NaiveTime::from_hms_opt(8, 0, 0).unwrap_or_default();
        let digest_at = fields.optional("digest_at", time).unwrap_or(eight);
        let choices = fields.optional(
            "choices",
            list(200, |value, place| {
                object(|fields| {
                    let event = fields.required("event", event);
                    let channel = fields.required("channel", choice);
                    let mode = fields.required("mode", choice);
                    Some(NotificationChoiceBody { event: event?, channel: channel?, mode: mode? })
                })(value, place)
            }),
        );
        let choices = choices.unwrap_or_default();
        let mut keys: Vec<_> = choices.iter().map(|c| (c.event.as_str(), c.channel.as_str())).collect();
        keys.sort_unstable();
        if keys.windows(2).any(|pair| pair[0] == pair[1]) {
            return fields.wrong("repeated", "choices name an event and channel twice");
        }
        (fields.mistakes() == before).then_some(Self { phone, time_zone, quiet_hours, digest_at, choices })
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct NotificationSettings {
    phone: Option<String>,
    time_zone: String,
    quiet_hours: Option<QuietHoursAnswer>,
    /// `HH:MM`
    digest_at: String,
    /// Every event and channel, with what is chosen for it or the default.
    choices: Vec<ChoiceAnswer>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct QuietHoursAnswer {
    /// `HH:MM`
    from: String,
    /// `HH:MM`
    to: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ChoiceAnswer {
    event: String,
    severity: super::inbox::SeverityWord,
    channel: ChannelWord,
    mode: ModeWord,
    /// Nobody has chosen it.
    is_default: bool,
    /// What it is unless chosen otherwise.
    default_mode: ModeWord,
}

impl From<PersonalSettings> for NotificationSettings {
    fn from(settings: PersonalSettings) -> Self {
        let shown = |time: NaiveTime| time.format("%H:%M").to_string();
        let mut choices = vec![];
        for kind in EventKind::ALL.into_iter().filter(|kind| kind.is_chosen()) {
            for (channel, personal) in ChannelWord::ALL {
                let chosen = settings
                    .modes
                    .iter()
                    .find(|chosen| chosen.event == kind.as_str() && chosen.channel == channel.as_str());
                choices.push(ChoiceAnswer {
                    event: kind.as_str().to_owned(),
                    severity: kind.severity().into(),
                    channel,
                    mode: chosen.map_or_else(|| kind.default_mode(personal), |chosen| chosen.mode).into(),
                    is_default: chosen.is_none(),
                    default_mode: kind.default_mode(personal).into(),
                });
            }
        }
        Self {
            phone: settings.phone,
            time_zone: settings.time_zone,
            quiet_hours: settings
                .quiet
                .map(|(from, to)| QuietHoursAnswer { from: shown(from), to: shown(to) }),
            digest_at: shown(settings.digest_at),
            choices,
        }
    }
}

/// What the caller is told, over which channels, and when.
#[utoipa::path(
    get, path = "/api/notifications/settings", tag = "notifications",
    responses((status = 200, description = "The settings", body = NotificationSettings))
)]
pub(crate) async fn show_notification_settings(
    State(api): State<Api>,
    caller: Caller,
) -> Result<Json<NotificationSettings>, Problem> {
    Ok(Json(api.store.notification_settings(caller.user_id).await?.into()))
}

/// Replace the caller's settings, all of them.
#[utoipa::path(
    put, path = "/api/notifications/settings", tag = "notifications", request_body = SettingsBody,
    responses((status = 200, description = "Stored", body = NotificationSettings))
)]
pub(crate) async fn set_notification_settings(
    State(api): State<Api>,
    caller: Caller,
    JsonBody(body): JsonBody<SettingsBody>,
) -> Result<Json<NotificationSettings>, Problem> {
    let modes = body.choices.iter().map(|choice| ChosenMode {
        event: choice.event.as_str().to_owned(),
        channel: choice.channel.as_str().to_owned(),
        mode: choice.mode.into(),
    });
    let settings = PersonalSettings {
        phone: body.phone,
        time_zone: body.time_zone,
        quiet: body.quiet_hours.map(|quiet| (quiet.from, quiet.to)),
        digest_at: body.digest_at,
        modes: modes.collect(),
    };
    api.store.set_notification_settings(caller.user_id, &settings).await?;
    Ok(Json(settings.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_schema_is_read::<SettingsBody>();
    }
}
