//! Business days: which days count, and how many lie between two dates.
//!
//! Every day has a *place*: the number of business days before it since a fixed one. A day that is no business day
//! has the place of the next one, so that a record booked on a Saturday stands where one booked on Monday does.
//! The distance of two dates is the difference of their places: the same in both directions, and additive.

mod holidays;

use crate::day::{day_of, parse, weekday_of};
use crate::{CalendarRule, KnownCalendar, RuleSet, Weekday};

/// Holidays are known from 1900 until before 2200; beyond, only weekends are no business days.
const YEARS: std::ops::Range<i32> = 1900..2200;
/// Saturday and Sunday, bit 0 being Monday.
const WEEKEND: u8 = 0b110_0000;

/// The days of one calendar that are no business days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Calendar {
    /// Bit per day of the week, bit 0 for Monday. Never all seven.
    weekend: u8,
    known: Option<KnownCalendar>,
    /// Of one's own.
    holidays: Vec<i32>,
}

/// The places of all days near those of the data; looking one up costs one access of memory.
#[derive(Debug, Clone)]
pub(crate) struct BusinessDays {
    weekend: u8,
    first: i32,
    /// By day from `first`; beyond either end weekends alone count.
    places: Vec<i32>,
    /// There is data outside the years that can be tabled.
    is_clipped: bool,
}

impl Calendar {
    /// `None` when neither the rule set nor this program knows the name, or the calendar has a mistake.
    pub fn named(name: Option<&str>, rules: &RuleSet) -> Option<Self> {
        let known = |known| Calendar { weekend: WEEKEND, known: Some(known), holidays: vec![] };
        let Some(name) = name else { return Some(known(KnownCalendar::Weekends)) };
        if let Some(calendar) = KnownCalendar::by_name(name) {
            return Some(known(calendar));
        }
        Self::compile(rules.calendars.iter().find(|rule| rule.name == name)?).ok()
    }

    /// All mistakes, each with the field it is in.
    pub fn compile(rule: &CalendarRule) -> Result<Self, Vec<(String, String)>> {
        let mut errors = vec![];
        let mut weekend = WEEKEND;
        if let Some(days) = &rule.weekend {
            weekend = days.iter().fold(0, |bits, &day| bits | bit_of(day));
            if weekend == 0b111_1111 {
                errors.push(("weekend".into(), "names all seven days; leave at least one to work".into()));
            }
        }
        let mut holidays = vec![];
        for (i, text) in rule.holidays.iter().enumerate() {
            match parse(text) {
                Ok(day) => holidays.push(day),
                Err(says) => errors.push((format!("holidays[{i}]"), says)),
            }
        }
        if errors.is_empty() { Ok(Calendar { weekend, known: rule.extends, holidays }) } else { Err(errors) }
    }

    /// Places for dates from `first` to `last`. Dates outside are right too, only slower by a little.
    ///
    /// At most 300 years are tabled, 0.4 MB.
    pub fn table(&self, first: i32, last: i32) -> BusinessDays {
        // The window of a pass may look a little beyond the data.
        let (low, high) = (day_of(YEARS.start, 1, 1), day_of(YEARS.end, 1, 1));
        let is_clipped = first < low || last > high;
        let first = first.saturating_sub(400).clamp(low, high);
        let last = last.saturating_add(400).clamp(low, high);
        let mut places = Vec::with_capacity((last - first + 1).max(0) as usize);
        let mut holidays: Vec<i32> = self.holidays.clone();
        if let Some(known) = self.known {
            // Observances may fall into a neighbouring year.
            let years = crate::day::civil_of(first).0 - 1..=crate::day::civil_of(last).0 + 1;
            holidays.extend(years.flat_map(|year| holidays::of_year(known, year)));
        }
        holidays.retain(|&day| (low..high).contains(&day) && !is_in(self.weekend, day));
        holidays.sort_unstable();
        holidays.dedup();
        let mut lost = holidays.partition_point(|&day| day < first) as i32;
        let mut rest = holidays[lost as usize..].iter().peekable();
        for day in first..=last {
            // Holidays before this day; weekends are in the formula.
            while rest.next_if(|&&holiday| holiday < day).is_some() {
                lost += 1;
            }
            places.push(weekdays_before(self.weekend, day) as i32 - lost);
        }
        BusinessDays { weekend: self.weekend, first, places, is_clipped }
    }
}

impl BusinessDays {
    /// Business days from one date to another; negative when `to` is earlier. Exact for every pair of `i32` inside
    /// the data's range, and beyond it as if there were no holidays.
    pub fn between(&self, from: i32, to: i32) -> i64 {
        self.place(to) - self.place(from)
    }

    fn place(&self, day: i32) -> i64 {
        let index = i64::from(day) - i64::from(self.first);
        let tabled = usize::try_from(index).ok().and_then(|index| self.places.get(index));
        match (tabled, self.places.last()) {
            (Some(&place), _) => place.into(),
            (None, Some(&last)) if index > 0 => {
                let end = self.first + self.places.len() as i32 - 1;
                i64::from(last) + weekdays_before(self.weekend, day) - weekdays_before(self.weekend, end)
            }
            (None, _) => {
                let first = self.places.first().copied().unwrap_or_default();
                i64::from(first) + weekdays_before(self.weekend, day)
                    - weekdays_before(self.weekend, self.first)
            }
        }
    }

    /// The most calendar days that two dates of this table may be apart when at most `business_days` lie between
    /// them.
    pub fn calendar_days_max(&self, business_days: i64) -> i64 {
        let mut longest = 0;
        let mut end = 0;
        for (start, &place) in self.places.iter().enumerate() {
            while end < self.places.len() && i64::from(self.places[end] - place) <= business_days {
                end += 1;
            }
            longest = longest.max(end - 1 - start);
        }
        // Beyond the table a week has at least one business day.
        let beyond = if self.is_clipped { (business_days + 1) * 7 } else { 0 };
        beyond.max(longest as i64)
    }
}

fn bit_of(day: Weekday) -> u8 {
    1 << day as u8
}

fn is_in(weekend: u8, day: i32) -> bool {
    weekend >> weekday_of(day) & 1 == 1
}

/// Days before this one, since Monday 1969-12-29, that are not of the weekend; negative for earlier days.
fn weekdays_before(weekend: u8, day: i32) -> i64 {
    let since_monday = i64::from(day) + 3;
    let (weeks, days) = (since_monday.div_euclid(7), since_monday.rem_euclid(7));
    let working = |days: i64| (0..days).filter(|d| weekend >> d & 1 == 0).count() as i64;
    weeks * working(7) + working(days)
}

#[cfg(test)]
mod tests;
