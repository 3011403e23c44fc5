//! The files that others run Counterfoil with: images, compose, Kubernetes, systemd, settings of services, rollouts, and
//! the documentation. Each is read by the program it is for where that is installed, and looked at here in any case: what
//! it names exists, and what it sets is a setting.

mod book;
mod compose;
mod files;
mod image;
mod kubernetes;
mod quick_start;
mod rollout;
mod services;
mod settings;
mod systemd;
mod tools;
