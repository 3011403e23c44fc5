//! Time-based one-time passwords: RFC 6238 with HMAC-SHA-1, six digits and steps of 30 s, which is what every
//! authenticator understands.

use aws_lc_rs::hmac;
use data_encoding::BASE32_NOPAD;

/// Bytes of a secret: the length that RFC 4226 recommends.
pub(super) const SECRET_BYTES: usize = 20;
const STEP_S: i64 = 30;
/// Steps before and after the present one that are taken, too, for clocks that differ.
const STEPS_AROUND: i64 = 1;

/// The step whose code this is, if it is one of the present or a neighbouring step. Compares in constant time.
pub(super) fn step_of(secret: &[u8], code: &str, now_s: i64) -> Option<i64> {
    let present = now_s.div_euclid(STEP_S);
    let mut found = None;
    for step in present - STEPS_AROUND..=present + STEPS_AROUND {
        let is_it = aws_lc_rs::constant_time::verify_slices_are_equal(
            code_at(secret, step).as_bytes(),
            code.as_bytes(),
        );
        if is_it.is_ok() {
            found = Some(step);
        }
    }
    found
}

/// Six digits (RFC 4226, 5.3).
fn code_at(secret: &[u8], step: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let at = usize::from(tag[tag.len() - 1] & 0xf);
    let number = u32::from_be_bytes([tag[at] & 0x7f, tag[at + 1], tag[at + 2], tag[at + 3]]);
    format!("{:06}", number % 1_000_000)
}

/// As people type it.
pub(super) fn secret_text(secret: &[u8]) -> String {
    BASE32_NOPAD.encode(secret)
}

/// As authenticators scan it.
pub(super) fn address(secret: &[u8], email: &str) -> String {
    let escaped: String = email
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect();
    format!("otpauth://totp/Counterfoil:{escaped}?secret={}&issuer=Counterfoil", secret_text(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, the last six of its eight digits.
    #[test]
    fn codes_are_those_of_the_rfc() {
        let secret = b"12345678901234567890";
        for (at_s, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code_at(secret, at_s / STEP_S), code);
            assert_eq!(step_of(secret, code, at_s), Some(at_s / STEP_S));
            assert_eq!(step_of(secret, code, at_s + 30), Some(at_s / STEP_S));
            assert_eq!(step_of(secret, code, at_s + 90), None);
        }
        assert_eq!(step_of(secret, "", 59), None);
        assert_eq!(step_of(secret, "28708２", 59), None);
    }

    #[test]
    fn the_address_is_escaped() {
        let address = address(b"12345678901234567890", "a b&c@d.e");
        assert_eq!(
            address,
            "otpauth://totp/Counterfoil:a%20b%26c%40d.e?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Counterfoil"
        );
    }
}
