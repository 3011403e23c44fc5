//! When somebody is told: at once, after their quiet hours, or in a digest. A function of wishes and the time.

use super::{Mode, Severity};
use chrono::{DateTime, Days, DurationRound, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// From one time of day to another, over midnight if the end is before the start; both the same: all day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuietHours {
    pub from: NaiveTime,
    pub to: NaiveTime,
}

/// What somebody wants of all their channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wishes {
    pub zone: Tz,
    pub quiet: Option<QuietHours>,
    /// When daily digests go out.
    pub digest_at: NaiveTime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    Never,
    Now,
    At(DateTime<Utc>),
}

impl Wishes {
    /// When somebody with these wishes is told of something of this severity.
    pub fn timing(&self, mode: Mode, severity: Severity, now: DateTime<Utc>) -> Timing {
        let wanted = match mode {
            Mode::Off => return Timing::Never,
            _ if severity == Severity::Critical => return Timing::Now,
            Mode::AtOnce => now,
            Mode::Hourly => next_hour(now),
            Mode::Daily => self.next_digest(now),
        };
        let at = self.after_quiet_hours(wanted);
        if at <= now { Timing::Now } else { Timing::At(at) }
    }

    fn next_digest(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let today = now.with_timezone(&self.zone).date_naive();
        let candidates = (0..3).filter_map(|day| today.checked_add_days(Days::new(day)));
        let mut instants = candidates.map(|day| instant(self.zone, day.and_time(self.digest_at)));
        instants.find(|at| *at > now).unwrap_or(now)
    }

    /// `at`, or the end of the quiet hours that it lies in.
    fn after_quiet_hours(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        let Some(QuietHours { from, to }) = self.quiet else { return at };
        let local = at.with_timezone(&self.zone).naive_local();
        let time = local.time();
        let is_quiet = if from < to { from <= time && time < to } else { time >= from || time < to };
        if !is_quiet {
            return at;
        }
        let today = instant(self.zone, local.date().and_time(to));
        match local.date().succ_opt() {
            Some(tomorrow) if today <= at => instant(self.zone, tomorrow.and_time(to)),
            _ => today,
        }
    }
}

fn next_hour(now: DateTime<Utc>) -> DateTime<Utc> {
    let hour = TimeDelta::hours(1);
    now.duration_trunc(hour).unwrap_or(now) + hour
}

/// The instant of a local time: the first of two where clocks go back, an hour later where they skip it.
fn instant(zone: Tz, local: NaiveDateTime) -> DateTime<Utc> {
    let found = zone.from_local_datetime(&local).earliest();
    let found = found.or_else(|| zone.from_local_datetime(&(local + TimeDelta::hours(1))).earliest());
    found.map_or_else(|| Utc.from_utc_datetime(&local), |at| at.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        format!("{text}:00Z").parse().unwrap()
    }

    fn time(text: &str) -> NaiveTime {
        format!("{text}:00").parse().unwrap()
    }

    fn wishes(quiet: Option<(&str, &str)>) -> Wishes {
        let quiet = quiet.map(|(from, to)| QuietHours { from: time(from), to: time(to) });
        Wishes { zone: chrono_tz::Europe::Berlin, quiet, digest_at: time("08:00") }
    }

    /// Berlin is at UTC+1 in winter and UTC+2 in summer; clocks change on 2026-03-29 and 2026-10-25.
    #[test]
    fn everything_has_its_time() {
        let night = Some(("22:00", "07:00"));
        let lunch = Some(("12:00", "13:00"));
        for (mode, quiet, now, told) in [
            (Mode::AtOnce, None, "2026-01-05T02:00", "now"),
            (Mode::AtOnce, night, "2026-01-05T20:59", "now"),
            (Mode::AtOnce, night, "2026-01-05T21:00", "2026-01-06T06:00"),
            (Mode::AtOnce, night, "2026-01-05T02:00", "2026-01-05T06:00"),
            (Mode::AtOnce, night, "2026-01-05T06:00", "now"),
            (Mode::AtOnce, lunch, "2026-07-01T10:30", "2026-07-01T11:00"),
            (Mode::AtOnce, lunch, "2026-07-01T11:00", "now"),
            // All day: until the same time tomorrow.
            (Mode::AtOnce, Some(("09:00", "09:00")), "2026-01-05T08:00", "2026-01-06T08:00"),
            // The night in which clocks go forward, and back.
            (Mode::AtOnce, night, "2026-03-28T22:00", "2026-03-29T05:00"),
            (Mode::AtOnce, night, "2026-10-24T22:00", "2026-10-25T06:00"),
            // The end is skipped: half past three it is.
            (Mode::AtOnce, Some(("22:00", "02:30")), "2026-03-28T22:00", "2026-03-29T01:30"),
            (Mode::Hourly, None, "2026-01-05T10:00", "2026-01-05T11:00"),
            (Mode::Hourly, None, "2026-01-05T10:59", "2026-01-05T11:00"),
            (Mode::Hourly, night, "2026-01-05T20:30", "2026-01-06T06:00"),
            (Mode::Daily, None, "2026-01-05T06:59", "2026-01-05T07:00"),
            (Mode::Daily, None, "2026-01-05T07:00", "2026-01-06T07:00"),
            (Mode::Daily, Some(("07:00", "09:00")), "2026-01-05T07:30", "2026-01-06T08:00"),
            (Mode::Off, None, "2026-01-05T07:00", "never"),
        ] {
            let expected = match told {
                "now" => Timing::Now,
                "never" => Timing::Never,
                at => Timing::At(utc(at)),
            };
            let timing = wishes(quiet).timing(mode, Severity::Warning, utc(now));
            assert_eq!(timing, expected, "{mode:?} {quiet:?} {now}");
        }
    }

    #[test]
    fn what_is_critical_waits_for_nobody_who_wants_it_at_all() {
        let wishes = wishes(Some(("00:00", "00:00")));
        for (mode, timing) in [
            (Mode::AtOnce, Timing::Now),
            (Mode::Hourly, Timing::Now),
            (Mode::Daily, Timing::Now),
            (Mode::Off, Timing::Never),
        ] {
            assert_eq!(wishes.timing(mode, Severity::Critical, utc("2026-01-05T02:00")), timing);
        }
    }
}
