//! `counterfoil match` as its user meets it: files in, files and exit codes out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

fn counterfoil() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_counterfoil"));
    command.arg("match").stdin(Stdio::null());
    command
}

/// In a folder of its own, with `LEFT RIGHT --out out` and more arguments.
fn run(folder: &TempDir, left: &str, right: &str, more: &[&str]) -> Output {
    let mut command = counterfoil();
    command.current_dir(folder.path()).args([left, right, "--out", "out"]).args(more);
    command.output().expect("the executable runs")
}

fn folder_with(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect(name);
    }
    folder
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// Rows by column name.
fn csv_rows(path: &Path) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(path).expect("a CSV file");
    reader.deserialize().collect::<Result<_, _>>().expect("rows as wide as the header")
}

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples").canonicalize().expect("the samples are shipped")
}

/// Reconciles the shipped samples by their rules.
fn run_samples(folder: &TempDir, more: &[&str]) -> Output {
    let path = |name: &str| samples().join(name).display().to_string();
    let (bank, ledger, rules) = (path("bank.csv"), path("ledger.csv"), path("rules.toml"));
    let (left, right) = (path("bank.mapping.toml"), path("ledger.mapping.toml"));
    let settings = ["--left-mapping", &left, "--right-mapping", &right, "--rules", &rules];
    run(folder, &bank, &ledger, &[&settings, more].concat())
}

const FILES: [&str; 6] = [
    "matches.csv",
    "exceptions.csv",
    "rejected_lines.csv",
    "open_items.jsonl",
    "matched_before.jsonl",
    "summary.json",
];
const LEFT: &str =
    "id,date,amount,currency,reference\nb1,2026-01-05,10.00,EUR,R-1001\nb2,2026-01-06,20.00,EUR,R-1002\n";
const RIGHT: &str =
    "id,date,amount,currency,reference\nl1,2026-01-05,10.00,EUR,R-1001\nl2,2026-01-06,20.00,EUR,R-1002\n";

/// Ids of each match's left and right records.
fn matches_in(out: &Path) -> Vec<(Vec<String>, Vec<String>)> {
    let mut matches: BTreeMap<String, (Vec<String>, Vec<String>)> = BTreeMap::new();
    for row in csv_rows(&out.join("matches.csv")) {
        let (left, right) = matches.entry(row["match"].clone()).or_default();
        left.extend((!row["left_id"].is_empty()).then(|| row["left_id"].clone()));
        right.extend((!row["right_id"].is_empty()).then(|| row["right_id"].clone()));
    }
    matches.into_values().collect()
}

