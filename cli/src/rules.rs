//! `counterfoil rules`: rule sets checked like programs, their schema, and those that come with the program.

mod checked;
mod finding;
mod json_tree;
mod rates;
mod shape;
mod toml_tree;
mod tree;

pub use checked::{Sides, check};
pub use rates::Rates;

use crate::match_files::{Failure, Input, both, read_settings};
use matching::{Preset, RuleSet, Side};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Check rule sets, and show what there is to start from.
#[derive(Debug, clap::Subcommand)]
pub enum RulesCommand {
    /// Print every mistake of a rule set: FILE:LINE:COLUMN: PLACE: what; what to do.
    Check(CheckArgs),
    /// Print the JSON Schema (draft 2020-12) of rule sets, for editors.
    Schema,
    /// List the rule sets that come with the program.
    Presets,
    /// Print one of them: a rule set to start one's own from.
    Show {
        #[arg(value_parser = preset)]
        preset: Preset,
    },
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes:
  0    the rule set can be run
  1    it has mistakes; all are printed
  2    the arguments or a file cannot be used")]
pub struct CheckArgs {
    /// TOML, or JSON in a file named .json.
    file: PathBuf,
    /// A file of the left side: the names of its fields are checked too.
    #[arg(long, value_name = "FILE")]
    left: Option<PathBuf>,
    #[arg(long, value_name = "FILE")]
    right: Option<PathBuf>,
    /// Which column of LEFT means what; without it conventional names are taken.
    #[arg(long, value_name = "FILE", requires = "left")]
    left_mapping: Option<PathBuf>,
    #[arg(long, value_name = "FILE", requires = "right")]
    right_mapping: Option<PathBuf>,
    /// The currency of a file without a mapping that does not say one itself.
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,
}

/// For arguments.
pub fn preset(name: &str) -> Result<Preset, String> {
    let known = || Preset::ALL.map(Preset::as_str).join(", ");
    Preset::by_name(name).ok_or_else(|| format!("there are {}", known()))
}

pub fn run(command: RulesCommand) -> ExitCode {
    match command {
        RulesCommand::Check(args) => {
            return match check_file(&args) {
                Ok(true) => ExitCode::SUCCESS,
                Ok(false) => ExitCode::from(1),
                Err(failure) => failure.report(),
            };
        }
        RulesCommand::Schema => print(&schema_text()),
        RulesCommand::Presets => {
            let line = |preset: Preset| format!("{:<24} {}\n", preset.as_str(), preset.title());
            print(&Preset::ALL.map(line).concat());
        }
        RulesCommand::Show { preset } => print(preset.text()),
    }
    ExitCode::SUCCESS
}

fn schema_text() -> String {
    serde_json::to_string_pretty(&RuleSet::json_schema()).expect("a schema is JSON") + "\n"
}

/// A reader that went away (`… | head`) is no reason to fail.
fn print(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

fn check_file(args: &CheckArgs) -> Result<bool, Failure> {
    let text = read_settings(&args.file)?;
    let fields = |side, file: &Option<PathBuf>, mapping: &Option<PathBuf>| match file {
        None => Ok(None),
        Some(file) => Input::prepare(side, file, mapping.as_deref(), args.currency.as_deref(), false)
            .map(|input| Some(input.fields())),
    };
    let left = fields(Side::Left, &args.left, &args.left_mapping);
    let right = fields(Side::Right, &args.right, &args.right_mapping);
    let (left, right) = both(left, right)?;
    let checked = check(&args.file, &text, Sides { left: left.as_deref(), right: right.as_deref() });
    for line in checked.lines(&args.file, &text) {
        println!("{line}");
    }
    Ok(checked.findings.is_empty())
}

/// A rule set that can be run on these fields, or every mistake of the file.
pub fn load(path: &Path, left: &[String], right: &[String]) -> Result<RuleSet, Failure> {
    let text = read_settings(path)?;
    let checked = check(path, &text, Sides { left: Some(left), right: Some(right) });
    match checked {
        checked::Checked { rules: Some(rules), ref findings } if findings.is_empty() => Ok(rules),
        checked => Err(Failure::input(checked.lines(path, &text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_schema_is_what_the_program_prints() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/rule-set.schema.json");
        let shipped = std::fs::read_to_string(path).expect("docs/rule-set.schema.json");
        assert!(
            shipped == schema_text(),
            "docs/rule-set.schema.json is old: counterfoil rules schema > docs/rule-set.schema.json"
        );
    }
}
