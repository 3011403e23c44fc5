"""Could we restore, how far back, and is that proven?"""

from panels import above, dashboard, panel, stat

AGE = "time() - max by (kind) (counterfoil_backup_last_success_timestamp_seconds)"

NOW = [
    stat(
        "Last backup",
        "s",
        "Age of the newest complete full backup; two hours are too old.",
        ("""time() - max(counterfoil_backup_last_success_timestamp_seconds{kind="full"})""", ""),
        thresholds=above(5400, 7200),
        width=6,
    ),
    stat(
        "Last proven restore",
        "s",
        "Since a backup was restored into a scratch database and found equal.",
        ("time() - max(counterfoil_backup_last_proven_restore_timestamp_seconds)", ""),
        thresholds=above(32 * 86400, 33 * 86400),
        width=6,
    ),
    stat(
        "WAL behind",
        "s",
        "Up to when everything written is archived: what a lost cluster would cost.",
        ("time() - max(counterfoil_wal_last_archived_timestamp_seconds)", ""),
        thresholds=above(120, 600),
        width=6,
    ),
    stat(
        "Stores that answer",
        "none",
        "Of the configured ones.",
        ("sum(max by (store) (counterfoil_backup_store_reachable))", ""),
        width=6,
    ),
]

BACKUPS = [
    panel("Age by kind", "s", "Since the newest one was complete.", (AGE, "{{kind}}"), thresholds=above(5400, 7200)),
    panel("Backups", "none", "Ended, by outcome.", ("sum by (kind, outcome) (increase(counterfoil_backups_total[1h]))", "{{kind}} {{outcome}}")),
    panel("Size", "bytes", "Of the newest one, as stored.", ("max by (kind) (counterfoil_backup_size_bytes)", "{{kind}}")),
    panel(
        "Size against the week before",
        "percentunit",
        "Deviation from the mean of seven days; more than 20 % wants an explanation.",
        (
            """abs(max by (kind) (counterfoil_backup_size_bytes)
                   / max by (kind) (avg_over_time(counterfoil_backup_size_bytes[7d])) - 1)""",
            "{{kind}}",
        ),
        thresholds=above(0.1, 0.2),
    ),
    panel(
        "Health",
        "none",
        "0 to 100; its factors are at /api/backups/health.",
        ("min(counterfoil_backup_health)", "health"),
        thresholds=[(None, "red"), (50, "yellow"), (80, "green")],
    ),
    panel(
        "Conditions",
        "none",
        "What is wrong with backups now, by severity.",
        ("max by (severity) (counterfoil_backup_alerts)", "{{severity}}"),
        thresholds=above(1, 3),
    ),
    panel(
        "WAL not archived",
        "bytes",
        "Written and not in the archive yet.",
        ("max(counterfoil_wal_behind_bytes)", "behind"),
        thresholds=above(64 << 20, 1 << 30),
    ),
    panel(
        "Duration",
        "s",
        "Of the newest one, and how long it may take.",
        ("max by (kind) (counterfoil_backup_duration_seconds)", "{{kind}}"),
        ("max by (kind) (counterfoil_backup_duration_max_seconds)", "most {{kind}}"),
    ),
    panel(
        "Verifications",
        "none",
        "By method and outcome.",
        ("sum by (method, outcome) (increase(counterfoil_backup_verifications_total[1h]))", "{{method}} {{outcome}}"),
    ),
]

STORES = [
    panel(
        "Requests that failed",
        "percentunit",
        "By store; each is tried three times.",
        (
            """1 - sum by (store) (rate(counterfoil_backup_store_requests_total{outcome="ok"}[$__rate_interval]))
               / sum by (store) (rate(counterfoil_backup_store_requests_total[$__rate_interval]))""",
            "{{store}}",
        ),
        thresholds=above(0.01, 0.1),
        maximum=1,
    ),
    panel(
        "Room used",
        "percentunit",
        "Where it is known.",
        ("max by (store) (counterfoil_backup_store_used_ratio)", "{{store}}"),
        thresholds=above(0.7, 0.8),
        maximum=1,
    ),
    panel(
        "Held",
        "bytes",
        "Of this cluster, by store; counted every hour.",
        ("max by (store) (counterfoil_backup_store_bytes)", "{{store}}"),
    ),
    panel(
        "Owed and healed",
        "none",
        "Objects that a store should have and has not, and those replaced there from a store that had them whole.",
        ("max by (store) (counterfoil_backup_owed_objects)", "owed {{store}}"),
        ("sum by (store) (increase(counterfoil_backup_healed_total[1h]))", "healed {{store}}"),
    ),
    panel(
        "Held back from removal",
        "none",
        "Backups and archived WAL files that no rule keeps and that the last removal has left: a store locks them, or it failed.",
        ("max by (reason) (counterfoil_backup_held_objects)", "{{reason}}"),
    ),
    panel(
        "Since everything was removed",
        "s",
        "Since all that no rule keeps was gone from every store, but for what a store locks. Removal is daily.",
        ("time() - max(counterfoil_backup_last_removal_timestamp_seconds)", "backups and WAL"),
        ("max(counterfoil_results_overdue_seconds)", "oldest month of results past its retention"),
        thresholds=above(2 * 86400, 3 * 86400),
    ),
]

BOARD = dashboard(
    "counterfoil-backups",
    "Counterfoil / Backups",
    "Age, proof, size and stores.",
    [("Could we restore?", NOW), ("Backups", BACKUPS), ("Stores", STORES)],
)
