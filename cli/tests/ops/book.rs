//! The documentation in `docs`: whole, linked, and about commands that there are.

use super::files::{below, read, root};
use super::tools::{counterfoil, linter, output, run};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

fn docs() -> PathBuf {
    root().join("docs")
}

fn pages() -> Vec<PathBuf> {
    let files = below(&docs()).into_iter().filter(|path| path.extension().is_some_and(|e| e == "md"));
    files.filter(|path| path.file_name().is_some_and(|name| name != "SUMMARY.md")).collect()
}

/// Links of a page, with the code taken out.
fn links(text: &str) -> Vec<String> {
    let mut prose = String::new();
    let mut is_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            prose += line;
            prose.push('\n');
        }
    }
    // Between backticks is code, too.
    let prose: String = prose.split('`').step_by(2).collect();
    prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()).map(str::to_owned).collect()
}

/// What GitHub and mdBook make of a heading.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings =
        text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let anchor = |heading: &str| {
        let kept = heading.to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn every_page_is_a_chapter_once() {
    let summary = links(&read(&docs().join("SUMMARY.md")));
    let chapters: BTreeSet<&String> = summary.iter().collect();
    assert_eq!(chapters.len(), summary.len(), "a chapter is there twice");
    let pages: Vec<String> = pages()
        .iter()
        .map(|path| path.strip_prefix(docs()).expect("below docs").display().to_string())
        .collect();
    assert_eq!(pages.iter().collect::<BTreeSet<_>>(), chapters, "pages on the left, chapters on the right");
    for page in pages {
        assert!(read(&docs().join(&page)).starts_with("# "), "{page} has no title");
    }
}

#[test]
fn links_lead_somewhere() {
    let mut more =
        vec![root().join("README.md"), root().join("ARCHITECTURE.md"), root().join("samples/README.md")];
    more.extend(
        below(&root().join("ops")).into_iter().filter(|path| path.extension().is_some_and(|e| e == "md")),
    );
    let mut seen = 0;
    for page in pages().into_iter().chain(more) {
        for link in links(&read(&page)) {
            if link.starts_with("http") {
                continue;
            }
            let (path, anchor) =
                link.split_once('#').map_or((link.as_str(), None), |(path, anchor)| (path, Some(anchor)));
            let target =
                if path.is_empty() { page.clone() } else { page.parent().expect("a folder").join(path) };
            assert!(target.exists(), "{link} in {}", page.display());
            if let Some(anchor) = anchor {
                assert!(
                    anchors(&read(&target)).contains(anchor),
                    "{link} in {}: no such heading",
                    page.display()
                );
            }
            seen += 1;
        }
    }
    assert!(seen > 40, "only {seen} links found");
}

/// Lines of shell blocks that run us, continued ones joined.
fn commands(page: &Path) -> Vec<String> {
    let text = read(page).replace("\\\n", " ");
    let mut is_shell = false;
    let mut commands = vec![];
    for line in text.lines() {
        if let Some(language) = line.strip_prefix("```") {
            is_shell = !is_shell && language == "sh";
        } else if is_shell {
            let ours = line.split('|').map(str::trim).filter(|part| part.starts_with("counterfoil "));
            commands.extend(ours.map(|part| part.split(" #").next().unwrap_or(part).to_owned()));
        }
    }
    commands
}

/// The words and options of every command on every page exist.
#[test]
fn commands_exist() {
    let mut help = BTreeMap::<Vec<String>, Option<String>>::new();
    let mut seen = 0;
    for page in pages() {
        for command in commands(&page) {
            let words: Vec<String> = command.split_whitespace().skip(1).map(str::to_owned).collect();
            let is_name = |word: &&String| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
            let plain = words.iter().take_while(|word| is_name(word) && !word.starts_with('-'));
            let mut names: Vec<String> = plain.take(3).cloned().collect();
            // The last words may be arguments.
            let says = loop {
                let known = help.entry(names.clone()).or_insert_with(|| {
                    let asked = output(counterfoil().args(&names).arg("--help"));
                    asked.status.success().then(|| String::from_utf8_lossy(&asked.stdout).into_owned())
                });
                match known {
                    Some(says) => break says.clone(),
                    None => assert!(names.len() > 1, "{command:?} in {}: no such command", page.display()),
                }
                names.pop();
            };
            for option in words.iter().filter(|word| word.starts_with("--")) {
                let option = option.split('=').next().expect("a name");
                assert!(says.contains(option), "{option} of {command:?} in {}", page.display());
            }
            seen += 1;
        }
    }
    assert!(seen > 30, "only {seen} commands found");
}

#[test]
fn mdbook_makes_a_site_of_it() {
    let Some(mdbook) = linter("mdbook") else { return };
    let dir = tempfile::tempdir().expect("a folder");
    let built = output(Command::new(mdbook).arg("build").arg(docs()).arg("-d").arg(dir.path()));
    let told = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success() && !told.contains("ERROR") && !told.contains("WARN"), "{told}");
    for page in
        ["index.html", "quick-start.html", "configuration.html", "metrics.html", "images/job-light.png"]
    {
        assert!(dir.path().join(page).is_file(), "{page}");
    }
}

/// What is printed from the code is what stands in the book.
#[test]
fn references_are_those_of_the_code() {
    for (args, page) in
        [(["config", "reference"].as_slice(), "configuration.md"), (&["metrics-reference"], "metrics.md")]
    {
        let printed = run(counterfoil().args(args));
        let is_same = read(&docs().join(page)) == printed;
        assert!(is_same, "docs/{page} is old: counterfoil {} > docs/{page}", args.join(" "));
    }
}
