//! How names and references suffer on their way through banks.

use super::dice::Dice;
use super::parties::short_name;

/// A company name as a statement shows it: capitals, no legal form, cut off, misspelt, or several of these.
pub fn name(name: &str, dice: &mut Dice) -> String {
    let mut messy = if dice.percent(60) { short_name(name).to_owned() } else { name.to_owned() };
    if dice.percent(35) {
        messy = misspell(&messy, dice);
    }
    if dice.percent(70) {
        messy = capitals(&messy);
    }
    if dice.percent(30) {
        // Old formats give a name 18 to 27 places.
        messy = messy.chars().take(dice.between(18, 27) as usize).collect();
    }
    messy.trim_end().to_owned()
}

/// Upper case in the letters that every bank knows.
fn capitals(text: &str) -> String {
    text.replace('ü', "ue").replace('ö', "oe").replace('ä', "ae").to_uppercase()
}

/// Two letters exchanged, one lost, or one doubled; never the first, and digits are left alone.
fn misspell(text: &str, dice: &mut Dice) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    let at = 1 + dice.below(letters.len().saturating_sub(2) as u64) as usize;
    let kind = dice.below(3);
    if letters.get(at..at + 2).is_none_or(|pair| !pair.iter().all(|c| c.is_alphabetic())) {
        return text.to_owned();
    }
    match kind {
        0 => letters.swap(at, at + 1),
        1 => {
            letters.remove(at);
        }
        _ => letters.insert(at, letters[at]),
    }
    letters.into_iter().collect()
}

/// An invoice number as a payer copies it: `AR26-00412` in other clothes, the digits complete.
pub fn invoice(number: &str, dice: &mut Dice) -> String {
    let (year, serial) = number.trim_start_matches("AR").split_once('-').unwrap_or(("", number));
    match dice.below(6) {
        0 => format!("ar {year} {serial}"),
        1 => format!("AR{year}{serial}"),
        2 => format!("AR/{year}/{serial}"),
        3 => format!("{year}-{serial}"),
        4 => format!("Re.Nr. {year}/{serial}"),
        _ => format!("INVOICE {year}.{serial}"),
    }
}

/// An invoice number with one digit typed wrong; it may be another invoice's number.
pub fn misread(number: &str, dice: &mut Dice) -> String {
    let mut characters: Vec<char> = number.chars().collect();
    let last_digits = characters.len().saturating_sub(4);
    let at = last_digits + dice.below(4) as usize;
    if let Some(digit) = characters.get(at).and_then(|c| c.to_digit(10)) {
        let other = (digit + 1 + dice.below(9) as u32) % 10;
        characters[at] = char::from_digit(other, 10).expect("below ten");
    }
    characters.into_iter().collect()
}

/// A sentence around an invoice number.
pub fn remittance(number: &str, payer: &str, dice: &mut Dice) -> String {
    let written = if dice.percent(50) { number.to_owned() } else { number.replace('-', " ") };
    match dice.below(6) {
        0 => format!("PAYMENT OF {written}"),
        1 => format!("Rechnung {written} vom letzten Monat"),
        2 => format!("{} / {written} / THANK YOU", capitals(payer)),
        3 => format!("YOUR INVOICE {written}; IN FULL"),
        4 => format!("SVWZ+{written} EREF+NOTPROVIDED"),
        _ => format!("/RFB/{written}/"),
    }
}
