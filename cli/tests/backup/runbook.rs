//! The runbook for the worst day: its commands, in its order, on a cluster that is destroyed on the way.

use crate::place::{Place, said};
use shared::testing::{PrivatePostgres, test_dir};
use std::path::Path;
use std::process::Command;

/// The commands of every block, by the heading above it.
fn blocks(page: &str) -> Vec<(String, String)> {
    let (mut found, mut heading, mut block) = (vec![], String::new(), None::<String>);
    for line in page.lines() {
        match (&mut block, line) {
            (None, "```sh") => block = Some(String::new()),
            (Some(_), "```") => found.push((heading.clone(), block.take().unwrap_or_default())),
            (Some(commands), line) => *commands += &format!("{line}\n"),
            (None, line) => {
                if let Some(title) = line.strip_prefix("## ") {
                    title.clone_into(&mut heading);
                }
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_runbook_does_what_it_says() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ops/runbooks/disaster-recovery.md");
    let page = std::fs::read_to_string(page).expect("the runbook");
    let mut place = Place::new("backup-runbook");
    place.execute("CREATE DATABASE live").await;
    let config = std::fs::read_to_string(place.dir.join("config.toml")).expect("the configuration");
    std::fs::write(place.dir.join("config.toml"), config.replace("/postgres\"", "/live\"")).expect("writing");
    place.archive().await;
    said(&place.counterfoil(&["migrate"]));
    said(&place.counterfoil(&["backup", "create"]));
    said(&place.counterfoil(&["backup", "create", "--kind", "base"]));
    place.switch_wal().await;
    place.postgres.kill_9();

    let new = PrivatePostgres::start(test_dir("backup-runbook-new").join("cluster"));
    let url = new.url().replace("/postgres", "/live").replace("//live@", "//postgres@");
    let bare = place.dir.join("new.toml");
    std::fs::write(&bare, format!("[database]\nurl = \"{url}\"\n")).expect("writing");
    let blocks = blocks(&page);
    let headings: Vec<&str> = blocks.iter().map(|(heading, _)| heading.as_str()).collect();
    for heading in ["First", "The whole database", "A moment", "Rows of a project", "Afterwards"] {
        assert!(headings.contains(&heading), "{heading} has no commands");
    }
    let script: String = blocks.into_iter().map(|(_, commands)| commands).collect();
    assert!(script.matches("counterfoil").count() >= 10, "{script}");

    let program = Path::new(env!("CARGO_BIN_EXE_counterfoil"));
    let path = format!(
        "{}:{}",
        program.parent().expect("a folder").display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let mut command = Command::new("sh");
    command.args(["-eux", "-c", &script]).env("PATH", path).env("CONFIG", &bare);
    command.env("STORE", place.dir.join("far")).env("KEYS", place.dir.join("keys")).env("CLUSTER", "test");
    command.env("NEW_DATA", place.dir.join("new-data"));
    let done = said(&place.as_server(command));
    for line in ["live is restored and proven", "shut down in order", "is at this version", "is proven: "] {
        assert!(done.contains(line), "{line}: {done}");
    }
}
