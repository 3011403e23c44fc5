//! Rates, and passes that convert by them.

use super::Mistakes;
use crate::exchange::{RATE_WINDOW_DAYS_MAX, percent_of, read_rates};
use crate::{Cardinality, Currency, Pass, Rounded};

impl Mistakes<'_> {
    pub(super) fn check_rates(&mut self) {
        if let Err(errors) = read_rates(self.rules) {
            self.found.extend(errors);
        }
        if let Some(Err(error)) = self.rules.rate_base.as_deref().map(Currency::parse) {
            self.add("rate_base", error.to_string());
        }
    }

    /// Without a single rate a pass that converts may still run: it finds the pairs in one currency.
    pub(super) fn check_currency(&mut self, at: &str, pass: &Pass) {
        let Some(rule) = &pass.currency else { return };
        let has_sums = pass.cardinality != Cardinality::OneToOne;
        if rule.convert && has_sums && pass.keys.is_empty() {
            self.add(format!("{at}.convert"), "is for passes one to one, and for sums with keys");
        }
        if rule.convert && has_sums && pass.search.is_some() {
            let says = "cannot be together with a search, which looks for amounts of one currency";
            self.add(format!("{at}.convert"), says);
        }
        if rule.convert && pass.split {
            let says = "cannot be together with a split: what stays open would be in two currencies";
            self.add(format!("{at}.convert"), says);
        }
        if rule.rounded == Rounded::Total && !has_sums {
            self.add(format!("{at}.rounded"), "is for passes of sums");
        }
        if let Err(says) = percent_of(rule) {
            self.add(format!("{at}.percent"), says);
        }
        if rule.rate_window_days.is_some_and(|days| days > RATE_WINDOW_DAYS_MAX) {
            self.add(format!("{at}.rate_window_days"), format!("must be at most {RATE_WINDOW_DAYS_MAX}"));
        }
        if !rule.convert && (rule.percent.is_some() || rule.rate_window_days.is_some()) {
            self.add(
                format!("{at}.convert"),
                "is false, so that nothing else here counts; set it, or take the rest out",
            );
        }
    }
}
