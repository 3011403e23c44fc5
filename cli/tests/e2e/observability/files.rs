//! The files below `ops` that are tested.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

pub fn ops(path: &str) -> PathBuf {
    root().join("ops").join(path)
}

pub fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Files of a folder by their extension, in order.
pub fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|of| of == extension))
        .collect();
    files.sort();
    files
}

/// All dashboards, by their file's name.
pub fn boards() -> Vec<(String, Value)> {
    let boards = files(&ops("grafana/dashboards"), "json").into_iter();
    boards
        .map(|path| {
            let board = serde_json::from_str(&read(&path)).expect("JSON");
            (path.file_stem().expect("a name").to_string_lossy().into_owned(), board)
        })
        .collect()
}

/// A panel that shows something.
#[derive(Debug)]
pub struct Panel {
    pub board: String,
    pub title: String,
    pub expressions: Vec<String>,
    pub json: Value,
}

pub fn panels() -> Vec<Panel> {
    let mut panels = vec![];
    for (board, json) in boards() {
        for panel in json["panels"].as_array().expect("panels").iter().filter(|panel| panel["type"] != "row")
        {
            let targets = panel["targets"].as_array().expect("targets").iter();
            panels.push(Panel {
                board: board.clone(),
                title: panel["title"].as_str().expect("a title").to_owned(),
                expressions: targets.map(|t| t["expr"].as_str().expect("an expression").to_owned()).collect(),
                json: panel.clone(),
            });
        }
    }
    panels
}

/// An alert as it stands in its file.
pub struct Alert {
    pub name: String,
    /// Of the file, without its extension.
    pub area: String,
    /// All its lines.
    pub text: String,
}

impl Alert {
    pub fn severity(&self) -> &str {
        let rest =
            self.text.split_once("severity: ").unwrap_or_else(|| panic!("{} has no severity", self.name)).1;
        rest.split(|c: char| !c.is_ascii_alphabetic()).next().expect("a word")
    }

    /// The expression, on as many lines as it has.
    pub fn expression(&self) -> &str {
        let rest =
            self.text.split_once("expr: ").unwrap_or_else(|| panic!("{} has no expression", self.name)).1;
        let end =
            ["\n        for:", "\n        labels:"].into_iter().filter_map(|mark| rest.find(mark)).min();
        rest[..end.expect("labels")].trim_start_matches("|-").trim()
    }
}

pub fn alerts() -> Vec<Alert> {
    let mut alerts = vec![];
    for path in files(&ops("alerts"), "yml") {
        let area = path.file_stem().expect("a name").to_string_lossy().into_owned();
        for block in read(&path).split("- alert: ").skip(1) {
            let name = block.lines().next().expect("a name").trim().to_owned();
            alerts.push(Alert { name, area: area.clone(), text: block.to_owned() });
        }
    }
    alerts
}
