//! Every command line of ours in every document parses: its words are commands, its options exist, its values are such
//! as they may be.

use crate::Cli;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory};
use std::path::{Path, PathBuf};

/// For words that stand for something: `ID`, `$JOB`, `…`. The first that fits is taken.
const EXAMPLES: [&str; 10] = [
    "example",
    "0192f0c1-0000-7000-8000-000000000001",
    "2",
    "2026-11-22T13:45:00Z",
    "0/3000148",
    "reconciliation",
    "inbox",
    "at_once",
    "intercompany",
    "127.0.0.1:8080",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// Every page that people read.
fn pages() -> Vec<PathBuf> {
    let mut found = vec![];
    for folder in ["docs", "ops", "samples", "bench"] {
        below(&root().join(folder), &mut found);
    }
    found.extend(["README.md", "ARCHITECTURE.md", "SECURITY.md"].map(|name| root().join(name)));
    found.sort();
    found
}

fn below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// What a page has of shell: the lines of its blocks with continued ones joined, and what is in its sentences.
#[derive(Default)]
struct Shell {
    lines: Vec<String>,
    inline: Vec<String>,
}

fn shell_of(page: &str) -> Shell {
    let (mut shell, mut text, mut block) = (Shell::default(), String::new(), None);
    for line in page.replace("\\\n", " ").lines() {
        match (line.trim_start().strip_prefix("```"), &block) {
            (Some(language), None) => block = Some(language.to_owned()),
            (Some(_), Some(_)) => block = None,
            (None, Some(language)) if ["sh", "bash", "console"].contains(&language.as_str()) => {
                shell.lines.push(line.to_owned());
            }
            (None, Some(_)) => {}
            (None, None) => text += &format!("{line}\n"),
        }
    }
    let code = text.split('`').skip(1).step_by(2).map(|code| code.replace('\n', " "));
    shell.inline = code.filter(|code| code.starts_with("counterfoil ")).collect();
    shell
}

/// A line's simple commands, each as its words; quotes are taken off, comments are left out.
fn simple_commands(line: &str) -> Vec<Vec<String>> {
    let (mut commands, mut words, mut word) = (vec![], vec![], None::<String>);
    let mut quote = None;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, '$') if chars.peek() == Some(&'(') => {
                // What is set to its output is no word of it.
                word = None;
                chars.next();
                commands.push(std::mem::take(&mut words));
            }
            (None, '|' | ';' | '&' | '(' | ')') => {
                words.extend(word.take());
                commands.push(std::mem::take(&mut words));
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    commands.push(words);
    commands
}

/// The words after our name, where it is what is run.
fn ours(words: &[String]) -> Option<Vec<String>> {
    let is_before = |word: &&String| {
        let name = word.split('=').next().unwrap_or_default();
        ["time", "sudo", "exec"].contains(&word.as_str())
            || (word.contains('=') && name.bytes().all(|b| b.is_ascii_uppercase() || b"_".contains(&b)))
    };
    let mut words = words.iter().skip_while(is_before);
    let name = words.next()?;
    let is_us = name == "counterfoil" || name.ends_with("/counterfoil");
    // Where its output goes is the shell's.
    is_us.then(|| words.take_while(|word| !word.starts_with(['>', '<']) && *word != "2>").cloned().collect())
}

/// `list | show ID` in a block, `list\|show` in a table: ways to go on from the same command.
fn alternatives(root: &Command, line: &str) -> Vec<Vec<String>> {
    let line = line.replace("\\|", "|").replace(['[', ']'], " ").replace('…', " ");
    let mut found: Vec<Vec<String>> = vec![];
    for words in simple_commands(&line) {
        if let Some(words) = ours(&words) {
            found.push(words);
        } else if let (Some(before), Some(first)) = (found.last(), words.first()) {
            let parent = before.iter().position(|word| word.starts_with('-')).unwrap_or(before.len());
            // From the longest beginning that has such a command; otherwise it is another program.
            let siblings = (0..=parent).rev().map(|length| &before[..length]);
            let has_it = |names: &&[String]| {
                let at = names.iter().try_fold(root, |command, name| command.find_subcommand(name));
                at.is_some_and(|at| at.find_subcommand(first).is_some())
            };
            let way = siblings.into_iter().find(has_it).map(|names| [names, words.as_slice()].concat());
            found.extend(way);
        }
    }
    found
}

fn is_placeholder(word: &str) -> bool {
    let word = word.trim_matches(['<', '>', '{', '}']);
    word.starts_with('$')
        || word.contains('%')
        || (!word.is_empty() && word.bytes().all(|b| b.is_ascii_uppercase() || b"_-".contains(&b)))
}

/// `is_whole`: it could be run as it is; otherwise it may lack what a sentence need not say.
fn parse(words: &[String], is_whole: bool) -> Result<(), String> {
    let mut words: Vec<String> = std::iter::once("counterfoil".to_owned()).chain(words.to_vec()).collect();
    let mut tried = 0;
    loop {
        let error = match Cli::command().try_get_matches_from(&words) {
            Ok(_) => return Ok(()),
            Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
                return Ok(());
            }
            Err(error) => error,
        };
        let lacks = matches!(
            error.kind(),
            ErrorKind::MissingRequiredArgument
                | ErrorKind::MissingSubcommand
                | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        );
        if lacks && !is_whole {
            return Ok(());
        }
        let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue) else {
            return Err(error.to_string());
        };
        if value.is_empty() && !is_whole {
            return Ok(());
        }
        let stands_for = |word: &&mut String| {
            *word == value && (is_placeholder(word) || EXAMPLES.contains(&word.as_str()))
        };
        let (Some(word), Some(example)) = (words.iter_mut().find(stands_for), EXAMPLES.get(tried)) else {
            return Err(error.to_string());
        };
        *word = (*example).to_owned();
        tried = (tried + 1) % (EXAMPLES.len() + 1);
        if tried == EXAMPLES.len() {
            return Err(error.to_string());
        }
    }
}

