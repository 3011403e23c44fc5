//! Watching a job.

use crate::client::Event;
use crate::database::ResultTable;
use crate::deployment::Deployment;
use crate::pair::{Pair, rules};
use crate::project::{Project, text};
use std::collections::BTreeSet;

#[test]
fn events_tell_the_progress_of_a_job_and_end_with_its_final_state() {
    let deployment = Deployment::create("progress");
    let api = deployment.api();
    let (_scheduler, _worker) = (deployment.scheduler(), deployment.worker("worker", 1));
    let project = Project::of_somebody(&api.url);
    let (left, right) = Pair::make(8, 200).bring_into(&project);

    // However fast the machine is, the job runs until somebody has seen how far it is.
    let mut hold = Some(deployment.database.hold(ResultTable::Matches));
    let accepted = project.ask(&left, &right, &rules()).expect(202);
    let events_url = text(&accepted, "events_url");
    let mut events = Vec::new();
    // The server ends the stream.
    for event in project.client.events(&events_url) {
        if event.name == "progress" {
            hold = None;
        }
        events.push(event);
    }
    assert!(hold.is_none(), "no progress in {events:?}");

    let states: Vec<String> =
        events.iter().filter(|e| e.name == "state").map(|e| text(&e.json(), "state")).collect();
    let last = events.last().expect("events").json();
    assert_eq!((&last["state"], &last["is_final"]), (&"completed".into(), &true.into()), "{states:?}");
    assert!(states.contains(&"running".to_owned()), "{states:?}");
    assert_eq!(states.iter().filter(|state| *state == "completed").count(), 1, "{states:?}");

    let progress: Vec<_> = events.iter().filter(|e| e.name == "progress").map(Event::json).collect();
    let percents: Vec<f64> = progress.iter().map(|p| p["percent"].as_f64().expect("a percentage")).collect();
    assert!(percents[0] < 100.0, "{progress:?}");
    assert!(percents.is_sorted() && percents.iter().all(|p| (0.0..=100.0).contains(p)), "{percents:?}");
    assert!(progress.iter().all(|p| !text(p, "phase").is_empty()), "{progress:?}");
    let ids: BTreeSet<&str> = events.iter().map(|e| e.id.as_str()).collect();
    assert_eq!(ids.len(), events.len(), "every event has an id of its own");

    // Whoever comes late gets the end.
    let late: Vec<Event> = project.client.events(&events_url).collect();
    assert_eq!(late.last().expect("an event").json(), last);
}
