//! PostgreSQL's binary COPY, written by hand: half the time of the text form, and no escaping to get wrong.
//! The format is described in the PostgreSQL manual under COPY, "Binary Format".

use super::StoreError;
use sqlx::PgConnection;
use std::time::Instant;
use uuid::Uuid;

/// Bytes collected before they are sent: large enough that a round trip does not matter, small enough that a
/// million rows never sit in memory.
const CHUNK_BYTES: usize = 512 * 1024;

/// Rows on their way into one table, in the caller's transaction.
pub struct CopyWriter<'c> {
    sink: sqlx::postgres::PgCopyIn<&'c mut PgConnection>,
    statement: String,
    started_at: Instant,
}

impl<'c> CopyWriter<'c> {
    /// `statement` is `COPY table (columns) FROM STDIN (FORMAT binary)`.
    pub async fn start(conn: &'c mut PgConnection, statement: &str) -> Result<Self, StoreError> {
        let started_at = Instant::now();
        let mut sink = conn.copy_in_raw(statement).await?;
        // No flags, no header extension.
        sink.send(&b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0"[..]).await?;
        Ok(Self { sink, statement: statement.to_owned(), started_at })
    }

    /// Sends whole rows.
    pub async fn send(&mut self, rows: &CopyRows) -> Result<(), StoreError> {
        self.sink.send(rows.buffer.as_slice()).await?;
        Ok(())
    }

    /// Ends the COPY; returns the rows written.
    pub async fn finish(mut self) -> Result<u64, StoreError> {
        self.sink.send(&(-1i16).to_be_bytes()[..]).await?;
        let rows = self.sink.finish().await?;
        // As the driver reports every statement but this kind, for figures and traces.
        tracing::debug!(
            target: "sqlx::query",
            summary = self.statement,
            db.statement = "",
            rows_affected = rows,
            rows_returned = 0,
            elapsed_secs = self.started_at.elapsed().as_secs_f64(),
        );
        Ok(rows)
    }
}

/// Rows in the form in which they are sent.
#[derive(Debug, Default)]
pub struct CopyRows {
    buffer: Vec<u8>,
}

impl CopyRows {
    /// Starts a row; exactly `columns` values must follow.
    pub fn row(&mut self, columns: i16) -> RowWriter<'_> {
        self.buffer.extend_from_slice(&columns.to_be_bytes());
        RowWriter { buffer: &mut self.buffer }
    }

    /// Enough to be sent.
    pub fn is_full(&self) -> bool {
        self.buffer.len() >= CHUNK_BYTES
    }

    pub fn clear(&mut self) {
        self.buffer.clear();
    }
}

/// The values of one row, in the order of the statement's columns.
pub struct RowWriter<'b> {
    buffer: &'b mut Vec<u8>,
}

impl RowWriter<'_> {
    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        // Longer values cannot occur: rows are bounded far below 2 GiB by the limits on lines and candidates.
        let length = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
        self.buffer.extend_from_slice(&length.to_be_bytes());
        self.buffer.extend_from_slice(bytes);
        self
    }

    pub fn uuid(&mut self, value: Uuid) -> &mut Self {
        self.bytes(value.as_bytes())
    }

    pub fn i16(&mut self, value: i16) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    pub fn i32(&mut self, value: i32) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    pub fn i64(&mut self, value: i64) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    /// Also for enums, whose binary form is their label. PostgreSQL cannot store a zero character: it becomes
    /// U+FFFD.
    pub fn text(&mut self, value: &str) -> &mut Self {
        if value.contains('\0') {
            self.bytes(value.replace('\0', "\u{fffd}").as_bytes())
        } else {
            self.bytes(value.as_bytes())
        }
    }

    pub fn null(&mut self) -> &mut Self {
        self.buffer.extend_from_slice(&(-1i32).to_be_bytes());
        self
    }

    /// Written straight into the buffer, without a copy in between.
    pub fn written(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> &mut Self {
        let length_at = self.buffer.len();
        self.buffer.extend_from_slice(&[0; 4]);
        write(self.buffer);
        let length = (self.buffer.len() - length_at - 4) as i32;
        self.buffer[length_at..length_at + 4].copy_from_slice(&length.to_be_bytes());
        self
    }

    /// Zero characters as in [`Self::text`].
    pub fn jsonb<T: serde::Serialize>(&mut self, value: &T) -> &mut Self {
        self.written(|buffer| {
            buffer.push(1); // version of jsonb's binary form
            let body = buffer.len();
            serde_json::to_writer(&mut *buffer, value).expect("rows of results serialise");
            // `\u0000` is legal JSON and refused by jsonb. An escaped backslash before `u0000` is not an escape.
            if let Some(clean) = without_zero_escapes(&buffer[body..]) {
                buffer.truncate(body);
                buffer.extend_from_slice(&clean);
            }
        })
    }
}

/// JSON that jsonb takes: zero characters as in [`RowWriter::text`].
pub(super) fn json_without_zeros<T: serde::Serialize>(value: &T) -> String {
    let json = serde_json::to_vec(value).expect("rows of results serialise");
    let json = without_zero_escapes(&json).unwrap_or(json);
    String::from_utf8(json).expect("JSON is UTF-8")
}

/// `None` when there is nothing to replace, which is nearly always.
pub(super) fn without_zero_escapes(json: &[u8]) -> Option<Vec<u8>> {
    const ESCAPE: &[u8] = b"\\u0000";
    // Nearly no JSON has a backslash at all, and one byte is found faster than six.
    if !json.contains(&b'\\') || !json.windows(ESCAPE.len()).any(|w| w == ESCAPE) {
        return None;
    }
    let mut clean = Vec::with_capacity(json.len());
    let mut rest = json;
    while let Some((&byte, tail)) = rest.split_first() {
        if byte == b'\\' && rest.starts_with(ESCAPE) {
            clean.extend_from_slice(b"\\ufffd");
            rest = &rest[ESCAPE.len()..];
        } else if byte == b'\\' {
            let pair = rest.len().min(2);
            clean.extend_from_slice(&rest[..pair]);
            rest = &rest[pair..];
        } else {
            clean.push(byte);
            rest = tail;
        }
    }
    Some(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_characters_never_reach_jsonb() {
        for text in ["a\0b", "\0", "plain \\u0000 text", "\\\0"] {
            let mut buffer = vec![];
            RowWriter { buffer: &mut buffer }.jsonb(&text);
            let json: String = serde_json::from_slice(&buffer[5..]).unwrap();
            assert_eq!(json, text.replace('\0', "\u{fffd}"));
            assert_eq!(i32::from_be_bytes(buffer[..4].try_into().unwrap()) as usize, buffer.len() - 4);
        }
    }
}
