//! `counterfoil match`: reconciles two files on this machine, without server or database.
//!
//! The order of work keeps every promise cheap to hold: everything that can be wrong with the arguments is
//! found before a file is read, both files are read before anything is matched, and results appear under
//! their final names only when they are complete.

mod carry;
mod failure;
mod guessed;
mod inputs;
mod mappings;
mod memory;
mod progress;
mod rendered;
mod results;
mod staging;
mod summary;

pub use failure::{Failure, both};
pub use inputs::{Input, read_settings};

use crate::rules::{self, Rates};
use carry::Chain;
use failure::Doing;
use matching::{DroppedPass, Fitted, Preset, ReconcileError, RuleSet, Side, Watch};
use progress::{Interrupt, Meter};
use sources::MemoryLimit;
use staging::Staging;
use std::path::PathBuf;
use std::process::ExitCode;
use summary::Summary;

/// Reconcile two files and write matches, exceptions, rejected lines and a summary.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes:
  0    every line of both files was read and matched
  1    it ran, but exceptions or rejected lines remain for a person to look at
  2    the arguments, a mapping, the rules or an input file cannot be used; nothing was written
  3    reading, matching or writing failed; nothing was written
  130  interrupted; nothing was written")]
pub struct MatchArgs {
    /// For example the bank statement: CSV, JSON, Excel (.xlsx), OpenDocument (.ods), Parquet, or a bank's own format
    /// (MT940, camt, OFX, BAI2).
    left: PathBuf,
    /// For example the ledger.
    right: PathBuf,
    /// Which column of LEFT means what, as TOML (or JSON in a file named .json). Without it, columns with
    /// conventional names are taken: id, date, amount, currency, reference, description, counterparty, batch.
    #[arg(long, value_name = "FILE")]
    left_mapping: Option<PathBuf>,
    /// The same for RIGHT.
    #[arg(long, value_name = "FILE")]
    right_mapping: Option<PathBuf>,
    /// Folder for left.mapping.toml and right.mapping.toml, the mappings that this run uses: to be corrected, and given
    /// with the options above the next time. Written before anything is matched.
    #[arg(long, value_name = "DIR")]
    write_mapping: Option<PathBuf>,
    /// ISO 4217: the currency of a file without a mapping that does not say one itself, such as the statement of a
    /// single account.
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,
    /// The rule set as TOML (or JSON). Without it, the standard rules for the fields of both sides; for files
    /// without amounts one learned pass over all texts.
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// A rule set that comes with the program, see `counterfoil rules presets`. Passes that need a field which a side
    /// does not have are left out, and said.
    #[arg(long, value_name = "NAME", conflicts_with = "rules", value_parser = rules::preset)]
    preset: Option<Preset>,
    /// What currencies are worth, for passes that convert, besides the rates of the rule set: CSV with the columns
    /// from, to, date and rate, or TOML.
    #[arg(long, value_name = "FILE")]
    rates: Option<PathBuf>,
    /// Matches below this confidence, 0 to 1, are not made. Overrides the rule set's.
    #[arg(long, value_name = "X")]
    threshold: Option<f64>,
    /// Threads to match with; 0 means one per core. The result is the same for any number.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=1024))]
    threads: u16,
    /// Memory to stay within, about, such as 800MiB or 3GiB; without it, everything is in memory. Texts that do
    /// not fit go to a temporary file. The result is the same.
    #[arg(long, value_name = "SIZE", value_parser = memory::parse_size)]
    memory_limit: Option<u64>,
    /// Folder, on a disk with room for both files, for that temporary file; the system's one without it.
    #[arg(long, value_name = "DIR", requires = "memory_limit")]
    temp_dir: Option<PathBuf>,
    /// Folder for matches.csv, exceptions.csv, rejected_lines.csv, summary.json, and open_items.jsonl and
    /// matched_before.jsonl for a next run.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The --out folder of an earlier run, to continue it: its open items are reconciled together with the new
    /// files, and what it or a run before it has matched is not matched again.
    #[arg(long, value_name = "DIR")]
    carry: Option<PathBuf>,
    /// Replace files of these names.
    #[arg(long)]
    force: bool,
    /// Print the summary as JSON on standard output, and no progress.
    #[arg(long)]
    json: bool,
}

pub fn run(args: MatchArgs) -> ExitCode {
    match reconcile_files(&args) {
        Ok(summary) if summary.everything_matched() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(failure) => failure.report(),
    }
}

