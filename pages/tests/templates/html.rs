//! Whether a page is whole: every element that begins also ends, in order, and every id is there once.

use std::collections::BTreeSet;

/// Elements without an end.
const VOID: [&str; 6] = ["meta", "link", "input", "br", "hr", "!doctype"];

pub fn check(path: &str, page: &str) {
    let mut open: Vec<&str> = vec![];
    let mut ids = BTreeSet::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        let tag = &rest[at + 1..];
        let end = tag_end(tag).unwrap_or_else(|| panic!("{path}: a tag without an end: {:.80}", tag));
        let (inside, behind) = (&tag[..end], &tag[end + 1..]);
        rest = behind;
        let name = inside.trim_start_matches('/').split([' ', '\n', '/']).next().unwrap_or_default();
        if let Some(closed) = inside.strip_prefix('/') {
            let begun = open.pop();
            assert_eq!(begun, Some(closed.trim()), "{path}: </{closed}> after {open:?}: {:.200}", rest);
        } else if !VOID.contains(&name) && !inside.ends_with('/') {
            open.push(name);
        }
        if let Some((_, id)) = inside.split_once(" id=\"") {
            let id = id.split('"').next().unwrap_or_default();
            assert!(ids.insert(id.to_owned()), "{path}: #{id} twice");
        }
    }
    assert!(open.is_empty(), "{path}: {open:?} never end");
    if page.starts_with("<!doctype html>") && page.contains("<main") {
        assert_eq!(page.matches("<h1").count(), 1, "{path}: {page}");
    }
}

/// Attributes may hold `>`.
fn tag_end(tag: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in tag.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (None, '>') => return Some(at),
            _ => {}
        }
    }
    None
}