#[test]
fn every_command_in_every_document_parses() {
    let root = Cli::command();
    let (mut seen, mut wrong) = (0, vec![]);
    for page in pages() {
        let shell = shell_of(&std::fs::read_to_string(&page).expect("a page"));
        let lines = shell.lines.iter().map(|line| (line, true));
        for (line, is_whole) in lines.chain(shell.inline.iter().map(|code| (code, false))) {
            for words in alternatives(&root, line) {
                seen += 1;
                // A way to go on that is only named has no arguments, either.
                let is_whole = is_whole && !line.contains(" | ") && !line.contains('…');
                if let Err(why) = parse(&words, is_whole) {
                    wrong.push(format!("{}: {line}\n{why}", page.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {seen}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(seen > 200, "only {seen} commands found");
    println!("{seen} commands of documents parse");
}

/// Whoever reads documents must see what is wrong in them.
#[test]
fn mistakes_are_seen() {
    let command = Cli::command();
    let of = |line: &str| {
        let found = alternatives(&command, line);
        found.iter().map(|words| parse(words, true).is_ok()).collect::<Vec<_>>()
    };
    assert_eq!(of("counterfoil backup list"), [true]);
    assert_eq!(of("counterfoil backup status"), [false], "no such command");
    assert_eq!(of("counterfoil backup list --all"), [false], "no such option");
    assert_eq!(of("counterfoil backup list --kind fullest"), [false], "no such value");
    assert_eq!(of("counterfoil jobs show ID    # one"), [true]);
    assert_eq!(of("counterfoil jobs show"), [false], "it lacks the id");
    assert_eq!(of("counterfoil backup list | show ID | verify [--heal] | drill | nonsense"), [true; 4]);
    assert_eq!(
        of("counterfoil jobs list | grep 'counterfoil backup'"),
        [true],
        "what another program is given"
    );
    assert_eq!(of("kubectl -n counterfoil create secret"), [true; 0], "another program");
    assert_eq!(of("X=$(counterfoil --config \"$C\" backup list | head -1)"), [true]);
    assert_eq!(of("A_KEY=k.pem counterfoil api && counterfoil nothing"), [true, false]);
    assert_eq!(of("counterfoil restore pitr --into /x --time WHEN"), [true], "a word that stands for one");
}