fn reconcile_files(args: &MatchArgs) -> Result<Summary, Failure> {
    let interrupt = Interrupt::listen()?;
    staging::refuse_existing(&args.out, args.force)?;
    let is_standard = args.rules.is_none() && args.preset.is_none();
    let prepare = |side, path, mapping: &Option<PathBuf>| {
        Input::prepare(side, path, mapping.as_deref(), args.currency.as_deref(), is_standard)
    };
    let left = prepare(Side::Left, &args.left, &args.left_mapping);
    let right = prepare(Side::Right, &args.right, &args.right_mapping);
    let (left, right) = failure::both(left, right)?;
    if let Some(folder) = &args.write_mapping {
        mappings::write(folder, [&left, &right], args.force)?;
    }
    let Fitted { mut rules, dropped } = rules_of(args, &left, &right)?;
    let mut chain = match &args.carry {
        Some(folder) => Chain::read(folder, [&left, &right])?,
        None => Chain::none(),
    };

    let meter = Meter::new(args.json, left.size_bytes + right.size_bytes);
    let memory = MemoryLimit::new(args.memory_limit, args.temp_dir.clone());
    // One pool for everything, so that reading, too, keeps to the number of threads.
    let threads = rayon::ThreadPoolBuilder::new().num_threads(args.threads.into()).build_global();
    threads.map_err(|error| Failure::broken(format!("starting threads: {error}")))?;
    let (left_read, right_read) = std::thread::scope(|scope| {
        let left = scope.spawn(|| left.read(&memory, &meter, &interrupt));
        let right = right.read(&memory, &meter, &interrupt);
        (left.join().unwrap_or_else(|_| Err(Failure::broken("reading LEFT panicked"))), right)
    });
    let (mut left_read, mut right_read) = failure::both(left_read, right_read)?;
    let text_store = || memory.text_store().doing("keeping texts");
    let mut left_side = chain.join(Side::Left, &mut left_read, text_store()?)?;
    let mut right_side = chain.join(Side::Right, &mut right_read, text_store()?)?;
    carry::report_restated(Side::Left, &left_side);
    carry::report_restated(Side::Right, &right_side);

    let working_set = memory.working_set(left_side.records.len() + right_side.records.len());
    let working_set = working_set.map_err(|error| Failure::input([format!("--memory-limit: {error}")]))?;
    let watch =
        Watch { cancelled: &|| interrupt.happened(), progress: &|progress| meter.matching(&progress) };
    if is_standard && left.mapping.has_amounts() {
        let keys = matching::shared_keys(&left_side.records, &right_side.records, watch);
        let keys = keys.map_err(|_| Failure::Interrupted)?;
        for key in &keys {
            eprintln!("{}, {}: {key}", args.left.display(), args.right.display());
        }
        rules.passes = RuleSet::standard_with(&left.fields(), &right.fields(), &keys).passes;
    }
    let outcome =
        matching::reconcile_within(working_set, &left_side.records, &right_side.records, &rules, watch);
    let mut outcome = outcome.map_err(|error| match error {
        ReconcileError::Cancelled(_) => Failure::Interrupted,
        ReconcileError::InvalidRules(errors) => rules_failure(args, &errors),
    })?;
    meter.finish();

    chain.hold_back(Side::Left, &mut left_side, &mut outcome)?;
    chain.hold_back(Side::Right, &mut right_side, &mut outcome)?;
    let read = results::Read {
        left: results::SideRead { read: &left_read, carried: &left_side },
        right: results::SideRead { read: &right_read, carried: &right_side },
        chain: &chain,
    };
    let summary = Summary::new([&left, &right], &read, &rules, dropped, &outcome);
    if !summary.adds_up() {
        return Err(Failure::broken(
            "the result does not account for every record and sum; please report this",
        ));
    }
    let mut staging = Staging::begin(&args.out)?;
    results::write(&mut staging, &read, &rules, &outcome, &interrupt)?;
    chain.write(&mut staging, [&left_side, &right_side], &outcome, &interrupt)?;
    summary.write_json(&mut staging)?;
    staging.publish(&interrupt)?;
    summary.print(args.json, &args.out);
    // Millions of small pieces; the process ends here, and the system takes all of them back at once.
    std::mem::forget(outcome);
    Ok(summary)
}

/// Checked against the fields of both sides, so that reconciling cannot fail for them.
fn rules_of(args: &MatchArgs, left: &Input, right: &Input) -> Result<Fitted, Failure> {
    let (left_fields, right_fields) = (&left.fields(), &right.fields());
    let mut dropped: Vec<DroppedPass> = vec![];
    let mut rules = match (&args.rules, args.preset) {
        (Some(path), _) => rules::load(path, left_fields, right_fields)?,
        (None, Some(preset)) => {
            let fitted = preset.rules().fit(left_fields, right_fields);
            for pass in &fitted.dropped {
                eprintln!("{}: {pass}", preset.as_str());
            }
            dropped = fitted.dropped;
            fitted.rules
        }
        (None, None) => match (left.mapping.has_amounts(), right.mapping.has_amounts()) {
            (true, true) => RuleSet::standard_for(left_fields, right_fields),
            (false, false) => RuleSet::standard_for_texts(),
            (has, _) => {
                let (with, without) = if has { (left, right) } else { (right, left) };
                let says = format!(
                    "{}: no amount column, but {} has one; name it with --{}-mapping FILE",
                    without.path.display(),
                    with.path.display(),
                    without.side.as_str()
                );
                return Err(Failure::input([says]));
            }
        },
    };
    if let Some(path) = &args.rates {
        Rates::load(path)?.add_to(&mut rules)?;
    }
    if let Some(threshold) = args.threshold {
        rules.threshold = threshold;
    }
    let errors = rules.check(Some(left_fields), Some(right_fields));
    if errors.is_empty() { Ok(Fitted { rules, dropped }) } else { Err(rules_failure(args, &errors)) }
}

fn rules_failure(args: &MatchArgs, errors: &[matching::RuleError]) -> Failure {
    let of = match (&args.rules, args.preset) {
        (Some(path), _) => path.display().to_string(),
        (None, Some(preset)) => preset.as_str().to_owned(),
        (None, None) => "the rules".to_owned(),
    };
    Failure::input(errors.iter().map(|error| format!("{of}: {}: {}", error.at, error.says)))
}
