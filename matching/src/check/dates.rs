//! Windows and calendars.

use super::Mistakes;
use super::WINDOW_DAYS_MAX;
use super::names::short;
use crate::calendar::Calendar;
use crate::{DateRule, KnownCalendar};

/// Ten years of 260.
const WINDOW_BUSINESS_DAYS_MAX: u32 = 2600;
const CALENDARS_MAX: usize = 16;
const HOLIDAYS_MAX: usize = 5_000;

impl Mistakes<'_> {
    pub(super) fn check_date(&mut self, at: &str, date: &DateRule, is_needed: bool) {
        let window = format!("{at}.window_days");
        match (date.window_days, date.window_business_days) {
            (None, None) if is_needed => self.add(
                window,
                "is needed in a pass without keys, where only amount and date find the pairs; or \
                 window_business_days",
            ),
            (Some(_), Some(_)) => {
                self.add(window, "and window_business_days exclude each other; take out one");
            }
            (Some(days), _) if days > WINDOW_DAYS_MAX => {
                self.add(window, format!("must be at most {WINDOW_DAYS_MAX}"));
            }
            (_, Some(days)) if days > WINDOW_BUSINESS_DAYS_MAX => {
                let says = format!("must be at most {WINDOW_BUSINESS_DAYS_MAX}");
                self.add(format!("{at}.window_business_days"), says);
            }
            _ => {}
        }
        let Some(name) = &date.calendar else { return };
        if date.window_business_days.is_none() {
            self.add(
                format!("{at}.calendar"),
                "counts only with window_business_days; say how many, or take it out",
            );
        }
        let own: Vec<&str> = self.rules.calendars.iter().map(|calendar| calendar.name.as_str()).collect();
        let known: Vec<&str> = KnownCalendar::ALL.iter().map(|known| known.as_str()).chain(own).collect();
        if !known.contains(&name.as_str()) {
            let (name, known) = (short(name), known.join(", "));
            self.add(format!("{at}.calendar"), format!("{name} is no calendar; there are {known}"));
        }
    }

    pub(super) fn check_calendars(&mut self) {
        let rules = self.rules;
        if rules.calendars.len() > CALENDARS_MAX {
            self.add("calendar", format!("at most {CALENDARS_MAX} calendars are allowed"));
        }
        for (i, calendar) in rules.calendars.iter().enumerate() {
            let at = format!("calendar[{i}]");
            let name = calendar.name.trim();
            self.check_name(&format!("{at}.name"), name);
            if name.is_empty() {
                self.add(format!("{at}.name"), "must not be empty");
            } else if KnownCalendar::by_name(&calendar.name).is_some() {
                let says = format!(
                    "{name} is known already; take another name, and extends = \"{name}\" to add to it"
                );
                self.add(format!("{at}.name"), says);
            } else if rules.calendars[..i].iter().any(|before| before.name == calendar.name) {
                self.add(format!("{at}.name"), format!("{} is the name of another calendar", short(name)));
            }
            if calendar.holidays.len() > HOLIDAYS_MAX {
                self.add(format!("{at}.holidays"), format!("at most {HOLIDAYS_MAX} holidays are allowed"));
            } else if let Err(errors) = Calendar::compile(calendar) {
                errors.into_iter().for_each(|(field, says)| self.add(format!("{at}.{field}"), says));
            }
        }
    }
}
