//! Whether a rule set can be run, with every mistake named at once.

mod dates;
mod learned;
mod money;
mod names;
mod sums;

use crate::fees::Fee;
use crate::pattern::Pattern;
use crate::tolerance::Allowance;
use crate::{Cardinality, Key, NettingRule, Normalise, Pass, RuleError, RuleSet, Side, TextRule};

const PASSES_MAX: usize = 64;
const KEYS_MAX: usize = 8;
const NETTING_MAX: usize = 16;
const TEXT_FIELDS_MAX: usize = 8;
const WINDOW_DAYS_MAX: u32 = 3660;
const PRIORITY_MAX: u32 = 1000;

impl RuleSet {
    /// All mistakes, each with its place; empty when the rules can be run.
    ///
    /// The fields of a side are checked only when they are given, so that rules can be checked before any
    /// file is there. `id` is a field of every side.
    pub fn check(&self, left_fields: Option<&[String]>, right_fields: Option<&[String]>) -> Vec<RuleError> {
        let mut mistakes = Mistakes { found: vec![], left_fields, right_fields, rules: self };
        if self.version != 1 {
            mistakes.add("version", format!("is {}; only version 1 is known", self.version));
        }
        mistakes.check_name("name", &self.name);
        mistakes.check_share("threshold", self.threshold);
        mistakes.check_share("ambiguity_margin", self.ambiguity_margin);
        if !(1..=100).contains(&self.candidates_max) {
            mistakes.add("candidates_max", "must be between 1 and 100");
        }
        mistakes.check_calendars();
        mistakes.check_rates();
        match self.passes.len() {
            0 => mistakes.add("pass", "at least one pass is needed"),
            1..=PASSES_MAX => {}
            n => mistakes.add("pass", format!("{n} passes; at most {PASSES_MAX} are allowed")),
        }
        for (i, pass) in self.passes.iter().enumerate() {
            mistakes.check_pass(&format!("pass[{i}]"), pass);
        }
        if self.netting.len() > NETTING_MAX {
            mistakes.add("netting", format!("at most {NETTING_MAX} netting rules are allowed"));
        }
        for (i, rule) in self.netting.iter().enumerate() {
            mistakes.check_netting(&format!("netting[{i}]"), rule);
        }
        mistakes.found
    }
}

struct Mistakes<'a> {
    found: Vec<RuleError>,
    left_fields: Option<&'a [String]>,
    right_fields: Option<&'a [String]>,
    rules: &'a RuleSet,
}

