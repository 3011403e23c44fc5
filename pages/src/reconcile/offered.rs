//! What may be chosen for a column and for all lines of a file: what was found out first, with how sure that is.

use super::choices::Choices;
use crate::answers::{ColumnGuess, Preview};

/// What a column may mean, in words; further ones are fields by their names.
pub(crate) const ROLES: [(&str, &str); 12] = [
    ("", "Not used"),
    ("id", "Record id"),
    ("date", "Date"),
    ("amount", "Amount"),
    ("debit", "Debit amount"),
    ("credit", "Credit amount"),
    ("direction", "Debit or credit"),
    ("currency", "Currency"),
    ("field:reference", "Reference"),
    ("field:description", "Description"),
    ("field:counterparty", "Counterparty"),
    ("field:batch", "Batch"),
];

/// Formats of dates that are offered besides those that were found, as strftime has them; none is ISO 8601.
const DATE_FORMATS: [&str; 9] =
    ["ISO", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%Y/%m/%d", "%Y%m%d", "%d.%m.%y", "%d %b %Y"];

/// One column with what may be chosen for it.
pub(crate) struct ColumnShown {
    pub name: String,
    pub input: String,
    pub examples: String,
    pub confidence: Option<f64>,
    pub options: Vec<Choice>,
}

pub(crate) struct Choice {
    pub value: String,
    pub text: String,
    pub is_chosen: bool,
}

impl Choices {
    pub fn columns(&self, preview: &Preview, side: &str) -> Vec<ColumnShown> {
        let shown = |(i, (column, role)): (usize, (&ColumnGuess, &String))| ColumnShown {
            name: column.name.clone(),
            input: format!("{side}.column.{i}"),
            examples: column.examples.join(" · "),
            // Of what was proposed; a person's choice needs no confidence.
            confidence: (role_of(column) == *role && !role.is_empty()).then_some(column.confidence),
            options: options(column, role),
        };
        preview.columns.iter().zip(&self.roles).enumerate().map(shown).collect()
    }

    /// Found ones first, each with a day that shows the order.
    pub fn date_formats(&self, preview: &Preview) -> Vec<Choice> {
        let at = self.roles.iter().position(|role| role == "date");
        let column = at.and_then(|at| preview.columns.get(at));
        let found =
            column.into_iter().flat_map(|column| &column.date_formats).map(|format| format.is.as_str());
        let mut formats: Vec<&str> = vec![];
        for format in found.chain([self.date_format.as_str()]).chain(DATE_FORMATS) {
            if !format.is_empty() && !formats.contains(&format) {
                formats.push(format);
            }
        }
        let choice = |format: &str| Choice {
            text: day_as(format),
            is_chosen: format == self.date_format,
            value: format.to_owned(),
        };
        formats.into_iter().map(choice).collect()
    }

    pub fn is_date_order_unclear(&self, preview: &Preview) -> bool {
        let dates = preview.columns.iter().zip(&self.roles).filter(|(_, role)| *role == "date");
        dates.into_iter().any(|(column, _)| column.date_order_unclear)
    }
}

pub(super) fn role_of(column: &ColumnGuess) -> String {
    match column.role.as_deref() {
        None => String::new(),
        Some(role) if ROLES.iter().any(|(known, _)| *known == role) => role.to_owned(),
        Some(field) => format!("field:{field}"),
    }
}

fn options(column: &ColumnGuess, role: &str) -> Vec<Choice> {
    let mut options: Vec<(String, String)> =
        ROLES.iter().map(|(value, text)| ((*value).into(), (*text).into())).collect();
    // Kept under its own name; and whatever was proposed.
    let own: String =
        column.name.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    for value in [format!("field:{}", own.trim_matches('_')), role_of(column), role.to_owned()] {
        if let Some(name) = value.strip_prefix("field:").filter(|name| !name.is_empty())
            && !options.iter().any(|(known, _)| *known == value)
        {
            options.push((value.clone(), format!("Keep as “{name}”")));
        }
    }
    options.into_iter().map(|(value, text)| Choice { is_chosen: value == role, value, text }).collect()
}

/// `31.12.2026`, with the order in words where the digits alone could be taken for another.
fn day_as(format: &str) -> String {
    if format == "ISO" {
        return "2026-12-31 (ISO)".into();
    }
    let day = chrono::NaiveDate::from_ymd_opt(2026, 12, 31).and_then(|day| day.and_hms_opt(0, 0, 0));
    let items: Vec<_> = chrono::format::StrftimeItems::new(format).collect();
    let is_format = !items.contains(&chrono::format::Item::Error);
    let Some(shown) =
        day.filter(|_| is_format).map(|day| day.and_utc().format_with_items(items.iter()).to_string())
    else {
        return format.to_owned();
    };
    let order = match (format.find("%d"), format.find("%m")) {
        (Some(day), Some(month)) if format.contains("%Y") || format.contains("%y") => {
            if format.starts_with("%Y") {
                ""
            } else if day < month {
                " (day first)"
            } else {
                " (month first)"
            }
        }
        _ => "",
    };
    format!("{shown}{order}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_show_their_order() {
        assert_eq!(day_as("%d/%m/%Y"), "31/12/2026 (day first)");
        assert_eq!(day_as("%m/%d/%Y"), "12/31/2026 (month first)");
        assert_eq!(day_as("%Y%m%d"), "20261231");
        assert_eq!(day_as("%Q bad"), "%Q bad");
    }
}
