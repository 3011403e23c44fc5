//! Writing Protocol Buffers: the four shapes of fields that OTLP needs.
//!
//! The five messages of a trace are so small and so settled that their encoding by hand is shorter than what generating
//! it would add to every build (prost, tonic and the OpenTelemetry crates are some thirty crates).

#[derive(Default)]
pub(super) struct Message(pub Vec<u8>);

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const LENGTH: u64 = 2;
const FIXED32: u64 = 5;

impl Message {
    pub fn varint(&mut self, field: u64, value: u64) {
        self.raw(field << 3 | VARINT);
        self.raw(value);
    }

    pub fn fixed64(&mut self, field: u64, value: u64) {
        self.raw(field << 3 | FIXED64);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub fn fixed32(&mut self, field: u64, value: u32) {
        self.raw(field << 3 | FIXED32);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub fn bytes(&mut self, field: u64, value: &[u8]) {
        self.length(field, value.len());
        self.0.extend_from_slice(value);
    }

    /// Of bytes that come next.
    pub fn length(&mut self, field: u64, bytes: usize) {
        self.raw(field << 3 | LENGTH);
        self.raw(bytes as u64);
    }

    pub fn message(&mut self, field: u64, write: impl FnOnce(&mut Message)) {
        self.raw(field << 3 | LENGTH);
        // Most messages are so short that their length takes one byte; what follows moves for those that are not.
        let at = self.0.len();
        self.0.push(0);
        write(self);
        let length = self.0.len() - at - 1;
        if length < 0x80 {
            self.0[at] = length as u8;
        } else {
            let mut prefix = Message::default();
            prefix.raw(length as u64);
            self.0.splice(at..=at, prefix.0);
        }
    }

    fn raw(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

/// The value of a field: a number, or bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire<'b> {
    Number(u64),
    Bytes(&'b [u8]),
}

impl<'b> Wire<'b> {
    pub fn number(self) -> u64 {
        match self {
            Wire::Number(number) => number,
            Wire::Bytes(_) => 0,
        }
    }

    pub fn bytes(self) -> &'b [u8] {
        match self {
            Wire::Number(_) => &[],
            Wire::Bytes(bytes) => bytes,
        }
    }
}

/// The fields of a message, up to what is none.
pub(crate) fn fields(mut rest: &[u8]) -> impl Iterator<Item = (u64, Wire<'_>)> {
    std::iter::from_fn(move || {
        let key = take_varint(&mut rest)?;
        let value = match key & 7 {
            VARINT => Wire::Number(take_varint(&mut rest)?),
            FIXED64 => {
                let (bytes, after) = rest.split_first_chunk::<8>()?;
                rest = after;
                Wire::Number(u64::from_le_bytes(*bytes))
            }
            FIXED32 => {
                let (bytes, after) = rest.split_first_chunk::<4>()?;
                rest = after;
                Wire::Number(u32::from_le_bytes(*bytes).into())
            }
            LENGTH => {
                let length = usize::try_from(take_varint(&mut rest)?).ok()?;
                let (bytes, after) = rest.split_at_checked(length)?;
                rest = after;
                Wire::Bytes(bytes)
            }
            _ => return None,
        };
        Some((key >> 3, value))
    })
}

fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for at in 0..10 {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
