//! What one process keeps, and what it knows of changes.

use shared::store::changes::Listening;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

pub(super) struct Memory<V> {
    slots: HashMap<Uuid, Slot<V>>,
    slots_max: usize,
    /// How long after a promise that nothing was missed what is kept may be used.
    promise_holds: Duration,
    /// `None`: changes are not heard of.
    hearing: Option<Hearing>,
    /// What was asked for before may have been changed since, by whom is forgotten.
    emptied_at: Option<Instant>,
    /// The last change that was made here: by which transaction is not known before it is heard of.
    forgotten_at: Option<Instant>,
}

struct Hearing {
    database: Arc<str>,
    /// Earlier transactions have ended, and what they did is not known here.
    since: u64,
    /// Every change that was committed before is known.
    until: Option<Instant>,
}

/// Of one id: what is kept, until when, and what is known of its changes.
struct Slot<V> {
    kept: Option<(V, Instant)>,
    /// By the last of these transactions; 0: none is known.
    changed_by: u64,
    changed_at: Option<Instant>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<V> {
    Kept(V),
    /// Of what this database has.
    Nothing(Arc<str>),
    /// Changes are not heard of: nothing may be used or kept.
    Deaf,
}

impl<V> Memory<V> {
    pub fn new(slots_max: usize, promise_holds: Duration) -> Self {
        Self {
            slots: HashMap::new(),
            slots_max,
            promise_holds,
            hearing: None,
            emptied_at: None,
            forgotten_at: None,
        }
    }

    pub fn find(&self, id: Uuid, now: Instant) -> Found<V>
    where
        V: Clone,
    {
        let holds = |hearing: &&Hearing| hearing.until.is_some_and(|until| now <= until + self.promise_holds);
        let Some(hearing) = self.hearing.as_ref().filter(holds) else { return Found::Deaf };
        let kept = self.slots.get(&id).and_then(|slot| slot.kept.as_ref());
        match kept.filter(|(_, until)| now < *until) {
            Some((value, _)) => Found::Kept(value.clone()),
            None => Found::Nothing(hearing.database.clone()),
        }
    }

    /// Keeps what the database was asked for at `asked_at`, unless it may have changed since. Says whether it did.
    pub fn keep(&mut self, id: Uuid, value: V, asked_at: Instant, until: Instant) -> bool {
        if self.hearing.is_none() || self.emptied_at >= Some(asked_at) {
            return false;
        }
        let slot = self.slot(id, asked_at);
        if slot.changed_at >= Some(asked_at) {
            return false;
        }
        slot.kept = Some((value, until));
        true
    }

    /// Keeps what another process has read up to `horizon`, if every change there may have been is in it.
    pub fn keep_from_elsewhere(
        &mut self,
        id: Uuid,
        value: V,
        horizon: u64,
        asked_at: Instant,
        until: Instant,
    ) -> bool {
        let Some(hearing) = &self.hearing else { return false };
        let changed_by = self.slots.get(&id).map_or(0, |slot| slot.changed_by);
        let has_all = horizon >= hearing.since && horizon > changed_by;
        let knows_all = self.forgotten_at.is_none() || hearing.until > self.forgotten_at;
        has_all && knows_all && self.keep(id, value, asked_at, until)
    }

    /// A change was made here.
    pub fn forget(&mut self, id: Uuid, now: Instant) {
        self.forgotten_at = Some(now);
        self.changed(id, 0, now);
    }

    /// A change was heard of. Noted also where nothing is kept: others may have something.
    pub fn changed(&mut self, id: Uuid, by: u64, now: Instant) {
        let slot = self.slot(id, now);
        *slot = Slot { kept: None, changed_by: slot.changed_by.max(by), changed_at: Some(now) };
    }

    /// Something may have been missed.
    pub fn miss(&mut self, now: Instant) {
        self.hearing = None;
        self.slots.clear();
        self.emptied_at = Some(now);
    }

    pub fn listen(&mut self, Listening { database, since }: &Listening) {
        self.hearing = Some(Hearing { database: database.as_str().into(), since: *since, until: None });
    }

    pub fn heard_until(&mut self, at: Instant) {
        if let Some(hearing) = &mut self.hearing {
            hearing.until = Some(at);
        }
    }

    fn slot(&mut self, id: Uuid, now: Instant) -> &mut Slot<V> {
        if self.slots.len() >= self.slots_max && !self.slots.contains_key(&id) {
            self.make_room(now);
        }
        self.slots.entry(id).or_insert(Slot { kept: None, changed_by: 0, changed_at: None })
    }

