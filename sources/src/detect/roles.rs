//! Which column plays which part.

use super::names::{FIELDS, is_other_money, plain, score};
use super::profile::Profile;
use super::{ColumnRole, DecimalGuess};
use matching::{Confidence, Currency, DecimalMark};

pub(super) struct Roles {
    /// By column: the role and its confidence.
    given: Vec<Option<(ColumnRole, f64)>>,
}

/// What a column must reach to be given a role.
const SCORE_MIN: f64 = 0.35;

pub(super) fn assign(names: &[String], profiles: &[Profile]) -> Roles {
    let plain_names: Vec<String> = names.iter().map(|name| plain(name)).collect();
    let mut roles = Roles { given: vec![None; names.len()] };
    let best = |role: ColumnRole, roles: &Roles| -> Option<(usize, f64)> {
        let free = (0..names.len()).filter(|column| roles.given[*column].is_none());
        let scored = free.map(|column| (column, fit(role, column, &plain_names[column], &profiles[column])));
        // Of equals the first.
        scored.filter(|(_, s)| *s >= SCORE_MIN).fold(None, |best, (column, s)| match best {
            Some((_, other)) if other >= s => best,
            _ => Some((column, s)),
        })
    };
    let give = |role: ColumnRole, roles: &mut Roles| {
        if let Some((column, s)) = best(role, roles) {
            roles.given[column] = Some((role, s));
        }
    };
    // What values alone can tell comes first; "Valuta" is a currency or a date by what is below it.
    give(ColumnRole::Currency, &mut roles);
    give(ColumnRole::Date, &mut roles);
    match (
        best(ColumnRole::Debit, &roles),
        best(ColumnRole::Credit, &roles),
        best(ColumnRole::Amount, &roles),
    ) {
        (Some((debit, d)), Some((credit, c)), amount)
            if debit != credit && amount.is_none_or(|(_, a)| a < d.min(c)) =>
        {
            roles.given[debit] = Some((ColumnRole::Debit, d));
            roles.given[credit] = Some((ColumnRole::Credit, c));
        }
        (_, _, Some((amount, s))) => {
            roles.given[amount] = Some((ColumnRole::Amount, s));
            // An amount with a minus needs no direction.
            if profiles[amount].negatives == 0 {
                give(ColumnRole::Direction, &mut roles);
            }
        }
        _ => {}
    }
    give(ColumnRole::Id, &mut roles);
    for (field, _) in FIELDS {
        give(ColumnRole::Field(field), &mut roles);
    }
    roles
}

/// 0 to 1: the name, checked against the values where there are any.
fn fit(role: ColumnRole, column: usize, name: &str, profile: &Profile) -> f64 {
    let by_name = match role {
        ColumnRole::Amount if score(role, name) < 0.9 && is_other_money(name) => 0.0,
        ColumnRole::Id => score(role, name).max(id_by_name(column, name)),
        _ => score(role, name),
    };
    if profile.filled == 0 {
        // A column without values is no amount; a file without lines is judged by names, as are texts that
        // only later lines may have.
        let is_text = matches!(role, ColumnRole::Field(field) if field != "value_date");
        return if profile.rows == 0 || is_text { by_name * 0.7 } else { 0.0 };
    }
    let by_values = match role {
        ColumnRole::Date => profile.date_share(),
        ColumnRole::Amount | ColumnRole::Debit | ColumnRole::Credit => {
            let share = profile.share(profile.amounts);
            // Days written as 20260131 are numbers, too.
            if profile.date_share() > 0.9 && profile.only_point + profile.only_comma == 0 {
                0.0
            } else {
                share
            }
        }
        ColumnRole::Currency => profile.share(profile.currencies),
        ColumnRole::Direction => profile.share(profile.directions),
        ColumnRole::Id => {
            let whole = profile.filled == profile.rows && profile.repeated.is_none();
            if whole { 1.0 } else { 0.0 }
        }
        ColumnRole::Field("value_date") => profile.date_share(),
        ColumnRole::Field(_) => 0.8,
    };
    let needed = match role {
        ColumnRole::Field("value_date") | ColumnRole::Date => 0.4,
        ColumnRole::Field(_) => 0.0,
        ColumnRole::Id => 1.0,
        // A good name bears some bad lines.
        _ if by_name >= 0.9 => 0.5,
        _ => 0.85,
    };
    if by_values < needed {
        // A column that is plainly called so and holds something else: reading will say what is wrong with it,
        // line by line, which helps more than not to find it.
        return if is_plainly_called(role, name) { SCORE_MIN } else { 0.0 };
    }
    match role {
        // These are known by their values even under a strange name.
        ColumnRole::Date | ColumnRole::Currency => by_name * 0.6 + by_values * 0.4,
        _ if by_name == 0.0 => 0.0,
        _ => by_name * 0.6 + by_values * 0.4,
    }
}

