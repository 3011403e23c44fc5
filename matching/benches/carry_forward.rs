//! Ten thousand new records of a bank statement against a million open items of a ledger: what a daily run of a
//! chain costs the core.
//!
//! `cargo bench -p matching --bench carry_forward [-- NEW OPEN ROUNDS]` prints the median of each step, and the CPU
//! time of each phase of the last round, which says more than the clock where other work shares the cores.

use matching::{
    CarriedSide, Currency, OpenItems, Outcome, Phase, Progress, Records, RecordsBuilder, RuleSet, Side,
    Watch, open_flow,
};
use std::hint::black_box;
use std::sync::Mutex;
use std::time::{Duration, Instant};

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|text| text.parse::<usize>().ok());
    let (new, open) = (numbers.next().unwrap_or(10_000), numbers.next().unwrap_or(1_000_000));
    let rounds = numbers.next().unwrap_or(5);
    let books = Books::make(new, open);
    let rules = RuleSet::standard_for(books.statement.field_names(), books.ledger.records.field_names());
    let mut times: [Vec<Duration>; 3] = Default::default();
    let mut phases = Phases::default();
    for _ in 0..rounds {
        let (statement, ledger) = (books.statement.clone(), books.ledger.clone());
        let nothing = OpenItems { records: RecordsBuilder::new(vec![]).build(), first_seen: vec![] };
        let at = Instant::now();
        let left = CarriedSide::join(nothing, statement, |_| None).expect("joined");
        let right = CarriedSide::join(ledger, records(&[]), |_| None).expect("joined");
        times[0].push(at.elapsed());
        let at = Instant::now();
        phases = Phases::default();
        let watch = Watch { cancelled: &|| false, progress: &|progress| phases.note(&progress) };
        let outcome = matching::reconcile(&left.records, &right.records, &rules, watch);
        let outcome: Outcome = outcome.expect("reconciled");
        times[1].push(at.elapsed());
        phases.end();
        let at = Instant::now();
        for (side, carried) in [(Side::Left, &left), (Side::Right, &right)] {
            for of in open_flow(side, carried, &outcome) {
                assert_eq!((of.residual().count, of.residual().amount), (0, 0));
            }
        }
        times[2].push(at.elapsed());
        assert!(outcome.matches.len() * 100 >= new * 90, "{} matches", outcome.matches.len());
        black_box(outcome);
    }
    println!("{new} new records, {open} open items, {} threads", rayon::current_num_threads());
    for (step, times) in ["join", "reconcile", "flow"].iter().zip(&mut times) {
        times.sort_unstable();
        println!("{step:>10} {:>8.1} ms", times[times.len() / 2].as_secs_f64() * 1e3);
    }
    phases.print();
}

/// When each phase began, in milliseconds of CPU time of all threads.
#[derive(Default)]
struct Phases(Mutex<Vec<(String, u64)>>);

impl Phases {
    fn note(&self, progress: &Progress) {
        self.begin(match &progress.phase {
            Phase::Prepare => "prepare".into(),
            Phase::Pass { name, .. } => name.clone(),
            Phase::Explain => "explain".into(),
        });
    }

    fn end(&self) {
        self.begin("end".into());
    }

    fn begin(&self, name: String) {
        let mut phases = self.0.lock().expect("no thread panicked");
        if phases.last().is_none_or(|(last, _)| *last != name) {
            phases.push((name, cpu_ms()));
        }
    }

    fn print(&self) {
        for two in self.0.lock().expect("no thread panicked").windows(2) {
            println!("{:>10} ms CPU  {}", two[1].1 - two[0].1, two[0].0);
        }
    }
}

/// User and system time of this process; 0 where there is no `/proc`.
fn cpu_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name, which may hold anything; in hundredths of a second on Linux.
    let numbers = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    numbers.filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * 10
}

/// A statement of payments, each for one of the invoices that the ledger waits for.
struct Books {
    statement: Records,
    ledger: OpenItems,
}

impl Books {
    fn make(new: usize, open: usize) -> Self {
        let mut dice = Dice(7);
        let invoices = invoices(open, &mut dice);
        let pay = |n: usize| {
            let of = &invoices[dice.below(open)];
            let [reference, party, _] = &of.texts;
            let text = format!("transfer {party} {reference}");
            let texts = [String::new(), party.to_uppercase(), text];
            Row { id: format!("B{n}"), date: of.date + dice.below(20) as i32, amount: of.amount, texts }
        };
        Books { statement: records(&(0..new).map(pay).collect::<Vec<_>>()), ledger: items(&invoices) }
    }
}

#[derive(Clone)]
struct Row {
    id: String,
    amount: i64,
    date: i32,
    texts: [String; 3],
}

/// Few customers have most of the invoices, and small amounts are more common than large ones.
fn invoices(count: usize, dice: &mut Dice) -> Vec<Row> {
    let customers = count / 20 + 1;
    let invoice = |n: usize, dice: &mut Dice| {
        let few = dice.below(customers) * dice.below(1000) / 1000;
        let party = format!("{} {} {few} Ltd", word(few % 997), word(few / 7 % 991));
        let digits = 1 + dice.below(5) as u32;
        Row {
            id: format!("L{n:08}"),
            amount: 100 + dice.below(10usize.pow(digits + 2)) as i64,
            date: 20_000 + dice.below(90) as i32,
            texts: [format!("INV-{}", 2_000_000 + n), party.clone(), format!("invoice {party}")],
        }
    };
    (0..count).map(|n| invoice(n, dice)).collect()
}

fn word(n: usize) -> String {
    let syllables = ["ba", "re", "mi", "to", "lu", "ka", "ne", "so", "vi", "do"];
    format!("{}{}{}", syllables[n % 10], syllables[n / 10 % 10], syllables[n / 100 % 10])
}

fn records(rows: &[Row]) -> Records {
    let names = ["reference", "counterparty", "description"].map(str::to_owned);
    let mut builder = RecordsBuilder::new(names.to_vec());
    let currency = Currency::parse("EUR").expect("a currency");
    for (line, row) in rows.iter().enumerate() {
        let [a, b, c] = &row.texts;
        let line = line as u64 + 2;
        builder.push(&row.id, line, row.amount, currency, row.date, &[a, b, c]).expect("room for it");
    }
    builder.build()
}

fn items(rows: &[Row]) -> OpenItems {
    OpenItems { first_seen: vec![0; rows.len()], records: records(rows) }
}

/// A linear congruential generator (Knuth's MMIX constants): the same books on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % n as u64) as usize
    }
}
