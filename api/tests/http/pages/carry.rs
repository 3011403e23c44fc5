//! New files that continue a run, and files that are read otherwise than they seem, by forms alone.

use super::browser::{Browser, form_token, values};
use crate::chains::complete;
use crate::client::{field, file};
use crate::outcome::{Outcome, exception};
use crate::server::{Project, Server, job_path};
use serde_json::json;
use shared::ids::JobId;

const FEBRUARY_BANK: &str =
    "Text,Id,Booked,Amount\nINV-1002,B3,2026-02-05,7.25\nINV-1009,B4,2026-02-06,-1.00\n";
const FEBRUARY_LEDGER: &str = "Id,Booked,Amount,Ref\nL3,2026-02-07,1.00,INV-1010\n";

type Values = Vec<(String, String)>;

fn set(fields: &mut Values, name: &str, value: &str) {
    fields.retain(|(found, _)| found != name);
    fields.push((name.into(), value.into()));
}

async fn send(browser: &Browser, action: &str, fields: &Values) -> crate::client::Answer {
    let fields: Vec<(&str, String)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    browser.post_fields(action, &fields).await
}

#[tokio::test]
async fn a_result_is_continued_with_new_files() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let browser = Browser::log_in(&server, "jane").await;
    let base = format!("/p/{}", project.id);
    let first = project.submit().await;
    let open = Outcome { exceptions: vec![exception(0, "missing_right")], ..Outcome::default() };
    complete(&server, first, open).await;
    let result = format!("{base}/reconciliations/{first}");
    let page = browser.page(&result).await;
    let offer = format!("{base}/reconcile?continues={first}");
    assert!(page.contains("Continue this one with new files") && page.contains(&offer), "{page}");
    assert!(!page.contains("class=\"chain\""), "a run alone is no chain: {page}");

    // One file is missing: what is continued is not forgotten.
    let page = browser.page(&offer).await;
    assert!(page.contains("This is run 2 of a chain"), "{page}");
    let head = [field("form_token", &form_token(&page)), field("continues", &first.to_string())];
    let upload = format!("{base}/reconcile/upload");
    let page = browser.submit_files(&upload, &head).await.expect(422).text();
    assert!(page.contains("This is run 2 of a chain") && page.contains("Choose a file"), "{page}");
    let mut parts = head.to_vec();
    parts.extend([
        file("left", "feb-bank.csv", FEBRUARY_BANK),
        file("right", "feb-ledger.csv", FEBRUARY_LEDGER),
    ]);
    let columns = browser.submit_files(&upload, &parts).await.expect(303).header("location").to_owned();
    assert!(columns.ends_with(&format!("&continues={first}")), "{columns}");

    // The mapping comes from the run before, though the columns stand in another order.
    let page = browser.page(&columns).await;
    assert_eq!(page.matches("The mapping is that of the run before.").count(), 2, "{page}");
    let action = format!("{base}/reconcile/columns");
    let fields = values(&page, &action);
    let of = |name: &str| fields.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
    assert_eq!((of("left.column.0"), of("left.column.1")), (Some("field:description"), Some("id")));
    assert_eq!((of("left.currency"), of("right.column.3")), (Some("EUR"), Some("field:reference")));
    let mut use_them = fields.clone();
    set(&mut use_them, "action", "use");
    let rules = send(&browser, &action, &use_them).await.expect(303).header("location").to_owned();
    assert!(rules.ends_with(&format!("&continues={first}")), "{rules}");

    // And so do the rules.
    let page = browser.page(&rules).await;
    let action = format!("{base}/reconcile/rules");
    let mut fields = values(&page, &action);
    assert!(fields.contains(&("choice".into(), "before".into())), "{fields:?}");
    set(&mut fields, "action", "run");
    let second = send(&browser, &action, &fields).await.expect(303).header("location").to_owned();
    let id: JobId = second.rsplit('/').next().expect("an id").parse().expect("an id");
    let shown = project.client.get(&job_path(id, "")).await.expect(200).json();
    assert_eq!((&shown["continues"], &shown["chain_position"]), (&json!(first.to_string()), &json!(2)));
    let rules_of = async |id: JobId| project.client.get(&job_path(id, "/rules")).await.expect(200).json();
    assert_eq!(rules_of(first).await, rules_of(id).await);
    // Another one is too late.
    let page = send(&browser, &action, &fields).await.expect(422).text();
    assert!(page.contains("continues it already"), "{page}");

    complete(&server, id, Outcome::default()).await;
    let page = browser.page(&second).await;
    assert!(
        page.contains("Run 2, this one") && page.contains(&format!("href=\"{result}\">Run 1: ")),
        "{page}"
    );
    assert!(page.contains(&format!("?continues={id}")), "{page}");
    let page = browser.page(&result).await;
    assert!(
        page.contains("Run 1, this one") && page.contains(&format!("href=\"{second}\">Run 2: ")),
        "{page}"
    );
    assert!(!page.contains("Continue this one"), "{page}");
    let stranger = server.log_in_as("eve").await;
    for below in ["/chain", "/rules"] {
        stranger.get(&job_path(id, below)).await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn what_was_found_out_wrongly_is_corrected() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let browser = Browser::log_in(&server, "jane").await;
    let base = format!("/p/{}", project.id);
    // Names in line 3, `|` between cells that hold commas, and every id twice.
    let odd = "Bank of X, account 7\nPrinted 2026-03-01, page 1\nId|Date|Amount|Text\n7|01/02/2026|1,00|a, b\n7|03/04/2026|2,00|c, d\n";
    let page = browser.page(&format!("{base}/reconcile")).await;
    let parts = [
        field("form_token", &form_token(&page)),
        file("left", "odd.csv", odd),
        file("right", "b.csv", FEBRUARY_LEDGER),
    ];
    let answer = browser.submit_files(&format!("{base}/reconcile/upload"), &parts).await.expect(303);
    let columns = answer.header("location").to_owned();
    let page = browser.page(&columns).await;
    assert!(page.contains("How the file is read") && page.contains("% sure"), "{page}");
    // The currency is asked for once, at its field; nothing there looks filled in.
    assert!(page.contains("aria-invalid=\"true\"") && !page.contains("placeholder=\"EUR\""), "{page}");
    let (_, left) = page.split_once("id=\"left-title\"").expect("a side");
    let (left, _) = left.split_once("id=\"right-title\"").expect("the other one");
    assert_eq!(left.matches("mapping › currency").count(), 1, "{left}");
    let action = format!("{base}/reconcile/columns");
    let mut fields = values(&page, &action);
    set(&mut fields, "left.delimiter", "|");
    set(&mut fields, "left.header_line", "3");
    set(&mut fields, "left.currency", "CHF");
    set(&mut fields, "right.currency", "CHF");
    // Whoever goes on at once sees first what became of the columns.
    set(&mut fields, "action", "use");
    let page = send(&browser, &action, &fields).await.expect(200).text();
    assert!(page.contains("The column &#34;Id&#34; has &#34;7&#34; more than once"), "{page}");
    let mut fields = values(&page, &action);
    let of =
        |fields: &Values, name: &str| fields.iter().find(|(found, _)| found == name).map(|(_, v)| v.clone());
    assert_eq!(of(&fields, "left.read_as").as_deref(), Some("delimiter=%7C&header_line=3"));
    assert_eq!(of(&fields, "left.currency").as_deref(), Some("CHF"));
    assert_eq!(of(&fields, "left.column.1").as_deref(), Some("date"));
    set(&mut fields, "left.date_format", "%m/%d/%Y");
    set(&mut fields, "left.decimal_mark", "comma");
    set(&mut fields, "action", "check");
    let page = send(&browser, &action, &fields).await.expect(200).text();
    assert!(page.contains("2026-01-02") && page.contains("2026-03-04"), "{page}");
    let mut fields = values(&page, &action);
    set(&mut fields, "action", "use");
    let rules = send(&browser, &action, &fields).await.expect(303).header("location").to_owned();
    let left = rules.split("left=").nth(1).and_then(|rest| rest.split('&').next()).expect("an id");
    let source = project.client.get(&format!("/api/data-sources/{left}")).await.expect(200).json();
    let csv = &source["mapping"]["csv"];
    assert_eq!((&csv["delimiter"], &csv["header_line"]), (&json!("|"), &json!(3)));
    assert_eq!(source["mapping"]["date"]["format"], "%m/%d/%Y");
    // A line without names is refused, and says so; the file is shown as it was found.
    set(&mut fields, "left.header_line", "90");
    let page = send(&browser, &action, &fields).await.expect(422).text();
    assert!(page.contains("line 90 has no names of columns"), "{page}");
}

#[tokio::test]
async fn files_of_one_name_are_told_apart_where_they_are_chosen() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let browser = Browser::log_in(&server, "jane").await;
    project.upload("bank.csv", FEBRUARY_BANK).await.expect(201);
    project.upload("bank.csv", "Id,Booked,Amount,Text\nB9,2026-05-05,1.00,x\n").await.expect(201);
    for (path, select) in [("reconcile", "left_id"), ("schedules/new", "left")] {
        let page = browser.page(&format!("/p/{}/{path}", project.id)).await;
        let (_, options) = page.split_once(&format!("<select name=\"{select}\"")).expect("a list");
        let options = options.split("</select>").next().expect("an end");
        let labels: Vec<&str> = options
            .split("</option>")
            .filter_map(|option| option.rsplit('>').next())
            .filter(|label| !label.is_empty())
            .collect();
        let known: std::collections::BTreeSet<&&str> = labels.iter().collect();
        assert_eq!(known.len(), labels.len(), "{path}: {labels:?}");
        assert!(
            labels.iter().any(|label| label.starts_with("bank.csv · 20") && label.ends_with(" B")),
            "{labels:?}"
        );
    }
}
