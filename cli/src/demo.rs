//! The demo: the critical flow over HTTP on the sample files, as any client would do it, with the result printed.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::io::{IsTerminal, Write};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const BANK: &[u8] = include_bytes!("../../samples/bank.csv");
const LEDGER: &[u8] = include_bytes!("../../samples/ledger.csv");
const BANK_MAPPING: &str = include_str!("../../samples/bank.mapping.toml");
const LEDGER_MAPPING: &str = include_str!("../../samples/ledger.mapping.toml");
const RULES: &str = include_str!("../../samples/rules.toml");

const PROJECT: &str = "Demo";
/// Matches and exceptions printed.
const SHOWN: usize = 5;
/// The sample takes about a second; this is for a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(300);

/// Submits the sample reconciliation and prints progress and result.
pub async fn show(url: &str, token: &str, stop: &CancellationToken) -> Result<()> {
    let (client, stop) = (Client::new(url, token), stop.clone());
    tokio::task::spawn_blocking(move || run(&client, &stop)).await?.context("the demo")
}

fn run(client: &Client, stop: &CancellationToken) -> Result<()> {
    let (project, left, right) = match find_sources(client)? {
        Some(found) => found,
        None => make_sources(client)?,
    };
    println!("\nDemo: the sample bank statement against the sample ledger");
    let accepted = client.post(
        "/api/reconciliation/jobs",
        &json!({
            "project_id": project,
            "name": "Sample bank statement against ledger",
            "left_source_id": left,
            "right_source_id": right,
            "rules": toml::from_str::<Value>(RULES)?,
        }),
    )?;
    let job = format!("/api/reconciliation/jobs/{}", text(&accepted, "id")?);
    if !follow(client, &job, stop)? {
        return Ok(());
    }
    print_summary(&client.get(&format!("{job}/summary"))?)?;
    print_matches(&client.get(&format!("{job}/results?limit=500"))?)?;
    print_exceptions(&client.get(&format!("{job}/exceptions?limit=500"))?)?;
    println!("\nThe whole result: {}{job}/results", client.url);
    println!("As CSV:           {}{job}/results.csv", client.url);
    Ok(())
}

/// Project and data sources of an earlier demo on the same data.
fn find_sources(client: &Client) -> Result<Option<(String, String, String)>> {
    let projects = client.get("/api/projects")?;
    let Some(project) = items(&projects).iter().find(|p| p["name"] == PROJECT) else { return Ok(None) };
    let project = text(project, "id")?;
    let sources = client.get(&format!("/api/data-sources?project_id={project}"))?;
    let named =
        |name: &str| items(&sources).iter().find(|s| s["name"] == name).map(|s| text(s, "id")).transpose();
    Ok(named("Bank")?.zip(named("Ledger")?).map(|(left, right)| (project, left, right)))
}

fn make_sources(client: &Client) -> Result<(String, String, String)> {
    let project = text(&client.post("/api/projects", &json!({ "name": PROJECT }))?, "id")?;
    let mut sources = vec![];
    for (name, file_name, bytes, mapping) in
        [("Bank", "bank.csv", BANK, BANK_MAPPING), ("Ledger", "ledger.csv", LEDGER, LEDGER_MAPPING)]
    {
        let file = client.upload(&project, file_name, bytes)?;
        let mapping: Value = toml::from_str(mapping)?;
        let source = client.post(
            "/api/data-sources",
            &json!({ "project_id": project, "file_id": text(&file, "id")?, "name": name, "mapping": mapping }),
        )?;
        sources.push(text(&source, "id")?);
    }
    let right = sources.pop().context("two sources were made")?;
    let left = sources.pop().context("two sources were made")?;
    Ok((project, left, right))
}

/// Prints progress until the job has finished; `false` when told to stop meanwhile.
fn follow(client: &Client, job: &str, stop: &CancellationToken) -> Result<bool> {
    let started = std::time::Instant::now();
    let terminal = std::io::stdout().is_terminal();
    let mut last = String::new();
    loop {
        let seen = client.get(job)?;
        let state = text(&seen, "state")?;
        let mut line = format!("  {state}");
        // The last report of a job stays with it when it has ended.
        if state == "running"
            && let Some(phase) = seen["progress"]["phase"].as_str()
        {
            let percent = seen["progress"]["percent"].as_f64().unwrap_or(0.0);
            line = format!("  {state}: {phase}, {percent:.0} %");
        }
        if line != last {
            // On a terminal one line that changes; in a log one line per change.
            if terminal {
                print!("\r\x1b[2K{line}")
            } else {
                println!("{line}")
            }
            std::io::stdout().flush()?;
            last = line;
        }
        match state.as_str() {
            "completed" => break,
            "cancelled" => bail!("the job was cancelled"),
            "dead" => bail!("the job is dead: {}", seen["error"].as_str().unwrap_or("no reason given")),
            _ if started.elapsed() > PATIENCE => bail!("the job is still {state} after {PATIENCE:?}"),
            _ if stop.is_cancelled() => return Ok(false),
            _ => std::thread::sleep(Duration::from_millis(100)),
        }
    }
    if terminal {
        println!();
    }
    Ok(true)
}

