//! Readers of what the bodies of these routes share.

use crate::jobs::moment;
use crate::read::{Place, text};
use chrono::{DateTime, Utc};
use serde_json::Value;

/// A time to come, RFC 3339.
pub(super) fn instant(value: Value, place: &mut Place<'_>) -> Option<DateTime<Utc>> {
    let text = text(1..=40)(value, place)?;
    moment(&text).map_err(|detail| place.wrong::<()>("format", detail)).ok()
}
