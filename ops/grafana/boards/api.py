"""The HTTP API, and who may come in."""

from panels import above, bars, dashboard, panel

API = 'job="counterfoil-api", instance=~"$instance"'
COUNT = "counterfoil_http_requests_total"
TIME = "counterfoil_http_request_duration_seconds"


def rate(name, by, more=""):
    return f"sum by ({by}) (rate({name}{{{API}{more}}}[$__rate_interval]))"


REQUESTS = [
    panel("Requests", "reqps", "By status.", (rate(COUNT, "status"), "{{status}}")),
    panel(
        "Time to answer",
        "s",
        "Without the transfer of streamed bodies.",
        *[
            (f"histogram_quantile({q}, sum by (le) (rate({TIME}_bucket{{{API}}}[$__rate_interval])))", f"p{q * 100:g}")
            for q in (0.5, 0.95, 0.99)
        ],
        thresholds=above(0.25, 0.5),
    ),
    panel(
        "Server errors",
        "percentunit",
        "Share of the requests answered with 5xx; the objective is below 0.1 %.",
        (
            f"""(sum(rate({COUNT}{{{API}, status=~"5.."}}[$__rate_interval])) or vector(0))
               / sum(rate({COUNT}{{{API}}}[$__rate_interval]))""",
            "5xx",
        ),
        thresholds=above(0.001, 0.01),
        maximum=1,
    ),
    panel(
        "Refused",
        "reqps",
        "4xx by status: the client's business, but a flood of one kind says something.",
        (rate(COUNT, "status", ', status=~"4.."'), "{{status}}"),
    ),
    panel("In flight", "none", "Requests being answered.", (f"counterfoil_http_requests_in_flight{{{API}}}", "{{instance}}")),
    panel(
        "Event streams open",
        "none",
        "Of at most http.event_streams_max in a process.",
        (f"counterfoil_event_streams_open{{{API}}}", "{{instance}}"),
    ),
]

ROUTES = [
    bars(
        "Busiest routes",
        "reqps",
        "The ten with most requests.",
        (f"topk(10, {rate(COUNT, 'method, route')})", "{{method}} {{route}}"),
    ),
    bars(
        "Slowest routes",
        "s",
        "The ten with the highest 95th percentile.",
        (
            f"""topk(10, histogram_quantile(0.95, sum by (le, method, route)
               (rate({TIME}_bucket{{{API}}}[$__rate_interval]))) > 0)""",
            "{{method}} {{route}}",
        ),
        thresholds=above(0.25, 0.5),
    ),
    bars(
        "Where the time goes",
        "s",
        "Seconds spent in a route in each second: the ten with most.",
        (f"topk(10, {rate(TIME + '_sum', 'method, route')})", "{{method}} {{route}}"),
    ),
]

WORK = [
    panel("Uploads", "Bps", "Bytes of accepted uploads.", (f"sum(rate(counterfoil_upload_bytes_total{{{API}}}[$__rate_interval]))", "uploads")),
    panel(
        "Jobs accepted",
        "ops",
        "Over HTTP.",
        (rate("counterfoil_jobs_accepted_total", "kind"), "{{kind}}"),
    ),
    panel(
        "Answered again",
        "reqps",
        "Repetitions of requests with a known Idempotency-Key.",
        (f"sum(rate(counterfoil_requests_replayed_total{{{API}}}[$__rate_interval]))", "replayed"),
    ),
]

ACCESS = [
    panel("Logins", "ops", "By outcome.", (rate("counterfoil_logins_total", "outcome"), "{{outcome}}")),
    panel(
        "Access denied",
        "ops",
        "By reason. Tenant: somebody asked for what belongs to strangers.",
        (rate("counterfoil_access_denied_total", "reason"), "{{reason}}"),
        thresholds=above(1, 10),
    ),
    panel(
        "Audit log",
        "ops",
        "Signatures under its ends, and events that could not be written to it.",
        (rate("counterfoil_audit_checkpoints_total", "outcome"), "{{outcome}}"),
        (f"sum(rate(counterfoil_audit_failed_total{{{API}}}[$__rate_interval]))", "missing events"),
        thresholds=[(None, "green"), (0.001, "red")],
    ),
    panel(
        "Rate limited",
        "ops",
        "By class of route.",
        (rate("counterfoil_rate_limited_total", "class"), "{{class}}"),
        thresholds=above(1, 10),
    ),
    panel(
        "Stolen sessions",
        "ops",
        "Refresh tokens that came back after they were used; each has ended its session.",
        (f"sum(rate(counterfoil_refresh_tokens_reused_total{{{API}}}[$__rate_interval]))", "reused"),
        thresholds=[(None, "green"), (0.001, "red")],
    ),
    panel(
        "Keys read again",
        "ops",
        "Readings of the keys of access tokens, by outcome.",
        (rate("counterfoil_signing_keys_read_total", "outcome"), "{{outcome}}"),
    ),
    panel(
        "Unreadable secrets",
        "ops",
        "Secrets that could not be read again, by setting.",
        ("sum by (secret) (rate(counterfoil_secret_errors_total[$__rate_interval]))", "{{secret}}"),
        thresholds=[(None, "green"), (0.001, "red")],
    ),
]

PROCESS = [
    panel(
        "Processor time",
        "percentunit",
        "Of what the process may use.",
        (f"rate(counterfoil_process_cpu_seconds_total{{{API}}}[$__rate_interval]) / counterfoil_process_cpus{{{API}}}", "{{instance}}"),
        thresholds=above(0.6, 0.8),
        maximum=1,
    ),
    panel(
        "Memory",
        "bytes",
        "In use.",
        (f"counterfoil_process_resident_memory_bytes{{{API}}}", "{{instance}}"),
    ),
    panel(
        "File descriptors",
        "percentunit",
        "Of those it may open.",
        (f"counterfoil_process_open_fds{{{API}}} / counterfoil_process_max_fds{{{API}}}", "{{instance}}"),
        thresholds=above(0.6, 0.8),
        maximum=1,
    ),
]

BOARD = dashboard(
    "counterfoil-api",
    "Counterfoil / API",
    "What is asked, how fast it is answered, and who is refused.",
    [("Requests", REQUESTS), ("Routes", ROUTES), ("Work", WORK), ("Access", ACCESS), ("Process", PROCESS)],
)
