//! Runbooks: one for each alert, with links that lead somewhere and commands that exist.

use super::files::{alerts, files, ops, read};
use crate::process::counterfoil;
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn every_alert_has_its_runbook() {
    let alerts: BTreeSet<String> = alerts().into_iter().map(|alert| alert.name).collect();
    let mut pages: BTreeSet<String> = files(&ops("runbooks"), "md")
        .iter()
        .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    for of_no_alert in ["README", "Rollout", "Rollback"] {
        assert!(pages.remove(of_no_alert), "{of_no_alert}");
    }
    assert_eq!(pages, alerts, "runbooks on the left, alerts on the right");
    for page in pages {
        let text = read(&ops(&format!("runbooks/{page}.md")));
        for part in [
            &format!("# {page}\n"),
            "## What it means\n",
            "## What to look at\n",
            "```sh\n",
            "## What to do\n\n- ",
        ] {
            assert!(text.contains(part), "{page} has no {part:?}");
        }
    }
}

#[test]
fn links_lead_somewhere() {
    for path in files(&ops("runbooks"), "md") {
        for link in read(&path).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = path.parent().expect("a folder").join(link);
            assert!(target.exists(), "{link} in {}", path.display());
        }
    }
}

/// The words of every command of ours, and what it is given.
#[test]
fn commands_exist() {
    let mut help = BTreeMap::<Vec<String>, String>::new();
    let mut commands = 0;
    for path in files(&ops("runbooks"), "md") {
        let text = read(&path);
        let lines = text.lines().filter(|line| line.starts_with("counterfoil "));
        let inline = text.split('`').skip(1).step_by(2).filter(|code| code.starts_with("counterfoil "));
        for command in lines.chain(inline) {
            let ours = command.split('|').next().expect("a command");
            let words: Vec<String> = ours.split_whitespace().skip(1).map(str::to_owned).collect();
            let is_name =
                |word: &&String| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-' || b == b'_');
            let names: Vec<String> =
                words.iter().take_while(|word| is_name(word) && !word.starts_with('-')).cloned().collect();
            let says = help.entry(names.clone()).or_insert_with(|| {
                let asked = counterfoil().args(&names).arg("--help").output().expect("the executable runs");
                assert!(asked.status.success(), "{command:?} in {}: no such command", path.display());
                String::from_utf8_lossy(&asked.stdout).into_owned()
            });
            for option in words.iter().filter(|word| word.starts_with("--")) {
                assert!(says.contains(option.as_str()), "{option} of {command:?} in {}", path.display());
            }
            commands += 1;
        }
    }
    assert!(commands > 30, "only {commands} commands found");
}
