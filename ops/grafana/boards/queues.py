"""The way of a job: waiting, doorbell, lease, attempt; and the loops behind it."""

from panels import above, dashboard, panel, stat

HERE = 'instance=~"$instance"'
QUEUE = 'queue=~"$queue"'


def rate(name, by, matchers=HERE):
    return f"sum by ({by}) (rate({name}{{{matchers}}}[$__rate_interval]))"


def quantiles(name, by, matchers=HERE):
    return [
        (
            f"histogram_quantile({q}, sum by (le, {by}) (rate({name}_bucket{{{matchers}}}[$__rate_interval])))",
            f"p{q * 100:g} {{{{{by}}}}}",
        )
        for q in (0.5, 0.95)
    ]


WAITING = [
    panel(
        "Jobs by queue and state",
        "none",
        "Unfinished jobs, counted in PostgreSQL.",
        (f"max by (queue, state) (counterfoil_jobs{{{QUEUE}, {HERE}}})", "{{queue}} {{state}}"),
    ),
    panel(
        "Oldest job by queue and state",
        "s",
        "Since it was due. Running: since it was due, not since it started.",
        (f"max by (queue, state) (counterfoil_jobs_oldest_age_seconds{{{QUEUE}, {HERE}}})", "{{queue}} {{state}}"),
        thresholds=above(60, 600),
    ),
    panel(
        "Paused",
        "none",
        "1 while nothing of a queue is started.",
        (f"max by (queue) (counterfoil_queue_paused{{{QUEUE}}})", "{{queue}}"),
        thresholds=[(None, "green"), (1, "yellow")],
    ),
    panel(
        "Backlog against its bound",
        "percentunit",
        "Waiting jobs, of as many as submissions are accepted to.",
        (
            """max(sum by (instance) (counterfoil_jobs{state=~"scheduled|available"}))
               / max(counterfoil_backlog_jobs_max)""",
            "backlog",
        ),
        thresholds=above(0.5, 0.8),
        maximum=1,
    ),
    panel(
        "Waiting on purpose",
        "ops",
        "Leases refused because a queue is paused or a limit has no place.",
        (rate("counterfoil_leases_refused_total", "queue, reason", f"{QUEUE}, {HERE}"), "{{queue}} {{reason}}"),
    ),
    panel(
        "Submissions refused",
        "ops",
        "By the bound of the backlog that was reached.",
        (rate("counterfoil_submissions_refused_total", "bound"), "{{bound}}"),
        thresholds=above(0.01, 1),
    ),
]

DOORBELLS = [
    panel(
        "Doorbells in the outbox",
        "none",
        "The backlog behind the window of the relay.",
        ("max(counterfoil_outbox_doorbells)", "doorbells"),
    ),
    panel(
        "Oldest doorbell in the outbox",
        "s",
        "Long while a backlog waits on purpose; see the dispatch lag for what is wrong.",
        ("max(counterfoil_outbox_oldest_age_seconds)", "oldest"),
    ),
    panel(
        "Dispatch lag",
        "s",
        "How far the relay is behind with what may go out.",
        ("max(counterfoil_dispatch_lag_seconds)", "lag"),
        thresholds=above(30, 300),
    ),
    panel(
        "Window and broker",
        "none",
        "Doorbells the relay lets wait in the broker, and those that do.",
        (f"max by (queue) (counterfoil_relay_window{{{QUEUE}}})", "window {{queue}}"),
        (f"max by (queue) (counterfoil_queue_depth{{{QUEUE}}})", "in the broker {{queue}}"),
    ),
    panel(
        "Doorbells published",
        "ops",
        "By what the broker answered. All but the confirmed are published again.",
        (rate("counterfoil_queue_published_total", "outcome", f"{QUEUE}, {HERE}"), "{{outcome}}"),
    ),
    panel(
        "Time until the broker confirms",
        "s",
        "Of one step of the relay.",
        (
            f"""histogram_quantile(0.95, sum by (le)
               (rate(counterfoil_queue_publish_duration_seconds_bucket{{{HERE}}}[$__rate_interval])))""",
            "p95",
        ),
        thresholds=above(0.5, 2),
    ),
    panel(
        "Doorbells delivered",
        "ops",
        "To workers.",
        (rate("counterfoil_queue_deliveries_total", "queue", f"{QUEUE}, {HERE}"), "{{queue}}"),
    ),
    panel(
        "Doorbells in vain",
        "ops",
        "Delivered without a lease to be had, or rung again because nobody took the job.",
        (rate("counterfoil_doorbells_without_lease_total", "queue", f"{QUEUE}, {HERE}"), "without lease {{queue}}"),
        (f"sum(rate(counterfoil_doorbells_rung_again_total{{{HERE}}}[$__rate_interval]))", "rung again"),
    ),
    panel(
        "Dead letters",
        "none",
        "Messages nobody could read or keep: counterfoil jobs dead-letters list.",
        ("max(counterfoil_queue_dead_letters)", "kept"),
        (f"sum(increase(counterfoil_queue_undecodable_total{{{HERE}}}[$__rate_interval]))", "new"),
        thresholds=above(1, 1000),
    ),
    panel(
        "Broker sessions",
        "ops",
        "Opened, failed, lost and closed. Lost ones come back by themselves.",
        (rate("counterfoil_queue_sessions_total", "role, outcome"), "{{role}} {{outcome}}"),
    ),
]

