//! How often somebody may ask.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How often somebody may ask, 0 to 1000000; 0: as often as they like. A request counts for all limits that concern it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimits {
    /// Whatever asks for a password or code.
    pub logins_per_ip_hour: u32,
    /// Registrations, and invitations accepted.
    pub registrations_per_ip_hour: u32,
    /// Refreshed sessions.
    pub refreshes_per_ip_hour: u32,
    /// Requests that make jobs.
    pub submissions_per_user_hour: u32,
    /// Uploads.
    pub uploads_per_user_hour: u32,
    /// Lists of members and invitations.
    pub member_lists_per_user_hour: u32,
    /// Dashboards.
    pub analytics_per_user_hour: u32,
    /// Anything, besides the limits above.
    pub requests_per_ip_minute: u32,
    /// Anything.
    pub requests_per_user_minute: u32,
    /// Anything, of one session or API key.
    pub requests_per_token_minute: u32,
    /// Anything that concerns one project.
    pub requests_per_project_minute: u32,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            logins_per_ip_hour: 10,
            registrations_per_ip_hour: 5,
            refreshes_per_ip_hour: 600,
            submissions_per_user_hour: 50,
            uploads_per_user_hour: 100,
            member_lists_per_user_hour: 1000,
            analytics_per_user_hour: 500,
            requests_per_ip_minute: 3000,
            requests_per_user_minute: 1200,
            requests_per_token_minute: 1200,
            requests_per_project_minute: 6000,
        }
    }
}

impl RateLimits {
    /// No limit at all: for benchmarks and tests of something else.
    pub fn none() -> Self {
        Self {
            logins_per_ip_hour: 0,
            registrations_per_ip_hour: 0,
            refreshes_per_ip_hour: 0,
            submissions_per_user_hour: 0,
            uploads_per_user_hour: 0,
            member_lists_per_user_hour: 0,
            analytics_per_user_hour: 0,
            requests_per_ip_minute: 0,
            requests_per_user_minute: 0,
            requests_per_token_minute: 0,
            requests_per_project_minute: 0,
        }
    }

    pub(super) fn all(&self) -> [(&'static str, u32); 11] {
        [
            ("logins_per_ip_hour", self.logins_per_ip_hour),
            ("registrations_per_ip_hour", self.registrations_per_ip_hour),
            ("refreshes_per_ip_hour", self.refreshes_per_ip_hour),
            ("submissions_per_user_hour", self.submissions_per_user_hour),
            ("uploads_per_user_hour", self.uploads_per_user_hour),
            ("member_lists_per_user_hour", self.member_lists_per_user_hour),
            ("analytics_per_user_hour", self.analytics_per_user_hour),
            ("requests_per_ip_minute", self.requests_per_ip_minute),
            ("requests_per_user_minute", self.requests_per_user_minute),
            ("requests_per_token_minute", self.requests_per_token_minute),
            ("requests_per_project_minute", self.requests_per_project_minute),
        ]
    }
}