    /// Drops what has been kept for long enough, and everything if that is less than a tenth.
    fn make_room(&mut self, now: Instant) {
        let mut lost = 0;
        self.slots.retain(|_, slot| {
            let stays = slot.kept.as_ref().is_some_and(|(_, until)| now < *until);
            lost = if stays { lost } else { lost.max(slot.changed_by) };
            stays
        });
        if self.slots.len() > self.slots_max - self.slots_max / 10 {
            lost = self.slots.values().map(|slot| slot.changed_by).max().unwrap_or(0).max(lost);
            self.slots.clear();
        }
        // What the slots knew of changes must not be lost with them: neither for what is under way, nor for what is
        // elsewhere.
        self.emptied_at = Some(now);
        if let Some(hearing) = &mut self.hearing {
            hearing.since = hearing.since.max(lost + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);
    const ID: Uuid = Uuid::from_u128(7);

    struct Place {
        memory: Memory<&'static str>,
        began: Instant,
    }

    /// Hears everything from transaction 100 on, and has heard it until the second 0.
    fn place() -> Place {
        let began = Instant::now();
        let mut memory = Memory::new(10, S);
        memory.listen(&Listening { database: "d".into(), since: 100 });
        memory.heard_until(began);
        Place { memory, began }
    }

    impl Place {
        fn at(&self, ms: u64) -> Instant {
            self.began + Duration::from_millis(ms)
        }

        fn keep(&mut self, asked_at_ms: u64) -> bool {
            let (asked_at, until) = (self.at(asked_at_ms), self.at(500));
            self.memory.keep(ID, "here", asked_at, until)
        }

        fn keep_from_elsewhere(&mut self, horizon: u64, asked_at_ms: u64) -> bool {
            let (asked_at, until) = (self.at(asked_at_ms), self.at(500));
            self.memory.keep_from_elsewhere(ID, "elsewhere", horizon, asked_at, until)
        }

        fn finds(&self, at_ms: u64) -> Option<&'static str> {
            match self.memory.find(ID, self.at(at_ms)) {
                Found::Kept(value) => Some(value),
                Found::Nothing(_) | Found::Deaf => None,
            }
        }
    }

    #[test]
    fn what_was_read_is_kept_for_its_time_and_until_it_changes() {
        let mut place = place();
        assert!(place.keep(1));
        assert_eq!((place.finds(499), place.finds(500)), (Some("here"), None));
        let at = place.at(10);
        place.memory.changed(Uuid::from_u128(8), 200, at);
        assert_eq!(place.finds(20), Some("here"), "something else");
        place.memory.changed(ID, 201, at);
        assert_eq!(place.finds(20), None);
    }

    #[test]
    fn an_answer_that_was_on_its_way_during_a_change_is_not_kept() {
        type Happens = fn(&mut Memory<&'static str>, Instant);
        let happens: [Happens; 3] = [
            |memory, at| memory.changed(ID, 200, at),
            |memory, at| memory.forget(ID, at),
            |memory, at| {
                memory.miss(at);
                memory.listen(&Listening { database: "d".into(), since: 300 });
            },
        ];
        for happens in happens {
            let mut place = place();
            let at = place.at(10);
            happens(&mut place.memory, at);
            assert!(!place.keep(9));
            assert!(place.keep(11));
        }
    }

    #[test]
    fn nothing_is_used_while_changes_are_not_heard_of() {
        let mut place = place();
        place.keep_from_elsewhere(100, 1);
        let later = place.at(1400);
        place.memory.keep(ID, "here", place.began, later);
        assert_eq!((place.finds(1000), place.finds(1001)), (Some("here"), None), "no promise any more");
        place.memory.heard_until(later);
        place.memory.miss(later);
        assert!(place.memory.find(ID, later) == Found::Deaf && !place.keep(1500));
        assert!(!place.keep_from_elsewhere(u64::MAX, 1500));
        place.memory.listen(&Listening { database: "d".into(), since: 300 });
        assert!(place.memory.find(ID, later) == Found::Deaf, "a promise first");
    }

    #[test]
    fn what_others_have_read_counts_if_every_change_is_in_it() {
        let mut place = place();
        assert!(!place.keep_from_elsewhere(99, 1), "changes by 99 may have gone unheard");
        assert!(place.keep_from_elsewhere(100, 1));
        let at = place.at(10);
        place.memory.changed(ID, 200, at);
        assert!(!place.keep_from_elsewhere(200, 11), "as it was before 200");
        assert!(place.keep_from_elsewhere(201, 11));
        // Changed here: by which transaction is known with the next promise only.
        let at = place.at(20);
        place.memory.forget(ID, at);
        assert!(!place.keep_from_elsewhere(250, 21));
        place.memory.changed(ID, 260, at);
        let at = place.at(30);
        place.memory.heard_until(at);
        assert!(!place.keep_from_elsewhere(250, 31));
        assert!(place.keep_from_elsewhere(261, 31));
    }

    #[test]
    fn memory_is_bounded_and_what_is_known_of_changes_outlives_its_slots() {
        let mut place = place();
        let at = place.at(10);
        place.memory.changed(ID, 200, at);
        for n in 100..200 {
            place.memory.keep(Uuid::from_u128(n), "x", at, at + S);
            assert!(place.memory.slots.len() <= 10);
        }
        let later = place.at(20);
        place.memory.heard_until(later);
        assert!(!place.memory.slots.contains_key(&ID));
        assert!(!place.keep_from_elsewhere(200, 21));
        assert!(place.keep_from_elsewhere(201, 21));
    }
}
