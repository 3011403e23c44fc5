//! Chains of runs: what is open comes along, what is matched stays matched, and nothing is lost on the way.

use matching::{
    CarriedSide, Currency, ExceptionId, ExceptionKind, MatchId, OpenItems, Origin, Outcome, Records,
    RecordsBuilder, RuleSet, Side, Tier, Watch, open_flow, open_remainders, reconcile,
};
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::{BTreeMap, BTreeSet};

const SIDES: [Side; 2] = [Side::Left, Side::Right];

#[derive(Debug, Clone, Copy)]
struct Line {
    /// Few, so that files overlap.
    id: u8,
    amount: i64,
    currency: &'static str,
    reference: &'static str,
}

fn file() -> impl Strategy<Value = Vec<Line>> {
    let line = (
        0u8..16,
        select(vec![100, 200, 300, -100, i64::MAX]),
        select(vec!["EUR", "EUR", "USD"]),
        select(vec!["", "R-1001", "R-1002", "R-1003"]),
    );
    let line = line.prop_map(|(id, amount, currency, reference)| Line { id, amount, currency, reference });
    // Ids are unique inside a file.
    prop::collection::btree_map(0u8..16, line, 0..12)
        .prop_map(|lines| lines.into_iter().map(|(id, line)| Line { id, ..line }).collect())
}

fn rules(tier: &str) -> RuleSet {
    let text = format!(
        r#"
        version = 1
        threshold = 0.1
        [[pass]]
        name = "reference"
        key = [{{ left = "reference", right = "reference" }}]
        [[pass]]
        name = "amount"
        tier = "{tier}"
        date = {{ window_days = 3 }}
        "#
    );
    toml::from_str(&text).unwrap()
}

fn records(file: &[Line]) -> Records {
    let mut builder = RecordsBuilder::new(vec!["reference".into()]);
    for (n, line) in file.iter().enumerate() {
        let currency = Currency::parse(line.currency).unwrap();
        let id = format!("R{}", line.id);
        builder.push(&id, n as u64 + 2, line.amount, currency, 20_000, &[line.reference]).unwrap();
    }
    builder.build()
}

/// What a chain remembers of one side.
#[derive(Default)]
struct Memory {
    /// Id to the run that first had it, in the order in which they are carried.
    open: Option<OpenItems>,
    matched: BTreeMap<String, u32>,
}

struct Run {
    left: CarriedSide,
    right: CarriedSide,
    outcome: Outcome,
}

fn run(memory: &mut [Memory; 2], files: [&[Line]; 2], rules: &RuleSet) -> Run {
    let mut sides = memory.iter_mut().zip(files).map(|(memory, file)| {
        let nothing = || OpenItems { records: records(&[]), first_seen: vec![] };
        let open = memory.open.take().unwrap_or_else(nothing);
        CarriedSide::join(open, records(file), |id| memory.matched.get(id).copied()).unwrap()
    });
    let (mut left, mut right) = (sides.next().unwrap(), sides.next().unwrap());
    drop(sides);
    let mut outcome = reconcile(&left.records, &right.records, rules, Watch::none()).unwrap();
    left.hold_back(Side::Left, &mut outcome, |run| format!("in run {run}")).unwrap();
    right.hold_back(Side::Right, &mut outcome, |run| format!("in run {run}")).unwrap();
    Run { left, right, outcome }
}

impl Run {
    fn side(&self, side: Side) -> &CarriedSide {
        if side == Side::Left { &self.left } else { &self.right }
    }

    /// Ids in confirmed matches, ids that stay open, ids held back. Each record is in exactly one place.
    fn places(&self, side: Side) -> [BTreeSet<String>; 3] {
        let records = &self.side(side).records;
        let mut places: [BTreeSet<String>; 3] = Default::default();
        let mut put = |place: usize, row| {
            // What is still open of a record and the record come again are two things.
            let is_elsewhere = |(at, ids): (usize, &BTreeSet<String>)| {
                ids.contains(records.id(row)) && (at == 2) == (place == 2)
            };
            assert!(!places.iter().enumerate().any(is_elsewhere), "{} is twice", records.id(row));
            places[place].insert(records.id(row).to_owned());
        };
        for found in &self.outcome.matches {
            let rows = if side == Side::Left { &found.left } else { &found.right };
            rows.iter().for_each(|&row| put(usize::from(found.tier == Tier::Suggested), row));
        }
        for exception in self.outcome.exceptions.iter().filter(|e| e.side == side) {
            put(if exception.kind == ExceptionKind::AlreadyMatched { 2 } else { 1 }, exception.row);
        }
        assert_eq!(places.iter().map(BTreeSet::len).sum::<usize>(), records.len());
        places
    }

