//! Finding open records that belong together, to match them by hand: both sides next to each other, each in pages of its
//! own, with what was chosen kept through all of them.

use super::answers::{ExceptionDetail, ReasonCode, ReviewedException};
use super::hand::context;
use super::head::{ReviewHead, heads};
use super::line::{Line, exception_line};
use super::{api, ours};
use crate::answers::Items;
use crate::ask::Refusal;
use crate::form::{Fields, Posted};
use crate::html::escape_query;
use crate::problem::Document;
use crate::reconciliations::show::Head;
use crate::reconciliations::{Names, id_of};
use crate::shell::{Shell, Visit};
use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use std::collections::HashSet;

/// Records of one page of a side.
const SHOWN: u32 = 100;
/// As many as one match may have.
const CHOSEN_MAX: usize = 500;

#[derive(Template)]
#[template(path = "review/find.html")]
pub(crate) struct FindPage {
    pub shell: Shell,
    pub head: Head,
    pub review: ReviewHead,
    pub wanted: Wanted,
    pub sides: Vec<FindSide>,
    pub reasons: Vec<ReasonCode>,
    pub trouble: Option<Document>,
    pub back: String,
}

/// What is looked for, on both sides.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    pub text: String,
    pub currency: String,
    pub min_amount: String,
    pub max_amount: String,
    pub dated_from: String,
    pub dated_through: String,
    /// `amount` or `day`.
    pub order: String,
}

/// A page of the open exceptions of one side: chosen ones, then those that begin with the text, then the others that fit.
pub(crate) struct FindSide {
    pub name: &'static str,
    pub title: &'static str,
    pub items: Vec<Choice>,
    /// Where this page begins; empty for the first.
    pub after: String,
    /// Where the next one does.
    pub next: Option<String>,
}

pub(crate) struct Choice {
    pub line: Line,
    /// As the API writes it, for adding up.
    pub amount: String,
    pub is_chosen: bool,
}

impl Wanted {
    fn read(asked: &Fields, currency: &str) -> Self {
        let get = |name: &str| asked.get(name).trim().to_owned();
        let is_by_day = asked.get("order") == "day";
        Self {
            text: get("text"),
            currency: asked.given("currency").unwrap_or(currency).to_owned(),
            min_amount: get("min_amount"),
            max_amount: get("max_amount"),
            dated_from: get("dated_from"),
            dated_through: get("dated_through"),
            order: if is_by_day { "day" } else { "amount" }.into(),
        }
    }

    /// `&text=…&currency=…`, what is given; for our own addresses and the API's.
    fn query(&self) -> String {
        let words = [
            ("text", &self.text),
            ("currency", &self.currency),
            ("min_amount", &self.min_amount),
            ("max_amount", &self.max_amount),
            ("dated_from", &self.dated_from),
            ("dated_through", &self.dated_through),
            ("order", &self.order),
        ];
        let given = words.iter().filter(|(_, value)| !value.is_empty());
        given.map(|(name, value)| format!("&{name}={}", escape_query(value))).collect()
    }

    /// Whether a page may be short though there is more: what it looks at is bounded.
    pub fn is_searched(&self) -> bool {
        let (amounts, days) = (
            !self.min_amount.is_empty() || !self.max_amount.is_empty(),
            !self.dated_from.is_empty() || !self.dated_through.is_empty(),
        );
        !self.text.is_empty() || (amounts && self.order == "day") || (days && self.order == "amount")
    }
}

pub(super) async fn show(
    visit: Visit,
    Path(names): Names,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let asked = Fields::parse(query.unwrap_or_default().as_bytes());
    page(&visit, &id_of(&names), &asked, chosen(asked.iter()), None).await
}

/// After a refusal, with what was chosen.
pub(super) async fn again(
    visit: &Visit,
    id: &str,
    form: &Posted,
    trouble: Document,
) -> Result<Response, Refusal> {
    page(visit, id, form, chosen(form.iter()), Some(trouble)).await
}

fn chosen<'f>(fields: impl Iterator<Item = (&'f str, &'f str)>) -> Vec<(String, String)> {
    let of_a_side = fields.filter(|(name, _)| matches!(*name, "left" | "right"));
    of_a_side.map(|(name, number)| (name.to_owned(), number.to_owned())).take(2 * CHOSEN_MAX).collect()
}

/// Whether a button of the page asks for other records instead of a match: `find`, `find:left:CURSOR`.
pub(super) fn is_narrowing(action: &str) -> bool {
    action == "find" || action.starts_with("find:")
}

/// The page that such a button asks for, with what was chosen. One side goes on, the other stays where it is.
pub(super) fn narrowed(visit: &Visit, id: &str, form: &Posted) -> Response {
    let mut query = Wanted::read(form, "").query();
    let mut parts = form.get("action").splitn(3, ':').skip(1);
    if let (Some(side), Some(after)) = (parts.next(), parts.next()) {
        for name in ["left", "right"] {
            let after = if name == side { after } else { form.get(&format!("{name}_after")) };
            if !after.is_empty() {
                query.push_str(&format!("&{name}_after={}", escape_query(after)));
            }
        }
    }
    for (side, number) in chosen(form.iter()) {
        query.push_str(&format!("&{side}={}", escape_query(&number)));
    }
    let target = format!("/find?{}", query.trim_start_matches('&'));
    Redirect::to(&ours(&visit.shell.base(), id, &target)).into_response()
}