#[test]
fn the_samples_come_out_as_their_truth_says() {
    let folder = folder_with(&[]);
    let output = run_samples(&folder, &[]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let out = folder.path().join("out");
    let matches = matches_in(&out);
    let exceptions = csv_rows(&out.join("exceptions.csv"));
    let truth = csv_rows(&samples().join("truth.csv"));

    // Every record is in exactly one match or one exception.
    let matched = matches.iter().flat_map(|(left, right)| left.iter().chain(right));
    let mut verdicts: Vec<&String> = matched.chain(exceptions.iter().map(|e| &e["id"])).collect();
    verdicts.sort();
    let ids: BTreeSet<&String> = truth.iter().flat_map(|t| [&t["bank_id"], &t["ledger_id"]]).collect();
    assert_eq!(verdicts, ids.into_iter().filter(|id| !id.is_empty()).collect::<Vec<_>>());

    // No match is wrong, and hardly one is missed.
    let pairs: BTreeSet<(&String, &String)> = matches
        .iter()
        .flat_map(|(left, right)| left.iter().flat_map(|l| right.iter().map(move |r| (l, r))))
        .collect();
    let must_not_match = ["short_paid", "wrong_currency", "ambiguous"];
    let expected: BTreeSet<(&String, &String)> = truth
        .iter()
        .filter(|t| !t["bank_id"].is_empty() && !t["ledger_id"].is_empty())
        .filter(|t| !must_not_match.contains(&t["kind"].as_str()))
        .map(|t| (&t["bank_id"], &t["ledger_id"]))
        .collect();
    assert_eq!(pairs.difference(&expected).collect::<Vec<_>>(), [] as [&(&String, &String); 0]);
    let missed: Vec<_> = expected.difference(&pairs).collect();
    assert!(missed.len() * 100 <= expected.len(), "missed {missed:?}");

    // What samples/README.md says should come of each kind that does not match.
    for (kind, exception_kind) in [
        ("ambiguous", "ambiguous"),
        ("bank_duplicate", "duplicate"),
        ("bank_fee", "missing_right"),
        ("interest", "missing_right"),
        ("ledger_duplicate", "duplicate"),
        ("missing_in_bank", "missing_left"),
        ("missing_in_ledger", "missing_right"),
        ("short_paid", "amount_differs"),
        ("wrong_currency", "currency_differs"),
    ] {
        let of_kind: BTreeSet<&String> = truth
            .iter()
            .filter(|t| t["kind"] == kind)
            .flat_map(|t| [&t["bank_id"], &t["ledger_id"]])
            .filter(|id| !id.is_empty())
            .collect();
        let right =
            exceptions.iter().filter(|e| of_kind.contains(&e["id"]) && e["kind"] == exception_kind).count();
        assert!(right * 10 >= of_kind.len() * 9, "{right} of {} {kind} are {exception_kind}", of_kind.len());
    }
}

#[test]
fn the_sums_of_the_columns_are_those_of_the_summary() {
    let folder = folder_with(&[]);
    let output = run_samples(&folder, &["--json"]);
    let out = folder.path().join("out");
    let written = fs::read(out.join("summary.json")).expect("a summary");
    assert_eq!(output.stdout, written);
    assert_eq!(text(&output.stderr), "");
    let summary: serde_json::Value = serde_json::from_slice(&written).expect("JSON");

    let cents = |text: &str| -> i128 { text.replace('.', "").parse().unwrap_or(0) };
    let sum = |rows: &[BTreeMap<String, String>], currency: &str, column: &str| -> i128 {
        rows.iter().filter(|row| row["currency"] == currency).map(|row| cents(&row[column])).sum()
    };
    let matches = csv_rows(&out.join("matches.csv"));
    let (left, right): (Vec<_>, Vec<_>) =
        csv_rows(&out.join("exceptions.csv")).into_iter().partition(|row| row["side"] == "left");
    let proofs = summary["proof"].as_array().expect("a proof per currency");
    assert_eq!(
        proofs.iter().map(|p| p["currency"].as_str()).collect::<Vec<_>>(),
        ["EUR", "GBP", "JPY", "USD"].map(Some)
    );
    for proof in proofs {
        let of = |name: &str| cents(proof[name].as_str().expect("a decimal"));
        let currency = proof["currency"].as_str().expect("a code");
        assert_eq!(of("left_matched"), sum(&matches, currency, "left_amount"));
        assert_eq!(of("right_matched"), sum(&matches, currency, "right_amount"));
        assert_eq!(of("matched_difference"), sum(&matches, currency, "difference"));
        assert_eq!(of("left_unmatched"), sum(&left, currency, "amount"));
        assert_eq!(of("right_unmatched"), sum(&right, currency, "amount"));
        assert_eq!(of("left_total"), of("left_matched") + of("left_unmatched"));
        assert_eq!(of("right_total"), of("right_matched") + of("right_unmatched"));
        assert_eq!(of("residual"), 0);
    }
}

#[test]
fn the_number_of_threads_changes_no_byte() {
    let (one, four) = (folder_with(&[]), folder_with(&[]));
    run_samples(&one, &["--threads", "1"]);
    run_samples(&four, &["--threads", "4"]);
    for name in FILES {
        let read = |folder: &TempDir| fs::read(folder.path().join("out").join(name)).expect(name);
        assert!(read(&one) == read(&four), "{name} differs");
    }
}

#[test]
fn two_files_that_agree_need_no_mapping_and_end_with_0() {
    let folder = folder_with(&[("left.csv", LEFT), ("right.csv", RIGHT)]);
    let output = run(&folder, "left.csv", "right.csv", &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("left.csv: no --left-mapping, so guessed id = id, date = date"));
    assert!(text(&output.stdout).contains("2 records"));
    let found: Vec<_> = fs::read_dir(folder.path().join("out"))
        .expect("results")
        .map(|f| f.expect("a file").file_name())
        .collect();
    assert_eq!(found.len(), FILES.len(), "{found:?}");
}

/// A statement of one account says its currency nowhere: one word is enough, and no mapping need be written.
#[test]
fn a_file_that_names_no_currency_needs_one_word() {
    let bank = "Buchungstag;Betrag;Verwendungszweck;Buchungs-ID\n\
        15.01.2026;1.985,00;Rechnung R-1001;b1\n16.01.2026;-20,50;Rechnung R-1002;b2\n";
    let ledger = "id,date,amount,reference\nl1,2026-01-15,1985.00,R-1001\nl2,2026-01-16,-20.50,R-1002\n";
    let folder = folder_with(&[("bank.csv", bank), ("ledger.csv", ledger)]);
    let refused = run(&folder, "bank.csv", "ledger.csv", &[]);
    assert_eq!(refused.status.code(), Some(2));
    let says = text(&refused.stderr);
    assert_eq!(says.matches("needs --currency CODE").count(), 2, "both files lack it: {says}");

    let unknown = run(&folder, "bank.csv", "ledger.csv", &["--currency", "EURO"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("--currency"), "{}", text(&unknown.stderr));

    let output = run(&folder, "bank.csv", "ledger.csv", &["--currency", "EUR"]);
    let says = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{says}");
    for part in
        ["delimiter ';'", "dates like %d.%m.%Y", "decimal comma", "amount = Betrag", "date = Buchungstag"]
    {
        let guessed = says.lines().find(|line| line.starts_with("bank.csv: confidence of the guess"));
        let guessed = guessed.unwrap_or_else(|| panic!("{says}"));
        let sure = guessed.split_once(part).unwrap_or_else(|| panic!("{part} in {guessed}")).1;
        assert!(
            sure.trim_start().split_once(" %").is_some_and(|(n, _)| n.parse::<u8>().is_ok()),
            "{guessed}"
        );
    }
}

#[test]
fn rejected_lines_are_listed_and_end_with_1() {
    let left = format!("{LEFT}b3,2026-01-07,=1+1,EUR,R-1003\nb4,2026-01-07\n");
    let folder = folder_with(&[("left.csv", &left), ("right.csv", RIGHT)]);
    assert_eq!(run(&folder, "left.csv", "right.csv", &[]).status.code(), Some(1));
    let rows = csv_rows(&folder.path().join("out/rejected_lines.csv"));
    let shown: Vec<_> =
        rows.iter().map(|row| (row["side"].as_str(), row["line"].as_str(), row["column"].as_str())).collect();
    assert_eq!(shown, [("left", "4", "amount"), ("left", "5", "")]);
    assert_eq!(rows[0]["excerpt"], "b3,2026-01-07,=1+1,EUR,R-1003");
}

#[test]
fn what_cannot_be_used_is_named_at_once_and_nothing_is_written() {
    let files = [
        ("left.csv", LEFT),
        ("right.csv", RIGHT),
        ("empty.csv", ""),
        ("strange.csv", "when,how much\n1,2\n"),
        ("bad_lines.csv", "id,date,amount,currency\n1,2,3,4\n"),
        (
            "wrong.toml",
            "format = \"csv\"\nid = \"no\"\ndate.column = \"date\"\namount.column = \"sum\"\ncurrency.fixed = \"EUR\"",
        ),
        (
            "bad.toml",
            "format = \"csv\"\ndate = { column = \"d\", format = \"%H\" }\namount.column = \"a\"\ncurrency.fixed = \"EURO\"",
        ),
        ("not.toml", "format ="),
        ("rules.toml", "version = 1\n[[pass]]\nname = \"x\"\nkey = [{ left = \"no\", right = \"nor\" }]"),
    ];
    for (arguments, says) in [
        ("nowhere.csv neither.csv", &["nowhere.csv: ", "neither.csv: "][..]),
        (". right.csv", &[".: is a folder"]),
        ("empty.csv right.csv", &["empty.csv: the file has no data lines"]),
        (
            "strange.csv right.csv",
            &[
                "no amount column: matched by texts alone, how_much = how much, when = when",
                "strange.csv: no amount column, but right.csv has one; name it with --left-mapping FILE",
            ],
        ),
        ("bad_lines.csv right.csv", &["all 1 lines were rejected; line 2, column \"date\""]),
        (
            "left.csv right.csv --left-mapping wrong.toml",
            &["id: the file has no column \"no\"", "amount.column: "],
        ),
        (
            "left.csv right.csv --right-mapping bad.toml",
            &["bad.toml: date.format: ", "bad.toml: currency.fixed: "],
        ),
        ("left.csv right.csv --left-mapping not.toml", &["not.toml: "]),
        (
            "left.csv right.csv --rules rules.toml",
            &["rules.toml:4:17: pass[0].key[0].left", "rules.toml:4:31: pass[0].key[0].right"],
        ),
        ("left.csv right.csv --threshold 1.5", &["threshold"]),
        ("left.csv right.csv --threads none", &["--threads"]),
        ("left.csv", &["RIGHT"]),
    ] {
        let folder = folder_with(&files);
        let mut command = counterfoil();
        command.current_dir(folder.path()).args(arguments.split(' ')).args(["--out", "out"]);
        let output = command.output().expect("the executable runs");
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments}: {stderr}");
        for part in says {
            assert!(stderr.contains(part), "{arguments}: {part:?} in {stderr:?}");
        }
        assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), files.len(), "{arguments}");
    }
}

