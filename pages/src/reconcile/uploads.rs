//! Files and data sources to choose from: the same name may be there every month, and the same file twice.

use crate::answers::{DataSource, File};
use crate::format::Preferences;
use std::collections::HashMap;

/// One of a list to choose from.
pub(crate) struct Labelled {
    pub id: String,
    /// Name, time of the upload and size; what is still alike has the beginning of its id, too.
    pub label: String,
}

pub(crate) fn label_files(preferences: &Preferences, files: &[File]) -> Vec<Labelled> {
    let label = |file: &File| Labelled {
        id: file.id.clone(),
        label: format!(
            "{} · {} · {}",
            file.name,
            preferences.plain_time(file.created_at),
            size(preferences, file.size_bytes)
        ),
    };
    apart(files.iter().map(label).collect())
}

/// `files` are those that are known: of others the size is not said.
pub(crate) fn label_sources(
    preferences: &Preferences,
    sources: &[DataSource],
    files: &[File],
) -> Vec<Labelled> {
    let file_of: HashMap<&str, &File> = files.iter().map(|file| (file.id.as_str(), file)).collect();
    let label = |source: &DataSource| {
        let mut label = source.name.clone();
        let file = source.file_id.as_deref().and_then(|id| file_of.get(id));
        if let Some(file) = file.filter(|file| file.name != source.name) {
            label.push_str(&format!(" ({})", file.name));
        }
        if let Some(at) = source.created_at {
            label.push_str(&format!(" · {}", preferences.plain_time(at)));
        }
        if let Some(file) = file {
            label.push_str(&format!(" · {}", size(preferences, file.size_bytes)));
        }
        Labelled { id: source.id.clone(), label }
    };
    apart(sources.iter().map(label).collect())
}

fn apart(mut labelled: Vec<Labelled>) -> Vec<Labelled> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for one in &labelled {
        *seen.entry(one.label.clone()).or_default() += 1;
    }
    for one in &mut labelled {
        if seen[&one.label] > 1 {
            // Ids begin with their time: what tells two of one minute apart is at the end.
            let from = one.id.len().saturating_sub(6);
            let tail = one.id.get(from..).unwrap_or_default().to_owned();
            one.label.push_str(&format!(" · …{tail}"));
        }
    }
    labelled
}

/// `12.3 kB`.
fn size(preferences: &Preferences, bytes: i64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{} B", preferences.number(bytes));
    }
    let (mut size, mut unit) = (bytes as f64 / 1000.0, 0);
    while size >= 999.95 && unit + 1 < UNITS.len() {
        size /= 1000.0;
        unit += 1;
    }
    format!("{} {}", preferences.money(&format!("{size:.1}")), UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderMap;
    use serde_json::json;

    fn file(id: &str, at: &str, size_bytes: i64) -> File {
        serde_json::from_value(
            json!({"id": id, "name": "bank.csv", "size_bytes": size_bytes, "created_at": at}),
        )
        .unwrap()
    }

    #[test]
    fn what_has_one_name_is_told_apart() {
        let preferences = Preferences::of(&HeaderMap::new());
        let files = [
            file("019a-000001", "2026-01-31T12:30:00Z", 999),
            file("019a-000002", "2026-02-28T12:30:00Z", 12_345),
            file("019a-000003", "2026-02-28T12:30:59Z", 12_345),
        ];
        let labels: Vec<String> =
            label_files(&preferences, &files).into_iter().map(|one| one.label).collect();
        assert_eq!(
            labels,
            [
                "bank.csv · 2026-01-31 12:30 UTC · 999 B",
                "bank.csv · 2026-02-28 12:30 UTC · 12.3 kB · …000002",
                "bank.csv · 2026-02-28 12:30 UTC · 12.3 kB · …000003"
            ]
        );
        let source = |name: &str, file: &str| -> DataSource {
            let at = "2026-03-01T08:00:00Z";
            let value = json!({"id": "s", "name": name, "file_id": file, "created_at": at, "mapping": {}});
            serde_json::from_value(value).unwrap()
        };
        let sources =
            [source("bank.csv", "019a-000001"), source("Bank", "019a-000002"), source("old", "gone")];
        let labels: Vec<String> =
            label_sources(&preferences, &sources, &files).into_iter().map(|one| one.label).collect();
        assert_eq!(
            labels,
            [
                "bank.csv · 2026-03-01 08:00 UTC · 999 B",
                "Bank (bank.csv) · 2026-03-01 08:00 UTC · 12.3 kB",
                "old · 2026-03-01 08:00 UTC"
            ]
        );
    }

    #[test]
    fn sizes_are_short() {
        let preferences = Preferences::of(&HeaderMap::new());
        let sizes = [0, 999, 1000, 999_949, 999_950, 2_500_000_000].map(|bytes| size(&preferences, bytes));
        assert_eq!(sizes, ["0 B", "999 B", "1.0 kB", "999.9 kB", "1.0 MB", "2.5 GB"]);
    }
}