fn is_plainly_called(role: ColumnRole, name: &str) -> bool {
    match role {
        ColumnRole::Date => name == "date",
        ColumnRole::Amount => name == "amount",
        ColumnRole::Currency => name == "currency",
        _ => false,
    }
}

/// Named like an id, whatever its values are.
pub(super) fn is_called_id(column: usize, name: &str) -> bool {
    let name = plain(name);
    score(ColumnRole::Id, &name).max(id_by_name(column, &name)) >= 0.9
}

/// `ledger_tx_id` in front is the file's own id, `order_id` behind it another one's.
fn id_by_name(column: usize, name: &str) -> f64 {
    let ends = ["id", "no", "nr", "number", "nummer", "uuid"].iter().any(|end| name.ends_with(end));
    match (column, ends) {
        (0, true) => 0.9,
        _ => 0.0,
    }
}

impl Roles {
    pub fn of(&self, column: usize) -> (Option<ColumnRole>, Confidence) {
        match self.given[column] {
            Some((role, s)) => (Some(role), Confidence::from_f64(s)),
            None => (None, Confidence::ZERO),
        }
    }

    fn money_columns(&self) -> impl Iterator<Item = (usize, ColumnRole)> {
        let is_money = |role| matches!(role, ColumnRole::Amount | ColumnRole::Debit | ColumnRole::Credit);
        let given = self.given.iter().enumerate();
        given.filter_map(move |(column, role)| role.map(|(r, _)| (column, r)).filter(|(_, r)| is_money(*r)))
    }

    pub fn decimal_mark(&self, profiles: &[Profile]) -> Option<DecimalGuess> {
        let columns: Vec<_> = self.money_columns().collect();
        if columns.is_empty() {
            return None;
        }
        let point: usize = columns.iter().map(|(column, _)| profiles[*column].only_point).sum();
        let comma: usize = columns.iter().map(|(column, _)| profiles[*column].only_comma).sum();
        let (mark, most) =
            if comma > point { (DecimalMark::Comma, comma) } else { (DecimalMark::Point, point) };
        // Whole numbers say nothing; contradictions lower the confidence.
        let confidence = if most == 0 { 0.5 } else { 0.99 * most as f64 / (point + comma) as f64 };
        let debit = columns.iter().find(|(_, role)| *role == ColumnRole::Debit);
        let debits_are_negative = debit.is_some_and(|(column, _)| {
            let profile = &profiles[*column];
            profile.filled > 0 && profile.negatives * 10 >= profile.filled * 9
        });
        Some(DecimalGuess { mark, confidence: Confidence::from_f64(confidence), debits_are_negative })
    }

    /// `Betrag (EUR)`.
    pub fn currency_in_name(&self, names: &[String]) -> Option<String> {
        let (column, _) = self.money_columns().next()?;
        let words = names[column].split(|c: char| !c.is_ascii_alphabetic());
        let mut codes = words.filter(|word| word.len() == 3 && word.bytes().all(|b| b.is_ascii_uppercase()));
        codes.find_map(|code| Currency::parse(code).ok()).map(|currency| currency.code().to_owned())
    }
}
