//! `counterfoil rules`, presets and tables of rates, as their user meets them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

fn counterfoil(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_counterfoil"));
    command.current_dir(folder).args(args).stdin(Stdio::null()).output().expect("the executable runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn samples(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples").join(name).canonicalize().expect("shipped")
}

fn csv_rows(path: &Path) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(path).expect("a CSV file");
    reader.deserialize().collect::<Result<_, _>>().expect("rows as wide as the header")
}

type Pairs = BTreeSet<(String, String)>;

/// Every left record of a match with every right one.
fn pairs_in(out: &Path) -> Pairs {
    let mut of_match: BTreeMap<String, (Vec<String>, Vec<String>)> = BTreeMap::new();
    for row in csv_rows(&out.join("matches.csv")) {
        let (left, right) = of_match.entry(row["match"].clone()).or_default();
        for (side, id) in [(left, &row["left_id"]), (right, &row["right_id"])] {
            if !id.is_empty() {
                side.push(id.clone());
            }
        }
    }
    let pairs = |(left, right): &(Vec<String>, Vec<String>)| {
        let (left, right) = (left.clone(), right.clone());
        left.into_iter()
            .flat_map(move |l| right.clone().into_iter().map(move |r| (l.clone(), r)))
            .collect::<Vec<_>>()
    };
    of_match.values().flat_map(pairs).collect()
}

/// Pairs that belong together, but for those of kinds that nobody could or should match.
fn truth(path: &Path, left: &str, right: &str, except: &[&str]) -> Pairs {
    let rows = csv_rows(path).into_iter();
    let wanted = rows.filter(|row| !row[left].is_empty() && !row[right].is_empty());
    let wanted = wanted.filter(|row| !except.contains(&row["kind"].as_str()));
    wanted.map(|row| (row[left].clone(), row[right].clone())).collect()
}

/// Precision and recall of pairs, in per cent.
fn quality(found: &Pairs, truth: &Pairs) -> (f64, f64) {
    let right = found.intersection(truth).count() as f64;
    (100.0 * right / found.len() as f64, 100.0 * right / truth.len() as f64)
}

/// `match` with a preset on shipped samples; the found pairs.
fn run_preset(preset: &str, left: &str, right: &str, more: &[&str]) -> (Pairs, serde_json::Value) {
    let folder = TempDir::new().expect("a folder");
    let path = |name: &str| samples(name).display().to_string();
    let (left, right) = (path(left), path(right));
    let mut args = vec!["match", &left, &right, "--preset", preset, "--out", "out", "--json"];
    args.extend(more);
    let ran = counterfoil(folder.path(), &args);
    assert_eq!(ran.status.code(), Some(1), "{}", text(&ran.stderr));
    let summary = serde_json::from_slice(&ran.stdout).expect("a summary");
    (pairs_in(&folder.path().join("out")), summary)
}

#[test]
fn bank_to_ledger_matches_the_sample_statement() {
    let mappings =
        [samples("bank.mapping.toml"), samples("ledger.mapping.toml")].map(|p| p.display().to_string());
    let more = ["--left-mapping", &mappings[0], "--right-mapping", &mappings[1]];
    let (found, summary) = run_preset("bank-to-ledger", "bank.csv", "ledger.csv", &more);
    let truth =
        truth(&samples("truth.csv"), "bank_id", "ledger_id", &["short_paid", "wrong_currency", "ambiguous"]);
    let (precision, recall) = quality(&found, &truth);
    println!("bank-to-ledger: precision {precision:.2} %, recall {recall:.2} %");
    assert!(precision >= 99.5 && recall >= 99.5, "{precision} {recall}");
    assert_eq!(summary["dropped_passes"], serde_json::json!([]));
}

#[test]
fn card_payouts_meet_the_sample_orders() {
    let mappings = ["cards/payouts.mapping.toml", "cards/orders.mapping.toml"];
    let mappings = mappings.map(|name| samples(name).display().to_string());
    let more = ["--left-mapping", &mappings[0], "--right-mapping", &mappings[1]];
    let (found, summary) =
        run_preset("card-payouts-to-orders", "cards/payouts.csv", "cards/orders.csv", &more);
    let truth = truth(&samples("cards/truth.csv"), "payout_id", "order_id", &["short"]);
    let (precision, recall) = quality(&found, &truth);
    println!("card-payouts-to-orders: precision {precision:.2} %, recall {recall:.2} %");
    assert!(precision >= 99.0 && recall >= 99.0, "{precision} {recall}");
    let passes = summary["passes"].as_array().expect("passes");
    let learned = passes.iter().find(|pass| pass["name"] == "payout less the usual fee").expect("the pass");
    assert!(learned["matches"].as_u64().expect("a number") >= 10, "the fee was not learned: {learned}");
}

#[test]
fn intercompany_books_meet_across_currencies() {
    let rates = samples("intercompany/rates.csv").display().to_string();
    let more = ["--rates", &rates];
    let (found, summary) =
        run_preset("intercompany", "intercompany/north.csv", "intercompany/south.csv", &more);
    let truth = truth(&samples("intercompany/truth.csv"), "north_id", "south_id", &["wrong_amount"]);
    let (precision, recall) = quality(&found, &truth);
    println!("intercompany: precision {precision:.2} %, recall {recall:.2} %");
    assert!(precision >= 99.0 && recall >= 98.0, "{precision} {recall}");
    let proofs = summary["proof"].as_array().expect("proofs");
    let of = |code: &str| proofs.iter().find(|proof| proof["currency"] == code).expect("a proof");
    assert_eq!(
        (of("EUR")["residual"].as_str(), of("USD")["residual"].as_str()),
        (Some("0.00"), Some("0.00"))
    );
    assert_ne!(of("EUR")["converted_out"], "0.00");
    assert_ne!(of("USD")["converted_in"], "0.00");
    // Without rates the pairs in one currency are found all the same.
    let (found, _) = run_preset("intercompany", "intercompany/north.csv", "intercompany/south.csv", &[]);
    assert!(found.len() > 50 && found.is_subset(&truth), "{}", found.len());
}

