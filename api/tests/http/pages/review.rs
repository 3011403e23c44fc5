//! A result reviewed with links and forms alone: what the desk shows, what a decision changes, and who says what.

use super::browser::{Browser, values};
use crate::review::write_books;
use crate::server::{Project, Server};
use shared::store::projects::ProjectRole;

struct Desk {
    server: Server,
    project: Project,
    browser: Browser,
    review: String,
}

impl Desk {
    async fn open() -> Self {
        let server = Server::start().await;
        let project = Project::make(&server, "jane").await;
        let id = project.submit().await;
        write_books(&server, id).await;
        let browser = Browser::log_in(&server, "jane").await;
        let review = format!("/p/{}/reconciliations/{id}/review", project.id);
        Self { server, project, browser, review }
    }

    async fn page(&self, below: &str) -> String {
        self.browser.page(&format!("{}{below}", self.review)).await
    }

    /// Decides from the page below, and gives the page that comes then.
    async fn decide(&self, from: &str, fields: &[(&str, &str)]) -> String {
        let page = self.page(from).await;
        let back = format!("{}{from}", self.review);
        let mut all = vec![("back", back.as_str())];
        all.extend_from_slice(fields);
        let answer = self.browser.submit(&page, &format!("{}/decide", self.review), &all).await.expect(303);
        self.browser.page(answer.header("location")).await
    }
}

/// A row of the proof, from total to unexplained.
fn proof(page: &str, side: &str) -> Vec<String> {
    let (_, row) =
        page.split_once(&format!("<th scope=\"row\">{side}, EUR</th>")).expect("a row of the proof");
    let row = row.split("</tr>").next().expect("an end");
    let cells = row.split("<td").skip(1).map(|cell| cell.rsplit_once("</td>").expect("an end").0);
    cells.map(|cell| cell.rsplit(['>', ' ']).next().expect("a text").to_owned()).collect()
}

#[tokio::test]
async fn a_desk_is_cleared_with_forms_alone() {
    let desk = Desk::open().await;
    desk.browser.get(&desk.review).await.expect(303);
    let page = desk.page("/matches").await;
    for says in ["Suggested", "Accept", "Reject", "1 to 2", "Proof after review", "closes"] {
        assert!(page.contains(says), "no {says} in {page}");
    }
    assert_eq!(proof(&page, "Left")[..5], ["207.66", "150.00", "0.00", "0.00", "57.66"]);

    // The form as it stands on the page, and the way back.
    let fields = values(&page, &format!("{}/decide", desk.review));
    let mut fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    fields.push(("action", "reject"));
    let token = fields.remove(fields.iter().position(|(name, _)| *name == "form_token").expect("a token"));
    assert_eq!(token.1.len(), 128);
    let page = desk.decide("/matches?", &fields).await;
    assert!(page.contains("Match 2 was rejected") && page.contains("Undo"), "{page}");
    assert!(page.contains("Nothing waits here"), "{page}");
    assert_eq!(proof(&page, "Left")[..5], ["207.66", "100.00", "0.00", "0.00", "107.66"]);
    let page = desk.page("/exceptions?kind=released").await;
    assert!(page.contains("Released") && page.contains("match 2"), "{page}");
    let history = desk.page("/decisions").await;
    let undo = values(&history, &format!("{}/decide", desk.review));
    let undoes = undo.iter().find(|(name, _)| name == "undoes").expect("an undo").1.clone();
    let page = desk.decide("/decisions?", &[("action", "undo"), ("undoes", &undoes)]).await;
    assert_eq!(proof(&page, "Left")[..5], ["207.66", "150.00", "0.00", "0.00", "57.66"]);

    // Comments, owners, due days, and a write-off with its reason.
    let (of_2, from) = ([("subject", "exception"), ("number", "2")], "/exceptions?state=open");
    let with = |more: &[(&'static str, &'static str)]| [&of_2[..], more].concat();
    desk.decide(from, &with(&[("action", "comment"), ("comment", "asked <the> bank")])).await;
    desk.decide(from, &with(&[("action", "set_due"), ("due_on", "2026-02-01")])).await;
    let page = desk.page("/exceptions?at=2").await;
    assert!(page.contains("asked &#60;the&#62; bank") || page.contains("asked &lt;the&gt; bank"), "{page}");
    assert!(page.contains("2026-02-01, late"), "{page}");
    let page = desk.page(from).await;
    let path = format!("{}/decide", desk.review);
    let bare = [&with(&[("action", "write_off")])[..], &[("back", "/elsewhere")]].concat();
    let refused = desk.browser.submit(&page, &path, &bare).await.expect(422).text();
    assert!(refused.contains("writing off needs a reason code"), "{refused}");
    let page = desk.decide(from, &with(&[("action", "write_off"), ("reason_code", "fee")])).await;
    assert!(page.contains("Exception 2 was written off"), "{page}");
    assert_eq!(proof(&page, "Left")[..5], ["207.66", "150.00", "0.00", "−12.34", "70.00"]);

    // Found on the other side, and matched by hand.
    let page = desk.page("/find?left=1&currency=EUR&max_amount=70.00").await;
    assert!(page.contains("data-amount=\"70.00\" checked"), "{page}");
    let from = "/find?currency=EUR";
    let chosen = [("action", "match"), ("left", "1"), ("right", "3")];
    let page = desk.page(from).await;
    let back = format!("{}{from}", desk.review);
    let all = [&chosen[..], &[("back", back.as_str())]].concat();
    let refused = desk.browser.submit(&page, &path, &all).await.expect(422).text();
    assert!(refused.contains("reason") && refused.contains(" checked"), "{refused}");
    // Other records are asked for with what is chosen; a side that is not asked for stays where it is.
    let narrow = [
        ("action", "find:right:"),
        ("text", " R "),
        ("order", "day"),
        ("currency", "EUR"),
        ("left", "1"),
        ("left_after", "q0"),
        ("right_after", "q1"),
    ];
    let target = desk.browser.submit(&page, &path, &narrow).await.expect(303).header("location").to_owned();
    assert_eq!(target, format!("{}/find?text=R&currency=EUR&order=day&left_after=q0&left=1", desk.review));
    let page = desk.page("/find?text=R&order=day&left=1").await;
    assert!(page.contains("data-amount=\"70.00\" checked"), "{page}");
    let page = desk.decide(from, &[("action", "match"), ("left", "1"), ("right", "6")]).await;
    assert_eq!(proof(&page, "Left")[..5], ["207.66", "150.00", "70.00", "−12.34", "0.00"]);
    let page = desk.page("/by-hand").await;
    assert!(page.contains("Match by hand 1") && page.contains("Take apart"), "{page}");
}

