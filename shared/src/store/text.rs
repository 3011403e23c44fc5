//! Looking for a text that somebody typed, in any letter case, in what no index helps with.

use super::{Store, StoreError};
use sqlx::{Postgres, QueryBuilder};

/// Items of one run that one page looks at for a text. An index of all words of all records would make writing results
/// several times slower, for a search that is about one run; a page that finds little says where to go on. Looking at
/// so many takes 0.1 to 0.3 s.
pub const TEXT_WINDOW: u32 = 20_000;

/// The most characters that may be looked for.
pub const TEXT_CHARS_MAX: usize = 200;

/// Part of a list, where items may be passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked<T, C> {
    pub items: Vec<T>,
    /// There may be more: go on after this one. It may be an item that did not fit.
    pub resume_after: Option<C>,
}

impl<T, C> Looked<T, C> {
    pub(super) fn none() -> Self {
        Self { items: vec![], resume_after: None }
    }

    /// From one more than fits. `end` is where the window ended, if it did before the items.
    pub(super) fn of(mut items: Vec<T>, limit: u32, cursor: impl Fn(&T) -> C, end: Option<C>) -> Self {
        let resume_after = if items.len() > limit as usize {
            items.truncate(limit as usize);
            items.last().map(cursor)
        } else {
            end
        };
        Self { items, resume_after }
    }
}

/// The pattern of `ILIKE` for a text anywhere inside.
pub(super) fn contains(text: &str) -> String {
    format!("%{}%", text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"))
}

/// The pattern of `ILIKE` for a name in which `*` stands for any characters and `?` for one.
pub(super) fn like(pattern: &str) -> String {
    let mut like = String::with_capacity(pattern.len() + 8);
    for c in pattern.chars() {
        match c {
            '*' => like.push('%'),
            '?' => like.push('_'),
            '%' | '_' | '\\' => like.extend(['\\', c]),
            other => like.push(other),
        }
    }
    like
}

type Query = QueryBuilder<Postgres>;

/// Appends a condition: the id of the record, or one of its fields, has the text.
pub(super) fn push_record_has(query: &mut Query, text: &str) {
    push_has(query, "record", &contains(text));
}

/// The same of any record of a match, which is packed or, in older rows, an object.
pub(super) fn push_match_has(query: &mut Query, text: &str) {
    query.push(
        "CASE WHEN left_packed IS NULL THEN EXISTS (
             SELECT FROM jsonb_array_elements(left_records || right_records) AS of (record) WHERE ",
    );
    push_has(query, "of.record", &contains(text));
    query.push(
        ") ELSE EXISTS (
             SELECT FROM jsonb_array_elements(left_packed::jsonb || right_packed::jsonb) AS of (record) WHERE ",
    );
    push_either_has(query, "of.record->>2", "coalesce(of.record->6, '{}')", &contains(text));
    query.push(") END");
}

fn push_has(query: &mut Query, record: &str, pattern: &str) {
    push_either_has(query, &format!("{record}->>'id'"), &format!("{record}->'fields'"), pattern);
}

fn push_either_has(query: &mut Query, id: &str, fields: &str, pattern: &str) {
    query.push(format!("({id} ILIKE ")).push_bind(pattern.to_owned());
    query.push(format!(" OR EXISTS (SELECT FROM jsonb_each_text({fields}) AS f WHERE f.value ILIKE "));
    query.push_bind(pattern.to_owned()).push("))");
}

/// The last of the first [`TEXT_WINDOW`] rows of a statement that has neither limit nor offset; `None`: it has fewer.
pub(super) async fn end_of_window<R>(store: &sqlx::PgPool, mut query: Query) -> Result<Option<R>, StoreError>
where
    R: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow> + Send + Unpin,
{
    query.push(" LIMIT 1 OFFSET ").push_bind(i64::from(TEXT_WINDOW) - 1);
    Ok(query.build_query_as().fetch_optional(store).await?)
}

impl Store {
    /// Accounts whose name or address has the text, at most 1,000.
    pub(super) async fn accounts_like(&self, text: &str) -> Result<Vec<uuid::Uuid>, StoreError> {
        let statement = "SELECT id FROM users WHERE name ILIKE $1 OR email ILIKE $1 LIMIT 1000";
        Ok(sqlx::query_scalar(statement).bind(contains(text)).fetch_all(self.pool()).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_letters_like_others() {
        assert_eq!(contains(r"50% of a_b\c"), r"%50\% of a\_b\\c%");
        assert_eq!(like(r"bank_*.cs?"), r"bank\_%.cs_");
    }

    #[test]
    fn a_list_goes_on_after_its_last_item_or_where_the_window_ended() {
        let looked = |items: &[u8], end| Looked::of(items.to_vec(), 2, |n| *n, end);
        assert_eq!(looked(&[1, 2, 3], Some(9)), Looked { items: vec![1, 2], resume_after: Some(2) });
        assert_eq!(looked(&[1], Some(9)), Looked { items: vec![1], resume_after: Some(9) });
        assert_eq!(looked(&[1], None), Looked { items: vec![1], resume_after: None });
    }
}