impl Mistakes<'_> {
    fn add(&mut self, at: impl Into<String>, says: impl Into<String>) {
        self.found.push(RuleError { at: at.into(), says: says.into() });
    }

    fn check_pass(&mut self, at: &str, pass: &Pass) {
        if pass.name.trim().is_empty() {
            self.add(format!("{at}.name"), "must not be empty");
        }
        self.check_name(&format!("{at}.name"), &pass.name);
        if pass.priority.unsigned_abs() > PRIORITY_MAX {
            self.add(format!("{at}.priority"), format!("must be between -{PRIORITY_MAX} and {PRIORITY_MAX}"));
        }
        for (field, share) in [("threshold", pass.threshold), ("ambiguity_margin", pass.ambiguity_margin)] {
            if let Some(share) = share {
                self.check_share(&format!("{at}.{field}"), share);
            }
        }
        if pass.keys.len() > KEYS_MAX {
            self.add(format!("{at}.key"), format!("at most {KEYS_MAX} keys are allowed"));
        }
        for (i, key) in pass.keys.iter().enumerate() {
            self.check_key(&format!("{at}.key[{i}]"), key);
        }
        if pass.keys.iter().filter(|k| k.normalise == Normalise::Tokens).count() > 1 {
            self.add(format!("{at}.key"), "only one key of a pass may compare tokens");
        }
        let is_sum = matches!(pass.cardinality, Cardinality::OneToMany | Cardinality::ManyToOne);
        if !is_sum && pass.keys.iter().any(|key| key.normalise == Normalise::List) {
            self.add(format!("{at}.key"), "lists are for passes 1:n and n:1");
        }
        if pass.conflict.len() > KEYS_MAX {
            self.add(format!("{at}.conflict"), format!("at most {KEYS_MAX} keys are allowed"));
        }
        for (i, key) in pass.conflict.iter().enumerate() {
            self.check_key(&format!("{at}.conflict[{i}]"), key);
            if matches!(key.normalise, Normalise::Tokens | Normalise::List) {
                self.add(format!("{at}.conflict[{i}].normalise"), "must compare one key with one");
            }
        }
        if let Err(errors) = Allowance::compile(&pass.amount) {
            errors.into_iter().for_each(|(field, says)| self.add(format!("{at}.amount.{field}"), says));
        }
        self.check_currency(&format!("{at}.currency"), pass);
        self.check_date(&format!("{at}.date"), &pass.date, pass.keys.is_empty() && pass.learned.is_none());
        if let Some(Err((field, says))) = pass.amount.fee.as_ref().map(Fee::compile) {
            self.add(format!("{at}.amount.{field}"), says);
        }
        self.check_sums(at, pass);
        if let Some(learned) = &pass.learned {
            self.check_learned(at, pass, learned);
        }
        if let Some(text) = &pass.text {
            self.check_text(&format!("{at}.text"), text);
        }
        if let Some(doubt) = &pass.doubt {
            self.check_text(&format!("{at}.doubt"), doubt);
            if doubt.silent.is_some() {
                self.add(
                    format!("{at}.doubt.silent"),
                    "is for texts that decide; one that names nobody is no doubt",
                );
            }
        }
    }

    fn check_netting(&mut self, at: &str, rule: &NettingRule) {
        if rule.name.trim().is_empty() {
            self.add(format!("{at}.name"), "must not be empty");
        }
        self.check_name(&format!("{at}.name"), &rule.name);
        if rule.keys.is_empty() || rule.keys.len() > KEYS_MAX {
            self.add(format!("{at}.key"), format!("1 to {KEYS_MAX} keys are needed"));
        }
        if rule.keys.iter().filter(|k| k.normalise == Normalise::Tokens).count() > 1 {
            self.add(format!("{at}.key"), "only one key of a rule may compare tokens");
        }
        if rule.keys.iter().any(|k| k.normalise == Normalise::List) {
            self.add(format!("{at}.key"), "lists are for passes 1:n and n:1");
        }
        if rule.window_days > WINDOW_DAYS_MAX {
            self.add(format!("{at}.window_days"), format!("must be at most {WINDOW_DAYS_MAX}"));
        }
        for (i, key) in rule.keys.iter().enumerate() {
            for (side, fields) in [(Side::Left, self.left_fields), (Side::Right, self.right_fields)] {
                if !rule.is_of(side) {
                    continue;
                }
                self.check_field(&format!("{at}.key[{i}].field"), &key.field, fields, side.as_str());
                if let Some(reversal) = &key.reversal {
                    self.check_field(&format!("{at}.key[{i}].reversal"), reversal, fields, side.as_str());
                }
            }
        }
    }

    fn check_key(&mut self, at: &str, key: &Key) {
        self.check_field(&format!("{at}.left"), &key.left, self.left_fields, "left");
        self.check_field(&format!("{at}.right"), &key.right, self.right_fields, "right");
        let patterns = [
            ("pattern", &key.pattern),
            ("left_pattern", &key.left_pattern),
            ("right_pattern", &key.right_pattern),
        ];
        let is_pattern = key.normalise == Normalise::Pattern;
        if is_pattern && patterns.iter().all(|(_, pattern)| pattern.is_none()) {
            self.add(
                format!("{at}.pattern"),
                "is needed with normalise = \"pattern\": what finds the reference?",
            );
        }
        for (field, pattern) in patterns {
            let Some(pattern) = pattern else { continue };
            if !is_pattern {
                self.add(
                    format!("{at}.{field}"),
                    "counts only with normalise = \"pattern\"; say so, or take it out",
                );
            }
            if let Err(says) = Pattern::compile(pattern) {
                self.add(format!("{at}.{field}"), says);
            }
        }
    }

    fn check_text(&mut self, at: &str, text: &TextRule) {
        self.check_share(&format!("{at}.min"), text.min);
        for (side, names, fields) in
            [("left", &text.left, self.left_fields), ("right", &text.right, self.right_fields)]
        {
            self.check_fields(&format!("{at}.{side}"), names, fields, side);
        }
    }

    fn check_fields(&mut self, at: &str, names: &[String], fields: Option<&[String]>, side: &str) {
        if names.is_empty() || names.len() > TEXT_FIELDS_MAX {
            self.add(at, format!("must name 1 to {TEXT_FIELDS_MAX} fields"));
        }
        for (i, name) in names.iter().enumerate() {
            self.check_field(&format!("{at}[{i}]"), name, fields, side);
        }
    }
}