    fn remember(&self, memory: &mut [Memory; 2], number: u32) {
        for (side, memory) in SIDES.into_iter().zip(memory) {
            let [matched, open, _] = self.places(side);
            memory.matched.extend(matched.into_iter().map(|id| (id, number)));
            let of = self.side(side);
            let mut builder = RecordsBuilder::new(of.records.field_names().to_vec());
            let mut first_seen = vec![];
            let held = |row| {
                let mut exceptions =
                    self.outcome.exceptions.iter().filter(|e| e.side == side && e.row == row);
                exceptions.any(|e| e.kind == ExceptionKind::AlreadyMatched)
            };
            let whole = of.records.rows().filter(|&row| open.contains(of.records.id(row)) && !held(row));
            let whole = whole.map(|row| (row, of.records.amount(row)));
            for (row, amount) in whole.chain(open_remainders(side, &of.records, &self.outcome)) {
                let (records, fields) = (&of.records, of.records.field_names().len());
                let fields: Vec<&str> = (0..fields).map(|field| records.field(field, row)).collect();
                let (id, line) = (records.id(row), records.line(row));
                let currency = records.currency(row);
                builder.push(id, line, amount, currency, records.date(row), &fields).unwrap();
                first_seen.push(match of.origin(row) {
                    Origin::New => number,
                    Origin::Carried(seen) => seen,
                });
            }
            memory.open = Some(OpenItems { records: builder.build(), first_seen });
        }
    }

    /// Of everything, by side and record ids.
    fn ids(&self) -> BTreeSet<String> {
        let (left, right) = (&self.left.records, &self.right.records);
        let matches = self.outcome.matches.iter().map(|found| MatchId::of(found, left, right).to_string());
        let exceptions = self.outcome.exceptions.iter();
        let exceptions = exceptions.map(|e| ExceptionId::of(e, &self.side(e.side).records).to_string());
        matches.chain(exceptions).collect()
    }
}

proptest! {
    #[test]
    fn nothing_is_lost_or_matched_twice_along_a_chain(
        files in prop::collection::vec((file(), file()), 1..5),
        tier in select(vec!["confirmed", "suggested"]),
    ) {
        let rules = rules(tier);
        let mut memory: [Memory; 2] = Default::default();
        let mut after: BTreeMap<(Side, Currency), (i64, i128)> = BTreeMap::new();
        for (number, (left, right)) in (1..).zip(&files) {
            let before: Vec<(BTreeSet<String>, BTreeSet<String>)> = memory
                .iter()
                .map(|memory| {
                    let open = memory.open.as_ref().map(|open| {
                        open.records.rows().map(|row| open.records.id(row).to_owned()).collect()
                    });
                    (open.unwrap_or_default(), memory.matched.keys().cloned().collect())
                })
                .collect();
            let ran = run(&mut memory, [left, right], &rules);
            for proof in &ran.outcome.proof {
                prop_assert_eq!(proof.residual(), 0);
            }
            for ((side, file), (open_before, matched_before)) in SIDES.into_iter().zip([left, right]).zip(&before) {
                let [matched, open, held] = ran.places(side);
                let in_file: BTreeSet<String> = file.iter().map(|line| format!("R{}", line.id)).collect();
                let expected_held: BTreeSet<_> = in_file.intersection(matched_before).cloned().collect();
                prop_assert_eq!(&held, &expected_held, "known matches are held back, and nothing else");
                prop_assert!(matched.is_disjoint(matched_before), "matched twice");
                let all: BTreeSet<_> = open_before.union(&in_file).filter(|id| !held.contains(*id)).cloned().collect();
                let seen: BTreeSet<_> = matched.union(&open).cloned().collect();
                prop_assert_eq!(seen, all, "every open item and new record is matched or open");
                for flow in open_flow(side, ran.side(side), &ran.outcome) {
                    prop_assert_eq!((flow.residual().count, flow.residual().amount), (0, 0));
                    let left_before = after.insert((side, flow.currency), (flow.after.count, flow.after.amount));
                    let came_in = (flow.before.count, flow.before.amount);
                    prop_assert_eq!(left_before.unwrap_or((0, 0)), came_in, "what was open comes in");
                    let parts = (flow.resolved.count + flow.persisting.count, flow.before.count + flow.restated.count);
                    prop_assert_eq!(parts.0, parts.1, "a carried item is resolved or persists");
                }
                // The last word of the file counts.
                let records = &ran.side(side).records;
                for line in file {
                    let id = format!("R{}", line.id);
                    let row = records.rows().find(|&row| records.id(row) == id).unwrap();
                    prop_assert_eq!(records.amount(row), line.amount);
                }
            }
            ran.remember(&mut memory, number);
        }
    }

    #[test]
    fn a_run_again_gives_the_same_ids_in_any_order(left in file(), right in file()) {
        let rules = rules("confirmed");
        let ids = run(&mut Default::default(), [&left, &right], &rules).ids();
        let turned = |file: &[Line]| file.iter().rev().copied().collect::<Vec<_>>();
        let again = run(&mut Default::default(), [&turned(&left), &turned(&right)], &rules);
        prop_assert_eq!(again.ids(), ids.clone());
        let total = again.outcome.matches.len() + again.outcome.exceptions.len();
        prop_assert_eq!(ids.len(), total, "unique within the result");
    }
}

