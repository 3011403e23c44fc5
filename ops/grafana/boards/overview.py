"""Is everything all right? Queues first: they show trouble of every kind soonest."""

from panels import above, below, dashboard, panel, stat

FAILED = "retried|dead|lease_lost"

QUEUES = [
    panel(
        "Jobs waiting",
        "none",
        "Scheduled and available jobs by queue, counted in PostgreSQL. A line that only rises means that workers are "
        "missing, stuck or too few.",
        (
            """max by (queue) (sum by (queue, instance) (counterfoil_jobs{queue=~"$queue",
               state=~"scheduled|available", instance=~"$instance"}))""",
            "{{queue}}",
        ),
        width=12,
        thresholds=above(10000, 100000),
    ),
    panel(
        "Oldest job that could start",
        "s",
        "How long the oldest available job has waited for a worker.",
        (
            """max by (queue) (counterfoil_jobs_oldest_age_seconds{queue=~"$queue", state="available",
               instance=~"$instance"})""",
            "{{queue}}",
        ),
        width=12,
        thresholds=above(60, 600),
    ),
    stat(
        "Waiting",
        "none",
        "Jobs that are scheduled or available.",
        ("""max(sum by (instance) (counterfoil_jobs{queue=~"$queue", state=~"scheduled|available"}))""", ""),
        thresholds=above(10000, 100000),
    ),
    stat(
        "Running",
        "none",
        "Jobs whose lease a worker holds.",
        ("""max(sum by (instance) (counterfoil_jobs{queue=~"$queue", state="running"}))""", ""),
    ),
    stat(
        "Dead",
        "none",
        "Jobs that gave up and wait for an operator: counterfoil jobs dead.",
        ("""max(counterfoil_jobs_finished{state="dead"})""", ""),
        thresholds=above(1, 100),
    ),
    stat(
        "Unaccounted",
        "none",
        "Jobs that were accepted and are nowhere. Anything but 0 is an emergency.",
        ("max(abs(counterfoil_jobs_unaccounted))", ""),
        thresholds=[(None, "green"), (1, "red")],
    ),
    stat(
        "Paused queues",
        "none",
        "Queues of which nothing is started.",
        ("sum(max by (queue) (counterfoil_queue_paused))", ""),
        thresholds=above(1, 10),
    ),
    stat(
        "Alerts firing",
        "none",
        "Alerts of this deployment that fire.",
        ("""count(ALERTS{alertstate="firing", alertname=~"Counterfoil.*"}) or vector(0)""", ""),
        thresholds=above(1, 3),
    ),
]

FLOW = [
    panel(
        "Jobs accepted",
        "ops",
        "Jobs accepted over HTTP and by schedules.",
        ("""sum by (kind) (rate(counterfoil_jobs_accepted_total{instance=~"$instance"}[$__rate_interval]))""", "{{kind}}"),
    ),
    panel(
        "Attempts ended",
        "ops",
        "Attempts by outcome. Retries and lost leases are failures that repair themselves.",
        ("""sum by (outcome) (rate(counterfoil_attempts_total{instance=~"$instance"}[$__rate_interval]))""", "{{outcome}}"),
    ),
    panel(
        "Attempts that failed",
        "percentunit",
        "Share of the attempts that were retried, dead or lost.",
        (
            f"""sum(rate(counterfoil_attempts_total{{instance=~"$instance", outcome=~"{FAILED}"}}[$__rate_interval]))
               / sum(rate(counterfoil_attempts_total{{instance=~"$instance"}}[$__rate_interval]))""",
            "failed",
        ),
        thresholds=above(0.05, 0.1),
        maximum=1,
    ),
    panel(
        "Wait until a worker starts",
        "s",
        "From due to lease.",
        *[
            (
                f"""histogram_quantile({quantile}, sum by (le)
                   (rate(counterfoil_job_wait_seconds_bucket{{instance=~"$instance"}}[$__rate_interval])))""",
                f"p{quantile * 100:g}",
            )
            for quantile in (0.5, 0.95, 0.99)
        ],
        thresholds=above(30, 300),
    ),
    panel(
        "Records reconciled",
        "ops",
        "Records of both sides, of completed reconciliations.",
        (
            """sum by (result) (rate(counterfoil_reconciled_records_total{instance=~"$instance"}[$__rate_interval]))""",
            "{{result}}",
        ),
    ),
    panel(
        "Dispatch lag",
        "s",
        "How far the relay is behind, and where submissions are refused.",
        ("max(counterfoil_dispatch_lag_seconds)", "lag"),
        ("max(counterfoil_dispatch_lag_max_seconds)", "refused from here"),
        thresholds=above(30, 300),
    ),
]

HEALTH = [
    panel(
        "Processes that answer",
        "none",
        "Processes whose figures could be fetched, by job.",
        ("""sum by (job) (up{job=~"counterfoil-.*"})""", "{{job}}"),
    ),
    panel(
        "API: time to answer",
        "s",
        "95 of 100 requests are faster.",
        (
            """histogram_quantile(0.95, sum by (le)
               (rate(counterfoil_http_request_duration_seconds_bucket{job="counterfoil-api"}[$__rate_interval])))""",
            "p95",
        ),
        thresholds=above(0.25, 0.5),
    ),
    panel(
        "API: server errors",
        "percentunit",
        "Share of the requests answered with 5xx.",
        (
            """(sum(rate(counterfoil_http_requests_total{job="counterfoil-api", status=~"5.."}[$__rate_interval]))
                or vector(0))
               / sum(rate(counterfoil_http_requests_total{job="counterfoil-api"}[$__rate_interval]))""",
            "5xx",
        ),
        thresholds=above(0.001, 0.01),
        maximum=1,
    ),
    panel(
        "Database connections in use",
        "percentunit",
        "Of the connections that a pool of a process may open.",
        (
            """counterfoil_database_connections{state="used", instance=~"$instance"}
               / ignoring(state) counterfoil_database_connections_max""",
            "{{job}} {{instance}} {{pool}}",
        ),
        thresholds=above(0.7, 0.9),
        maximum=1,
    ),
    panel(
        "Broker connections",
        "none",
        "Connections that are up, by what they are for.",
        ("""sum by (role) (counterfoil_queue_connected{instance=~"$instance"})""", "{{role}}"),
    ),
    panel(
        "Room for uploads",
        "percentunit",
        "Free share of the disk that holds the uploads.",
        ("min by (dir) (counterfoil_disk_free_bytes / counterfoil_disk_size_bytes)", "{{dir}}"),
        thresholds=below(0.2, 0.1),
        maximum=1,
    ),
    stat(
        "Versions that run",
        "none",
        "More than one: a rollout is under way.",
        ("count(count by (version) (counterfoil_build_info))", ""),
        thresholds=above(2, 3),
    ),
    stat(
        "Last backup",
        "s",
        "Age of the newest complete backup.",
        ("""time() - max(counterfoil_backup_last_success_timestamp_seconds{kind="full"})""", ""),
        thresholds=above(5400, 7200),
    ),
]

BOARD = dashboard(
    "counterfoil-overview",
    "Counterfoil / Overview",
    "Queue depth first, then the flow of jobs, then what it stands on.",
    [("Queues", QUEUES), ("Flow", FLOW), ("Health", HEALTH)],
    variables=("instance", "queue"),
)
