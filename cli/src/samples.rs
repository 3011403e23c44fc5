//! `counterfoil samples`: two files that nearly agree, and the truth about them: a bank statement and a ledger, payouts
//! and orders, or the books of two companies of one group. One pair for each preset.
//!
//! The same seed and number of rows give the same bytes, on every machine and in every later version: random
//! numbers, names and texts are all made here. The repository ships what seed 7 makes with 600 rows.

mod books;
mod cards;
mod dice;
mod files;
mod intercompany;
mod messy;
mod parties;
mod scenarios;

use anyhow::{Context, ensure};
use dice::Dice;
use matching::Preset;
use scenarios::Kind;
use std::path::PathBuf;
use std::process::ExitCode;

/// Make a pair of files and the truth about which of their lines belong together.
#[derive(Debug, clap::Args)]
pub struct SamplesArgs {
    /// Which pair: the one that this rule set is for.
    #[arg(long, default_value = "bank-to-ledger", value_parser = crate::rules::preset)]
    preset: Preset,
    /// Other seeds give other companies, amounts and dates.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// About how many lines the bank statement, the orders or either book get.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=5_000_000))]
    rows: u32,
    /// Folder for the files; made when it is not there.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Replace files of these names.
    #[arg(long)]
    force: bool,
}

pub fn run(args: SamplesArgs) -> ExitCode {
    match write(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn write(args: &SamplesArgs) -> anyhow::Result<()> {
    let out = &args.out;
    let files = files_of(args.preset, args.seed, args.rows);
    for (name, _) in &files {
        ensure!(
            args.force || !out.join(name).exists(),
            "{} is already there; use --force",
            out.join(name).display()
        );
    }
    std::fs::create_dir_all(out).with_context(|| format!("making {}", out.display()))?;
    for (name, text) in files {
        let path = out.join(name);
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// Names and texts.
fn files_of(preset: Preset, seed: u64, rows: u32) -> Vec<(&'static str, String)> {
    match preset {
        Preset::BankToLedger => {
            let samples = Samples::generate(seed, rows);
            Samples::FILES.map(|(name, text)| (name, text(&samples).to_owned())).to_vec()
        }
        Preset::CardPayoutsToOrders => cards::generate(seed, rows),
        Preset::Intercompany => intercompany::generate(seed, rows),
    }
}

/// The three files.
#[derive(Debug, PartialEq, Eq)]
pub struct Samples {
    pub bank: String,
    pub ledger: String,
    /// `bank_id,ledger_id,kind`: a line per pair of records that belong together, and one per record that
    /// belongs to nothing, with the other id empty.
    pub truth: String,
}

type TextOf = fn(&Samples) -> &str;

impl Samples {
    const FILES: [(&str, TextOf); 3] =
        [("bank.csv", |s| &s.bank), ("ledger.csv", |s| &s.ledger), ("truth.csv", |s| &s.truth)];

    /// Every kind of scenario occurs when `rows` is 40 or more; the last one may exceed `rows` a little.
    pub fn generate(seed: u64, rows: u32) -> Samples {
        let mut dice = Dice::new(seed);
        let mut books = books::Books::new(&mut dice);
        let mut first_of_each = Kind::ALL.into_iter();
        while books.bank_rows() < rows as usize {
            let kind = first_of_each.next().unwrap_or_else(|| Kind::pick(&mut dice));
            kind.happen(&mut books, &mut dice);
        }
        files::write(books)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn the_shipped_files_are_what_the_generator_makes() {
        let samples = Samples::generate(7, 600);
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples");
        for (name, text) in Samples::FILES {
            let shipped = std::fs::read_to_string(folder.join(name)).expect(name);
            assert!(
                shipped == text(&samples),
                "samples/{name} differs: see samples/README.md for the command"
            );
        }
    }

    #[test]
    fn the_shipped_files_of_the_other_presets_are_too() {
        let pairs =
            [(Preset::CardPayoutsToOrders, "cards", 500), (Preset::Intercompany, "intercompany", 300)];
        for (preset, folder, rows) in pairs {
            for (name, text) in files_of(preset, 7, rows) {
                let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples").join(folder).join(name);
                let shipped = std::fs::read_to_string(path).expect(name);
                assert!(
                    shipped == text,
                    "samples/{folder}/{name} differs: see samples/README.md for the command"
                );
            }
            assert_eq!(files_of(preset, 3, 50), files_of(preset, 3, 50));
            assert_ne!(files_of(preset, 3, 50), files_of(preset, 4, 50));
        }
    }

    #[test]
    fn the_seed_decides_everything() {
        assert_eq!(Samples::generate(1, 200), Samples::generate(1, 200));
        assert_ne!(Samples::generate(1, 200).bank, Samples::generate(2, 200).bank);
    }

    #[test]
    fn the_truth_names_every_record_and_every_kind() {
        for seed in 0..20 {
            let samples = Samples::generate(seed, 40);
            let first_cells = |text: &str, delimiter: char| -> BTreeSet<String> {
                text.lines()
                    .skip(1)
                    .map(|line| line.split(delimiter).next().unwrap_or("").to_owned())
                    .collect()
            };
            let truth: Vec<Vec<&str>> =
                samples.truth.lines().skip(1).map(|line| line.split(',').collect()).collect();
            let named = |column: usize| -> BTreeSet<String> {
                truth.iter().map(|line| line[column].to_owned()).filter(|id| !id.is_empty()).collect()
            };
            assert_eq!(named(0), first_cells(&samples.bank, ';'));
            assert_eq!(named(1), first_cells(&samples.ledger, ','));
            let kinds: BTreeSet<_> = truth.iter().map(|line| line[2]).collect();
            assert!(Kind::ALL.iter().all(|kind| kinds.contains(kind.name())), "{kinds:?}");
        }
    }
}
