//! Pages of long lists, by key: each page says where the next one begins.

use crate::read::{Parameters, ReadQuery};
use shared::ids::ProjectId;
use shared::store::text::TEXT_CHARS_MAX;
use std::fmt::Write;
use utoipa::IntoParams;
use uuid::Uuid;

pub(crate) const LIMIT_MAX: u32 = 500;
const LIMIT_DEFAULT: u32 = 100;

/// At most this many elements: 1 to 500, 100 unless said otherwise.
pub(crate) fn limit(parameters: &mut Parameters) -> u32 {
    parameters.optional("limit", Parameters::integer(1..=LIMIT_MAX)).unwrap_or(LIMIT_DEFAULT)
}

/// A page of what a project has.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ProjectPage {
    #[param(value_type = Uuid)]
    pub project_id: ProjectId,
    /// Only those older than this one: the last of the page before.
    pub after: Option<Uuid>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 100)]
    pub limit: u32,
}

impl ReadQuery for ProjectPage {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        let project_id = parameters.required("project_id", Parameters::id);
        let after = parameters.optional("after", Parameters::id);
        let limit = limit(parameters);
        Some(Self { project_id: project_id?, after, limit })
    }
}

impl ProjectPage {
    /// The page from what was read with one element more than its limit, and the address of the next one.
    pub fn cut<T>(&self, found: Vec<T>, path: &str, id: impl FnOnce(&T) -> Uuid) -> (Vec<T>, Option<String>) {
        let page = Page::cut(found, self.limit);
        let kept =
            [("project_id", Some(self.project_id.to_string())), ("limit", Some(self.limit.to_string()))];
        let next = page.next(path, &kept, id);
        (page.items, next)
    }
}

/// One page, read with one element more than fits: whether that one is there says whether there is a next page.
pub(crate) struct Page<T> {
    pub items: Vec<T>,
    pub has_next: bool,
}

impl<T> Page<T> {
    pub fn cut(mut items: Vec<T>, limit: u32) -> Self {
        let has_next = items.len() > limit as usize;
        items.truncate(limit as usize);
        Self { items, has_next }
    }

    /// The address of the next page: `path` with `parameters` and the cursor of the last element.
    pub fn next<C: std::fmt::Display>(
        &self,
        path: &str,
        parameters: &[(&str, Option<String>)],
        cursor: impl FnOnce(&T) -> C,
    ) -> Option<String> {
        let last = self.items.last().filter(|_| self.has_next)?;
        Some(address_after(path, parameters, cursor(last)))
    }
}

/// The address of the page behind `after`: `path` with `parameters`, whose values stand in it as they are.
pub(crate) fn address_after(
    path: &str,
    parameters: &[(&str, Option<String>)],
    after: impl std::fmt::Display,
) -> String {
    let mut next = format!("{path}?");
    for (name, value) in parameters {
        if let Some(value) = value {
            // Ids, numbers and words need no escaping; texts were escaped.
            let _ = write!(next, "{name}={value}&");
        }
    }
    let _ = write!(next, "after={after}");
    next
}

/// Something to look for: 1 to 200 characters.
pub(crate) fn text(text: &str) -> Result<String, String> {
    match text.chars().count() {
        _ if text.contains('\0') => Err("must not contain the character U+0000".to_owned()),
        1..=TEXT_CHARS_MAX => Ok(text.to_owned()),
        n => Err(format!("must have 1 to {TEXT_CHARS_MAX} characters, not {n}")),
    }
}

/// A place in a stored result. Opaque to clients: take it from `next`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor(pub i32);

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "o{:08x}", self.0)
    }
}

impl Cursor {
    pub fn read(text: &str) -> Result<Self, String> {
        let ordinal =
            text.strip_prefix('o').filter(|hex| hex.len() == 8 && hex.bytes().all(|b| b.is_ascii_hexdigit()));
        let ordinal = ordinal.and_then(|hex| u32::from_str_radix(hex, 16).ok());
        let ordinal = ordinal.and_then(|ordinal| i32::try_from(ordinal).ok());
        ordinal.map(Cursor).ok_or_else(|| "must be taken from the `next` of a page".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cursors_read_back_and_nothing_else_does() {
        for ordinal in [0, 1, 99, i32::MAX] {
            assert_eq!(Cursor::read(&Cursor(ordinal).to_string()), Ok(Cursor(ordinal)));
        }
        for bad in ["", "1", "o", "o1", "offffffff", "o0000000g", "o+0000001", "o000000001"] {
            assert!(Cursor::read(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_cursor_as_we_write_it_or_refused(text in prop_oneof![".{0,20}", "o?[-+0-9a-fA-F]{0,10}"]) {
            if let Ok(cursor) = Cursor::read(&text) {
                prop_assert_eq!(cursor.to_string(), text.to_lowercase());
            }
        }
    }

    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_query_is_read::<ProjectPage>();
    }

    #[test]
    fn the_last_page_has_no_next() {
        let full = Page::cut(vec![1, 2, 3], 3);
        assert_eq!(full.next("/x", &[], |n| *n), None);
        let more = Page::cut(vec![1, 2, 3, 4], 3);
        assert_eq!(more.items, [1, 2, 3]);
        let parameters =
            [("kind", Some("ambiguous".to_owned())), ("state", None), ("limit", Some("3".into()))];
        assert_eq!(more.next("/x", &parameters, |n| *n).unwrap(), "/x?kind=ambiguous&limit=3&after=3");
    }
}
