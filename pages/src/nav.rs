//! Everything that can be reached from everywhere: one line here puts a page into the navigation and the palette.

/// A place in the navigation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item {
    /// Also the name by which a page says that it belongs here.
    pub section: &'static str,
    pub label: &'static str,
    pub icon: &'static str,
    /// Behind the address of the scope.
    pub path: &'static str,
    pub scope: InScope,
    /// Of members, only administrators find anything there.
    pub is_for_admins: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InScope {
    Project,
    System,
    Both,
}

const fn item(
    section: &'static str,
    label: &'static str,
    icon: &'static str,
    path: &'static str,
    scope: InScope,
) -> Item {
    Item { section, label, icon, path, scope, is_for_admins: false }
}

/// In the order in which they stand.
pub(crate) const ITEMS: [Item; 16] = [
    item("overview", "Overview", "overview", "", InScope::Project),
    item("reconcile", "Reconcile files", "reconcile", "/reconcile", InScope::Project),
    item("reconciliations", "Reconciliations", "list", "/reconciliations", InScope::Project),
    item("approvals", "Approvals", "approvals", "/approvals", InScope::Project),
    item("jobs", "Jobs", "jobs", "/jobs", InScope::Both),
    item("failed", "Failed jobs", "failed", "/failed", InScope::Both),
    item("queues", "Queues", "queues", "/queues", InScope::System),
    item("workers", "Workers", "workers", "/workers", InScope::System),
    item("schedules", "Schedules", "schedules", "/schedules", InScope::Both),
    item("backups", "Backups", "backups", "/backups", InScope::System),
    item("members", "Members", "people", "/members", InScope::Project),
    item("users", "Accounts", "people", "/users", InScope::System),
    Item { is_for_admins: true, ..item("keys", "API keys", "key", "/keys", InScope::Project) },
    Item { is_for_admins: true, ..item("webhooks", "Webhooks", "webhooks", "/webhooks", InScope::Both) },
    item("settings", "Review settings", "settings", "/settings", InScope::Project),
    item("audit", "Audit log", "audit", "/audit", InScope::Both),
];
