//! Plans on a manual clock.

use super::*;
use shared::clock::Clock;
use shared::ids::ProjectId;
use shared::limits::{Limit, LimitScope};

const STEP: TimeDelta = TimeDelta::seconds(60);

/// A queue in memory: lanes with the times since when each of their doorbells waits.
struct Queue {
    clock: Clock,
    waiting: BTreeMap<Lane, VecDeque<DateTime<Utc>>>,
    places: Places,
    turns: Turns,
}

impl Queue {
    fn new() -> Self {
        let clock = Clock::manual(DateTime::from_timestamp(1_800_000_000, 0).expect("a time"));
        Self { clock, waiting: BTreeMap::new(), places: Places::default(), turns: Turns::default() }
    }

    fn add(&mut self, lane: &Lane, doorbells: usize) {
        let now = self.clock.now();
        self.waiting.entry(lane.clone()).or_default().extend(std::iter::repeat_n(now, doorbells));
    }

    fn pass(&self, time: TimeDelta) {
        self.clock.advance(time);
    }

    /// What one round publishes.
    fn round(&mut self, room: u32) -> Vec<Lane> {
        let heads: Vec<LaneHead> = self
            .waiting
            .iter()
            .filter_map(|(lane, waits)| Some(LaneHead { lane: lane.clone(), waiting_since: *waits.front()? }))
            .collect();
        self.turns.looked(&heads);
        let (places, turns) = (&mut self.places.clone(), &mut self.turns);
        let plan = plan("test", &heads, room, places, turns, self.clock.now(), STEP);
        let mut out = vec![];
        for wanted in plan.order {
            let lane = &plan.wanted[wanted].0;
            if self.waiting.get_mut(lane).and_then(VecDeque::pop_front).is_some() {
                out.push(lane.clone());
            }
        }
        self.waiting.retain(|_, waits| !waits.is_empty());
        out
    }
}

fn lane(priority: u8, project_id: Option<ProjectId>) -> Lane {
    Lane { priority, project_id, key: None }
}

fn tenant() -> Option<ProjectId> {
    Some(ProjectId::new())
}

#[test]
fn higher_priorities_go_first_and_nothing_waits_for_ever() {
    let mut queue = Queue::new();
    let (urgent, late) = (lane(9, tenant()), lane(0, tenant()));
    queue.add(&late, 3);
    let mut served_at = vec![];
    for minute in 0..30 {
        queue.add(&urgent, 10);
        let out = queue.round(10);
        assert_eq!(out.len(), 10);
        served_at.extend(out.iter().filter(|l| **l == late).map(|_| minute));
        queue.pass(STEP);
    }
    // Nine steps to the level of the flood, where a newcomer is first; then a step for each.
    assert_eq!(served_at, [9, 10, 11]);
}

#[test]
fn within_a_step_priority_is_strict() {
    let mut queue = Queue::new();
    let (low, high) = (lane(4, tenant()), lane(5, tenant()));
    queue.add(&low, 2);
    queue.pass(STEP - TimeDelta::seconds(1));
    queue.add(&high, 2);
    assert_eq!(queue.round(2), [high.clone(), high]);
    assert_eq!(queue.round(2), [low.clone(), low]);
}

#[test]
fn one_tenants_flood_delays_anothers_job_by_a_few() {
    let mut queue = Queue::new();
    let (flood, single) = (lane(5, tenant()), lane(5, tenant()));
    queue.add(&flood, 10_000);
    // Workers are slow, and the flood has waited for an hour when the other one comes.
    for _ in 0..10 {
        assert_eq!(queue.round(2), [flood.clone(), flood.clone()]);
        queue.pass(TimeDelta::minutes(6));
    }
    queue.add(&single, 1);
    let mut before = 0;
    loop {
        let out = queue.round(2);
        match out.iter().position(|l| *l == single) {
            Some(at) => break before += at,
            None => before += out.len(),
        }
    }
    assert!(before <= 9, "{before}: no more than the steps that were saved");
}

#[test]
fn tenants_take_turns_whatever_they_have_waiting() {
    let mut queue = Queue::new();
    let lanes: Vec<Lane> = (0..4).map(|_| lane(5, tenant())).collect();
    for (lane, doorbells) in lanes.iter().zip([1000, 100, 10, 1]) {
        queue.add(lane, doorbells);
    }
    let mut out = vec![];
    while out.len() < 40 {
        out.extend(queue.round(3));
    }
    let of = |lane: &Lane| out.iter().filter(|l| *l == lane).count();
    let (first, second, third, last) = (of(&lanes[0]), of(&lanes[1]), of(&lanes[2]), of(&lanes[3]));
    assert_eq!((third, last), (10, 1));
    assert!(first.abs_diff(second) <= 1, "{first} {second}");
}

#[test]
fn keys_of_a_tenant_take_turns_and_full_ones_are_left_alone() {
    let mut queue = Queue::new();
    let project_id = tenant();
    let keyed = |key: &str| Lane { priority: 5, project_id, key: Some(key.into()) };
    queue.places = Places::new(vec![Limit { scope: LimitScope::Key, name: "*".into(), jobs_max: 1 }]);
    for key in ["a", "b", "c"] {
        queue.add(&keyed(key), 5);
    }
    queue.places.take(subject("test", &keyed("b")), 1);
    queue.add(&lane(5, project_id), 5);
    let out = queue.round(10);
    let keys: Vec<Option<&str>> = out.iter().map(|l| l.key.as_deref()).collect();
    assert_eq!(keys.iter().filter(|k| **k == Some("a")).count(), 1);
    assert_eq!(keys.iter().filter(|k| **k == Some("c")).count(), 1);
    assert!(!keys.contains(&Some("b")), "its place is taken");
    assert_eq!(keys.iter().filter(|k| k.is_none()).count(), 5, "what has no key is not held up");
}

#[test]
fn a_limit_on_all_is_shared_by_all() {
    let mut queue = Queue::new();
    queue.places = Places::new(vec![Limit { scope: LimitScope::Global, name: "*".into(), jobs_max: 5 }]);
    let (one, two) = (lane(5, tenant()), lane(5, tenant()));
    queue.add(&one, 100);
    queue.add(&two, 100);
    let out = queue.round(100);
    assert_eq!(out.len(), 5);
    assert!(out.contains(&one) && out.contains(&two));
}

#[test]
fn more_tenants_than_one_look_shows_are_seen_one_after_the_other() {
    let mut turns = Turns::default();
    let head = |n: u128| LaneHead {
        lane: lane(5, Some(ProjectId(uuid::Uuid::from_u128(n)))),
        waiting_since: DateTime::UNIX_EPOCH,
    };
    let full: Vec<LaneHead> = (1..=256).map(head).collect();
    assert!(!turns.looked(&full));
    assert_eq!(turns.look_from().tenants, [(5, uuid::Uuid::from_u128(257))]);
    assert!(turns.looked(&[head(300)]), "the tenants at the beginning are missing");
    assert!(turns.look_from().tenants.is_empty());
}
