//! Everything breaks, at random and on purpose, while jobs come in: nothing may be lost, nothing done twice.
//!
//! `sh ops/test.sh -p counterfoil --test e2e chaos -- --nocapture` runs a small one and prints its table. Larger ones
//! and other dice by the environment: `COUNTERFOIL_CHAOS_JOBS`, `COUNTERFOIL_CHAOS_FAULTS`, `COUNTERFOIL_CHAOS_SEED`.
//! `COUNTERFOIL_CHAOS_OUTAGE_S` is for how many seconds RabbitMQ cannot be reached the first time,
//! `COUNTERFOIL_CHAOS_ONLY` a part of the names of the faults that happen (`worker: kill -9`: how soon are its jobs taken
//! over?), `COUNTERFOIL_CHAOS_LEASE_S` how long a lease is, and `COUNTERFOIL_E2E_EXECUTABLE` another build of the executable.
//!
//! What happened is told by sums over the tables of results, and by clocks in their rows: nothing that the product
//! counts itself is believed.

mod audit;
mod clock;
mod disk;
mod faults;
mod files;
mod place;
mod submitters;

use audit::Audit;
use faults::{Fault, Struck};
use place::Place;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;
use std::time::Duration;
use submitters::Submitters;

struct Settings {
    jobs: usize,
    faults: usize,
    seed: u64,
    /// The first time that the broker is away; `None`: as short as any other fault.
    outage: Option<Duration>,
    /// Only faults whose name has this.
    only: String,
    lease_s: u64,
}

impl Settings {
    fn from_environment() -> Self {
        let number = |name: &str, default: u64| match std::env::var(name) {
            Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")),
            Err(_) => default,
        };
        Self {
            jobs: number("COUNTERFOIL_CHAOS_JOBS", 290) as usize,
            faults: number("COUNTERFOIL_CHAOS_FAULTS", Fault::ALL.len() as u64) as usize,
            seed: number("COUNTERFOIL_CHAOS_SEED", 7),
            outage: Some(number("COUNTERFOIL_CHAOS_OUTAGE_S", 0)).filter(|s| *s > 0).map(Duration::from_secs),
            only: std::env::var("COUNTERFOIL_CHAOS_ONLY").unwrap_or_default(),
            lease_s: number("COUNTERFOIL_CHAOS_LEASE_S", 5),
        }
    }
}

#[test]
fn whatever_breaks_no_job_is_lost_and_none_is_done_twice() {
    let settings = Settings::from_environment();
    let mut outage = settings.outage;
    let mut place = Place::start(settings.seed, settings.jobs, settings.lease_s);
    let submitters = Submitters::over(&place, settings.seed);
    let mut dice = SmallRng::seed_from_u64(settings.seed);
    let possible: Vec<Fault> = Fault::ALL
        .into_iter()
        .filter(|fault| fault.name().contains(&settings.only) && fault.is_possible(&place))
        .collect();
    assert!(!possible.is_empty(), "no fault has {:?} in its name", settings.only);
    let mut struck: Vec<Struck> = Vec::with_capacity(settings.faults);
    std::thread::scope(|scope| {
        scope.spawn(|| submitters.submit(settings.jobs));
        for number in 0..settings.faults {
            // Faults and jobs keep pace, so that every fault meets work.
            submitters.wait_for_share(number, settings.faults);
            // All of them once before any a second time; then as the dice fall.
            let fault = match possible.get(number) {
                Some(fault) => *fault,
                None => *possible.choose(&mut dice).expect("there are faults"),
            };
            let mut moment = Duration::from_secs_f64(dice.random_range(0.3..2.0));
            if fault == Fault::BrokerAway {
                moment = outage.take().unwrap_or(moment);
            }
            let one = fault.strike(&mut place, moment, &mut dice);
            println!("{} {}: {}", one.ended_at.format("%H:%M:%S"), number + 1, fault.name());
            struck.push(one);
        }
        submitters.faults_are_over();
    });
    let audit = Audit::take(&place, &submitters, settings.jobs).with_takeovers(&struck);
    print_table(&settings, &struck, &audit);
    audit.check();
}

fn print_table(settings: &Settings, struck: &[Struck], audit: &Audit) {
    println!("seed {}: {} jobs, {} faults", settings.seed, settings.jobs, settings.faults);
    println!("{:<52} {:>5}  {:>22}", "fault", "times", "recovery p50 / max, s");
    let mut by_fault = BTreeMap::<&str, Vec<f64>>::new();
    for one in struck {
        by_fault.entry(one.fault.name()).or_default().extend(audit.recovery(one));
    }
    for fault in Fault::ALL {
        let times = struck.iter().filter(|one| one.fault == fault).count();
        let seconds = by_fault.get(fault.name()).cloned().unwrap_or_default();
        println!("{:<52} {times:>5}  {:>22}", fault.name(), spread(seconds));
    }
    println!("{audit}");
}

/// `p50 / max` of seconds; a dash where there are none.
fn spread(mut seconds: Vec<f64>) -> String {
    seconds.sort_by(f64::total_cmp);
    match seconds.last() {
        None => "-".to_owned(),
        Some(max) => format!("{:.1} / {max:.1}", percentile(&seconds, 0.5)),
    }
}

/// Of sorted values, at least one.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share).ceil() as usize]
}
