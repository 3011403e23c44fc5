//! Which span something belongs to, as it travels between processes: W3C Trace Context, `traceparent`, version 00.

use std::fmt::{self, Write};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

/// One span of one trace. Neither id is ever zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: u128,
    span_id: u64,
    is_sampled: bool,
}

/// Traces whose last 56 bits are below it are sampled; those bits are random in every trace id.
static SAMPLED_BELOW: AtomicU64 = AtomicU64::new(0);
const RANDOM_BITS: u32 = 56;

/// Sets the share of traces that are sampled among those that begin here.
pub(super) fn sample(ratio: f64) {
    let below = (ratio.clamp(0.0, 1.0) * (1u64 << RANDOM_BITS) as f64) as u64;
    SAMPLED_BELOW.store(below, Ordering::Relaxed);
}

impl TraceContext {
    /// The first span of a new trace.
    pub fn root() -> Self {
        let trace_id = loop {
            let id: u128 = rand::random();
            if id != 0 {
                break id;
            }
        };
        let random = (trace_id as u64) & ((1 << RANDOM_BITS) - 1);
        let is_sampled = random < SAMPLED_BELOW.load(Ordering::Relaxed);
        Self { trace_id, span_id: new_span_id(), is_sampled }
    }

    /// A new span of the same trace.
    pub fn child(self) -> Self {
        Self { span_id: new_span_id(), ..self }
    }

    /// The same, of which nobody records anything.
    pub fn unsampled(self) -> Self {
        Self { is_sampled: false, ..self }
    }

    /// A child of what came along, else a root.
    pub fn following(parent: Option<Self>) -> Self {
        parent.map_or_else(Self::root, Self::child)
    }

    pub fn trace_id(self) -> TraceId {
        TraceId(self.trace_id)
    }

    pub(super) fn span_id(self) -> u64 {
        self.span_id
    }

    /// For a field of a span of `tracing`, which has no room for types of others.
    pub fn to_bytes(self) -> [u8; 25] {
        let mut bytes = [0; 25];
        bytes[..16].copy_from_slice(&self.trace_id.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.span_id.to_be_bytes());
        bytes[24] = u8::from(self.is_sampled);
        bytes
    }

    /// `None`: that is something else.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (trace_id, rest) = bytes.split_first_chunk()?;
        let (span_id, flags) = rest.split_first_chunk()?;
        let (trace_id, span_id) = (u128::from_be_bytes(*trace_id), u64::from_be_bytes(*span_id));
        let [flags] = flags else { return None };
        (trace_id != 0 && span_id != 0).then_some(Self { trace_id, span_id, is_sampled: *flags == 1 })
    }

    pub fn is_sampled(self) -> bool {
        self.is_sampled
    }
}

fn new_span_id() -> u64 {
    loop {
        let id: u64 = rand::random();
        if id != 0 {
            return id;
        }
    }
}

/// 32 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(pub(super) u128);

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Text::<32>::default();
        text.hex(&self.0.to_be_bytes());
        f.write_str(text.as_str())
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Text::<LENGTH>::default();
        text.bytes(b"00-");
        text.hex(&self.trace_id.to_be_bytes());
        text.bytes(b"-");
        text.hex(&self.span_id.to_be_bytes());
        text.bytes(if self.is_sampled { b"-01" } else { b"-00" });
        f.write_str(text.as_str())
    }
}

/// Of version 00, in bytes.
const LENGTH: usize = 55;

/// So many bytes of text that need no allocation: contexts are written and read for each job, several times.
struct Text<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self { bytes: [0; N], length: 0 }
    }
}

impl<const N: usize> Text<N> {
    fn bytes(&mut self, bytes: &[u8]) -> bool {
        let room = self.bytes.get_mut(self.length..self.length + bytes.len());
        let fits = room.map(|room| room.copy_from_slice(bytes)).is_some();
        self.length += if fits { bytes.len() } else { 0 };
        fits
    }

