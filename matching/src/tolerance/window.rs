//! How far dates may be apart, in calendar days or business days.

use crate::calendar::{BusinessDays, Calendar};
use crate::{DateDirection, DateRule, RuleSet};
use std::sync::Arc;

/// A [`DateRule`] read once.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    /// Calendar days that the window spans at most, to look for candidates in; `None`: any distance.
    pub days: Option<i64>,
    /// In the unit of [`Self::distance`].
    pub(super) max: Option<i64>,
    /// Days are counted by it, when they are business days.
    pub(super) business: Option<Arc<BusinessDays>>,
    pub(super) direction: DateDirection,
}

impl Window {
    /// `dates`: the first and the last of both sides. `None` for a calendar that nobody knows.
    pub fn compile(rule: &DateRule, rules: &RuleSet, dates: (i32, i32)) -> Option<Self> {
        let Some(business_days) = rule.window_business_days else {
            let days = rule.window_days.map(i64::from);
            return Some(Window { days, max: days, business: None, direction: rule.direction });
        };
        let table = Calendar::named(rule.calendar.as_deref(), rules)?.table(dates.0, dates.1);
        Some(Window {
            days: Some(table.calendar_days_max(business_days.into())),
            max: Some(business_days.into()),
            business: Some(Arc::new(table)),
            direction: rule.direction,
        })
    }

    /// From the left date to the right one, in the window's own days.
    pub fn distance(&self, left: i32, right: i32) -> i64 {
        match &self.business {
            None => i64::from(right) - i64::from(left),
            Some(business) => business.between(left, right),
        }
    }

    pub fn counts_business_days(&self) -> bool {
        self.business.is_some()
    }

    /// `days`: see [`Self::distance`].
    pub fn admits(&self, days: i64) -> bool {
        let turned_right = match self.direction {
            DateDirection::Either => true,
            DateDirection::RightLater => days >= 0,
            DateDirection::LeftLater => days <= 0,
        };
        turned_right && self.max.is_none_or(|max| days.abs() <= max)
    }

    /// 1 for the same day, falling with every day, 0 outside the window.
    pub fn closeness(&self, days: i64) -> f64 {
        let distance = days.unsigned_abs() as f64;
        match self.max {
            _ if !self.admits(days) => 0.0,
            Some(max) => 1.0 - distance / (max + 1) as f64,
            // Without a window a month of distance costs half: a guess, only its direction matters.
            None => 30.0 / (30.0 + distance),
        }
    }
}
