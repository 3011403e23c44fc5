//! What is shown and what raises an alarm: metrics, dashboards, alerts, runbooks. [`live`] asks a running system with
//! Prometheus and Alertmanager; the others compare files with each other and with the table of metrics.

mod alerts;
mod dashboards;
mod files;
mod live;
mod receiver;
mod runbooks;
mod selectors;
mod watched;