    fn hex(&mut self, bytes: &[u8]) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        for byte in bytes {
            self.bytes(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

/// What does not fit is refused.
impl<const N: usize> Write for Text<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.bytes(text.as_bytes()) { Ok(()) } else { Err(fmt::Error) }
    }
}

/// What is no `traceparent` of version 00, or of a later version that begins like one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no traceparent")]
pub struct NoTraceparent;

impl FromStr for TraceContext {
    type Err = NoTraceparent;

    fn from_str(text: &str) -> Result<Self, NoTraceparent> {
        let bytes = text.as_bytes();
        // At most 16 digits.
        let hex = |from: usize, to: usize| -> Option<u64> {
            let part = bytes.get(from..to)?;
            part.iter().try_fold(0, |value, byte| {
                let digit = match byte {
                    b'0'..=b'9' => byte - b'0',
                    b'a'..=b'f' => byte - b'a' + 10,
                    _ => return None,
                };
                Some(value << 4 | u64::from(digit))
            })
        };
        let parsed = || {
            let (version, flags) = (hex(0, 2)?, hex(53, 55)?);
            let trace_id = u128::from(hex(3, 19)?) << 64 | u128::from(hex(19, 35)?);
            let span_id = hex(36, 52)?;
            let dashes = [2, 35, 52].iter().all(|at| bytes[*at] == b'-');
            // Later versions may append, and only that.
            let ends = match version {
                0 => bytes.len() == 55,
                0xff => false,
                _ => bytes.len() == 55 || bytes.get(55) == Some(&b'-'),
            };
            let is_one = dashes && ends && trace_id != 0 && span_id != 0;
            is_one.then_some(Self { trace_id, span_id, is_sampled: flags & 1 == 1 })
        };
        parsed().ok_or(NoTraceparent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_reads_back_as_written() {
        let context: TraceContext = GOOD.parse().expect("a traceparent");
        assert_eq!(context.to_string(), GOOD);
        assert_eq!(context.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert!(context.is_sampled());
        let child = context.child();
        assert_eq!((child.trace_id(), child.is_sampled()), (context.trace_id(), true));
        assert_ne!(child.span_id(), context.span_id());
    }

    /// The rules of the specification, section 3.2.
    #[test]
    fn what_is_none_is_refused_and_later_versions_are_read() {
        for bad in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
            "00-4bf92f3577b34da6a3ce929d0e0e473ä-00f067aa0ba902b7-01",
        ] {
            assert!(bad.parse::<TraceContext>().is_err(), "{bad}");
        }
        for (good, sampled) in [
            ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true),
            ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes", true),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02", false),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03", true),
        ] {
            let context: TraceContext = good.parse().expect(good);
            assert_eq!(context.is_sampled(), sampled, "{good}");
        }
    }

    proptest! {
        #[test]
        fn bytes_are_a_context_or_none(bytes in prop::collection::vec(prop_oneof![Just(0), 0..2u8, any::<u8>()], 23..28)) {
            let read = TraceContext::from_bytes(&bytes);
            let is_one = bytes.len() == 25 && bytes[..16].iter().any(|b| *b != 0) && bytes[16..24].iter().any(|b| *b != 0);
            prop_assert_eq!(read.is_some(), is_one);
            for context in read.into_iter().chain([TraceContext::root()]) {
                prop_assert_eq!(TraceContext::from_bytes(&context.to_bytes()), Some(context));
                prop_assert_eq!(context.to_string().parse(), Ok(context));
            }
        }

        #[test]
        fn any_text_is_a_traceparent_or_none(text in ".{0,80}", at in 0..GOOD.len(), with in ".?") {
            let bent = format!("{}{with}{}", &GOOD[..at], &GOOD[at + 1..]);
            for text in [text, bent] {
                if let Ok(context) = text.parse::<TraceContext>() {
                    prop_assert_eq!(context.to_string().parse(), Ok(context), "{}", text);
                }
            }
        }
    }
}