#[tokio::test]
async fn all_that_fit_are_decided_about_as_one() {
    let desk = Desk::open().await;
    let address = "/bulk?of=exceptions&side=right&max_amount=50";
    let page = desk.page(address).await;
    assert!(page.contains("2 exceptions fit") && page.contains("69.50"), "{page}");
    let value = |name: &str| {
        let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).expect("a field");
        rest.split('"').next().expect("a value").to_owned()
    };
    let (token, currency) = (value("token"), value("run_currency"));
    let fields = [
        ("of", "exceptions"),
        ("side", "right"),
        ("max_amount", "50"),
        ("run_currency", &currency),
        ("token", &token),
        ("action", "write_off"),
    ];
    let path = format!("{}/bulk", desk.review);
    let refused = desk.browser.submit(&page, &path, &fields).await.expect(422).text();
    assert!(refused.contains("writing off needs a reason code"), "{refused}");
    let all = [&fields[..], &[("new_reason", "rounding")]].concat();
    let done = desk.browser.submit(&page, &path, &all).await.expect(303);
    let shown = desk.browser.page(done.header("location")).await;
    assert!(shown.contains("2 exceptions were written off"), "{shown}");
    // What fits has changed since.
    desk.browser.submit(&page, &path, &all).await.expect(412);
}

#[tokio::test]
async fn large_decisions_wait_for_a_second_person() {
    let desk = Desk::open().await;
    let settings = format!("/p/{}/settings", desk.project.id);
    let page = desk.browser.page(&settings).await;
    assert!(page.contains("No limit") && page.contains("rounding"), "{page}");
    let limit = [("currency", "EUR"), ("amount", "20")];
    desk.browser.submit(&page, &format!("{settings}/limits"), &limit).await.expect(303);
    let reason = [("code", "typo"), ("label", "A slip of the pen")];
    desk.browser.submit(&page, &format!("{settings}/reasons"), &reason).await.expect(303);
    let page = desk.browser.page(&settings).await;
    assert!(page.contains("20.00") && page.contains("A slip of the pen"), "{page}");

    let accept = [("subject", "match"), ("number", "2"), ("action", "accept")];
    let page = desk.decide("/matches?", &accept).await;
    assert!(page.contains("Match 2 waits for a second person"), "{page}");
    let approvals = format!("/p/{}/approvals", desk.project.id);
    assert!(desk.browser.page(&approvals).await.contains("Nothing waits"));
    let mine = desk.browser.page(&format!("{approvals}?whose=all")).await;
    assert!(mine.contains("Withdraw") && !mine.contains("Approve<"), "{mine}");

    let ann = desk.server.register("ann").await;
    let project = desk.project.id.parse().expect("an id");
    desk.server.store.set_project_member(project, ann, ProjectRole::Approver).await.expect("a member");
    let ann = Browser::log_in(&desk.server, "ann").await;
    let page = ann.page(&approvals).await;
    assert!(page.contains("Approve") && page.contains("accepted"), "{page}");
    let fields = values(&page, &format!("{}/verdict", desk.review));
    let mut fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    fields.retain(|(name, value)| *name != "form_token" && !value.is_empty());
    fields.push(("verdict", "approved"));
    let answer = ann.submit(&page, &format!("{}/verdict", desk.review), &fields).await.expect(303);
    assert_eq!(answer.header("location"), approvals);
    assert!(desk.page("/matches?state=accepted").await.contains("Accepted"));
    // Settings are not hers.
    let page = ann.page(&settings).await;
    assert!(!page.contains("Set the limit"), "{page}");
    ann.submit(&ann.page("/account").await, &format!("{settings}/limits"), &limit).await.expect(403);
}
