//! Rule sets for common pairs of books, written on conventional names of fields.

use crate::{Comparison, FieldNames, Key, LearnedRule, Pass, RuleSet, Side, TextRule};

/// A rule set that comes with the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    BankToLedger,
    CardPayoutsToOrders,
    Intercompany,
}

/// The passes of a rule set that two sides have the fields for, and those they have not.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    pub rules: RuleSet,
    /// In the order of the rule set.
    pub dropped: Vec<DroppedPass>,
}

/// A pass that was left out.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct DroppedPass {
    pub name: String,
    /// The fields it would have needed and a side does not have; non-empty.
    pub missing: Vec<MissingField>,
}

/// `left reference`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct MissingField {
    pub side: Side,
    pub field: String,
}

impl Preset {
    pub const ALL: [Preset; 3] = [Self::BankToLedger, Self::CardPayoutsToOrders, Self::Intercompany];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::BankToLedger => "bank-to-ledger",
            Self::CardPayoutsToOrders => "card-payouts-to-orders",
            Self::Intercompany => "intercompany",
        }
    }

    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.as_str() == name)
    }

    /// One line for a list.
    pub fn title(self) -> &'static str {
        match self {
            Self::BankToLedger => "a bank statement against the ledger's entries for that account",
            Self::CardPayoutsToOrders => "payouts of a card processor against the orders they are for",
            Self::Intercompany => "one company's account with another against that company's, signs mirrored",
        }
    }

    /// The rule set as TOML, with comments: something to start one's own from.
    pub fn text(self) -> &'static str {
        match self {
            Self::BankToLedger => include_str!("../presets/bank-to-ledger.toml"),
            Self::CardPayoutsToOrders => include_str!("../presets/card-payouts-to-orders.toml"),
            Self::Intercompany => include_str!("../presets/intercompany.toml"),
        }
    }

    /// The whole rule set, whatever fields there are.
    pub fn rules(self) -> RuleSet {
        toml::from_str(self.text()).expect("a test reads every preset")
    }
}

impl RuleSet {
    /// Leaves out the passes that need a field one of the sides does not have. A text rule or a comparison of a
    /// learned pass only loses that field, as long as one is left on each side.
    ///
    /// The rules may end without any pass; [`RuleSet::check`] says so then.
    pub fn fit(mut self, left_fields: &[String], right_fields: &[String]) -> Fitted {
        let mut dropped = vec![];
        let fields = Fields { left: left_fields, right: right_fields };
        self.passes.retain_mut(|pass| {
            let missing = fields.missing_of(pass);
            if missing.is_empty() {
                if let Some(text) = &mut pass.text {
                    text.left.retain(|field| fields.has(Side::Left, field));
                    text.right.retain(|field| fields.has(Side::Right, field));
                }
                if let Some(doubt) = &mut pass.doubt {
                    doubt.left.retain(|field| fields.has(Side::Left, field));
                    doubt.right.retain(|field| fields.has(Side::Right, field));
                }
                pass.doubt.take_if(|doubt| doubt.left.is_empty() || doubt.right.is_empty());
                pass.conflict
                    .retain(|key| fields.has(Side::Left, &key.left) && fields.has(Side::Right, &key.right));
                if let Some(learned) = &mut pass.learned {
                    learned.compare.retain(|comparison| fields.have(comparison));
                    for comparison in &mut learned.compare {
                        comparison.left.retain(|field| fields.has(Side::Left, field));
                        comparison.right.retain(|field| fields.has(Side::Right, field));
                    }
                }
                return true;
            }
            dropped.push(DroppedPass { name: pass.name.clone(), missing });
            false
        });
        Fitted { rules: self, dropped }
    }
}

struct Fields<'a> {
    left: &'a [String],
    right: &'a [String],
}

