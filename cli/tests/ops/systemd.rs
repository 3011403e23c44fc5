//! `ops/systemd`.

use super::files::{below, ops, read};
use super::settings::suffice_for;
use super::tools::{executable, installed, output};
use std::process::Command;

fn units() -> Vec<(String, String)> {
    let files = below(&ops("systemd")).into_iter().filter(|path| path.extension().is_some_and(|e| e != "md"));
    files
        .map(|path| (path.file_name().expect("a name").to_string_lossy().into_owned(), read(&path)))
        .collect()
}

fn services() -> Vec<(String, String)> {
    units().into_iter().filter(|(name, _)| name.ends_with(".service")).collect()
}

fn values<'t>(text: &'t str, key: &str) -> Vec<&'t str> {
    text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

#[test]
fn roles_get_all_their_settings_and_every_secret() {
    let services = services();
    assert_eq!(services.len(), 4);
    for (name, text) in &services {
        let command = values(text, "ExecStart")[0];
        let role = command.rsplit(' ').next().expect("a role");
        assert!(name.starts_with(&format!("counterfoil-{role}")), "{name} starts {role}");
        let environment: Vec<(String, String)> = values(text, "Environment")
            .iter()
            .map(|pair| pair.split_once('=').expect("a value"))
            // As systemd would, for the worker 01.
            .map(|(name, value)| (name.to_owned(), value.replace("%S", "/var/lib").replace("%i", "01")))
            .collect();
        suffice_for(role, &environment);
        let credentials = values(text, "LoadCredential");
        for (_, value) in &environment {
            let Some(secret) = value.strip_prefix("file:%d/") else { continue };
            let given = format!("{secret}:/etc/counterfoil/secrets/{secret}");
            assert!(credentials.contains(&given.as_str()), "{name} is not given {secret}");
        }
        assert!(
            !text.contains("://") || values(text, "Environment").iter().all(|v| !v.contains("://")),
            "{name}"
        );
        if role != "migrate" {
            assert_eq!(values(text, "Restart"), ["always"], "{name}");
            assert_eq!(values(text, "PartOf"), ["counterfoil.target"], "{name}");
            assert_eq!(values(text, "Requires"), ["counterfoil-migrate.service"], "{name}");
        }
    }
}

/// systemd reads them as they would be installed, with the executable under test in its place.
#[test]
fn systemd_accepts_the_units_and_finds_little_exposed() {
    let Some(analyze) = installed("systemd-analyze") else { return };
    let dir = tempfile::tempdir().expect("a folder");
    let mut files = vec![];
    for (name, text) in units() {
        let text = text.replace("/usr/local/bin/counterfoil", executable().to_str().expect("UTF-8"));
        let name = name.replace("@.", "@01.");
        std::fs::write(dir.path().join(&name), text).expect("a file");
        files.push(dir.path().join(name));
    }
    let verified = output(Command::new(&analyze).args(["verify", "--man=no"]).args(&files));
    let complaints = String::from_utf8_lossy(&verified.stderr);
    // Of ours: other units of this machine are not our concern.
    let ours: Vec<&str> = complaints.lines().filter(|line| line.contains("counterfoil")).collect();
    assert!(verified.status.success() && ours.is_empty(), "{complaints}");
    for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "service")) {
        // 0 to 100: below 20 is what systemd calls OK with room to spare.
        let judged =
            output(Command::new(&analyze).args(["security", "--offline=true", "--threshold=15"]).arg(file));
        let told = String::from_utf8_lossy(&judged.stdout);
        assert!(judged.status.success(), "{}: {}", file.display(), told.lines().last().unwrap_or_default());
    }
}
