//! Creditor references: numbers with check digits that a payer is asked to quote.
//!
//! | kind | form | check |
//! |---|---|---|
//! | ISO 11649 | `RF`, two digits, up to 21 letters and digits | modulo 97 as in ISO 7064 |
//! | Swiss QR and ESR reference | 27 digits | modulo 10 recursive, Swiss Payment Standards annex B |
//! | Norwegian KID | 2 to 25 digits | modulo 10 or modulo 11, Bits/Mastercard "KID" |
//! | Swedish OCR | 2 to 25 digits | modulo 10, Bankgirot "OCR references" |
//! | Finnish reference | 4 to 20 digits | weights 7, 3, 1, Finance Finland |
//!
//! The last three are all digits, and of any ten numbers about three pass one of their checks by chance. So they
//! are taken only where they are the whole text or follow a word that announces them; the first two anywhere.

/// Printed in groups of four: 25 characters make seven of them.
const WORDS_MAX: usize = 8;
const RF_CHARS_MAX: usize = 25;
const QR_DIGITS: usize = 27;
/// Of a text, words; references stand at its beginning.
const TEXT_WORDS_MAX: usize = 200;
const ANNOUNCERS: [&str; 8] =
    ["KID", "OCR", "REF", "REFERENCE", "REFERENS", "REFERANSE", "VIITE", "VIITENUMERO"];

/// The reference of `text` in its shortest form, into `out`, which is overwritten; empty when there is none.
///
/// An ISO 11649 reference loses `RF`, its check digits and leading zeros, so that it equals the national number
/// inside it; numbers lose leading zeros and keep their check digit.
pub(crate) fn find(text: &str, out: &mut String) {
    out.clear();
    // Words are stretches of letters and digits; a KID may end in a hyphen that is a check digit.
    let words: Vec<&str> = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|w| !w.is_empty())
        .take(TEXT_WORDS_MAX)
        .collect();
    let mut joined = String::with_capacity(64);
    for start in 0..words.len() {
        if let Some(found) = longest(&words[start..], &mut joined, anywhere) {
            return out.push_str(found);
        }
    }
    let announced = words.iter().position(|w| ANNOUNCERS.iter().any(|a| a.eq_ignore_ascii_case(w)));
    let of = match announced {
        Some(place) => &words[place + 1..],
        None if words.iter().all(|w| is_digits(w)) && words.len() <= WORDS_MAX => {
            joined.clear();
            words.iter().for_each(|w| joined.push_str(w));
            if text.trim_end().ends_with('-') {
                joined.push('-');
            }
            return out.push_str(national(&joined).unwrap_or_default());
        }
        None => return,
    };
    if let Some(found) = longest(of, &mut joined, national) {
        out.push_str(found);
    }
}

/// Of the first words written together, the most that pass the check.
fn longest<'j>(words: &[&str], joined: &'j mut String, check: fn(&str) -> Option<&str>) -> Option<&'j str> {
    joined.clear();
    let mut best = 0;
    for word in words.iter().take(WORDS_MAX) {
        if joined.len() + word.len() > QR_DIGITS {
            break;
        }
        joined.push_str(word);
        joined.make_ascii_uppercase();
        if check(joined).is_some() {
            best = joined.len();
        }
    }
    joined.truncate(best);
    check(joined)
}

/// ISO 11649 and Swiss references are long and rare enough to be recognised by themselves.
fn anywhere(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix("RF") {
        let is_form = (3..=RF_CHARS_MAX - 2).contains(&rest.len()) && is_digits(&rest[..2]);
        return (is_form && remainder_97(&rest[2..], &text[..4]) == 1).then(|| without_zeros(&rest[2..]))?;
    }
    (text.len() == QR_DIGITS && is_digits(text) && recursive_10(text) == 0).then(|| without_zeros(text))?
}

/// `None` also for what is nothing but zeros.
fn national(text: &str) -> Option<&str> {
    let digits = text.strip_suffix('-').unwrap_or(text);
    if !is_digits(digits) {
        return None;
    }
    let is_kid_or_ocr = (2..=25).contains(&text.len()) && (text == digits && luhn(text) || modulo_11(text));
    let is_finnish = text == digits && (4..=20).contains(&text.len()) && finnish(text);
    let is_swiss = text.len() == QR_DIGITS && text == digits && recursive_10(text) == 0;
    (is_kid_or_ocr || is_finnish || is_swiss).then(|| without_zeros(text))?
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn without_zeros(text: &str) -> Option<&str> {
    let rest = text.trim_start_matches('0');
    (!rest.is_empty()).then_some(rest)
}

/// Of the reference followed by its first four characters, letters being 10 to 35.
fn remainder_97(reference: &str, head: &str) -> u32 {
    reference.bytes().chain(head.bytes()).fold(0, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte.to_ascii_uppercase() - b'A') + 10) % 97,
    })
}