#[test]
fn results_of_an_earlier_run_are_replaced_only_by_force() {
    let folder = folder_with(&[("left.csv", LEFT), ("right.csv", RIGHT)]);
    let out = folder.path().join("out");
    fs::create_dir(&out).expect("a folder");
    fs::write(out.join("summary.json"), "mine").expect("a file");
    fs::write(out.join("notes.txt"), "mine").expect("a file");
    let output = run(&folder, "left.csv", "right.csv", &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("summary.json is already there; use --force"));
    assert_eq!(fs::read_to_string(out.join("summary.json")).expect("kept"), "mine");
    assert_eq!(fs::read_dir(&out).expect("the folder").count(), 2);

    assert_eq!(run(&folder, "left.csv", "right.csv", &["--force"]).status.code(), Some(0));
    assert!(fs::read_to_string(out.join("summary.json")).expect("replaced").contains("\"matches\": 2"));
    assert_eq!(fs::read_dir(&out).expect("the folder").count(), FILES.len() + 1);
}

#[test]
fn a_folder_that_cannot_be_made_ends_with_3() {
    let folder = folder_with(&[("left.csv", LEFT), ("right.csv", RIGHT)]);
    let mut command = counterfoil();
    command.current_dir(folder.path()).args(["left.csv", "right.csv", "--out", "left.csv/out"]);
    let output = command.output().expect("the executable runs");
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert_eq!(fs::read_to_string(folder.path().join("left.csv")).expect("kept"), LEFT);
}

