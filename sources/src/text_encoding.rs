//! The encoding of a text file: told, declared, marked, or found out from its first bytes.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use matching::Confidence;
use serde::Serialize;

/// Bytes at the beginning of a file that decide.
pub(crate) const HEAD_BYTES_MAX: usize = 256 << 10;

/// How a text is written, and how sure that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TextEncoding {
    /// A name of the Encoding Standard, as `csv.encoding` takes it: `UTF-8`, `windows-1252`, `UTF-16LE`, ….
    pub name: &'static str,
    pub confidence: Confidence,
}

/// The encoding of that name, if there is one.
pub(crate) fn by_name(name: &str) -> Option<&'static Encoding> {
    Encoding::for_label(name.trim().as_bytes())
}

/// Finds out the encoding of a text from how it begins.
///
/// UTF-8 that is broken in a few places is still UTF-8: its broken lines are rejected one by one. Only a text
/// without a single character of UTF-8 beyond ASCII is taken for one of the older encodings.
pub(crate) fn find(head: &[u8]) -> (&'static Encoding, Confidence) {
    let sure = |share: f64| Confidence::from_f64(share);
    if let Some((encoding, _)) = Encoding::for_bom(head) {
        return (encoding, Confidence::ONE);
    }
    if let Some(encoding) = utf_16_without_mark(head) {
        return (encoding, sure(0.95));
    }
    let others = head.iter().filter(|b| !b.is_ascii()).count();
    if others == 0 {
        // Later parts may differ; then their lines are rejected.
        return (UTF_8, sure(0.99));
    }
    let (characters, broken) = utf_8_characters(head);
    if characters >= broken && characters > 0 {
        return (UTF_8, sure(if broken == 0 { 0.99 } else { 0.8 }));
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(head, true);
    let encoding = detector.guess(None, Utf8Detection::Deny);
    // The more characters beyond ASCII, the more there was to judge by.
    let confidence = match others {
        0..5 => 0.5,
        5..20 => 0.65,
        20..100 => 0.8,
        _ => 0.9,
    };
    (encoding, sure(confidence))
}

/// Characters of more than one byte, and places that are not UTF-8. A character cut by the end is neither.
fn utf_8_characters(mut head: &[u8]) -> (usize, usize) {
    let (mut characters, mut broken) = (0, 0);
    loop {
        let (valid, skip) = match std::str::from_utf8(head) {
            Ok(text) => (text, None),
            Err(error) => {
                let valid = std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default();
                (valid, error.error_len().map(|length| error.valid_up_to() + length))
            }
        };
        characters += valid.chars().filter(|c| !c.is_ascii()).count();
        let Some(skip) = skip else { return (characters, broken) };
        broken += 1;
        head = &head[skip..];
    }
}

/// Western text in UTF-16 has a NUL in every other byte.
fn utf_16_without_mark(head: &[u8]) -> Option<&'static Encoding> {
    let head = &head[..head.len().min(1_000) & !1];
    let nuls = |odd: usize| head.iter().skip(odd).step_by(2).filter(|b| **b == 0).count();
    let pairs = head.len() / 2;
    if pairs < 4 {
        return None;
    }
    match (nuls(0), nuls(1)) {
        (0, low) if low * 10 >= pairs * 7 => Some(UTF_16LE),
        (high, 0) if high * 10 >= pairs * 7 => Some(UTF_16BE),
        _ => None,
    }
}

/// What an XML declaration says, if there is one that can be read before anything is decoded.
pub(crate) fn declared_in_xml(head: &[u8]) -> Option<&'static Encoding> {
    let head = &head[..head.len().min(200)];
    let declaration = head.trim_ascii_start().strip_prefix(b"<?xml")?;
    let end = declaration.windows(2).position(|pair| pair == b"?>")?;
    let text = std::str::from_utf8(&declaration[..end]).ok()?;
    let (_, value) = text.split_once("encoding")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let encoding = by_name(value[1..].split(quote).next()?)?;
    // Bytes that could be read as ASCII just now are not UTF-16, whatever they say.
    Some(if encoding == UTF_16LE || encoding == UTF_16BE { UTF_8 } else { encoding })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_found_from_how_a_file_begins() {
        let utf_16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
        let latin = "Datum;Empf\u{e4}nger;Betrag\n01.02.2026;M\u{fc}ller GmbH f\u{fc}r B\u{fc}ro;1,00\n";
        let (windows_1252, _, _) = encoding_rs::WINDOWS_1252.encode(latin);
        let cyrillic = "\u{414}\u{430}\u{442}\u{430};\u{421}\u{443}\u{43c}\u{43c}\u{430};\u{41d}\u{430}\u{437}\u{43d}\u{430}\u{447}\u{435}\u{43d}\u{438}\u{435} \u{43f}\u{43b}\u{430}\u{442}\u{435}\u{436}\u{430}\n";
        let (windows_1251, _, _) = encoding_rs::WINDOWS_1251.encode(cyrillic);
        for (head, name) in [
            (latin.as_bytes().to_vec(), "UTF-8"),
            (b"a,b\n1,2\n".to_vec(), "UTF-8"),
            ([&b"\xef\xbb\xbf"[..], b"a"].concat(), "UTF-8"),
            ([&b"\xff\xfe"[..], &utf_16("a,b")].concat(), "UTF-16LE"),
            (b"\xfe\xff\0a".to_vec(), "UTF-16BE"),
            (utf_16("date,amount\n1,2\n"), "UTF-16LE"),
            (windows_1252.into_owned(), "windows-1252"),
            (windows_1251.into_owned(), "windows-1251"),
            ([latin.as_bytes(), b"\xff\n"].concat(), "UTF-8"),
            (latin.as_bytes()[..9].to_vec(), "UTF-8"),
        ] {
            assert_eq!(find(&head).0.name(), name, "{head:?}");
        }
    }

    #[test]
    fn xml_says_its_encoding() {
        for (head, name) in [
            ("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a/>", Some("windows-1252")),
            ("<?xml version='1.0' encoding = 'utf-8'?>", Some("UTF-8")),
            ("<?xml version='1.0' encoding='utf-16'?>", Some("UTF-8")),
            ("<?xml version='1.0'?>", None),
            ("<?xml version='1.0' encoding=", None),
            ("<a/>", None),
        ] {
            assert_eq!(declared_in_xml(head.as_bytes()).map(Encoding::name), name, "{head}");
        }
    }
}
