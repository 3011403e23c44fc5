//! What only passes of sums have.

use super::Mistakes;
use crate::subsets::AMOUNTS_MAX;
use crate::{Cardinality, Pass};

impl Mistakes<'_> {
    /// What only passes of sums have, and what they need.
    pub(super) fn check_sums(&mut self, at: &str, pass: &Pass) {
        let has_single = matches!(pass.cardinality, Cardinality::OneToMany | Cardinality::ManyToOne);
        let has_sums = pass.cardinality != Cardinality::OneToOne;
        if let Some(search) = &pass.search {
            if !has_sums {
                self.add(format!("{at}.search"), "is for passes of sums: 1:n, n:1 or n:m");
            }
            if pass.keys.is_empty() && pass.text.is_none() {
                let says = "is needed to search without keys: it says among which records";
                self.add(format!("{at}.text"), says);
            }
            if !(2..=AMOUNTS_MAX).contains(&(search.records_max as usize)) {
                let says = format!("must be between 2 and {AMOUNTS_MAX}");
                self.add(format!("{at}.search.records_max"), says);
            }
        }
        if pass.amount.fee.is_some() && (!has_sums || pass.keys.is_empty()) {
            self.add(format!("{at}.amount.fee"), "is for passes of sums with keys");
        }
        if pass.split && (!has_single || pass.keys.is_empty()) {
            self.add(format!("{at}.split"), "is for passes of sums 1:n or n:1 with keys");
        }
        if pass.split && pass.search.is_some() {
            self.add(
                format!("{at}.split"),
                "cannot be together with a search: any sum would be a part payment",
            );
        }
        if has_sums && pass.keys.is_empty() && pass.search.is_none() {
            let says = "a pass of sums needs a key that says which records are added up, or a search";
            self.add(format!("{at}.key"), says);
        }
        if has_sums && pass.text.is_some() && (!pass.keys.is_empty() || pass.search.is_none()) {
            self.add(format!("{at}.text"), "a pass of sums compares texts only in a search without keys");
        }
    }
}
