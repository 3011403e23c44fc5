//! How many jobs may run at once: what a limit is called, and which limits count for which job.
//!
//! Pure. Postgres decides with the same rule (`limits_on` in the migrations) whenever a job is leased, and that is
//! what holds; the relay uses this one to leave jobs alone that could not run.

use crate::ids::ProjectId;
use crate::job::JobKind;
use std::collections::HashMap;

/// What a job must not run beside: `backup:main`. 1 to 200 printable ASCII characters without blanks and `*`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConcurrencyKey(String);

impl ConcurrencyKey {
    pub const LEN_MAX: usize = 200;

    pub fn parse(text: &str) -> Option<Self> {
        ((1..=Self::LEN_MAX).contains(&text.len()) && text.bytes().all(is_of_a_key))
            .then(|| Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ConcurrencyKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_of_a_key(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'*'
}

/// What a limit counts together. Postgres has the same type, `limit_scope`, in the same order.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, sqlx::Type, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "limit_scope", rename_all = "snake_case")]
pub enum LimitScope {
    /// All jobs.
    Global,
    /// All jobs of a kind.
    Kind,
    /// All jobs of a project.
    Project,
    /// All jobs with a concurrency key.
    Key,
}

impl LimitScope {
    pub const ALL: [LimitScope; 4] = [Self::Global, Self::Kind, Self::Project, Self::Key];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Kind => "kind",
            Self::Project => "project",
            Self::Key => "key",
        }
    }
}

impl std::str::FromStr for LimitScope {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|scope| scope.as_str() == word);
        found.ok_or_else(|| format!("{word:?} is not a scope of limits: global, kind, project or key"))
    }
}

/// For what a limit is: one kind, project or key, or every one whose name begins so (`backup:*`, `*`). Each of
/// those has places of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LimitName(String);

impl LimitName {
    /// `Err` says what the name may be.
    pub fn parse(scope: LimitScope, name: &str) -> Result<Self, String> {
        let (stem, open) = name.strip_suffix('*').map_or((name, false), |stem| (stem, true));
        let fits = match scope {
            LimitScope::Global => name == "*",
            LimitScope::Kind if open => stem.len() <= 60 && stem.bytes().all(is_of_a_key),
            LimitScope::Kind => JobKind::parse(stem).is_some(),
            LimitScope::Project if open => stem.is_empty(),
            // As Postgres writes it, since it is compared as text.
            LimitScope::Project => stem.parse::<ProjectId>().is_ok_and(|id| id.to_string() == stem),
            LimitScope::Key if open => stem.len() <= ConcurrencyKey::LEN_MAX && stem.bytes().all(is_of_a_key),
            LimitScope::Key => ConcurrencyKey::parse(stem).is_some(),
        };
        let says = match scope {
            LimitScope::Global => "*",
            LimitScope::Kind => "a job kind, or the beginning of one and *",
            LimitScope::Project => "the id of a project in lower case, or *",
            LimitScope::Key => "a concurrency key (printable ASCII), or the beginning of one and *",
        };
        if fits { Ok(Self(name.into())) } else { Err(format!("must be {says}")) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// At most `jobs_max` jobs at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    pub scope: LimitScope,
    pub name: String,
    pub jobs_max: u32,
}

impl Limit {
    /// How closely this limit is meant for `subject`; `None`: it is not.
    fn closeness(&self, subject: &str) -> Option<(bool, usize)> {
        if self.name == subject {
            return Some((true, self.name.len()));
        }
        let stem = self.name.strip_suffix('*')?;
        subject.starts_with(stem).then_some((false, self.name.len()))
    }
}

/// What limits look at in a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject<'a> {
    pub kind: &'a str,
    pub project_id: Option<ProjectId>,
    pub key: Option<&'a str>,
}

/// The limits with what is free under each.
#[derive(Debug, Clone, Default)]
pub struct Places {
    limits: Vec<Limit>,
    taken: HashMap<(LimitScope, String), u64>,
}

impl Places {
    pub fn new(limits: Vec<Limit>) -> Self {
        Self { limits, taken: HashMap::new() }
    }

    /// Whether any limit counts for such a job.
    pub fn concern(&self, subject: Subject<'_>) -> bool {
        LimitScope::ALL.into_iter().any(|scope| self.limit_on(scope, subject).is_some())
    }

