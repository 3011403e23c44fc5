//! What a learned pass does with lists a person can read.

use crate::soundness::assert_sound;
use crate::table::rule_set;
use matching::{
    Currency, ExceptionKind, Outcome, Reasoner, Records, RecordsBuilder, RuleSet, Tier, Watch, reconcile,
};

const FIRST: [&str; 12] =
    ["Ada", "Berta", "Carl", "Dora", "Emil", "Frieda", "Gustav", "Hanna", "Igor", "Jana", "Kurt", "Lena"];
const LAST: [&str; 15] = [
    "Abendroth",
    "Brinkmann",
    "Claussen",
    "Dietrich",
    "Eberhardt",
    "Falkenstein",
    "Grossmann",
    "Hollander",
    "Ingelheim",
    "Jacobsen",
    "Kaltenbach",
    "Lindemann",
    "Morgenroth",
    "Niedermeyer",
    "Oberhauser",
];
const TOWNS: [&str; 6] = ["Aachen", "Bremen", "Celle", "Dresden", "Erfurt", "Fulda"];

fn records(fields: [&str; 3], rows: Vec<[String; 4]>) -> Records {
    let mut builder = RecordsBuilder::new(fields.map(str::to_owned).to_vec());
    for (i, [id, a, b, c]) in rows.iter().enumerate() {
        builder.push(id, i as u64, 0, Currency::parse("XXX").unwrap(), 0, &[a, b, c]).unwrap();
    }
    builder.build()
}

/// The i-th of 180 customers: no two share both names, many share one.
fn customer(id: &str, i: usize) -> [String; 4] {
    let name = format!("{} {}", FIRST[i % 12], LAST[i / 12]);
    [format!("{id}{i:03}"), name, TOWNS[i * 7 % 6].into(), format!("0{}{}", 200 + i % 5, 70_000 + i * 613)]
}

fn run(left: &Records, right: &Records, rules: &RuleSet) -> Outcome {
    let outcome = reconcile(left, right, rules, Watch::none()).unwrap();
    assert_sound(left, right, rules, &outcome);
    outcome
}

#[test]
fn customers_are_found_without_a_rule() {
    let left = records(["name", "town", "phone"], (0..150).map(|i| customer("A", i)).collect());
    let moved = |i: usize| {
        let mut row = customer("B", i);
        match i % 5 {
            0 => row[1] = row[1].replace("mann", "man").replace("bach", "bahc").replace("roth", "rot"),
            1 => row[2] = "Goslar".into(),
            2 => row[3] = String::new(),
            3 => row[1] = row[1].split(' ').rev().collect::<Vec<_>>().join(", ").to_uppercase(),
            _ => {}
        }
        row
    };
    let right = records(["name", "town", "phone"], (30..180).map(moved).collect());
    let rules = RuleSet::standard_for_texts();
    let outcome = run(&left, &right, &rules);
    let wrong: Vec<String> = outcome
        .matches
        .iter()
        .map(|m| (left.id(m.left[0]), right.id(m.right[0])))
        .filter(|(l, r)| l[1..] != r[1..])
        .map(|(l, r)| format!("{l} {r}"))
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(outcome.matches.len(), 120, "everybody who is in both lists, whatever changed");
    // 120 matches teach that 99 of a hundred are right, not more.
    assert!(outcome.matches.iter().all(|m| m.confidence.as_f64() < 1.0 - 1.0 / 140.0));
    assert!(outcome.matches.iter().filter(|m| m.tier == Tier::Confirmed).count() > 60);
    let m = &outcome.matches[0];
    let said: Vec<String> =
        Reasoner::new(&left, &right, &rules).reasons(m).into_iter().map(|r| r.says).collect();
    assert!(said.iter().any(|s| s.starts_with("name ")), "{said:?}");
    assert!(said.iter().any(|s| s.starts_with("learned from 1")), "{said:?}");
}

#[test]
fn namesakes_are_not_chosen_between() {
    let mut lefts: Vec<[String; 4]> = (0..100).map(|i| customer("A", i)).collect();
    let mut rights: Vec<[String; 4]> = (0..100).map(|i| customer("B", i)).collect();
    // One on the left, and two on the right who differ in what the left does not say.
    lefts.push(["A900", "Zora Zimmermann", "", ""].map(str::to_owned));
    rights.push(["B900", "Zora Zimmermann", "Aachen", "0201111"].map(str::to_owned));
    rights.push(["B901", "Zora Zimmermann", "Bremen", "0202222"].map(str::to_owned));
    let (left, right) =
        (records(["name", "town", "phone"], lefts), records(["name", "town", "phone"], rights));
    let outcome = run(&left, &right, &RuleSet::standard_for_texts());
    assert_eq!(outcome.matches.len(), 100);
    let zora = outcome.exceptions.iter().find(|e| left.id(e.row) == "A900").unwrap();
    assert_eq!(zora.kind, ExceptionKind::Ambiguous);
    assert_eq!(zora.candidates.len(), 2);
    for candidate in &zora.candidates {
        let confidence = candidate.confidence.as_f64();
        assert!((0.3..0.6).contains(&confidence), "one of two: {confidence}");
    }
}

