//! `ops/image/Dockerfile`.

use super::files::{ops, read, root};
use super::settings::suffice_for;
use super::tools::{linter, run};
use std::process::Command;

/// Instructions with their arguments, continued lines joined.
fn instructions() -> Vec<(String, String)> {
    let text = read(&ops("image/Dockerfile")).replace("\\\n", " ");
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines
        .map(|line| {
            let (instruction, rest) = line.split_once(' ').expect("an argument");
            (instruction.to_owned(), rest.split_whitespace().collect::<Vec<_>>().join(" "))
        })
        .collect()
}

/// The stages, by name.
fn stages() -> Vec<(String, Vec<(String, String)>)> {
    let mut stages: Vec<(String, Vec<(String, String)>)> = vec![];
    for (instruction, rest) in instructions() {
        if instruction == "FROM" {
            let (_, name) = rest.split_once(" AS ").expect("every stage has a name");
            stages.push((name.to_owned(), vec![(instruction, rest)]));
        } else if let Some((_, stage)) = stages.last_mut() {
            stage.push((instruction, rest));
        } else {
            assert_eq!(instruction, "ARG", "before the first stage");
        }
    }
    stages
}

#[test]
fn what_runs_is_nobody_and_has_nothing_to_lose() {
    let stages = stages();
    let names: Vec<&str> = stages.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["build", "with-postgresql", "counterfoil"],
        "the last one is what is built by default"
    );
    for (name, stage) in &stages {
        let (_, from) = &stage[0];
        assert!(!from.contains(":latest") && from.contains(':'), "{name} is from {from}");
        if name == "build" {
            continue;
        }
        let of =
            |what: &str| stage.iter().filter(|(is, _)| is == what).map(|(_, rest)| rest).collect::<Vec<_>>();
        assert_eq!(
            of("USER"),
            ["65532:65532"],
            "{name}: a number, so that Kubernetes knows that it is not root"
        );
        assert_eq!(of("ENTRYPOINT"), [r#"["/usr/local/bin/counterfoil"]"#], "{name}: no shell in between");
        assert!(of("RUN").is_empty() && of("ADD").is_empty(), "{name} runs nothing");
        for copied in of("COPY") {
            assert!(copied.contains("--from=build"), "{name} copies {copied}");
        }
        let environment: Vec<(String, String)> = of("ENV")
            .iter()
            .flat_map(|line| line.split(' '))
            .map(|pair| pair.split_once('=').expect("a value"))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        suffice_for("up", &environment);
    }
}

#[test]
fn the_build_sees_no_secret_and_the_right_compiler() {
    let ignored = read(&ops("image/Dockerfile.dockerignore"));
    for path in ["/target", "/.git", "/ops/compose/secrets"] {
        assert!(ignored.lines().any(|line| line == path), "{path} goes into the build");
    }
    let version = read(&root().join("rust-toolchain.toml"));
    let version = version.split('"').nth(1).expect("a channel").to_owned();
    let dockerfile = read(&ops("image/Dockerfile"));
    assert!(dockerfile.contains(&format!("ARG RUST={version}\n")), "rust-toolchain.toml says {version}");
}

#[test]
fn hadolint_finds_nothing() {
    let Some(hadolint) = linter("hadolint") else { return };
    run(Command::new(hadolint).arg("--config").arg(ops("image/hadolint.yaml")).arg(ops("image/Dockerfile")));
}
