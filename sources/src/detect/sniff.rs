//! Which format a text is.

use crate::Format;
use matching::Confidence;

/// Bytes that decide.
const SNIFF_BYTES: usize = 8 << 10;

/// By the first bytes, for formats that are no text.
pub(super) fn typed_format_of(head: &[u8]) -> Option<Format> {
    match head {
        [b'P', b'K', 3, 4, ..] | [0xd0, 0xcf, 0x11, 0xe0, ..] => Some(Format::Excel),
        [b'P', b'A', b'R', b'1', ..] => Some(Format::Parquet),
        _ => None,
    }
}

/// A program, a picture: of a hundred characters more than one stands for none. Old systems pad a text with a few.
pub(super) fn is_no_text(text: &[u8]) -> bool {
    let head = String::from_utf8_lossy(&text[..text.len().min(SNIFF_BYTES)]);
    let is_strange = |c: &char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{c}' | '\u{1a}');
    head.chars().filter(is_strange).count() * 100 > head.chars().count()
}

pub(super) fn format_of(text: &[u8]) -> (Format, Confidence) {
    let head = String::from_utf8_lossy(&text[..text.len().min(SNIFF_BYTES)]);
    let head = head.trim_start();
    let sure = |format: Format, share: f64| (format, Confidence::from_f64(share));
    if head.starts_with("OFXHEADER") || head.contains("<OFX>") {
        return sure(Format::Ofx, 1.0);
    }
    if head.starts_with('<') && (head.contains("BkToCstmr") || head.contains("camt.05")) {
        return sure(Format::Camt, 1.0);
    }
    let tags = [":20:", ":25:", ":60F:", ":60M:", ":61:", ":62F:"];
    let tagged = head.lines().filter(|line| tags.iter().any(|tag| line.starts_with(tag))).count();
    match tagged {
        0 => {}
        1 => return sure(Format::Mt940, 0.8),
        _ => return sure(Format::Mt940, 1.0),
    }
    let mut lines = head.lines().map(str::trim).filter(|line| !line.is_empty());
    if lines.next().is_some_and(|line| line.starts_with("01,"))
        && lines.next().is_some_and(|line| line.starts_with("02,") || line.starts_with("88,"))
    {
        return sure(Format::Bai2, 0.95);
    }
    match head.as_bytes().first() {
        Some(b'{' | b'[') => sure(Format::Json, 0.98),
        _ => sure(Format::Csv, 0.8),
    }
}
