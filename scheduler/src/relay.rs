//! The relay: outbox → broker. At least once: a doorbell is forgotten only after the broker has confirmed it.
//!
//! The order is that of [`crate::dispatch`]. Only a window of doorbells is in the broker; the backlog stays in
//! Postgres, where priority, fairness, limits and pauses still decide.
//!
//! A round begins with the short way ([`few`]), which is all there is to do most of the time. What it leaves goes the long
//! one: look at the lanes, choose, lock, publish, forget.

mod chosen;
mod few;
mod own;

pub(crate) use own::Own;

use crate::background::{Round, RoundError};
use crate::dispatch::plan::{plan, subject};
use crate::dispatch::turns::{LANES_MAX, Turns};
use crate::dispatch::window::{Window, WindowBounds};
use chosen::in_order;
use chrono::{DateTime, TimeDelta, Utc};
use shared::limits::Places;
use shared::queue::{Queue, QueueName};
use shared::store::Store;
use shared::store::outbox::LaneHead;
use shared::store::queues::DispatchMark;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Doorbells in one batch: all are published at once and then confirmed together. Larger batches gain nothing
/// and hold their row locks longer.
const BATCH: u32 = 512;

/// Queues remembered while they are empty; far more than there are kinds.
const QUEUES_MAX: usize = 1000;

/// Publishing takes up to 40 s, where the broker is slow.
const HELD_MAX: Duration = Duration::from_secs(60);

/// How often a relay says what it came across.
const MARK_PERIOD: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy)]
pub(crate) struct RelayRules {
    pub window: WindowBounds,
    /// Waiting that lifts a lane by one level.
    pub age_step: TimeDelta,
    /// A published doorbell that nobody has answered for so long is taken for lost.
    pub answered_within: Duration,
}

#[derive(Clone)]
pub(crate) struct Relay {
    store: Store,
    queue: Queue,
    rules: RelayRules,
    /// How long this process may freeze with doorbells of the short way in its hands before others may have them.
    held_max: Duration,
    memory: Arc<Mutex<Memory>>,
}

/// What one round leaves to the next. Losing it costs some fairness for a moment.
#[derive(Default)]
struct Memory {
    queues: HashMap<QueueName, (Turns, Window)>,
    /// Queues that the short way leaves alone, for the long one to choose from.
    crowded: HashSet<QueueName>,
    marked_at: Option<Instant>,
    /// Queues of which the broker has confirmed doorbells since then.
    confirmed: HashSet<QueueName>,
}

impl Memory {
    fn of(&mut self, queue: &QueueName, rules: RelayRules) -> &mut (Turns, Window) {
        let fresh = || (Turns::default(), Window::new(rules.window));
        self.queues.entry(queue.clone()).or_insert_with(fresh)
    }

    fn is_mark_due(&self) -> bool {
        self.marked_at.is_none_or(|at| at.elapsed() >= MARK_PERIOD)
    }

    fn marked(&mut self) {
        self.marked_at = Some(Instant::now());
        self.confirmed.clear();
    }
}

/// Of queues of which the broker has just confirmed every doorbell there was.
fn rung_marks<'a>(queues: impl IntoIterator<Item = &'a QueueName>) -> Vec<DispatchMark> {
    let mark = |queue: &QueueName| DispatchMark {
        queue: queue.clone(),
        is_caught_up: true,
        has_confirmed: true,
        trouble: None,
    };
    queues.into_iter().map(mark).collect()
}

/// How a round of one queue ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ended {
    /// Go on at once.
    more: bool,
    /// Nothing is left that could go out.
    caught_up: bool,
    /// Confirmed by the broker.
    published: usize,
    /// So few were left that there was nothing to choose from.
    thinned: bool,
}

const NOTHING_TO_DO: Ended = Ended { more: false, caught_up: true, published: 0, thinned: false };

/// A queue that gave so many is not crowded any more. Half of a few: what comes and goes should not cost two looks.
const THINNED: usize = 8;

/// Limits, with what is taken of them once somebody needed to know.
struct RoundPlaces {
    places: Places,
    are_counted: bool,
}

impl Relay {
    pub(crate) fn new(store: Store, queue: Queue, rules: RelayRules) -> Self {
        Self { store, queue, rules, held_max: HELD_MAX, memory: Arc::default() }
    }

