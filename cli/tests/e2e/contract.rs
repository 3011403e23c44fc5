//! The API keeps to its own document, whoever asks and whatever. The long run is by hand, see `bench/README.md`.

use crate::process::counterfoil;
use std::path::Path;
use std::process::Command;

/// Exit code of the script where Schemathesis is not installed.
const SKIPPED: i32 = 77;

#[test]
fn answers_are_those_of_the_document_for_every_role() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench/contract/run.py");
    let executable = counterfoil().get_program().to_owned();
    let asked = Command::new("python3")
        .arg(script)
        .arg("--counterfoil")
        .arg(executable)
        .args(["--seconds", "4", "--workers", "1"])
        .output();
    let Ok(asked) = asked else {
        println!("skipped: python3 is not installed, so the document is not tried");
        return;
    };
    let said = String::from_utf8_lossy(&asked.stdout);
    if asked.status.code() == Some(SKIPPED) {
        println!("{said}");
        return;
    }
    assert!(asked.status.success(), "{said}\n{}", String::from_utf8_lossy(&asked.stderr));
    let cases: u32 = said
        .lines()
        .last()
        .and_then(|line| line.split_once(" cases")?.0.parse().ok())
        .unwrap_or_else(|| panic!("no count of cases in {said}"));
    // Eight roles, and a slow machine.
    assert!(cases >= 80, "{cases} cases are too few to say anything:\n{said}");
}
