//! A file read as a rule set, with everything that is wrong with it.

use super::finding::{Finding, Lines};
use super::tree::Node;
use super::{json_tree, shape, toml_tree};
use matching::RuleSet;
use std::path::Path;

/// What [`check`] found in one file.
pub struct Checked {
    /// There when nothing is wrong with the shape.
    pub rules: Option<RuleSet>,
    /// In the order of the file; empty when the rules can be run.
    pub findings: Vec<Finding>,
}

/// The fields of both sides, where they are known.
#[derive(Default, Clone, Copy)]
pub struct Sides<'a> {
    pub left: Option<&'a [String]>,
    pub right: Option<&'a [String]>,
}

/// JSON in a file named .json, else TOML. All mistakes at once: of the shape, and of the meaning as far as what is
/// left can be read.
pub fn check(path: &Path, text: &str, sides: Sides<'_>) -> Checked {
    let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let tree = if is_json { json_tree::parse(text) } else { toml_tree::parse(text) };
    match tree {
        Ok(tree) => check_tree(&tree, sides),
        Err(findings) => Checked { rules: None, findings },
    }
}

fn check_tree(tree: &Node, sides: Sides<'_>) -> Checked {
    let schema = RuleSet::json_schema().to_value();
    let shape::Shaped { mut findings, value } = shape::check(&schema, tree);
    let read = serde_json::from_value::<RuleSet>(value);
    let of_shape: Vec<String> = findings.iter().map(|finding| finding.at.clone()).collect();
    let rules = match read {
        Ok(rules) => rules,
        Err(error) => {
            // Not reached while the schema and the types agree, which tests watch; said rather than hidden.
            if findings.is_empty() {
                findings.push(Finding {
                    span: tree.span.clone(),
                    at: String::new(),
                    says: error.to_string(),
                });
            }
            return Checked { rules: None, findings };
        }
    };
    for error in rules.check(sides.left, sides.right) {
        let is_of_shape = |at: &String| {
            error.at == *at
                || error.at.strip_prefix(at.as_str()).is_some_and(|rest| rest.starts_with(['.', '[']))
        };
        if !of_shape.iter().any(is_of_shape) {
            findings.push(Finding { span: tree.find(&error.at), at: error.at, says: error.says });
        }
    }
    findings.sort_by_key(|finding| finding.span.start);
    Checked { rules: of_shape.is_empty().then_some(rules), findings }
}

impl Checked {
    /// `rules.toml:7:12: pass[0].date: must be …`, a line each.
    pub fn lines(&self, path: &Path, text: &str) -> Vec<String> {
        let lines = Lines::of(text);
        self.findings.iter().map(|finding| finding.line(&path.display(), &lines)).collect()
    }
}

#[cfg(test)]
mod any_file;
#[cfg(test)]
mod tests;
