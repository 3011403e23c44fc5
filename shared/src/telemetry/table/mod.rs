//! The one table of metrics. `docs/metrics.md` is made from it (`counterfoil metrics-reference`), every exported metric
//! gets its description and its first zero from it, and tests compare it with the code, with running processes, with
//! the dashboards and with the alerts.

mod access;
mod backup;
mod database;
mod http;
mod jobs;
mod notifications;
mod process;
mod queue;
mod reconciliation;

use super::metric::Metric;

/// A part of the table, with its heading.
pub struct Section {
    pub title: &'static str,
    pub metrics: &'static [Metric],
}

pub static SECTIONS: &[Section] = &[
    Section { title: "Jobs", metrics: jobs::METRICS },
    Section { title: "Queues and doorbells", metrics: queue::METRICS },
    Section { title: "HTTP", metrics: http::METRICS },
    Section { title: "Reconciliation", metrics: reconciliation::METRICS },
    Section { title: "Database", metrics: database::METRICS },
    Section { title: "Process and disk", metrics: process::METRICS },
    Section { title: "Backups", metrics: backup::METRICS },
    Section { title: "Access and caches", metrics: access::METRICS },
    Section { title: "Mail and notifications", metrics: notifications::METRICS },
];

pub fn all() -> impl Iterator<Item = &'static Metric> {
    SECTIONS.iter().flat_map(|section| section.metrics)
}

/// The metric of this name.
pub fn find(name: &str) -> Option<&'static Metric> {
    all().find(|metric| metric.name == name)
}

#[cfg(test)]
mod tests;
