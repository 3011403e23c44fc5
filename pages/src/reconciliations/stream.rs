//! The event stream of a run, for its page: each event carries what has changed as it is to be shown.
//!
//! A page that were only told would have to ask for its part: one more request, with the guard in front of it and the head
//! of a page to be made, which took longer than all the rest of the way from a change to the screen. So the part is made
//! here, from the API's own stream and with the visit that opened it. What does not change while a run lasts (its data
//! sources) is read when the stream begins.

use super::chain::ChainRun;
use super::live::ProgressPart;
use super::show::{RunPage, Sources};
use super::{Names, id_of};
use crate::answers::{Items, Progress, Reconciliation};
use crate::ask::Refusal;
use crate::shell::{Shell, Visit};
use askama::Template;
use axum::body::BodyDataStream;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use chrono::Utc;
use futures_util::StreamExt;
use futures_util::stream::unfold;
use serde::{Deserialize, Serialize};
use std::convert::Infallible;

/// Bytes of one event of the API: an error of a job and some words. More is not what we know.
const EVENT_BYTES_MAX: usize = 1 << 20;

/// Data of an event: HTML in place of what is there, and the title of the page where that changes.
#[derive(Serialize)]
struct Shown {
    html: String,
    title: Option<String>,
}

pub(super) async fn stream(visit: Visit, Path(names): Names) -> Result<Response, Refusal> {
    let id = id_of(&names);
    let last = visit.headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let told = visit.ask.open(&format!("/api/reconciliation/jobs/{id}/events"), last).await?;
    if told.status() == StatusCode::NO_CONTENT {
        // It has seen the end: browsers stop asking at this status.
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let told = Told { body: told.into_body().into_data_stream(), buffer: vec![] };
    let live = Live { visit, id, told, run: None, sources: None, is_over: false };
    let events = unfold(live, |mut live| async move {
        let event = live.next().await?;
        Some((Ok::<_, Infallible>(event), live))
    });
    let mut response = Sse::new(events).keep_alive(KeepAlive::default()).into_response();
    // Proxies that collect an answer before they pass it on would make a stream useless.
    response.headers_mut().insert("x-accel-buffering", axum::http::HeaderValue::from_static("no"));
    Ok(response)
}

/// What a stream remembers between two events.
struct Live {
    visit: Visit,
    id: String,
    told: Told,
    /// As it was read last, with the progress that was told since.
    run: Option<Reconciliation>,
    sources: Option<Sources>,
    is_over: bool,
}

#[derive(Deserialize)]
struct StateTold {
    is_final: bool,
}

impl Live {
    /// Waits for the next change and makes what is to be shown of it.
    async fn next(&mut self) -> Option<Event> {
        if self.is_over {
            return None;
        }
        loop {
            let told = self.told.next().await?;
            let made = match told.event.as_str() {
                "state" if is_final(&told) => {
                    self.is_over = true;
                    self.end().await.map(|shown| ("end", shown))
                }
                "state" => self.begin().await.map(|shown| ("part", shown)),
                "progress" => match self.advance(&told) {
                    Some(shown) => Ok(("part", shown)),
                    None => continue,
                },
                _ => continue,
            };
            let event = Event::default().id(told.id);
            return Some(match made {
                Ok((name, Some(shown))) => {
                    event.event(name).data(serde_json::to_string(&shown).unwrap_or_default())
                }
                // The page asks for itself, and shows what is wrong as any page does.
                Ok((_, None)) | Err(_) => {
                    self.is_over = true;
                    event.event("again").data("{}")
                }
            });
        }
    }

    /// A state that is not the last one: attempts, errors and wishes may have changed with it.
    async fn begin(&mut self) -> Result<Option<Shown>, Refusal> {
        let run: Reconciliation = self.visit.ask.get(&address(&self.id)).await?;
        if self.sources.is_none() {
            self.sources = Some(Sources::of(&self.visit, &run).await?);
        }
        self.run = Some(run);
        Ok(self.part())
    }

    fn advance(&mut self, told: &SentEvent) -> Option<Option<Shown>> {
        let progress: Progress = serde_json::from_str(&told.data).ok()?;
        self.run.as_mut()?.progress = Some(progress);
        Some(self.part())
    }

    fn part(&self) -> Option<Shown> {
        let part = ProgressPart::new(self.shell(), self.run.clone()?);
        Some(Shown { html: part.render().ok()?, title: None })
    }

    /// The content of the page as it is at the end.
    async fn end(&mut self) -> Result<Option<Shown>, Refusal> {
        let (of_run, of_chain) = (address(&self.id), format!("{}/chain", address(&self.id)));
        let (run, chain) = tokio::join!(
            self.visit.ask.get::<Reconciliation>(&of_run),
            self.visit.ask.get::<Items<ChainRun>>(&of_chain)
        );
        let (run, chain) = (run?, chain?.items);
        if !run.is_final() {
            return Ok(None);
        }
        let sources = match self.sources.take() {
            Some(sources) => sources,
            None => Sources::of(&self.visit, &run).await?,
        };
        let content = RunPage::new(self.shell(), run, sources, chain).content();
        Ok(content.map(|content| Shown { html: content.main, title: Some(content.title) }))
    }

    fn shell(&self) -> Shell {
        Shell { now: Utc::now(), ..self.visit.shell("reconciliations") }
    }
}

fn address(id: &str) -> String {
    format!("/api/reconciliation/jobs/{id}")
}

fn is_final(told: &SentEvent) -> bool {
    serde_json::from_str(&told.data).is_ok_and(|state: StateTold| state.is_final)
}

/// The API's stream, event by event.
struct Told {
    body: BodyDataStream,
    buffer: Vec<u8>,
}

#[derive(Debug, Default, PartialEq)]
struct SentEvent {
    event: String,
    id: String,
    data: String,
}

impl Told {
    /// `None` at the end, also at one that should not have been: the browser comes back by itself.
    async fn next(&mut self) -> Option<SentEvent> {
        loop {
            while let Some(end) = self.buffer.windows(2).position(|two| two == b"\n\n") {
                let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
                let event = parse(&String::from_utf8_lossy(&block));
                // Comments keep a connection open and say nothing.
                if !event.event.is_empty() {
                    return Some(event);
                }
            }
            if self.buffer.len() > EVENT_BYTES_MAX {
                return None;
            }
            self.buffer.extend(self.body.next().await?.ok()?);
        }
    }
}

fn parse(block: &str) -> SentEvent {
    let mut event = SentEvent::default();
    for line in block.lines() {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => event.event = value.to_owned(),
            "id" => event.id = value.to_owned(),
            "data" => event.data.push_str(value),
            _ => {}
        }
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use bytes::Bytes;

    #[tokio::test]
    async fn events_are_read_however_they_are_cut() {
        let sent = "event: state\nid: running.1\ndata: {\"is_final\":false}\n\n: nothing new\n\nevent:progress\ndata:{}\n\n";
        for size in [1, 2, 7, sent.len()] {
            let chunks: Vec<Result<Bytes, std::io::Error>> =
                sent.as_bytes().chunks(size).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
            let body = Body::from_stream(futures_util::stream::iter(chunks));
            let mut told = Told { body: body.into_data_stream(), buffer: vec![] };
            let state = told.next().await.expect("an event");
            assert_eq!((state.event.as_str(), state.id.as_str()), ("state", "running.1"));
            assert!(!is_final(&state));
            let progress = told.next().await.expect("an event");
            assert_eq!((progress.event.as_str(), progress.data.as_str()), ("progress", "{}"));
            assert_eq!(told.next().await, None);
        }
    }
}