WORKERS = [
    panel(
        "Slots and what fills them",
        "none",
        "Jobs that all workers could run at once, and those they run.",
        (f"sum by (queue) (counterfoil_worker_slots{{{QUEUE}, {HERE}}})", "slots {{queue}}"),
        (f"sum by (queue) (counterfoil_worker_slots_busy{{{QUEUE}, {HERE}}})", "busy {{queue}}"),
    ),
    panel(
        "Slots in use",
        "percentunit",
        "All in use while jobs wait: more workers help.",
        (
            f"""sum by (queue) (counterfoil_worker_slots_busy{{{QUEUE}, {HERE}}})
               / sum by (queue) (counterfoil_worker_slots{{{QUEUE}, {HERE}}})""",
            "{{queue}}",
        ),
        maximum=1,
    ),
    panel(
        "Workers",
        "none",
        "Processes that answer Prometheus, and what workers tell of themselves in PostgreSQL. Silent: killed, or cut off.",
        ("""sum(up{job="counterfoil-worker"})""", "answer"),
        ("max by (state) (counterfoil_workers)", "{{state}}"),
        thresholds=[(None, "red"), (1, "green")],
    ),
    panel("Time of an attempt", "s", "From lease to release.", *quantiles("counterfoil_attempt_duration_seconds", "kind")),
    panel("Wait", "s", "From due to lease.", *quantiles("counterfoil_job_wait_seconds", "kind"), thresholds=above(30, 300)),
    panel(
        "Attempts by outcome",
        "ops",
        "Of all kinds.",
        (rate("counterfoil_attempts_total", "kind, outcome"), "{{kind}} {{outcome}}"),
    ),
    panel(
        "Attempts a job needs",
        "none",
        "On average, until it is final.",
        (
            f"""{rate("counterfoil_job_attempts_sum", "kind")} / {rate("counterfoil_job_attempts_count", "kind")}""",
            "{{kind}}",
        ),
        thresholds=above(1.5, 3),
    ),
    panel(
        "Leases held",
        "none",
        "By process.",
        (f"counterfoil_leases_held{{{HERE}}}", "{{instance}}"),
    ),
    panel(
        "Heartbeats and wake-ups",
        "ops",
        "Workers that tell they live; processes that tell relays elsewhere of new doorbells.",
        (rate("counterfoil_worker_heartbeats_total", "outcome"), "heartbeat {{outcome}}"),
        (rate("counterfoil_relay_wakes_total", "outcome"), "wake-up {{outcome}}"),
    ),
    panel(
        "Leases lost, jobs rescued",
        "ops",
        "Signs of workers that die, freeze or lose the database.",
        (f"sum(rate(counterfoil_leases_lost_total{{{HERE}}}[$__rate_interval]))", "lost"),
        (rate("counterfoil_jobs_rescued_total", "state"), "rescued, now {{state}}"),
        thresholds=above(0.01, 0.1),
    ),
    panel(
        "Lease renewals",
        "ops",
        "Rounds by outcome; a worker renews all it holds in one.",
        (rate("counterfoil_lease_renewals_total", "outcome"), "{{outcome}}"),
    ),
    panel(
        "Attempts that do not end",
        "none",
        "Blocking work that outlived its attempt; its worker starts anew.",
        (f"sum by (kind) (increase(counterfoil_attempts_stuck_total{{{HERE}}}[$__rate_interval]))", "{{kind}}"),
        thresholds=[(None, "green"), (1, "red")],
    ),
]

LOOPS = [
    panel(
        "Time since a loop succeeded",
        "s",
        "Of the process where it did last. The pruner's period is ten minutes.",
        ("time() - max by (loop) (counterfoil_loop_last_success_timestamp_seconds)", "{{loop}}"),
        thresholds=above(60, 900),
    ),
    panel(
        "Rounds that failed",
        "ops",
        "Of background loops; they go on trying.",
        (rate("counterfoil_loop_runs_total", "loop", f'{HERE}, outcome!="ok"'), "{{loop}}"),
        thresholds=above(0.1, 1),
    ),
    panel(
        "Looked after",
        "ops",
        "Jobs staged and pruned, batches finished, idempotency keys pruned.",
        (f"sum(rate(counterfoil_jobs_staged_total{{{HERE}}}[$__rate_interval]))", "staged"),
        (f"sum(rate(counterfoil_jobs_pruned_total{{{HERE}}}[$__rate_interval]))", "pruned"),
        (f"sum(rate(counterfoil_batches_finished_total{{{HERE}}}[$__rate_interval]))", "batches"),
        (f"sum(rate(counterfoil_idempotency_keys_pruned_total{{{HERE}}}[$__rate_interval]))", "idempotency keys"),
    ),
    panel(
        "Schedules",
        "ops",
        "Due times by what was decided.",
        (rate("counterfoil_schedule_ticks_total", "kind, outcome"), "{{kind}} {{outcome}}"),
        (f"sum(rate(counterfoil_schedule_tick_errors_total{{{HERE}}}[$__rate_interval]))", "errors"),
    ),
    panel(
        "Schedules late",
        "s",
        "How late the most overdue one is.",
        ("max(counterfoil_schedules_late_seconds)", "late"),
        thresholds=above(30, 120),
    ),
    panel(
        "Conservation of jobs",
        "none",
        "Ever accepted, removed, and finished ones that are kept.",
        ("max(counterfoil_jobs_accepted)", "accepted"),
        ("max(counterfoil_jobs_removed)", "removed"),
        ("max by (state) (counterfoil_jobs_finished)", "{{state}}"),
    ),
    stat(
        "Unaccounted",
        "none",
        "Jobs that were accepted and are nowhere.",
        ("max(abs(counterfoil_jobs_unaccounted))", ""),
        thresholds=[(None, "green"), (1, "red")],
    ),
]

BOARD = dashboard(
    "counterfoil-queues",
    "Counterfoil / Queues and workers",
    "Where a job waits and for whom, and who runs it.",
    [("Waiting", WAITING), ("Doorbells", DOORBELLS), ("Workers", WORKERS), ("Loops", LOOPS)],
    variables=("instance", "queue"),
)
