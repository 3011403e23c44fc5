//! Amounts in different currencies, and the rates between them.

use super::CHARS_MAX;
use crate::read::{Fields, ReadBody, boolean, choice, integer, text};
use matching::Rate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether the pass compares different currencies: the left amount in the right record's currency.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CurrencyRuleBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    convert: Option<bool>,
    /// Allowed between converted amounts, of the larger one: "0.5".
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    percent: Option<String>,
    /// A rate may be so many days older than the left record; 5 unless said otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, maximum = 366)]
    rate_window_days: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false)]
    rounding: Option<RoundingWord>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RoundingWord {
    HalfUp,
    HalfEven,
}

/// One unit of `from` is worth `rate` units of `to` on that day.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Rate)]
pub(crate) struct RateBody {
    #[schema(min_length = 3, max_length = 3)]
    from: String,
    #[schema(min_length = 3, max_length = 3)]
    to: String,
    #[schema(format = Date)]
    date: String,
    /// A decimal in text, so that it is exact.
    rate: String,
}

impl From<&RateBody> for Rate {
    fn from(body: &RateBody) -> Self {
        let RateBody { from, to, date, rate } = body.clone();
        Rate { from, to, date, rate }
    }
}

impl ReadBody for CurrencyRuleBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            convert: fields.optional("convert", boolean),
            percent: fields.optional("percent", text(0..=CHARS_MAX)),
            rate_window_days: fields.optional("rate_window_days", integer(0..=366)),
            rounding: fields.optional("rounding", choice),
        })
    }
}

impl ReadBody for RateBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let from = fields.required("from", text(3..=3));
        let to = fields.required("to", text(3..=3));
        let date = fields.required("date", text(1..=CHARS_MAX));
        let rate = fields.required("rate", text(1..=CHARS_MAX));
        Some(Self { from: from?, to: to?, date: date?, rate: rate? })
    }
}
