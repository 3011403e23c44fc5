//! Who may do what, kept in memory: the guard's answer about somebody and a thing of a project.
//!
//! Kept are only answers that let somebody in, of a thing whose project never changes, and only while this process
//! hears of every change (see [`shared::store::changes`]): less than a second after its connection for that has
//! gone silent, each request asks the database again. What is signed or has an end is checked each time, before.

use crate::caller::Caller;
use shared::ids::UserId;
use shared::store::access::{Owner, Standing};
use shared::store::changes::News;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::broadcast::{self, error::RecvError};

/// How long after a promise that nothing was missed what is kept may be used. With the time that a notification takes,
/// a change holds everywhere within a second.
pub(crate) const PROMISE_HOLDS: Duration = Duration::from_millis(750);
/// A key's last use is noted to the minute, which asking does.
const KEPT_FOR_OF_KEYS: Duration = Duration::from_secs(50);
const KEPT_FOR: Duration = Duration::from_secs(300);
const SHARDS: usize = 16;
/// Of one shard; a full one begins anew. Some 200 bytes each.
const KEPT_MAX: usize = 4096;

/// By which right somebody asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Right {
    Session(shared::ids::SessionId, UserId),
    Key(crate::auth::Digest),
}

pub(crate) struct Standings {
    shards: [Mutex<HashMap<(Right, Owner), Kept>>; SHARDS],
    hasher: RandomState,
    began_at: Instant,
    /// Microseconds after `began_at` until which what is kept may be used.
    good_until_us: AtomicU64,
    /// Rises with each change: an answer that was asked for before one is not kept after it.
    changes: AtomicU64,
    /// Whose rights may have changed, for what was let in and lasts.
    told: broadcast::Sender<Whose>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Of(UserId),
    /// Something may have been missed.
    Anybody,
}

/// Told that are not read yet; who comes behind looks at once.
const TOLD_MAX: usize = 256;

/// Tells whether somebody's rights may have changed.
pub(crate) struct Rights {
    of: UserId,
    told: broadcast::Receiver<Whose>,
}

