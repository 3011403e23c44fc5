//! The members of a JSON object, taken one by one.

use super::Place;
use serde_json::{Map, Value};

/// The members of one object. What nobody asked for is refused at the end, by name.
pub(crate) struct Fields<'m> {
    members: Map<String, Value>,
    place: Place<'m>,
    asked: Vec<(&'static str, Need)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Required,
    Optional,
}

/// Unknown members named one by one; beyond that many the body is something else altogether.
const UNKNOWN_MAX: usize = 20;

impl<'m> Fields<'m> {
    pub fn new(members: Map<String, Value>, place: Place<'m>) -> Self {
        Self { members, place, asked: vec![] }
    }

    /// A member that must be there; `null` is not there. `None` when it is missing or wrong, with the mistake
    /// noted.
    pub fn required<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(Value, &mut Place<'_>) -> Option<T>,
    ) -> Option<T> {
        self.asked.push((name, Need::Required));
        match self.take(name) {
            Some(value) => read(value, &mut self.place.below(name)),
            None => self.place.below(name).wrong("missing", format!("{name} is missing")),
        }
    }

    /// A member that may be absent or `null`. `None` also when it is wrong, with the mistake noted.
    pub fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(Value, &mut Place<'_>) -> Option<T>,
    ) -> Option<T> {
        self.asked.push((name, Need::Optional));
        self.take(name).and_then(|value| read(value, &mut self.place.below(name)))
    }

    /// Mistakes noted so far, in the whole request: unchanged after reading members, they were all in order.
    pub fn mistakes(&self) -> usize {
        self.place.mistakes()
    }

    /// For what concerns the object as a whole.
    pub fn wrong<T>(&mut self, code: &'static str, detail: impl Into<String>) -> Option<T> {
        self.place.wrong(code, detail)
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.members.remove(name).filter(|value| !value.is_null())
    }

    /// Refuses what is left over; returns what was asked for.
    pub fn finish(mut self) -> Vec<(&'static str, Need)> {
        let known: Vec<_> = self.asked.iter().map(|(name, _)| *name).collect();
        let known = known.join(", ");
        for name in self.members.keys().take(UNKNOWN_MAX) {
            let detail = format!("there is no such field; known are {known}");
            let _: Option<()> = self.place.below(name).wrong("unknown_field", detail);
        }
        self.asked
    }
}

/// Reads an object by its members.
pub(crate) fn object<T>(
    read: impl FnOnce(&mut Fields<'_>) -> Option<T>,
) -> impl FnOnce(Value, &mut Place<'_>) -> Option<T> {
    move |value, place| match value {
        Value::Object(members) => {
            let mut fields = Fields::new(members, place.same());
            let value = read(&mut fields);
            fields.finish();
            value
        }
        other => place.wrong("type", format!("must be an object, not {}", super::values::name_of(&other))),
    }
}