    pub(crate) async fn round(self) -> Result<Round, RoundError> {
        let mut memory = self.memory.lock().await;
        let rung = self.ring_few(&mut memory).await?;
        let mut marks = rung_marks(&rung.queues);
        memory.confirmed.extend(rung.queues);
        let queues = self.crowded_queues(&mut memory).await?;
        let mut places = RoundPlaces { places: rung.places, are_counted: false };
        let mut found = Round::Idle;
        let mut first_error = None;
        for queue in queues {
            let (turns, window) = memory.of(&queue, self.rules);
            match self.relay_queue(&queue, &mut places, turns, window).await {
                Ok(ended) => {
                    if ended.more {
                        found = Round::More;
                    }
                    if ended.thinned {
                        memory.crowded.remove(&queue);
                    }
                    if ended.published > 0 {
                        memory.confirmed.insert(queue.clone());
                    }
                    marks.push(DispatchMark {
                        is_caught_up: ended.caught_up,
                        has_confirmed: memory.confirmed.contains(&queue),
                        trouble: None,
                        queue,
                    });
                }
                // One broken queue must not hold up the others.
                Err(error) => {
                    marks.push(DispatchMark {
                        is_caught_up: false,
                        has_confirmed: memory.confirmed.contains(&queue),
                        trouble: Some(shared::chain(&error)),
                        queue,
                    });
                    first_error = first_error.or(Some(error));
                }
            }
        }
        if memory.is_mark_due() {
            self.store.mark_dispatch(&marks).await?;
            memory.marked();
        }
        first_error.map_or(Ok(found), Err)
    }

    /// Those of the crowded queues that have doorbells waiting and are not paused; the others are not crowded any more.
    async fn crowded_queues(&self, memory: &mut Memory) -> Result<Vec<QueueName>, RoundError> {
        if memory.crowded.is_empty() {
            return Ok(vec![]);
        }
        let mut queues = self.store.outbox_queues().await?;
        memory.crowded.retain(|queue| queues.contains(queue));
        if memory.queues.len() > QUEUES_MAX {
            memory.queues.retain(|queue, _| queues.contains(queue));
        }
        queues.retain(|queue| memory.crowded.contains(queue));
        Ok(queues)
    }

    async fn relay_queue(
        &self,
        queue: &QueueName,
        places: &mut RoundPlaces,
        turns: &mut Turns,
        window: &mut Window,
    ) -> Result<Ended, RoundError> {
        // What there is to send is known by the time the broker has answered.
        let (depth, looked) = tokio::join!(self.queue.depth(queue), self.look(queue, turns));
        let depth = depth?;
        let (room, ran_dry) = window.room(depth, self.rules.window);
        metrics::gauge!("counterfoil_relay_window", "queue" => queue.to_string()).set((depth + room) as f64);
        let limit = BATCH.min(u32::try_from(room).unwrap_or(BATCH));
        if limit == 0 {
            window.filled(depth, true);
            return Ok(NOTHING_TO_DO);
        }
        let (heads, now) = looked?;
        self.count_places(queue, &heads, places).await?;
        let mut planned_places = places.places.clone();
        let plan = plan(queue.as_str(), &heads, limit, &mut planned_places, turns, now, self.rules.age_step);
        if plan.order.is_empty() {
            window.filled(depth, false);
            return Ok(NOTHING_TO_DO);
        }
        let batch = self.store.take_doorbells(queue, &plan.wanted).await?;
        let ordered = in_order(&plan, &batch);
        let published = self.publish(queue, &plan, batch, &ordered, places).await?;
        let all = published == plan.order.len();
        let more_room = u64::from(limit) < room;
        window.filled(depth + published as u64, published == limit as usize);
        // A lane that gave less than it was asked for is empty; others may have more to fill the rest.
        let more = published > 0 && (ran_dry || more_room || !all);
        let thinned = published < THINNED.min(limit as usize) && !plan.held_back;
        Ok(Ended { more, caught_up: !more || (all && !more_room), published, thinned })
    }

    /// The lanes of a queue, and the database's time.
    async fn look(
        &self,
        queue: &QueueName,
        turns: &mut Turns,
    ) -> Result<(Vec<LaneHead>, DateTime<Utc>), RoundError> {
        let (mut heads, now) = self.store.lanes(queue, turns.look_from(), LANES_MAX).await?;
        if turns.looked(&heads) {
            // The look came to the end of the tenants: those at the beginning belong to the same turn.
            let (mut all, _) = self.store.lanes(queue, &Default::default(), LANES_MAX).await?;
            all.retain(|head| !heads.contains(head));
            heads.append(&mut all);
        }
        Ok((heads, now))
    }

    /// Counting reads all running jobs, so it is done once in a round and only when a limit could matter.
    async fn count_places(
        &self,
        queue: &QueueName,
        heads: &[LaneHead],
        round: &mut RoundPlaces,
    ) -> Result<(), RoundError> {
        let concerned = |head: &LaneHead| round.places.concern(subject(queue.as_str(), &head.lane));
        if !round.are_counted && heads.iter().any(concerned) {
            self.store.take_places(&mut round.places, self.rules.answered_within).await?;
            round.are_counted = true;
        }
        Ok(())
    }
}