    /// The smallest limit that counts for such a job, whatever is taken; `None`: there is none.
    pub fn jobs_max(&self, subject: Subject<'_>) -> Option<u32> {
        let limits = LimitScope::ALL.into_iter().filter_map(|scope| self.limit_on(scope, subject));
        limits.map(|(limit, _)| limit.jobs_max).min()
    }

    /// Whether one more such job may run. O(limits).
    pub fn are_free(&self, subject: Subject<'_>) -> bool {
        LimitScope::ALL.into_iter().all(|scope| match self.limit_on(scope, subject) {
            Some((limit, name)) => {
                self.taken.get(&(scope, name)).copied().unwrap_or(0) < u64::from(limit.jobs_max)
            }
            None => true,
        })
    }

    /// `jobs` more of them run, or are about to.
    pub fn take(&mut self, subject: Subject<'_>, jobs: u64) {
        for scope in LimitScope::ALL {
            if let Some((_, name)) = self.limit_on(scope, subject) {
                *self.taken.entry((scope, name)).or_default() += jobs;
            }
        }
    }

    /// Of each scope one limit: the exact name, else the longest beginning.
    fn limit_on(&self, scope: LimitScope, subject: Subject<'_>) -> Option<(&Limit, String)> {
        let name = match scope {
            LimitScope::Global => String::new(),
            LimitScope::Kind => subject.kind.to_owned(),
            LimitScope::Project => subject.project_id?.to_string(),
            LimitScope::Key => subject.key?.to_owned(),
        };
        let of_scope = self.limits.iter().filter(|limit| limit.scope == scope);
        let closest =
            of_scope.filter_map(|limit| Some((limit.closeness(&name)?, limit))).max_by_key(|(c, _)| *c);
        closest.map(|(_, limit)| (limit, name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(scope: LimitScope, name: &str, jobs_max: u32) -> Limit {
        Limit { scope, name: name.into(), jobs_max }
    }

    fn of_key(key: &str) -> Subject<'_> {
        Subject { kind: "backup", project_id: None, key: Some(key) }
    }

    #[test]
    fn the_name_that_says_most_counts() {
        use LimitScope::Key;
        let mut places =
            Places::new(vec![limit(Key, "*", 1), limit(Key, "backup:*", 2), limit(Key, "backup:a", 3)]);
        for (key, expected) in [("mail", 1), ("backup:b", 2), ("backup:a", 3)] {
            for _ in 0..expected {
                assert!(places.are_free(of_key(key)), "{key}");
                places.take(of_key(key), 1);
            }
            assert!(!places.are_free(of_key(key)), "{key}");
        }
        assert!(places.are_free(of_key("backup:c")), "each key has places of its own");
    }

    #[test]
    fn every_scope_has_to_have_a_place() {
        let project_id = Some(ProjectId::new());
        let mut places =
            Places::new(vec![limit(LimitScope::Global, "*", 3), limit(LimitScope::Project, "*", 2)]);
        let subject = Subject { kind: "mail", project_id, key: None };
        places.take(subject, 2);
        assert!(!places.are_free(subject));
        let other = Subject { project_id: Some(ProjectId::new()), ..subject };
        assert!(places.are_free(other));
        places.take(other, 1);
        assert!(!places.are_free(Subject { project_id: None, ..subject }), "the global limit is reached");
        assert!(!Places::new(vec![limit(LimitScope::Kind, "backup", 1)]).concern(subject));
    }

    #[test]
    fn names_are_what_their_scope_has() {
        use LimitScope::*;
        let id = ProjectId::new().to_string();
        for (scope, name) in [
            (Global, "*"),
            (Kind, "mail"),
            (Kind, "*"),
            (Project, &id),
            (Project, "*"),
            (Key, "a:b"),
            (Key, "a*"),
        ] {
            assert!(LimitName::parse(scope, name).is_ok(), "{scope:?} {name}");
        }
        for (scope, name) in [
            (Global, "mail"),
            (Kind, "Mail"),
            (Kind, ""),
            (Project, "x"),
            (Project, "0*"),
            (Project, &id.to_uppercase()),
            (Key, ""),
            (Key, "a b"),
            (Key, "a**"),
            (Key, "é"),
        ] {
            assert!(LimitName::parse(scope, name).is_err(), "{scope:?} {name:?}");
        }
        assert!(ConcurrencyKey::parse(&"k".repeat(201)).is_none());
    }
}
