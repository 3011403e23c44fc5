//! Names and numbers that many places of a rule set hold.

use super::Mistakes;
use crate::keys::Column;

const NAME_CHARS_MAX: usize = 200;

/// A text of the rules as a message may repeat it.
pub(super) fn short(name: &str) -> String {
    format!("{:?}", name.chars().take(80).collect::<String>())
}

impl Mistakes<'_> {
    pub(super) fn check_field(&mut self, at: &str, name: &str, fields: Option<&[String]>, side: &str) {
        if name.is_empty() {
            return self.add(at, "must not be empty");
        }
        if let Some(fields) = fields
            && name != Column::ID
            && !fields.iter().any(|f| f == name)
        {
            let known: Vec<&str> =
                std::iter::once(Column::ID).chain(fields.iter().map(String::as_str)).collect();
            self.add(
                at,
                format!("{} is not a field of the {side} side, which has {}", short(name), known.join(", ")),
            );
        }
    }

    pub(super) fn check_name(&mut self, at: &str, name: &str) {
        if name.chars().count() > NAME_CHARS_MAX {
            self.add(at, format!("must have at most {NAME_CHARS_MAX} characters"));
        }
    }

    /// NaN is not between anything.
    pub(super) fn check_share(&mut self, at: &str, value: f64) {
        if !(0.0..=1.0).contains(&value) {
            self.add(at, format!("is {value}; must be between 0 and 1"));
        }
    }
}
