//! Lines of CSV made in memory.

use chrono::{Datelike, NaiveDate};

/// Lines of CSV in memory. Where there are millions of them, this takes a quarter of the time that making a
/// text of every number first takes.
#[derive(Default)]
pub(super) struct CsvText {
    pub bytes: Vec<u8>,
    inside_line: bool,
}

impl CsvText {
    fn begin_cell(&mut self) {
        if self.inside_line {
            self.bytes.push(b',');
        }
        self.inside_line = true;
    }

    pub fn end_line(&mut self) {
        self.bytes.push(b'\n');
        self.inside_line = false;
    }

    pub fn text(&mut self, text: &str) {
        self.begin_cell();
        if !text.bytes().any(|b| matches!(b, b',' | b'"' | b'\r' | b'\n')) {
            self.bytes.extend_from_slice(text.as_bytes());
            return;
        }
        self.bytes.push(b'"');
        for byte in text.bytes() {
            if byte == b'"' {
                self.bytes.push(b'"');
            }
            self.bytes.push(byte);
        }
        self.bytes.push(b'"');
    }

    pub fn number(&mut self, number: u64) {
        self.begin_cell();
        self.digits(number.into(), 1);
    }

    /// `minor` over ten to the `exponent`; `short`: without zeros at the end.
    pub fn decimal(&mut self, minor: i128, exponent: u32, short: bool) {
        self.begin_cell();
        if minor < 0 {
            self.bytes.push(b'-');
        }
        let unit = 10u128.pow(exponent);
        let (whole, mut fraction) = (minor.unsigned_abs() / unit, minor.unsigned_abs() % unit);
        self.digits(whole, 1);
        let mut digits = exponent as usize;
        while short && digits > 0 && fraction.is_multiple_of(10) {
            fraction /= 10;
            digits -= 1;
        }
        if digits > 0 {
            self.bytes.push(b'.');
            self.digits(fraction, digits);
        }
    }

    /// ISO; nothing for days outside the calendar.
    pub fn date(&mut self, days: i32) {
        self.begin_cell();
        let Some(date) = NaiveDate::from_epoch_days(days) else { return };
        if !(0..=9999).contains(&date.year()) {
            return self.bytes.extend_from_slice(date.to_string().as_bytes());
        }
        self.digits(date.year().unsigned_abs().into(), 4);
        self.bytes.push(b'-');
        self.digits(date.month().into(), 2);
        self.bytes.push(b'-');
        self.digits(date.day().into(), 2);
    }

    /// At least `width` digits.
    fn digits(&mut self, mut number: u128, width: usize) {
        let (mut digits, mut at) = ([b'0'; 40], 40);
        if let Ok(mut small) = u64::try_from(number) {
            while small > 0 {
                at -= 1;
                digits[at] += (small % 10) as u8;
                small /= 10;
            }
        } else {
            while number > 0 {
                at -= 1;
                digits[at] += (number % 10) as u8;
                number /= 10;
            }
        }
        self.bytes.extend_from_slice(&digits[at.min(40 - width)..]);
    }
}
