//! Learned passes.

use super::Mistakes;
use crate::learned::COMPARISONS_MAX;
use crate::{Cardinality, LearnedRule, Pass};

impl Mistakes<'_> {
    /// What a learned pass weighs it weighs by itself.
    pub(super) fn check_learned(&mut self, at: &str, pass: &Pass, learned: &LearnedRule) {
        if pass.cardinality != Cardinality::OneToOne {
            self.add(format!("{at}.cardinality"), "a learned pass is one to one");
        }
        for (field, given) in
            [("key", !pass.keys.is_empty()), ("text", pass.text.is_some()), ("search", pass.search.is_some())]
        {
            if given {
                let says = "is not for a learned pass: name the fields in learned.compare";
                self.add(format!("{at}.{field}"), says);
            }
        }
        if pass.currency.as_ref().is_some_and(|currency| currency.convert) {
            self.add(
                format!("{at}.currency.convert"),
                "is not for a learned pass: it compares within a currency",
            );
        }
        let at = format!("{at}.learned");
        self.check_share(&format!("{at}.confirm"), learned.confirm);
        if learned.compare.len() > COMPARISONS_MAX {
            self.add(format!("{at}.compare"), format!("at most {COMPARISONS_MAX} comparisons are allowed"));
        }
        for (i, comparison) in learned.compare.iter().enumerate() {
            for (side, names, fields) in [
                ("left", &comparison.left, self.left_fields),
                ("right", &comparison.right, self.right_fields),
            ] {
                self.check_fields(&format!("{at}.compare[{i}].{side}"), names.as_slice(), fields, side);
            }
        }
    }
}