async fn page(
    visit: &Visit,
    id: &str,
    asked: &Fields,
    chosen: Vec<(String, String)>,
    trouble: Option<Document>,
) -> Result<Response, Refusal> {
    let (run, summary, review) = match context(visit, id).await? {
        Ok(context) => context,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let shell = visit.shell("reconciliations");
    let (head, review) = heads(&run, &summary, &review, "find");
    let wanted = Wanted::read(asked, review.currency());
    let of_reasons = format!("/api/projects/{}/review/reasons", visit.project_id().unwrap_or_default());
    let (left, right, reasons) = tokio::join!(
        side(visit, id, &shell, ("left", "Left"), &wanted, asked.get("left_after"), &chosen),
        side(visit, id, &shell, ("right", "Right"), &wanted, asked.get("right_after"), &chosen),
        visit.ask.get::<Items<ReasonCode>>(&of_reasons)
    );
    let status = trouble.as_ref().and_then(|document| StatusCode::from_u16(document.status).ok());
    let page = FindPage {
        back: ours(&shell.base(), id, &format!("/find?{}", wanted.query().trim_start_matches('&'))),
        sides: vec![left?, right?],
        reasons: reasons?.items.into_iter().filter(|reason| reason.is_active).collect(),
        shell,
        head,
        review,
        wanted,
        trouble,
    };
    Ok(visit.page_of(status.unwrap_or(StatusCode::OK), &page))
}

async fn side(
    visit: &Visit,
    id: &str,
    shell: &Shell,
    (name, title): (&'static str, &'static str),
    wanted: &Wanted,
    after: &str,
    chosen: &[(String, String)],
) -> Result<FindSide, Refusal> {
    let numbers = chosen.iter().filter(|(side, _)| side == name);
    let numbers: Vec<i64> = numbers.filter_map(|(_, number)| number.parse().ok()).take(CHOSEN_MAX).collect();
    let mut of_list =
        format!("/exceptions?side={name}&limit={SHOWN}&state=open&waiting=false{}", wanted.query());
    if !after.is_empty() {
        of_list.push_str(&format!("&after={}", escape_query(after)));
    }
    let of_list = api(id, &of_list);
    let (listed, begin) = tokio::join!(
        visit.ask.get::<Items<ReviewedException>>(&of_list),
        beginning(visit, id, name, wanted, after)
    );
    let listed = listed?;
    let next = listed.after().map(str::to_owned);
    let mut found: Vec<ReviewedException> = vec![];
    let mut known = HashSet::new();
    for item in begin?.into_iter().chain(listed.items) {
        if known.insert(item.item.number) {
            found.push(item);
        }
    }
    // Chosen ones are there even when the page leaves them out.
    for number in numbers.iter().filter(|number| !known.contains(number)) {
        let detail: Option<ExceptionDetail> =
            visit.ask.find(&api(id, &format!("/exceptions/{number}"))).await?;
        let is_open = |item: &ReviewedException| item.item.state == "open" && item.exception.side == name;
        found.extend(detail.map(|detail| detail.item).filter(is_open));
    }
    let choice = |item: ReviewedException| Choice {
        amount: item.exception.amount.clone(),
        is_chosen: numbers.contains(&item.item.number),
        line: exception_line(shell, item, &[]),
    };
    let mut items: Vec<Choice> = found.into_iter().map(choice).collect();
    items.sort_by_key(|choice| !choice.is_chosen);
    Ok(FindSide { name, title, items, after: after.to_owned(), next })
}

/// Records whose id or reference begins with the text, wherever they are; with the first page alone.
async fn beginning(
    visit: &Visit,
    id: &str,
    side: &str,
    wanted: &Wanted,
    after: &str,
) -> Result<Vec<ReviewedException>, Refusal> {
    if wanted.text.is_empty() || !after.is_empty() {
        return Ok(vec![]);
    }
    let path = format!("/open-records?side={side}&limit={SHOWN}&begins={}", escape_query(&wanted.text));
    let found: Items<ReviewedException> = visit.ask.get(&api(id, &path)).await?;
    let fits = |item: &ReviewedException| {
        let day = item.exception.record.date.to_string();
        item.exception.currency == wanted.currency
            && item.item.waiting.is_none()
            && (wanted.dated_from.is_empty() || day >= wanted.dated_from)
            && (wanted.dated_through.is_empty() || day <= wanted.dated_through)
    };
    // Amounts are compared by the list alone, exactly: with them, what begins so is found there.
    let has_amounts = !wanted.min_amount.is_empty() || !wanted.max_amount.is_empty();
    Ok(if has_amounts { vec![] } else { found.items.into_iter().filter(fits).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_for_goes_from_page_to_page() {
        let asked = Fields::parse(b"text=+INV-1%26+&min_amount=10&order=day&x=y&currency=USD");
        let wanted = Wanted::read(&asked, "EUR");
        assert_eq!(wanted.query(), "&text=INV-1%26&currency=USD&min_amount=10&order=day");
        assert!(wanted.is_searched());
        let plain = Wanted::read(&Fields::parse(b"order=odd&min_amount=5"), "EUR");
        assert_eq!(plain.query(), "&currency=EUR&min_amount=5&order=amount");
        assert!(!plain.is_searched());
        assert!(is_narrowing("find") && is_narrowing("find:left:q1") && !is_narrowing("match"));
    }
}