/// 0 when the last digit checks the others.
fn recursive_10(digits: &str) -> usize {
    const NEXT: [usize; 10] = [0, 9, 4, 6, 8, 2, 7, 1, 3, 5];
    let body = digits.len() - 1;
    let carry = digits[..body].bytes().fold(0, |carry, b| NEXT[(carry + usize::from(b - b'0')) % 10]);
    (carry + usize::from(digits.as_bytes()[body] - b'0')) % 10
}

fn luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(i, b)| match (u32::from(b - b'0'), i % 2) {
            (d, 0) => d,
            (d, _) if d < 5 => 2 * d,
            (d, _) => 2 * d - 9,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Weights 2 to 7 from the right; the check digit that would be 10 is a hyphen.
fn modulo_11(text: &str) -> bool {
    let Some((body, check)) = text.len().checked_sub(1).map(|end| text.split_at(end)) else { return false };
    let weighted = body.bytes().rev().enumerate().map(|(i, b)| u32::from(b - b'0') * (2 + i as u32 % 6));
    let expected = (11 - weighted.sum::<u32>() % 11) % 11;
    match check {
        "-" => expected == 10,
        digit => !body.is_empty() && digit.parse() == Ok(expected),
    }
}

fn finnish(digits: &str) -> bool {
    let (body, check) = digits.split_at(digits.len() - 1);
    let weighted =
        body.bytes().rev().zip([7, 3, 1].into_iter().cycle()).map(|(b, w)| u32::from(b - b'0') * w);
    check.parse() == Ok((10 - weighted.sum::<u32>() % 10) % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> String {
        let mut out = "left over".to_owned();
        find(text, &mut out);
        out
    }

    #[test]
    fn references_with_right_check_digits_are_recognised() {
        for (text, reference) in [
            // ISO 11649, alone, in groups, inside a text.
            ("RF18539007547034", "539007547034"),
            ("rf18 5390 0754 7034", "539007547034"),
            ("payment RF18 5390 0754 7034 of May", "539007547034"),
            ("RF18 0000 0000 0539 0075 4703 4", "539007547034"),
            ("RF471234567890", "1234567890"),
            // The national number inside it.
            ("RF341234561", "1234561"),
            // Swiss.
            ("21 00000 00003 13947 14300 09017", "210000000003139471430009017"),
            ("QRR 210000000003139471430009017 Rechnung", "210000000003139471430009017"),
            // Finnish.
            ("1234561", "1234561"),
            ("viite 00012 34561", "1234561"),
            // Swedish OCR and Norwegian KID by modulo 10.
            ("1234567897", "1234567897"),
            ("KID: 000 1234567897", "1234567897"),
            // KID by modulo 11.
            ("KID 1234567892", "1234567892"),
        ] {
            assert_eq!(found(text), reference, "{text}");
        }
    }

    #[test]
    fn numbers_that_are_none_are_left_alone() {
        for text in [
            "",
            "RF19539007547034",
            "RF18",
            "RF18 0000",
            "210000000003139471430009018",
            "1234567890",
            "invoice 1234567897 of May",
            "thank you 1234561",
            "0000",
            "RFÄÖ 12",
            "KID",
            "-",
            "7-",
        ] {
            assert_eq!(found(text), "", "{text}");
        }
    }

    #[test]
    fn one_wrong_digit_is_noticed() {
        for right in ["RF18539007547034", "210000000003139471430009017"] {
            for place in right.len() - 12..right.len() {
                let mut wrong = right.to_owned().into_bytes();
                wrong[place] = b'0' + (wrong[place] - b'0' + 1) % 10;
                assert_eq!(found(std::str::from_utf8(&wrong).unwrap()), "", "{place}");
            }
        }
    }

    #[test]
    fn any_text_has_an_answer() {
        let long = "RF18 5390 ".repeat(10_000);
        for text in ["ß".repeat(1000).as_str(), &"1 ".repeat(5000), &long, "\u{0}\u{7f}", "KID KID KID 1"] {
            found(text);
        }
    }
}
