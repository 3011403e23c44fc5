//! Whether a rule set can be run, with every mistake named at once.

mod money;
mod names;

use crate::calendar::Calendar;
use crate::fees::Fee;
use crate::learned::COMPARISONS_MAX;
use crate::pattern::Pattern;
use crate::subsets::AMOUNTS_MAX;
use crate::tolerance::Allowance;
use crate::{
    Cardinality, DateRule, Key, KnownCalendar, LearnedRule, NettingRule, Normalise, Pass, RuleError, RuleSet,
    Side, TextRule,
};

const PASSES_MAX: usize = 64;
const KEYS_MAX: usize = 8;
const NETTING_MAX: usize = 16;
const TEXT_FIELDS_MAX: usize = 8;
const WINDOW_DAYS_MAX: u32 = 3660;
/// Ten years of 260.
const WINDOW_BUSINESS_DAYS_MAX: u32 = 2600;
const PRIORITY_MAX: u32 = 1000;
const CALENDARS_MAX: usize = 16;
const HOLIDAYS_MAX: usize = 5_000;

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

    /// What only passes of sums have, and what they need.
    fn check_sums(&mut self, at: &str, pass: &Pass) {
        let has_single = matches!(pass.cardinality, Cardinality::OneToMany | Cardinality::ManyToOne);
        let has_sums = pass.cardinality != Cardinality::OneToOne;
        if let Some(search) = &pass.search {
            if !has_single {
                self.add(format!("{at}.search"), "is for passes of sums 1:n or n:1");
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

    /// What a learned pass weighs it weighs by itself.
    fn check_learned(&mut self, at: &str, pass: &Pass, learned: &LearnedRule) {
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

    fn check_date(&mut self, at: &str, date: &DateRule, is_needed: bool) {
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
            let (name, known) = (names::short(name), known.join(", "));
            self.add(format!("{at}.calendar"), format!("{name} is no calendar; there are {known}"));
        }
    }

    fn check_calendars(&mut self) {
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
                self.add(
                    format!("{at}.name"),
                    format!("{} is the name of another calendar", names::short(name)),
                );
            }
            if calendar.holidays.len() > HOLIDAYS_MAX {
                self.add(format!("{at}.holidays"), format!("at most {HOLIDAYS_MAX} holidays are allowed"));
            } else if let Err(errors) = Calendar::compile(calendar) {
                errors.into_iter().for_each(|(field, says)| self.add(format!("{at}.{field}"), says));
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