#[test]
fn a_restated_item_keeps_its_place_and_is_told() {
    let line = |id, amount, reference| Line { id, amount, currency: "EUR", reference };
    let rules = rules("confirmed");
    let mut memory: [Memory; 2] = Default::default();
    let first = run(&mut memory, [&[line(1, 100, "R-1001"), line(2, 300, "")], &[]], &rules);
    first.remember(&mut memory, 1);
    let second =
        run(&mut memory, [&[line(1, 200, "R-1001"), line(2, 300, "")], &[line(9, 200, "R-1001")]], &rules);
    let left = &second.left;
    assert_eq!((left.repeated, left.restated, left.carried_count()), (2, 1, 2));
    assert_eq!((left.restated_first[0].amount_before, &left.restated_first[0].fields), (100, &vec![]));
    assert_eq!(second.outcome.matches.len(), 1, "by its new amount");
    let flow = open_flow(Side::Left, left, &second.outcome)[0];
    let sums = [flow.before, flow.restated, flow.new, flow.matched, flow.after];
    assert_eq!(sums.map(|sum| (sum.count, sum.amount)), [(2, 400), (0, 100), (0, 0), (1, 200), (1, 300)]);
}

#[test]
fn fields_of_both_runs_are_kept() {
    let with = |name: &str, id: &str, text: &str| {
        let mut builder = RecordsBuilder::new(vec![name.to_owned()]);
        builder.push(id, 2, 5, Currency::parse("EUR").unwrap(), 20_000, &[text]).unwrap();
        builder.build()
    };
    let open = OpenItems { records: with("iban", "A", "DE1"), first_seen: vec![4] };
    let joined = CarriedSide::join(open, with("reference", "B", "R-1"), |_| None).unwrap();
    assert_eq!(joined.records.field_names(), ["reference", "iban"]);
    let texts = |row| [joined.records.field(0, row), joined.records.field(1, row)];
    assert_eq!([texts(0), texts(1)], [["", "DE1"], ["R-1", ""]]);
    assert_eq!([joined.origin(0), joined.origin(1)], [Origin::Carried(4), Origin::New]);
}

#[test]
fn what_a_part_payment_leaves_open_is_paid_later() {
    let line = |id, amount| Line { id, amount, currency: "EUR", reference: "R-1001" };
    let rules: RuleSet = toml::from_str(
        r#"
        version = 1
        threshold = 0.1
        [[pass]]
        name = "parts"
        cardinality = "n:1"
        key = [{ left = "reference", right = "reference" }]
        split = true
        "#,
    )
    .unwrap();
    let sums = |ran: &Run| {
        let flow = open_flow(Side::Right, &ran.right, &ran.outcome)[0];
        assert_eq!((flow.residual().count, flow.residual().amount), (0, 0));
        [flow.before, flow.new, flow.matched, flow.remainder, flow.after].map(|sum| (sum.count, sum.amount))
    };
    let mut memory: [Memory; 2] = Default::default();
    let (invoice, first, second) = (line(1, 100), line(7, 60), line(8, 40));
    let january = run(&mut memory, [&[first], &[invoice]], &rules);
    assert_eq!(sums(&january), [(0, 0), (1, 100), (1, 100), (1, 40), (1, 40)]);
    january.remember(&mut memory, 1);
    // The ledger lists its invoice again: the line is known, what is open of it stays open.
    let february = run(&mut memory, [&[], &[invoice]], &rules);
    assert_eq!(sums(&february), [(1, 40), (0, 0), (0, 0), (0, 0), (1, 40)]);
    assert_eq!(february.outcome.exceptions.len(), 2);
    assert_eq!(february.ids().len(), 2, "the line and the open part are told apart");
    february.remember(&mut memory, 2);
    let march = run(&mut memory, [&[second], &[]], &rules);
    assert_eq!(sums(&march), [(1, 40), (0, 0), (1, 40), (0, 0), (0, 0)]);
}