impl Rights {
    /// Waits until they may. Nothing is lost when it is dropped half way.
    pub async fn may_have_changed(&mut self) {
        loop {
            match self.told.recv().await {
                Ok(Whose::Of(user_id)) if user_id != self.of => {}
                Ok(_) | Err(RecvError::Lagged(_)) => return,
                // The end of the process is told otherwise.
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Kept {
    caller: Caller,
    standing: Standing,
    at: Instant,
}

/// What stood when the database was asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    changes: u64,
    at: Instant,
}

impl Standings {
    pub fn new() -> Self {
        Self {
            shards: Default::default(),
            hasher: RandomState::new(),
            began_at: Instant::now(),
            good_until_us: AtomicU64::new(0),
            changes: AtomicU64::new(0),
            told: broadcast::Sender::new(TOLD_MAX),
        }
    }

    /// From now on.
    pub fn rights_of(&self, user_id: UserId) -> Rights {
        Rights { of: user_id, told: self.told.subscribe() }
    }

    /// As it was found before, or what to hand to [`Self::keep`] once it is found.
    pub fn find(&self, right: &Right, owner: Owner) -> Result<(Caller, Standing), Asked> {
        let at = Instant::now();
        let asked = Asked { changes: self.changes.load(Ordering::SeqCst), at };
        if owner == Owner::Nothing {
            return Err(asked);
        }
        if !self.hears(at) {
            count("failed");
            return Err(asked);
        }
        let key = (*right, owner);
        let kept = self.shard(&key).get(&key).copied();
        let life = if matches!(right, Right::Key(_)) { KEPT_FOR_OF_KEYS } else { KEPT_FOR };
        match kept.filter(|kept| at.duration_since(kept.at) < life) {
            Some(kept) => {
                count("hit");
                Ok((kept.caller, kept.standing))
            }
            None => {
                count("miss");
                Err(asked)
            }
        }
    }

    /// Keeps what was found, if it lets somebody in and nothing has changed since it was asked for.
    pub fn keep(&self, right: Right, owner: Owner, asked: Asked, (caller, standing): (Caller, Standing)) {
        if owner == Owner::Nothing || standing.role.is_none() || standing.project_id.is_none() {
            return;
        }
        let key = (right, owner);
        let mut shard = self.shard(&key);
        // Under the lock: whoever forgets comes after, or is seen here.
        if self.changes.load(Ordering::SeqCst) != asked.changes {
            return;
        }
        if shard.len() >= KEPT_MAX {
            shard.clear();
        }
        shard.insert(key, Kept { caller, standing, at: asked.at });
    }

    /// A change of access that this process has made itself holds in it from its answer on.
    pub fn forget_all(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        for shard in &self.shards {
            lock(shard).clear();
        }
    }

    pub fn hear(&self, news: &News) {
        match news {
            News::Missed => {
                self.good_until_us.store(0, Ordering::SeqCst);
                self.forget_all();
            }
            News::Access(user_id) => {
                self.changes.fetch_add(1, Ordering::SeqCst);
                for shard in &self.shards {
                    lock(shard).retain(|_, kept| kept.caller.user_id != *user_id);
                }
                let _ = self.told.send(Whose::Of(*user_id));
            }
            News::HeardUntil(at) => {
                let until = at.duration_since(self.began_at) + PROMISE_HOLDS;
                self.good_until_us.store(until.as_micros() as u64, Ordering::SeqCst);
            }
            // Again, perhaps: what happened in between was not heard.
            News::Listening(_) => drop(self.told.send(Whose::Anybody)),
            News::Changed(_) => {}
        }
    }

    fn hears(&self, now: Instant) -> bool {
        now.duration_since(self.began_at).as_micros() < self.good_until_us.load(Ordering::SeqCst).into()
    }

    fn shard(&self, key: &(Right, Owner)) -> MutexGuard<'_, HashMap<(Right, Owner), Kept>> {
        lock(&self.shards[self.hasher.hash_one(key) as usize % SHARDS])
    }
}

fn lock<T>(shard: &Mutex<T>) -> MutexGuard<'_, T> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

fn count(outcome: &'static str) {
    metrics::counter!("counterfoil_cache_requests_total", "cache" => "standings", "level" => "memory", "outcome" => outcome)
        .increment(1);
}

/// Whether a route changes who may do what.
pub(crate) fn changes_access(route: &str) -> bool {
    let about = [
        "/members",
        "/api-keys",
        "/invitations",
        "/api/auth/logout",
        "/api/auth/sessions",
        "/api/auth/password",
    ];
    route == "/api/projects"
        || route.starts_with("/api/users/")
        || route.starts_with("/api/auth/provider/")
        || about.iter().any(|part| route.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caller::CallerKind;
    use chrono::Utc;
    use shared::ids::{ProjectId, SessionId};
    use shared::store::projects::ProjectRole;

    struct Place {
        standings: Standings,
        right: Right,
        owner: Owner,
        found: (Caller, Standing),
    }

    fn place() -> Place {
        let (user_id, session_id, project) = (UserId::new(), SessionId::new(), ProjectId::new());
        let kind = CallerKind::Person { session_id, is_platform_admin: false };
        let caller = Caller { user_id, expires_at: Utc::now(), kind };
        let role = Some(ProjectRole::Viewer);
        let standing = Standing { is_platform_admin: false, project_id: Some(project), role };
        let standings = Standings::new();
        standings.hear(&News::HeardUntil(Instant::now()));
        let owner = Owner::Project(project);
        Place { standings, right: Right::Session(session_id, user_id), owner, found: (caller, standing) }
    }

    impl Place {
        fn asked(&self) -> Asked {
            self.standings.find(&self.right, self.owner).expect_err("not kept yet")
        }

        fn has(&self) -> bool {
            self.standings.find(&self.right, self.owner).is_ok()
        }

        fn keep(&self, asked: Asked) {
            self.standings.keep(self.right, self.owner, asked, self.found);
        }
    }

    #[test]
    fn what_was_found_is_kept_until_it_changes() {
        let place = place();
        place.keep(place.asked());
        assert!(place.has());
        place.standings.hear(&News::Access(UserId::new()));
        assert!(place.has(), "somebody else's rights");
        place.standings.hear(&News::Access(place.found.0.user_id));
        assert!(!place.has());
    }

    #[test]
    fn an_answer_that_was_on_its_way_during_a_change_is_not_kept() {
        for news in [News::Access(UserId::new()), News::Missed] {
            let place = place();
            let asked = place.asked();
            place.standings.hear(&news);
            place.standings.hear(&News::HeardUntil(Instant::now()));
            place.keep(asked);
            assert!(!place.has(), "{news:?}");
        }
    }

    #[test]
    fn nothing_is_used_while_changes_are_not_heard_of() {
        let place = place();
        place.keep(place.asked());
        let long_ago = Instant::now().checked_sub(PROMISE_HOLDS);
        let Some(long_ago) = long_ago.filter(|at| *at >= place.standings.began_at) else {
            // A promise that has run out, without waiting for it.
            place.standings.good_until_us.store(1, Ordering::SeqCst);
            assert!(!place.has());
            return;
        };
        place.standings.hear(&News::HeardUntil(long_ago));
        assert!(!place.has());
    }

    #[test]
    fn strangers_and_what_is_of_no_project_are_asked_for_each_time() {
        let place = place();
        let (caller, standing) = place.found;
        for refused in [Standing { role: None, ..standing }, Standing { project_id: None, ..standing }] {
            place.standings.keep(place.right, place.owner, place.asked(), (caller, refused));
            assert!(!place.has());
        }
        let asked = place.standings.find(&place.right, Owner::Nothing).unwrap_err();
        place.standings.keep(place.right, Owner::Nothing, asked, place.found);
        assert!(place.standings.find(&place.right, Owner::Nothing).is_err());
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let place = place();
        for _ in 0..SHARDS * KEPT_MAX + 1000 {
            let asked = place.standings.find(&place.right, Owner::Nothing).unwrap_err();
            place.standings.keep(place.right, Owner::Project(ProjectId::new()), asked, place.found);
        }
        let kept: usize = place.standings.shards.iter().map(|shard| lock(shard).len()).sum();
        assert!(kept > 0 && kept <= SHARDS * KEPT_MAX, "{kept}");
    }
}