fn print_summary(summary: &Value) -> Result<()> {
    let number = |key: &str| summary[key].as_i64().unwrap_or_default();
    println!(
        "\n  {} bank lines, {} ledger lines: {} matches ({} to confirm), {} exceptions, {} lines rejected",
        number("left_records"),
        number("right_records"),
        number("matches"),
        number("suggested"),
        number("exceptions"),
        number("left_rejected") + number("right_rejected"),
    );
    println!(
        "\n  Balance proof: bank less ledger is what is unmatched on either side and what tolerances let through"
    );
    println!(
        "  {:4} {:>14} {:>14} {:>14} {:>14} {:>14} {:>11} {:>9}",
        "", "bank", "ledger", "difference", "bank unm.", "ledger unm.", "tolerated", "residual"
    );
    for proof in summary["balance"].as_array().context("the summary has a balance")? {
        let cell = |key: &str| proof[key].as_str().unwrap_or("?").to_owned();
        println!(
            "  {:4} {:>14} {:>14} {:>14} {:>14} {:>14} {:>11} {:>9}",
            cell("currency"),
            cell("left_total"),
            cell("right_total"),
            cell("difference"),
            cell("left_unmatched"),
            cell("right_unmatched"),
            cell("matched_difference"),
            cell("residual"),
        );
    }
    Ok(())
}

fn print_matches(page: &Value) -> Result<()> {
    println!("\n  Matches");
    for m in varied(items(page), "pass") {
        println!(
            "  {:.3}  {}  =  {}   [{}]",
            m["confidence"].as_f64().unwrap_or_default(),
            records(&m["left"], &m["currency"]),
            records(&m["right"], &m["currency"]),
            text(m, "pass")?,
        );
    }
    Ok(())
}

fn print_exceptions(page: &Value) -> Result<()> {
    println!("\n  Exceptions");
    for e in varied(items(page), "kind") {
        let record = records(&Value::Array(vec![e["record"].clone()]), &e["currency"]);
        println!("  {:16} {record}: {}", text(e, "kind")?, text(e, "says")?);
    }
    Ok(())
}

/// [`SHOWN`] items, with different values of `key` as far as they go: so that five lines show what five lines can.
fn varied<'v>(all: &'v [Value], key: &str) -> Vec<&'v Value> {
    let is_first = |i: usize| !all[..i].iter().any(|earlier| earlier[key] == all[i][key]);
    let (firsts, others): (Vec<usize>, Vec<usize>) = (0..all.len()).partition(|&i| is_first(i));
    firsts.into_iter().chain(others).take(SHOWN).map(|i| &all[i]).collect()
}

/// `B00017 2026-01-05 120.00 EUR + 2 more`
fn records(list: &Value, currency: &Value) -> String {
    let list = list.as_array().map_or(&[][..], Vec::as_slice);
    let Some(first) = list.first() else { return "nothing".into() };
    let cell = |key: &str| first[key].as_str().unwrap_or("?");
    let more = if list.len() > 1 { format!(" + {} more", list.len() - 1) } else { String::new() };
    format!("{} {} {} {}{more}", cell("id"), cell("date"), cell("amount"), currency.as_str().unwrap_or("?"))
}

fn items(page: &Value) -> &[Value] {
    page["items"].as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value, key: &str) -> Result<String> {
    Ok(value[key].as_str().with_context(|| format!("the answer lacks {key}: {value}"))?.to_owned())
}

/// As much of an HTTP client as the demo needs.
struct Client {
    url: String,
    authorization: String,
    agent: ureq::Agent,
}

impl Client {
    fn new(url: &str, token: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .proxy(None)
            .build();
        Self { url: url.to_owned(), authorization: format!("Bearer {token}"), agent: config.into() }
    }

    fn get(&self, path: &str) -> Result<Value> {
        let request = self.agent.get(format!("{}{path}", self.url));
        answer(path, request.header("authorization", &self.authorization).call()?)
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let request = self.agent.post(format!("{}{path}", self.url));
        answer(path, request.header("authorization", &self.authorization).send_json(body)?)
    }

    fn upload(&self, project: &str, name: &str, bytes: &[u8]) -> Result<Value> {
        // The samples are CSV of our own making: the boundary does not occur in them.
        const BOUNDARY: &str = "counterfoil-demo-boundary";
        let mut body = format!(
            "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"project_id\"\r\n\r\n{project}\r\n\
             --{BOUNDARY}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             content-type: text/csv\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(bytes);
        body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
        let path = "/api/files/upload";
        let request = self
            .agent
            .post(format!("{}{path}", self.url))
            .header("authorization", &self.authorization)
            .header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"));
        answer(path, request.send(&body)?)
    }
}

fn answer(path: &str, mut response: ureq::http::Response<ureq::Body>) -> Result<Value> {
    let status = response.status();
    let body: Value = response.body_mut().read_json().with_context(|| format!("{path} answered {status}"))?;
    if !status.is_success() {
        bail!("{path} answered {status}: {body}");
    }
    Ok(body)
}