#[test]
fn an_interrupt_ends_with_130_and_leaves_nothing() {
    let mapping =
        "format = \"csv\"\ndate.column = \"date\"\namount.column = \"amount\"\ncurrency.fixed = \"EUR\"";
    let folder = folder_with(&[("right.csv", RIGHT), ("left.toml", mapping)]);
    let pipe = folder.path().join("left.csv");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    let mut command = counterfoil();
    command
        .current_dir(folder.path())
        .args("left.csv right.csv --left-mapping left.toml --out out".split(' '));
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the executable runs");

    // Opening waits for the reader, so from here on it is reading.
    let mut pipe = fs::OpenOptions::new().write(true).open(&pipe).expect("a reader");
    let lines =
        b"date,amount\n".iter().chain(b"2026-01-05,1\n".repeat(10_000).iter()).copied().collect::<Vec<_>>();
    pipe.write_all(&lines).expect("it is reading");
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(killed.success());
    // It looks up between lines: give it some until it hangs up.
    let hung_up = (0..20_000).any(|_| pipe.write_all(&b"2026-01-05,1\n".repeat(100)).is_err());
    assert!(hung_up, "it went on reading for two million lines");

    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("interrupted: nothing was written"));
    assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 3);
}

#[test]
fn a_memory_limit_changes_nothing_but_may_be_too_small() {
    // Every fiftieth amount differs, for exceptions.
    let lines = |prefix: &str, other: u32| {
        let line = |i: u32| {
            let amount = i % 977 + if i.is_multiple_of(50) { other } else { 0 };
            format!("{prefix}{i},2026-01-{:02},{amount}.00,EUR,INV-{:06}\n", i % 28 + 1, i / 2)
        };
        "id,date,amount,currency,reference\n".to_owned() + &(0..150_000).map(line).collect::<String>()
    };
    let folder = folder_with(&[("left.csv", &lines("L", 0)), ("right.csv", &lines("R", 5_000))]);
    let plain = run(&folder, "left.csv", "right.csv", &["--json"]);
    let read = |out: &str| {
        ["matches.csv", "exceptions.csv", "rejected_lines.csv"]
            .map(|name| fs::read(folder.path().join(out).join(name)).expect(name))
    };
    let all = read("out");
    let limited = run(
        &folder,
        "left.csv",
        "right.csv",
        &["--json", "--force", "--memory-limit", "160MiB", "--temp-dir", "."],
    );
    assert_eq!((plain.status.code(), limited.status.code()), (Some(1), Some(1)));
    assert!(read("out") == all);
    let left_over = fs::read_dir(folder.path()).expect("the folder").count();
    assert_eq!(left_over, 3, "two files and the results");

    let small = run(&folder, "left.csv", "right.csv", &["--force", "--memory-limit", "70MiB"]);
    assert_eq!(small.status.code(), Some(2));
    let says = String::from_utf8_lossy(&small.stderr).into_owned();
    assert!(says.contains("300000 records take about"), "{says}");
}