impl Fields<'_> {
    fn has(&self, side: Side, field: &str) -> bool {
        let fields = if side == Side::Left { self.left } else { self.right };
        field == "id" || fields.iter().any(|own| own == field)
    }

    /// At least a field of each side.
    fn have(&self, comparison: &Comparison) -> bool {
        let has = |side, names: &FieldNames| names.as_slice().iter().any(|field| self.has(side, field));
        has(Side::Left, &comparison.left) && has(Side::Right, &comparison.right)
    }

    fn missing_of(&self, pass: &Pass) -> Vec<MissingField> {
        let mut missing = vec![];
        let mut need = |side, field: &String| {
            let field = MissingField { side, field: field.clone() };
            if !missing.contains(&field) {
                missing.push(field);
            }
        };
        for Key { left, right, .. } in &pass.keys {
            for (side, field) in [(Side::Left, left), (Side::Right, right)] {
                if !self.has(side, field) {
                    need(side, field);
                }
            }
        }
        if let Some(TextRule { left, right, .. }) = &pass.text {
            for (side, of_side) in [(Side::Left, left), (Side::Right, right)] {
                if !of_side.iter().any(|field| self.has(side, field)) {
                    of_side.iter().for_each(|field| need(side, field));
                }
            }
        }
        if let Some(LearnedRule { compare, .. }) = &pass.learned
            && !compare.is_empty()
            && !compare.iter().any(|comparison| self.have(comparison))
        {
            for Comparison { left, right, .. } in compare {
                for (side, names) in [(Side::Left, left), (Side::Right, right)] {
                    let missing = names.as_slice().iter().filter(|field| !self.has(side, field));
                    missing.for_each(|field| need(side, field));
                }
            }
        }
        missing
    }
}

impl std::fmt::Display for DroppedPass {
    /// `pass "same reference" is left out: the left side has no field reference`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "pass {:?} is left out: ", self.name)?;
        for (i, MissingField { side, field }) in self.missing.iter().enumerate() {
            let and = if i > 0 { ", " } else { "" };
            write!(f, "{and}the {} side has no field {field}", side.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|name| name.to_string()).collect()
    }

    #[test]
    fn every_preset_is_a_rule_set_of_its_name_without_mistakes() {
        for preset in Preset::ALL {
            let rules = preset.rules();
            assert_eq!(rules.check(None, None), [], "{}", preset.as_str());
            assert_eq!(rules.name, preset.as_str());
            assert_eq!(Preset::by_name(&rules.name), Some(preset));
            assert_eq!(serde_json::to_value(preset).unwrap(), rules.name);
        }
    }

    #[test]
    fn a_preset_fits_whatever_fields_there_are() {
        let all = ["reference", "description", "counterparty", "batch"];
        for preset in Preset::ALL {
            for mask in 0..256u32 {
                let pick = |mask: u32| -> Vec<String> {
                    (0..4).filter(|i| mask >> i & 1 == 1).map(|i| all[i].to_owned()).collect()
                };
                let (left, right) = (pick(mask), pick(mask >> 4));
                let whole = preset.rules();
                let Fitted { rules, dropped } = whole.clone().fit(&left, &right);
                assert_eq!(rules.passes.len() + dropped.len(), whole.passes.len());
                let mistakes = rules.check(Some(&left), Some(&right));
                assert!(mistakes.iter().all(|m| rules.passes.is_empty() && m.at == "pass"), "{mistakes:?}");
                assert!(dropped.iter().all(|pass| !pass.missing.is_empty()));
            }
            let all = names(&all);
            assert_eq!(preset.rules().fit(&all, &all).dropped, []);
        }
    }

    #[test]
    fn a_learned_pass_compares_what_there_is() {
        let rules: RuleSet = toml::from_str(
            r#"
            version = 1
            [[pass]]
            name = "all"
            learned = { compare = [
              { left = ["reference", "memo"], right = "reference" },
              { left = "memo", right = ["memo", "reference"] },
            ] }
            "#,
        )
        .unwrap();
        let fitted = rules.clone().fit(&names(&["reference"]), &names(&["reference"]));
        let compared = fitted.rules.passes[0].learned.as_ref().unwrap().compare.clone();
        let one = FieldNames::Several(names(&["reference"]));
        assert_eq!(compared.iter().map(|c| &c.left).collect::<Vec<_>>(), [&one]);
        let none = rules.clone().fit(&names(&["text"]), &names(&["reference"]));
        assert_eq!(none.rules.passes, []);
        let says = "pass \"all\" is left out: the left side has no field reference, the left side has no field memo, \
                    the right side has no field memo";
        assert_eq!(none.dropped[0].to_string(), says);
        // Without comparisons it takes whatever both sides have.
        let all = RuleSet::standard_for_texts();
        assert_eq!(all.clone().fit(&names(&["a"]), &names(&["b"])).rules, all);
    }

    #[test]
    fn what_is_left_out_says_why() {
        let fitted = Preset::BankToLedger.rules().fit(&names(&["reference"]), &names(&["batch"]));
        let first = &fitted.dropped[0];
        let says = "pass \"same reference\" is left out: the right side has no field reference";
        assert_eq!(first.to_string(), says);
        let kept: Vec<&str> = fitted.rules.passes.iter().map(|pass| pass.name.as_str()).collect();
        assert_eq!(kept, ["deposit or batch", "batch less a fee"]);
    }
}
