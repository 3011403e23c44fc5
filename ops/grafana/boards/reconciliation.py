"""Figures for finance: what found its counterpart and what did not."""

from panels import above, bars, below, dashboard, panel, stat, table

HERE = 'instance=~"$instance"'
DONE = 'kind="reconciliation", outcome="completed"'


def rate(name, by, more=""):
    return f"sum by ({by}) (rate({name}{{{HERE}{more}}}[$__rate_interval]))"


TODAY = [
    stat(
        "Reconciliations, 24 h",
        "none",
        "Completed.",
        (f"sum(increase(counterfoil_attempts_total{{{DONE}}}[24h]))", ""),
    ),
    stat("Records, 24 h", "none", "Of completed ones, both sides.", ("sum(increase(counterfoil_reconciled_records_total[24h]))", "")),
    stat(
        "Matched, 24 h",
        "percentunit",
        "Share of the records that found a counterpart.",
        (
            """sum(increase(counterfoil_reconciled_records_total{result="matched"}[24h]))
               / sum(increase(counterfoil_reconciled_records_total[24h]))""",
            "",
        ),
        thresholds=below(0.95, 0.8),
    ),
    stat(
        "To be confirmed, 24 h",
        "percentunit",
        "Share of the matches that are only suggested.",
        (
            """sum(increase(counterfoil_reconciliation_matches_total{tier="suggested"}[24h]))
               / sum(increase(counterfoil_reconciliation_matches_total[24h]))""",
            "",
        ),
        thresholds=above(0.1, 0.3),
    ),
    stat("Exceptions, 24 h", "none", "Records for people to look at.", ("sum(increase(counterfoil_reconciliation_exceptions_total[24h]))", "")),
    stat(
        "Rejected lines, 24 h",
        "none",
        "Lines that were no records.",
        ("sum(increase(counterfoil_rejected_lines_total[24h]))", ""),
        thresholds=above(1, 1000),
    ),
]

MONEY = [
    table(
        "Unmatched amounts",
        "short",
        "Sum by currency and side of the reconciliations submitted in the last 24 hours. Rounded; exact in the results.",
        ("max by (currency, side) (counterfoil_reconciliation_unmatched_amount)", ""),
    ),
    panel(
        "Unmatched, left side",
        "short",
        "Over the last 24 hours, by currency.",
        ("""max by (currency) (counterfoil_reconciliation_unmatched_amount{side="left"})""", "{{currency}}"),
        width=6,
    ),
    panel(
        "Unmatched, right side",
        "short",
        "Over the last 24 hours, by currency.",
        ("""max by (currency) (counterfoil_reconciliation_unmatched_amount{side="right"})""", "{{currency}}"),
        width=6,
    ),
]

FLOW = [
    panel("Records", "ops", "By result.", (rate("counterfoil_reconciled_records_total", "result"), "{{result}}")),
    panel(
        "Matched share by side",
        "percentunit",
        "A side that falls behind the other lacks its counterpart's file, or part of it.",
        (
            f"""{rate("counterfoil_reconciled_records_total", "side", ', result="matched"')}
               / {rate("counterfoil_reconciled_records_total", "side")}""",
            "{{side}}",
        ),
        thresholds=below(0.95, 0.8),
        maximum=1,
    ),
    panel("Matches", "ops", "By tier.", (rate("counterfoil_reconciliation_matches_total", "tier"), "{{tier}}")),
    panel("Exceptions", "ops", "By kind.", (rate("counterfoil_reconciliation_exceptions_total", "kind"), "{{kind}}")),
    bars(
        "Exceptions of this time",
        "none",
        "By kind, over the time shown.",
        ("sum by (kind) (increase(counterfoil_reconciliation_exceptions_total[$__range]))", "{{kind}}"),
    ),
    panel(
        "Rejected lines",
        "ops",
        "By side.",
        (rate("counterfoil_rejected_lines_total", "side"), "{{side}}"),
        thresholds=above(0.1, 10),
    ),
]

TIME = [
    panel(
        "Phases",
        "s",
        "Reading, matching and writing: 95 of 100 are faster.",
        (
            f"""histogram_quantile(0.95, sum by (le, phase)
               (rate(counterfoil_reconciliation_phase_duration_seconds_bucket{{{HERE}}}[$__rate_interval])))""",
            "{{phase}}",
        ),
    ),
    panel(
        "Where the time goes",
        "percentunit",
        "Share of each phase.",
        (
            f"""{rate("counterfoil_reconciliation_phase_duration_seconds_sum", "phase")}
               / ignoring(phase) group_left
               sum(rate(counterfoil_reconciliation_phase_duration_seconds_sum{{{HERE}}}[$__rate_interval]))""",
            "{{phase}}",
        ),
        maximum=1,
    ),
    panel(
        "Reconciliations",
        "ops",
        "Attempts by outcome.",
        (rate("counterfoil_attempts_total", "outcome", ', kind="reconciliation"'), "{{outcome}}"),
    ),
    panel(
        "From due to done",
        "s",
        "Mean wait and mean run of an attempt.",
        (
            f"""sum(rate(counterfoil_job_wait_seconds_sum{{{HERE}, kind="reconciliation"}}[$__rate_interval]))
               / sum(rate(counterfoil_job_wait_seconds_count{{{HERE}, kind="reconciliation"}}[$__rate_interval]))""",
            "wait",
        ),
        (
            f"""sum(rate(counterfoil_attempt_duration_seconds_sum{{{HERE}, kind="reconciliation"}}[$__rate_interval]))
               / sum(rate(counterfoil_attempt_duration_seconds_count{{{HERE}, kind="reconciliation"}}[$__rate_interval]))""",
            "run",
        ),
    ),
    panel(
        "Records in one reconciliation",
        "none",
        "On average, both sides.",
        (
            f"""sum(rate(counterfoil_reconciled_records_total{{{HERE}}}[$__rate_interval]))
               / sum(rate(counterfoil_attempts_total{{{HERE}, {DONE}}}[$__rate_interval]))""",
            "records",
        ),
    ),
]

BOARD = dashboard(
    "counterfoil-reconciliation",
    "Counterfoil / Reconciliation",
    "What found its counterpart, what did not, and how long it took.",
    [("Last 24 hours", TODAY), ("Money", MONEY), ("Records", FLOW), ("Time", TIME)],
)
