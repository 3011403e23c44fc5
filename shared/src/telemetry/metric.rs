//! What a metric is: the columns of the table in [`super::table`].

use crate::job::JobKind;

/// One row of the table. Everything that a process exports is described by one, and nothing else is.
#[derive(Debug)]
pub struct Metric {
    /// After Prometheus' conventions: prefix `counterfoil_`, base units, `_total` for counters.
    pub name: &'static str,
    pub kind: MetricKind,
    /// Of the value; of what is measured in case of a histogram.
    pub unit: Unit,
    pub labels: &'static [Label],
    /// Processes that export it.
    pub roles: &'static [Role],
    pub presence: Presence,
    /// A sentence without a full stop.
    pub meaning: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MetricKind {
    Counter,
    Gauge,
    Histogram,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A number of things.
    Count,
    Seconds,
    /// Seconds since 1970.
    Timestamp,
    Bytes,
    /// 0 to 1.
    Ratio,
    /// 0 or 1.
    Flag,
    /// Major units of the currency in the label. A figure for people: exact amounts are in the results.
    Money,
}

/// The process a metric comes from. `counterfoil up` is all three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Api,
    Worker,
    Scheduler,
}

/// From when on there is a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// From the start of the process, at zero: the first increase is seen as one, and an empty panel is a mistake.
    FromZero,
    /// From the start of the process, with its true value.
    FromStart,
    /// With the first occasion, which the text names.
    Once(&'static str),
    /// The name is fixed, but nothing exports it yet: the part that will is not built. The text names it.
    Reserved(&'static str),
}

#[derive(Debug)]
pub struct Label {
    pub name: &'static str,
    pub values: Values,
}

/// What bounds the number of series.
#[derive(Debug)]
pub enum Values {
    OneOf(&'static [&'static str]),
    /// The job kinds, which are the queues too.
    Kinds,
    /// Not known beforehand; the text says why they are few.
    Bounded(&'static str),
}

impl Role {
    pub const ALL: &'static [Role] = &[Role::Api, Role::Worker, Role::Scheduler];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Worker => "worker",
            Self::Scheduler => "scheduler",
        }
    }
}

impl MetricKind {
    /// As in Prometheus' text format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

impl Unit {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Count => "",
            Self::Seconds => "seconds",
            Self::Timestamp => "Unix seconds",
            Self::Bytes => "bytes",
            Self::Ratio => "0 to 1",
            Self::Flag => "0 or 1",
            Self::Money => "major units",
        }
    }
}

impl Label {
    pub const fn one_of(name: &'static str, values: &'static [&'static str]) -> Self {
        Self { name, values: Values::OneOf(values) }
    }

    pub const fn kinds(name: &'static str) -> Self {
        Self { name, values: Values::Kinds }
    }

    pub const fn bounded(name: &'static str, why: &'static str) -> Self {
        Self { name, values: Values::Bounded(why) }
    }

    /// All values, or `None` when they are not known beforehand.
    pub fn all_values(&self) -> Option<Vec<String>> {
        match self.values {
            Values::OneOf(values) => Some(values.iter().map(|value| (*value).to_owned()).collect()),
            Values::Kinds => Some(JobKind::ALL.iter().map(JobKind::to_string).collect()),
            Values::Bounded(_) => None,
        }
    }
}

impl Metric {
    const fn new(
        name: &'static str,
        kind: MetricKind,
        unit: Unit,
        labels: &'static [Label],
        roles: &'static [Role],
        presence: Presence,
        meaning: &'static str,
    ) -> Self {
        Self { name, kind, unit, labels, roles, presence, meaning }
    }

    /// Starts at zero.
    pub(super) const fn counter(
        name: &'static str,
        labels: &'static [Label],
        roles: &'static [Role],
        meaning: &'static str,
    ) -> Self {
        Self::new(name, MetricKind::Counter, Unit::Count, labels, roles, Presence::FromZero, meaning)
    }

    /// Starts empty.
    pub(super) const fn histogram(
        name: &'static str,
        unit: Unit,
        labels: &'static [Label],
        roles: &'static [Role],
        meaning: &'static str,
    ) -> Self {
        Self::new(name, MetricKind::Histogram, unit, labels, roles, Presence::FromZero, meaning)
    }

    /// There from the start, with a value that is read and not counted.
    pub(super) const fn gauge(
        name: &'static str,
        unit: Unit,
        labels: &'static [Label],
        roles: &'static [Role],
        meaning: &'static str,
    ) -> Self {
        Self::new(name, MetricKind::Gauge, unit, labels, roles, Presence::FromStart, meaning)
    }

    pub(super) const fn of(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }

    pub(super) const fn at_zero(mut self) -> Self {
        self.presence = Presence::FromZero;
        self
    }

    pub(super) const fn at_start(mut self) -> Self {
        self.presence = Presence::FromStart;
        self
    }

    pub(super) const fn once(mut self, occasion: &'static str) -> Self {
        self.presence = Presence::Once(occasion);
        self
    }

    pub const fn reserved(mut self, part: &'static str) -> Self {
        self.presence = Presence::Reserved(part);
        self
    }

    pub fn is_reserved(&self) -> bool {
        matches!(self.presence, Presence::Reserved(_))
    }

    /// Every combination of label values; `None` when a label's values are not known beforehand.
    pub fn all_series(&self) -> Option<Vec<Vec<(&'static str, String)>>> {
        let mut series: Vec<Vec<(&'static str, String)>> = vec![vec![]];
        for label in self.labels {
            let values = label.all_values()?;
            let longer = |known: &Vec<(&'static str, String)>| {
                let with = |value: &String| [known.as_slice(), &[(label.name, value.clone())]].concat();
                values.iter().map(with).collect::<Vec<_>>()
            };
            series = series.iter().flat_map(longer).collect();
        }
        Some(series)
    }
}