#[test]
fn a_number_written_apart_is_the_same_number() {
    let shop = |id: &str, i: usize, name: String| [format!("{id}{i:03}"), name, String::new(), String::new()];
    let kind = ["Phone", "Player", "Camera", "Receiver", "Freezer"];
    let model = |i: usize| (["KX", "DV", "SL", "TR"][i % 4], 1000 + i * 37);
    let lefts = (0..80).map(|i| {
        let (letters, number) = model(i);
        shop("A", i, format!("Black {} - {letters}T{number}B", kind[i % 5]))
    });
    let rights = (0..80).map(|i| {
        let (letters, number) = model(i);
        shop("B", i, format!("{letters}-T{number}B {} with warranty", kind[i % 5]))
    });
    let left = records(["name", "note", "extra"], lefts.collect());
    let right = records(["name", "note", "extra"], rights.collect());
    let outcome = run(&left, &right, &RuleSet::standard_for_texts());
    let right_ones = outcome.matches.iter().filter(|m| left.id(m.left[0])[1..] == right.id(m.right[0])[1..]);
    assert_eq!((right_ones.count(), outcome.matches.len()), (80, 80));
}

#[test]
fn nothing_in_common_is_no_match() {
    let left = records(["name", "town", "phone"], (0..90).map(|i| customer("A", i)).collect());
    let right = records(["name", "town", "phone"], (90..180).map(|i| customer("B", i)).collect());
    let outcome = run(&left, &right, &RuleSet::standard_for_texts());
    let sure = outcome.matches.iter().filter(|m| m.tier == Tier::Confirmed).count();
    assert_eq!(sure, 0, "other people of the same first name or town");
}

#[test]
fn empty_sides_and_empty_fields_are_fine() {
    let none = || records(["name", "town", "phone"], vec![]);
    let blank =
        |id: &str| records(["name", "town", "phone"], vec![[id.into(), "".into(), "".into(), "".into()]]);
    for (left, right) in [(none(), none()), (none(), blank("B")), (blank("A"), blank("B"))] {
        let outcome = run(&left, &right, &RuleSet::standard_for_texts());
        assert!(outcome.matches.is_empty());
    }
    // No field of the same name: all texts are compared together.
    let left = records(["name", "town", "phone"], (0..60).map(|i| customer("A", i)).collect());
    let right = records(["who", "where", "number"], (0..60).map(|i| customer("B", i)).collect());
    assert_eq!(run(&left, &right, &RuleSet::standard_for_texts()).matches.len(), 60);
}

#[test]
fn mistakes_of_a_learned_pass_are_named_at_once() {
    let sides = records(["name", "town", "phone"], vec![]);
    let rules = rule_set(
        r#"
        [[pass]]
        name = "all wrong"
        cardinality = "1:n"
        key = [{ left = "name", right = "name" }]
        text = { left = ["name"], right = ["name"], min = 0.5 }
        currency = { convert = true }
        learned = { confirm = 1.5, compare = [
          { left = "name", right = ["nam", "town"] },
          { left = [], right = "town", as = "code" },
        ] }
        "#,
        &sides,
        &sides,
    );
    let at: Vec<String> = rules
        .check(Some(sides.field_names()), Some(sides.field_names()))
        .into_iter()
        .map(|error| error.at)
        .collect();
    for place in [
        "pass[0].cardinality",
        "pass[0].key",
        "pass[0].text",
        "pass[0].currency.convert",
        "pass[0].learned.confirm",
        "pass[0].learned.compare[0].right[0]",
        "pass[0].learned.compare[1].left",
    ] {
        assert!(at.iter().any(|a| a == place), "{place} is not in {at:?}");
    }
    assert!(
        toml::from_str::<RuleSet>("version = 1\n[[pass]]\nname = \"x\"\nlearned = { comparr = [] }").is_err()
    );
}

/// Six hundred parties, each called something with `Trading`.
fn trader(i: usize) -> String {
    let part = |n: usize| ["bal", "dor", "fen", "gil", "hak", "jun", "kom", "lup", "mer", "nis"][n % 10];
    format!("{}{}{} Trading", part(i), part(i / 10 + 3), part(i / 100 + 7))
}

#[test]
fn of_names_with_a_misspelt_beginning_the_common_word_and_the_amount_are_enough_to_find_them() {
    let eur = Currency::parse("EUR").unwrap();
    let side = |field: &str, rows: &dyn Fn(usize) -> (i64, String)| {
        let mut builder = RecordsBuilder::new(vec![field.into()]);
        for i in 0..600 {
            let (amount, text) = rows(i);
            builder.push(&format!("{i:03}"), i as u64, amount, eur, 20_000 + i as i32 % 3, &[&text]).unwrap();
        }
        builder.build()
    };
    // So dense that many have a near amount; none has the same one.
    let amount = |i: usize| 100_000 + (i * 7919 % 600) as i64 * 100;
    let is_misspelt = |i: usize| i % 40 == 7;
    let left = side("description", &|i| {
        let mut name = trader(i).to_uppercase();
        if is_misspelt(i) {
            let third = name.remove(2);
            name.insert(1, third);
        }
        (amount(i) + 31, format!("TRANSFER {name}"))
    });
    let right = side("counterparty", &|i| (amount(i), trader(i)));
    let rules = RuleSet::standard_for(&["description".into()], &["counterparty".into()]);
    let outcome = run(&left, &right, &rules);
    assert!(outcome.matches.iter().all(|m| left.id(m.left[0]) == right.id(m.right[0])));
    let misspelt = outcome.matches.iter().filter(|m| is_misspelt(m.left[0] as usize)).count();
    assert_eq!((misspelt, outcome.matches.len()), (15, 600));
}