/// Names that are written in several ways, so that all kinds of passes have work.
fn misspelt_files(records: u32) -> TempDir {
    let name = |i: u32| {
        let part = |n: u32| ["ka", "lo", "mi", "ne", "ru", "sta", "vel", "zor"][n as usize % 8];
        let word = |n: u32| [part(n), part(n / 8), part(n / 64), part(n / 512)].concat();
        format!("{} {}", word(i), word(i / 7 + 1_000))
    };
    let side = |prefix: &str| {
        let line = |i: u32| {
            let shown = i.wrapping_mul(2_654_435_761) % 20_011;
            let text = match (prefix, i % 4) {
                ("L", 0) => name(shown).replacen('a', "e", 1),
                ("L", _) => format!("SEPA CREDIT {} {i:07}", name(shown)),
                _ => name(shown),
            };
            let amount = i % 4_999 + if i.is_multiple_of(50) && prefix == "R" { 7 } else { 0 };
            format!("{prefix}{i},2026-01-{:02},{amount}.17,EUR,{text}\n", i % 28 + 1)
        };
        "id,date,amount,currency,counterparty\n".to_owned() + &(0..records).map(line).collect::<String>()
    };
    folder_with(&[("left.csv", &side("L")), ("right.csv", &side("R"))])
}

/// The most memory that only the process has; files that are mapped go back whenever somebody needs the room.
#[cfg(target_os = "linux")]
#[test]
fn a_memory_limit_is_kept_to() {
    let folder = misspelt_files(400_000);
    let refused = run(&folder, "left.csv", "right.csv", &["--memory-limit", "1MiB"]);
    let says = text(&refused.stderr);
    let (_, least) = says.split_once("records take about ").expect(&says);
    let least: u64 = least.split_once("MiB").expect(&says).0.parse().expect(&says);

    let limit = format!("{}MiB", least + 1);
    let mut command = counterfoil();
    command.current_dir(folder.path()).args(["left.csv", "right.csv", "--out", "out", "--json"]);
    command.args(["--memory-limit", &limit, "--temp-dir", "."]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("it starts");
    let status = format!("/proc/{}/status", child.id());
    let mut most_kib = 0;
    let ended = loop {
        let own = fs::read_to_string(&status).unwrap_or_default();
        let own = own.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let own = own.and_then(|size| size.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
        most_kib = most_kib.max(own.unwrap_or_default());
        match child.try_wait().expect("it can be asked") {
            Some(ended) => break ended,
            None => std::thread::sleep(std::time::Duration::from_millis(1)),
        }
    };
    assert_eq!(ended.code(), Some(1));
    assert!(most_kib > 20 << 10, "{most_kib} KiB: nothing was measured");
    assert!(most_kib <= (least + 1) << 10, "{} MiB, {limit} allowed", most_kib >> 10);
}

/// The lines of each month: statement, ledger.
const MONTHS: [[&str; 2]; 3] = [
    [
        "B1,2026-01-05,100.00,EUR,R-1001\n'B2,2026-01-20,250.00,EUR,R-1002\n",
        "L1,2026-01-04,100.00,EUR,R-1001\n-L3,2026-01-28,75.00,EUR,R-1003\n",
    ],
    [
        "B1,2026-01-05,100.00,EUR,R-1001\n'B2,2026-01-20,250.00,EUR,R-1002\nB3,2026-02-03,75.00,EUR,R-1003\n",
        "L4,2026-02-25,40.00,EUR,R-1004\n",
    ],
    [
        "'B2,2026-01-20,260.00,EUR,R-1002\nB4,2026-03-02,40.00,EUR,R-1004\nB1,2026-01-05,100.00,EUR,R-1001\n",
        "L2,2026-02-01,260.00,EUR,R-1002\n-L3,2026-01-28,75.00,EUR,R-1003\n",
    ],
];

#[test]
fn three_months_carry_their_open_items_along() {
    let header = "id,date,amount,currency,reference\n";
    let folder = folder_with(&[]);
    let month = |n: usize, out: &str, carry: Option<&str>| {
        for (name, lines) in ["left.csv", "right.csv"].iter().zip(MONTHS[n]) {
            fs::write(folder.path().join(name), format!("{header}{lines}")).expect(name);
        }
        let mut command = counterfoil();
        command.current_dir(folder.path()).args(["left.csv", "right.csv", "--out", out, "--json"]);
        let output =
            command.args(carry.iter().flat_map(|carry| ["--carry", carry])).output().expect("it runs");
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        let summary: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a summary");
        let kinds = csv_rows(&folder.path().join(out).join("exceptions.csv"));
        let kinds: Vec<_> = kinds
            .iter()
            .map(|row| format!("{} {} {} {}", row["kind"], row["side"], row["id"], row["first_run"]))
            .collect();
        (summary, kinds)
    };
    let flow = |summary: &serde_json::Value, side: usize| {
        let flow = &summary["open_items"][side];
        let sum =
            |name: &str| format!("{} {}", flow[name]["count"], flow[name]["amount"].as_str().expect("text"));
        ["before", "restated", "new", "matched", "after"].map(sum)
    };
    let (january, open) = month(0, "january", None);
    assert_eq!(open, ["missing_left right '-L3 1", "missing_right left 'B2 1"]);
    assert_eq!(flow(&january, 0), ["0 0.00", "0 0.00", "2 350.00", "1 100.00", "1 250.00"]);

    let (february, open) = month(1, "february", Some("january"));
    assert_eq!(open, ["missing_left right L4 2", "missing_right left 'B2 1", "already_matched left B1 2"]);
    assert_eq!(flow(&february, 0), ["1 250.00", "0 0.00", "1 75.00", "1 75.00", "1 250.00"]);
    assert_eq!(flow(&february, 1), ["1 75.00", "0 0.00", "1 40.00", "1 75.00", "1 40.00"]);
    assert_eq!((&february["left"]["repeated"], &february["left"]["restated"]), (&1.into(), &0.into()));

    // What was matched in January is known in March, whether or not an apostrophe stands before its id.
    let (march, open) = month(2, "march", Some("february"));
    assert_eq!(open, ["already_matched left B1 3", "already_matched right '-L3 3"]);
    assert_eq!(flow(&march, 0), ["1 250.00", "0 10.00", "1 40.00", "2 300.00", "0 0.00"]);
    let lines = fs::read_to_string(folder.path().join("march/open_items.jsonl")).expect("the open items");
    assert_eq!(lines, "", "nothing is open");

    // The same run again, to the byte.
    month(2, "again", Some("february"));
    for name in FILES.iter().filter(|name| **name != "summary.json") {
        let read = |out: &str| fs::read(folder.path().join(out).join(name)).expect(name);
        assert_eq!(read("march"), read("again"), "{name}");
    }
}

#[test]
fn what_cannot_be_carried_is_named() {
    let folder = folder_with(&[
        ("left.csv", LEFT),
        ("right.csv", RIGHT),
        ("no_ids.csv", "date,amount,currency\n2026-01-05,1.00,EUR\n"),
    ]);
    let output = run(&folder, "left.csv", "right.csv", &["--carry", "nowhere"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("nowhere"), "{}", text(&output.stderr));
    assert_eq!(run(&folder, "left.csv", "right.csv", &[]).status.code(), Some(0));
    let mut command = counterfoil();
    command.current_dir(folder.path()).args(["no_ids.csv", "right.csv", "--out", "next", "--carry", "out"]);
    let output = command.output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("needs a mapping with an id column"), "{}", text(&output.stderr));
    fs::write(folder.path().join("out/open_items.jsonl"), "{\"side\":\"left\"}\n").expect("damaged");
    let output = run(&folder, "left.csv", "right.csv", &["--force", "--carry", "out"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("open_items.jsonl: line 1"), "{}", text(&output.stderr));
}

const GATEWAY: &str = "gateway_tx_id,order_id,amount,currency,captured_at\n";
const ORDERS: &str = "order_id,gross_amount,currency,order_date\n";

/// Thirty payments of thirty orders, the third for another amount than its order.
fn payments_and_orders() -> TempDir {
    let (mut gateway, mut orders) = (GATEWAY.to_owned(), ORDERS.to_owned());
    for i in 1..=30 {
        let paid = if i == 3 { 209 } else { 100 + i };
        gateway += &format!("GTW-{i:04},ORD-{:04},{paid}.50,EUR,2026-03-{i:02}\n", 31 - i);
        orders += &format!("ORD-{:04},{}.50,EUR,2026-03-{i:02}\n", 31 - i, 100 + i);
    }
    folder_with(&[("gateway.csv", &gateway), ("orders.csv", &orders)])
}

#[test]
fn a_key_that_both_files_share_is_found_and_used() {
    let folder = payments_and_orders();
    let output = run(&folder, "gateway.csv", "orders.csv", &[]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let says = "order_id on the left is id on the right: 100 % of the values coincide (confidence 1.00)";
    assert!(text(&output.stderr).contains(says), "{}", text(&output.stderr));
    let matches = csv_rows(&folder.path().join("out/matches.csv"));
    assert_eq!(matches.iter().filter(|line| !line["left_id"].is_empty()).count(), 29);
    let exceptions = csv_rows(&folder.path().join("out/exceptions.csv"));
    let kinds: Vec<&str> = exceptions.iter().map(|line| line["kind"].as_str()).collect();
    assert_eq!(kinds, ["amount_differs", "amount_differs"], "{exceptions:?}");
}

#[test]
fn the_mapping_that_was_guessed_can_be_written_and_given_back() {
    let folder = payments_and_orders();
    let first = run(&folder, "gateway.csv", "orders.csv", &["--write-mapping", "mappings"]);
    assert_eq!(first.status.code(), Some(1), "{}", text(&first.stderr));
    let before = fs::read(folder.path().join("out/matches.csv")).expect("matches");
    let given = [
        "--left-mapping",
        "mappings/left.mapping.toml",
        "--right-mapping",
        "mappings/right.mapping.toml",
        "--force",
    ];
    let second = run(&folder, "gateway.csv", "orders.csv", &given);
    assert_eq!(second.status.code(), Some(1), "{}", text(&second.stderr));
    assert!(!text(&second.stderr).contains("guessed"), "{}", text(&second.stderr));
    assert_eq!(fs::read(folder.path().join("out/matches.csv")).expect("matches"), before);
    // A file that somebody corrected is not written over.
    fs::remove_dir_all(folder.path().join("out")).expect("results");
    let third = run(&folder, "gateway.csv", "orders.csv", &["--write-mapping", "mappings"]);
    assert_eq!(third.status.code(), Some(2));
    assert!(text(&third.stderr).contains("left.mapping.toml"), "{}", text(&third.stderr));
}

#[test]
fn a_file_that_is_no_table_is_refused_as_such() {
    let folder = folder_with(&[("orders.csv", ORDERS)]);
    let program: Vec<u8> = (0..4_000u32).flat_map(|i| [b'a', 0, 3, (i * i % 256) as u8, b',']).collect();
    fs::write(folder.path().join("program"), program).expect("a file");
    let output = run(&folder, "program", "orders.csv", &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("no table"), "{}", text(&output.stderr));
}
