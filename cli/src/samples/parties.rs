//! Invented companies. Every name is put together from syllables; a likeness is chance.

use super::dice::Dice;
use matching::Currency;

const FIRST: [&str; 24] = [
    "Ankel", "Brom", "Corvel", "Dorn", "Eltz", "Fjell", "Garn", "Hask", "Immer", "Joss", "Krell", "Lund",
    "Morv", "Nebel", "Oster", "Prill", "Quarn", "Rusk", "Stell", "Thorn", "Ulm", "Varn", "Wisp", "Zorn",
];
const SECOND: [&str; 12] =
    ["acker", "brück", "combe", "dahl", "egg", "fleet", "grün", "hollow", "ing", "möhl", "ness", "vik"];
const TRADE: [&str; 18] = [
    "Armaturen",
    "Baking Ovens",
    "Cycles",
    "Dental Supply",
    "Elevators",
    "Fruchthandel",
    "Glazing",
    "Hydraulik",
    "Joinery",
    "Keramik",
    "Lighting",
    "Messtechnik",
    "Nautical",
    "Orchards",
    "Print Works",
    "Rail Parts",
    "Sensorik",
    "Weaving",
];

/// A customer or supplier with the currency it deals in.
pub struct Party {
    /// As the ledger writes it.
    pub name: String,
    pub currency: Currency,
}

/// Legal forms by currency, and of a hundred parties so many.
const CURRENCIES: [(&str, u64, &[&str]); 4] = [
    ("EUR", 46, &["GmbH", "AG", "B.V.", "S.A.", "GmbH & Co. KG"]),
    ("USD", 24, &["Inc.", "LLC", "Corp."]),
    ("GBP", 20, &["Ltd", "PLC", "LLP"]),
    ("JPY", 10, &["K.K.", "G.K."]),
];

pub fn invent(dice: &mut Dice) -> Party {
    let mut ticket = dice.below(100);
    let (code, _, forms) = CURRENCIES
        .iter()
        .find(|(_, share, _)| {
            let hit = ticket < *share;
            ticket = ticket.saturating_sub(*share);
            hit
        })
        .expect("the shares add up to a hundred");
    let (first, second) = (dice.pick(&FIRST), dice.pick(&SECOND));
    let name = format!("{first}{second} {} {}", dice.pick(&TRADE), dice.pick(forms));
    Party { name, currency: Currency::parse(code).expect("a known code") }
}

/// The name without its legal form.
pub fn short_name(name: &str) -> &str {
    let forms = CURRENCIES.iter().flat_map(|(_, _, forms)| forms.iter());
    let longest = forms.filter_map(|form| name.strip_suffix(form)).min_by_key(|rest| rest.len());
    longest.unwrap_or(name).trim_end()
}
