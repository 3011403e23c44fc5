//! How often somebody may ask: limits per address, user, token or key, and project, by class of route.
//!
//! All limits count by GCRA (the generic cell rate algorithm of ATM Forum TM 4.0): each request costs its share of the
//! window, and what was asked for is paid off as time goes by. One instant per subject is all there is to keep, and
//! no burst at the turn of a window gets twice its due.

mod client;
mod counters;
mod in_process;
mod redis;
mod spent;

pub(crate) use client::{Client, Peer, remember};
pub(crate) use counters::Counters;
pub(crate) use spent::Spent;

use crate::caller::Caller;
use crate::problem::{Problem, ProblemKind};
use crate::state::Api;
use ipnet::IpNet;
use shared::config::RateLimits;
use shared::ids::ProjectId;
use std::time::Duration;

/// Routes that are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Whatever asks for a password.
    Login,
    Register,
    Refresh,
    /// Whatever makes jobs.
    Submission,
    Upload,
    /// Lists of people.
    Members,
    Analytics,
    Ordinary,
    /// For the operator's machines.
    Unlimited,
}

/// So many per window, under a name that clients see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rule {
    pub name: &'static str,
    /// At least 1.
    pub quota: u32,
    pub window: Duration,
    /// Must hold across API processes even where there is no Redis.
    pub is_shared: bool,
}

/// One rule applied to somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Charge {
    pub rule: Rule,
    pub subject: String,
}

pub(crate) struct Quotas {
    rules: RateLimits,
    pub(crate) counters: Counters,
    /// Whose word about the client's address counts.
    pub(crate) trusted_proxies: Vec<IpNet>,
}

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);

impl Quotas {
    pub fn new(rules: RateLimits, counters: Counters, trusted_proxies: Vec<IpNet>) -> Self {
        Self { rules, counters, trusted_proxies }
    }

    /// Charges a request to whom it concerns: all of them, or none when one has no more to spend.
    pub async fn spend(
        &self,
        api: &Api,
        class: Class,
        client: &Client,
        caller: Option<(&Caller, Option<ProjectId>)>,
    ) -> Result<Spent, Problem> {
        let charges = self.charges(class, client, caller);
        let spent = self.counters.spend(&api.store, charges).await;
        match spent.refused() {
            None => Ok(spent),
            Some((rule, wait)) => {
                metrics::counter!("counterfoil_rate_limited_total", "class" => rule.name).increment(1);
                tracing::info!(limit = rule.name, ip = %client.ip, "too many requests");
                let detail = format!("At most {} in {}", rule.quota, window_words(rule.window));
                Err(Problem::after(ProblemKind::RateLimited, wait, detail).with_limits(spent))
            }
        }
    }

    fn charges(
        &self,
        class: Class,
        client: &Client,
        caller: Option<(&Caller, Option<ProjectId>)>,
    ) -> Vec<Charge> {
        let mut charges = vec![];
        let mut charge = |name, quota: u32, window, is_shared, subject: String| {
            // 0: no such limit.
            if quota > 0 {
                charges.push(Charge { rule: Rule { name, quota, window, is_shared }, subject });
            }
        };
        if class == Class::Unlimited {
            return charges;
        }
        let rules = &self.rules;
        let ip = client.network();
        match class {
            Class::Login => charge("login", rules.logins_per_ip_hour, HOUR, true, format!("login:{ip}")),
            Class::Register => {
                charge("register", rules.registrations_per_ip_hour, HOUR, true, format!("register:{ip}"));
            }
            Class::Refresh => {
                charge("refresh", rules.refreshes_per_ip_hour, HOUR, false, format!("refresh:{ip}"));
            }
            _ => {}
        }
        charge("ip", rules.requests_per_ip_minute, MINUTE, false, format!("ip:{ip}"));
        let Some((caller, project_id)) = caller else { return charges };
        let user = caller.user_id;
        let of_user = match class {
            Class::Submission => Some(("submissions", rules.submissions_per_user_hour)),
            Class::Upload => Some(("uploads", rules.uploads_per_user_hour)),
            Class::Members => Some(("members", rules.member_lists_per_user_hour)),
            Class::Analytics => Some(("analytics", rules.analytics_per_user_hour)),
            _ => None,
        };
        if let Some((name, quota)) = of_user {
            charge(name, quota, HOUR, false, format!("{name}:{user}"));
        }
        charge("user", rules.requests_per_user_minute, MINUTE, false, format!("user:{user}"));
        let credential = format!("token:{}", caller.credential_id());
        charge("token", rules.requests_per_token_minute, MINUTE, false, credential);
        if let Some(id) = project_id {
            charge("project", rules.requests_per_project_minute, MINUTE, false, format!("project:{id}"));
        }
        charges
    }
}

fn window_words(window: Duration) -> &'static str {
    if window >= HOUR { "an hour" } else { "a minute" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_requirements() {
        let quotas = Quotas::new(RateLimits::default(), Counters::new(None), vec![]);
        let client = Client { ip: "192.0.2.1".parse().unwrap() };
        let first = |class| {
            let charge = quotas.charges(class, &client, None).swap_remove(0);
            (charge.rule.quota, charge.rule.window, charge.subject)
        };
        assert_eq!(first(Class::Login), (10, HOUR, "login:192.0.2.1".into()));
        assert_eq!(first(Class::Register), (5, HOUR, "register:192.0.2.1".into()));
        assert_eq!(quotas.charges(Class::Unlimited, &client, None), []);
    }
}
