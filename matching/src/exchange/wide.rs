//! Multiplication and division that do not lose what 128 bits cannot hold.

use crate::Rounding;

/// `a * b / c`, rounded once; `None` when the result has more than 128 bits or `c` is 0.
pub(super) fn multiply_divide(a: u128, b: u128, c: u128, rounding: Rounding) -> Option<u128> {
    if c == 0 {
        return None;
    }
    let (quotient, rest) = match a.checked_mul(b) {
        Some(product) => (product / c, product % c),
        None => divide(multiply(a, b), c)?,
    };
    // rest >= c - rest is 2 rest >= c without the overflow.
    let up = match rounding {
        Rounding::HalfUp => rest >= c - rest,
        Rounding::HalfEven => rest > c - rest || rest == c - rest && quotient % 2 == 1,
    };
    if up { quotient.checked_add(1) } else { Some(quotient) }
}

/// High and low half of the product.
fn multiply(a: u128, b: u128) -> (u128, u128) {
    const LOW: u128 = u64::MAX as u128;
    let (a1, a0, b1, b0) = (a >> 64, a & LOW, b >> 64, b & LOW);
    let low = a0 * b0;
    let (first, second) = (a1 * b0, a0 * b1);
    let middle = (low >> 64) + (first & LOW) + (second & LOW);
    (a1 * b1 + (first >> 64) + (second >> 64) + (middle >> 64), middle << 64 | low & LOW)
}

/// Quotient and rest, bit by bit. Only amounts of billions at cross rates come here.
fn divide((high, low): (u128, u128), by: u128) -> Option<(u128, u128)> {
    if high >= by {
        return None;
    }
    let (mut rest, mut quotient) = (high, 0u128);
    for bit in (0..128).rev() {
        let carry = rest >> 127;
        rest = rest << 1 | low >> bit & 1;
        quotient <<= 1;
        if carry == 1 || rest >= by {
            rest = rest.wrapping_sub(by);
            quotient |= 1;
        }
    }
    Some((quotient, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn halves_go_where_the_rule_says() {
        for (a, up, even) in [(5, 3, 2), (15, 8, 8), (25, 13, 12), (4, 2, 2), (0, 0, 0)] {
            assert_eq!(multiply_divide(a, 5, 10, Rounding::HalfUp), Some(up), "{a}");
            assert_eq!(multiply_divide(a, 5, 10, Rounding::HalfEven), Some(even), "{a}");
        }
        assert_eq!(multiply_divide(1, 1, 0, Rounding::HalfUp), None);
        assert_eq!(multiply_divide(u128::MAX, 2, 1, Rounding::HalfUp), None);
        assert_eq!(multiply_divide(u128::MAX, u128::MAX, u128::MAX, Rounding::HalfUp), Some(u128::MAX));
    }

    proptest! {
        #[test]
        fn the_long_way_gives_what_the_short_one_does(a: u64, b: u64, c in 1..u64::MAX) {
            let (a, b, c) = (u128::from(a), u128::from(b), u128::from(c));
            let long = divide(multiply(a, b), c).unwrap();
            prop_assert_eq!(long, (a * b / c, a * b % c));
        }

        #[test]
        fn dividing_takes_back_what_multiplying_did(a: u128, b in 1..u128::MAX, rest: u128) {
            let rest = rest % b;
            let (high, low) = multiply(a, b);
            let (low, carry) = low.overflowing_add(rest);
            prop_assert_eq!(divide((high + u128::from(carry), low), b), Some((a, rest)));
        }
    }
}