const LEFT: &str =
    "id,date,amount,currency,reference\nb1,2026-01-05,100.00,USD,R-1\nb2,2026-01-05,1000,JPY,R-2\n";
const RIGHT: &str =
    "id,date,amount,currency,reference\nl1,2026-01-05,90.00,EUR,R-1\nl2,2026-01-05,6.25,EUR,R-2\n";
const RULES: &str = "version = 1\nname = \"fx\"\n[[pass]]\nname = \"r\"\nkey = [{ left = \"reference\", right = \
                     \"reference\" }]\ncurrency = { convert = true }\n";

fn folder_with(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect(name);
    }
    folder
}

#[test]
fn a_converted_match_shows_both_amounts() {
    let rates = "from,to,date,rate\nUSD,EUR,2026-01-05,0.9\nEUR,JPY,2026-01-02,160\n";
    let folder = folder_with(&[("l.csv", LEFT), ("r.csv", RIGHT), ("fx.toml", RULES), ("rates.csv", rates)]);
    let ran = counterfoil(
        folder.path(),
        &["match", "l.csv", "r.csv", "--rules", "fx.toml", "--rates", "rates.csv", "--out", "out"],
    );
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    let rows = csv_rows(&folder.path().join("out/matches.csv"));
    let row = |id: &str| rows.iter().find(|row| row["left_id"] == id).expect(id);
    let cells = |id: &str| {
        let row = row(id);
        ["left_amount", "left_currency", "left_converted", "right_amount", "currency", "difference"]
            .map(|column| row[column].clone())
    };
    assert_eq!(cells("b1"), ["100.00", "USD", "90.00", "90.00", "EUR", "0.00"]);
    assert_eq!(cells("b2"), ["1000", "JPY", "6.25", "6.25", "EUR", "0.00"]);
    assert!(row("b2")["reasons"].contains("1000 JPY are 6.25 EUR at 0.00625 of 2026-01-02 (inverse)"));
    assert!(text(&ran.stdout).contains("EUR converted"), "{}", text(&ran.stdout));
}

#[test]
fn mistakes_of_a_table_of_rates_name_its_lines() {
    let rates = "from,to,date,rate\nUSD,EUR,2026-01-05,0.9\nUSD,EURO,2026-01-05,0\n";
    let folder = folder_with(&[("l.csv", LEFT), ("r.csv", RIGHT), ("fx.toml", RULES), ("rates.csv", rates)]);
    let args = ["match", "l.csv", "r.csv", "--rules", "fx.toml", "--rates", "rates.csv", "--out", "out"];
    let ran = counterfoil(folder.path(), &args);
    assert_eq!(ran.status.code(), Some(2));
    let says = text(&ran.stderr);
    assert!(
        says.contains("rates.csv:3: to \"EURO\" is not an ISO 4217")
            && says.contains("rates.csv:3: rate must"),
        "{says}"
    );
    assert!(!folder.path().join("out").exists());
}

#[test]
fn rules_are_checked_like_programs() {
    let wrong =
        "version = 1\n[[pass]]\nname = \"a\"\nkey = [{ left = \"refrence\", right = \"id\" }]\nwindow = 3\n";
    let folder = folder_with(&[("l.csv", LEFT), ("r.csv", RIGHT), ("fx.toml", RULES), ("wrong.toml", wrong)]);
    let check = |args: &[&str]| {
        let ran = counterfoil(folder.path(), &[&["rules", "check"], args].concat());
        (ran.status.code(), text(&ran.stdout))
    };
    assert_eq!(check(&["fx.toml"]), (Some(0), String::new()));
    assert_eq!(check(&["fx.toml", "--left", "l.csv", "--right", "r.csv"]), (Some(0), String::new()));
    let (code, says) = check(&["wrong.toml", "--left", "l.csv"]);
    assert_eq!(code, Some(1));
    let says: Vec<&str> = says.lines().collect();
    assert!(
        says[0].starts_with("wrong.toml:4:17: pass[0].key[0].left: \"refrence\" is not a field of the left")
    );
    assert!(
        says[1].starts_with("wrong.toml:5:1: pass[0].window: there is no key \"window\" here"),
        "{says:?}"
    );
    assert_eq!(says.len(), 2);
    assert_eq!(check(&["nothing.toml"]).0, Some(2));
}

#[test]
fn presets_are_listed_and_shown() {
    let folder = TempDir::new().expect("a folder");
    let ran = counterfoil(folder.path(), &["rules", "presets"]);
    assert_eq!(text(&ran.stdout).lines().count(), 3);
    for preset in ["bank-to-ledger", "card-payouts-to-orders", "intercompany"] {
        assert!(text(&ran.stdout).contains(preset));
        let shown = counterfoil(folder.path(), &["rules", "show", preset]);
        fs::write(folder.path().join("mine.toml"), &shown.stdout).expect("a file");
        let checked = counterfoil(folder.path(), &["rules", "check", "mine.toml"]);
        assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stdout));
    }
    let schema = counterfoil(folder.path(), &["rules", "schema"]);
    let schema: serde_json::Value = serde_json::from_slice(&schema.stdout).expect("JSON");
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(counterfoil(folder.path(), &["rules", "show", "nobody"]).status.code(), Some(2));
}
