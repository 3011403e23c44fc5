//! Signatures after the Standard Webhooks specification: HMAC-SHA256 over id, timestamp and body.

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign as hmac};
use data_encoding::BASE64;

/// `v1,` and the signature in base 64. `secret` is what `whsec_` holds in base 64, not that text; `at` is in seconds
/// since 1970.
pub fn sign(secret: &[u8], id: &str, at: i64, body: &[u8]) -> String {
    let signed = [format!("{id}.{at}.").as_bytes(), body].concat();
    let tag = hmac(&Key::new(HMAC_SHA256, secret), &signed);
    format!("v1,{}", BASE64.encode(tag.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that the libraries of the specification are tested with.
    #[test]
    fn the_signature_is_that_of_the_specification() {
        let secret = BASE64.decode(b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature =
            sign(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
