//! When an expression comes due in a time zone, with a rule for each day on which clocks change.
//!
//! - An expression that *names its times* (no `*` and no step in second, minute and hour: `30 2 * * *`,
//!   `0 2,14 * * *`) comes due once for each time it names. A time that the clocks skip comes due at the shift, the
//!   first instant after the gap; a time that they repeat comes due the first time only. Times that fall on the same
//!   instant come due together, once.
//! - Any other expression (`*/5 * * * *`, `0 * * * *`) says how the clock looks at the moments it means. It comes due
//!   at every such moment: what the clocks skip does not happen, what they repeat happens twice, and a rhythm that
//!   divides the shift goes on evenly.
//!
//! This is the rule of Vixie cron, except that a skipped time does not wait for its own distance from the shift.
//! (`croner` finds the wall clock times; it takes only a single hour and minute for named, so `0 2,14 * * *` would be
//! dropped in spring and doubled in autumn. Hence the rule is here.)
//!
//! Zones come from the tz database compiled into this version, which reaches to the end of the century at least for
//! zones with daylight saving time.

use super::{Expression, ExpressionError, UnknownZone, zone};
use chrono::{DateTime, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// An expression in a zone. Its occurrences are instants on whole seconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Timing {
    pub expression: Expression,
    pub zone: Tz,
}

/// Why two texts are no timing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimingError {
    #[error("the expression is wrong at {0}")]
    Expression(#[from] ExpressionError),
    #[error(transparent)]
    Zone(#[from] UnknownZone),
}

const SECOND: TimeDelta = TimeDelta::seconds(1);

impl Timing {
    pub fn parse(expression: &str, zone_name: &str) -> Result<Self, TimingError> {
        Ok(Self { expression: expression.parse()?, zone: zone(zone_name)? })
    }

    /// The first occurrence after `at`. `None`: there is none any more (before the year 5000).
    ///
    /// Takes microseconds; for an expression that never comes some milliseconds.
    pub fn next_after(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // Later texts than this overflow somewhere below.
        if at.naive_utc() >= far_end() {
            return None;
        }
        if self.expression.names_times() { self.next_named(at) } else { self.next_shown(at) }
    }

    /// The last occurrence before `at`.
    pub fn last_before(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.expression.names_times() { self.last_named(at) } else { self.last_shown(at) }
    }

    /// The occurrences after `at`, in order.
    pub fn after(&self, at: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> {
        std::iter::successors(self.next_after(at), |last| self.next_after(*last))
    }

    fn next_named(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut named = self.local(at);
        loop {
            named = self.expression.next(named, false)?;
            // Not so in the second half of a repeated hour, whose times have all come due in the first.
            let due = self.due(named)?;
            if due > at {
                return Some(due);
            }
        }
    }

    fn last_named(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // In the second half of a repeated stretch, later times of it have come due too: begin behind it.
        let mut named = self.local(at).checked_add_signed(TimeDelta::days(1))?;
        loop {
            named = self.expression.previous(named, false)?;
            let due = self.due(named)?;
            if due < at {
                return Some(due);
            }
        }
    }

    /// Goes from one change of the clocks to the next: between two, wall clock and instants run together.
    fn next_shown(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut from = whole_second(at) + SECOND;
        loop {
            let shown = self.expression.next(self.local(from), true)?;
            let due = shown.checked_sub_signed(self.ahead(from))?.and_utc();
            match self.first_change(from, due) {
                None => return Some(due),
                Some(change) => from = change,
            }
        }
    }

    fn last_shown(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut from = whole_second(at - TimeDelta::nanoseconds(1));
        loop {
            let shown = self.expression.previous(self.local(from), true)?;
            let due = shown.checked_sub_signed(self.ahead(from))?.and_utc();
            match self.last_change(due, from) {
                None => return Some(due),
                Some(change) => from = change - SECOND,
            }
        }
    }

    /// When the named wall clock time comes due.
    fn due(&self, named: NaiveDateTime) -> Option<DateTime<Utc>> {
        if let Some(first) = self.zone.from_local_datetime(&named).earliest() {
            return Some(first.with_timezone(&Utc));
        }
        // Skipped. No zone is further than 15 hours from UTC, so the shift lies within a day of this instant.
        let near = named.and_utc();
        self.first_change(near - TimeDelta::days(2), near + TimeDelta::days(2))
    }

    /// How far the zone's clock is ahead of UTC.
    fn ahead(&self, at: DateTime<Utc>) -> TimeDelta {
        TimeDelta::seconds(self.zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc().into())
    }

    /// What the zone's clock shows, to the second.
    fn local(&self, at: DateTime<Utc>) -> NaiveDateTime {
        (whole_second(at) + self.ahead(at)).naive_utc()
    }

    /// The first instant in (`from`, `to`] whose clock runs otherwise than just before.
    fn first_change(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut same = from;
        while same < to {
            let ahead = same.checked_add_signed(STRIDE)?.min(to);
            if self.ahead(ahead) != self.ahead(same) {
                return Some(self.change_between(same, ahead));
            }
            same = ahead;
        }
        None
    }

    /// The last one.
    fn last_change(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut same = to;
        while same > from {
            let behind = same.checked_sub_signed(STRIDE)?.max(from);
            if self.ahead(behind) != self.ahead(same) {
                return Some(self.change_between(behind, same));
            }
            same = behind;
        }
        None
    }

    fn change_between(&self, mut before: DateTime<Utc>, mut after: DateTime<Utc>) -> DateTime<Utc> {
        let ahead = self.ahead(before);
        while after - before > SECOND {
            let middle = before + TimeDelta::seconds((after - before).num_seconds() / 2);
            if self.ahead(middle) == ahead { before = middle } else { after = middle }
        }
        after
    }
}

/// Shorter than any time between two changes of one zone's clock.
const STRIDE: TimeDelta = TimeDelta::days(1);

fn whole_second(at: DateTime<Utc>) -> DateTime<Utc> {
    at - TimeDelta::nanoseconds(at.timestamp_subsec_nanos().into())
}

/// Where the search ends at the latest.
fn far_end() -> NaiveDateTime {
    chrono::NaiveDate::from_ymd_opt(croner::YEAR_UPPER_LIMIT, 1, 1).expect("a date").into()
}

#[cfg(test)]
#[path = "timing_tests.rs"]
mod tests;
