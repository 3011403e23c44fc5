"""What it all stands on: PostgreSQL, RabbitMQ, the processes, the cache, the mail."""

from panels import above, bars, below, dashboard, panel, stat

HERE = 'instance=~"$instance"'
QUERY = "counterfoil_database_query_duration_seconds"
ACQUIRE = "counterfoil_database_acquire_duration_seconds"


def rate(name, by, matchers=HERE):
    return f"sum by ({by}) (rate({name}{{{matchers}}}[$__rate_interval]))"


POOL = [
    panel(
        "Connections of a process",
        "none",
        "In use and idle, and how many it may open: what is done for tenants has a pool of its own.",
        (f"counterfoil_database_connections{{{HERE}}}", "{{pool}} {{state}} {{instance}}"),
        (f"counterfoil_database_connections_max{{{HERE}}}", "{{pool}} most {{instance}}"),
    ),
    panel(
        "Waiting for a connection",
        "none",
        "How many wait at a time, on average. More than one all the time: the pool is too small or statements too slow.",
        (rate(f"{ACQUIRE}_sum", "instance"), "{{instance}}"),
        thresholds=above(1, 5),
    ),
    panel(
        "Wait for a connection",
        "s",
        "95 of 100 wait shorter.",
        (f"histogram_quantile(0.95, sum by (le, job) (rate({ACQUIRE}_bucket{{{HERE}}}[$__rate_interval])))", "{{job}}"),
        thresholds=above(0.05, 0.5),
    ),
    panel(
        "Statements",
        "s",
        "Time of all statements: 50 and 95 of 100 are faster.",
        *[
            (f"histogram_quantile({q}, sum by (le) (rate({QUERY}_bucket{{{HERE}}}[$__rate_interval])))", f"p{q * 100:g}")
            for q in (0.5, 0.95)
        ],
        thresholds=above(0.1, 0.2),
    ),
    bars(
        "Slowest statements",
        "s",
        "The ten with the highest 95th percentile.",
        (
            f"""topk(10, histogram_quantile(0.95, sum by (le, operation, table)
               (rate({QUERY}_bucket{{{HERE}}}[$__rate_interval]))) > 0)""",
            "{{operation}} {{table}}",
        ),
        thresholds=above(0.1, 0.2),
    ),
    bars(
        "Where the time goes",
        "s",
        "Seconds spent in statements in each second: the ten with most.",
        (f"topk(10, {rate(QUERY + '_sum', 'operation, table')})", "{{operation}} {{table}}"),
    ),
    panel("Statements by what they do", "ops", "Of all processes.", (rate(f"{QUERY}_count", "operation"), "{{operation}}")),
    panel(
        "Errors",
        "ops",
        "By cause. Constraints refuse what clients ask twice.",
        (rate("counterfoil_database_errors_total", "cause"), "{{cause}}"),
        thresholds=above(0.1, 1),
    ),
]

SERVER = [
    stat("Database", "none", "Processes that reach it.", ("sum(counterfoil_database_up)", ""), thresholds=[(None, "red"), (1, "green")]),
    stat("Size", "bytes", "Of the database on its disk.", ("max(counterfoil_database_size_bytes)", "")),
    stat(
        "Replica behind",
        "s",
        "The slowest one; 0 without replicas.",
        ("max(counterfoil_database_replication_lag_seconds)", ""),
        thresholds=above(10, 60),
    ),
    stat(
        "Oldest transaction",
        "s",
        "It holds back the clean-up of dead rows.",
        ("max(counterfoil_database_oldest_transaction_seconds)", ""),
        thresholds=above(300, 3600),
    ),
    stat(
        "Deadlocks, 24 h",
        "none",
        "Broken by the server, repeated by us.",
        ("max(increase(counterfoil_database_deadlocks_total[24h]))", ""),
        thresholds=above(1, 100),
    ),
    stat(
        "Blocks from memory",
        "percentunit",
        "Share of the blocks that did not come from disk.",
        (
            """max(rate(counterfoil_database_blocks_total{from="cache"}[1h]))
               / (max(rate(counterfoil_database_blocks_total{from="cache"}[1h]))
                  + max(rate(counterfoil_database_blocks_total{from="disk"}[1h])))""",
            "",
        ),
        thresholds=below(0.99, 0.9),
    ),
    panel("Sessions", "none", "By what they do.", ("max by (state) (counterfoil_database_sessions)", "{{state}}")),
    panel(
        "Sessions against max_connections",
        "percentunit",
        "Of all sessions the server takes.",
        ("max(sum by (instance) (counterfoil_database_sessions)) / max(counterfoil_database_sessions_max)", "used"),
        thresholds=above(0.7, 0.9),
        maximum=1,
    ),
    panel(
        "Transactions",
        "ops",
        "Of this database, of whomever.",
        ("max by (outcome) (rate(counterfoil_database_transactions_total[$__rate_interval]))", "{{outcome}}"),
    ),
    panel(
        "Processor time of its host",
        "percentunit",
        "From node_exporter on the database's host, scraped as job postgresql-host.",
        (
            """1 - avg by (instance) (rate(node_cpu_seconds_total{job="postgresql-host", mode="idle"}[$__rate_interval]))""",
            "{{instance}}",
        ),
        thresholds=above(0.6, 0.8),
        maximum=1,
    ),
]

BROKER = [
    panel(
        "Messages by queue",
        "none",
        "Ready, and held by consumers for the moment they take to lease.",
        ("sum by (queue) (rabbitmq_detailed_queue_messages_ready)", "ready {{queue}}"),
        ("sum by (queue) (rabbitmq_detailed_queue_messages_unacked)", "held {{queue}}"),
    ),
    panel(
        "Consumers by queue",
        "none",
        "Slots that wait for a doorbell. None: no worker serves the queue, or all its slots are busy.",
        ("sum by (queue) (rabbitmq_detailed_queue_consumers)", "{{queue}}"),
    ),
    panel(
        "Messages",
        "ops",
        "Taken, confirmed, delivered, redelivered.",
        ("sum(rate(rabbitmq_global_messages_received_total[$__rate_interval]))", "received"),
        ("sum(rate(rabbitmq_global_messages_confirmed_total[$__rate_interval]))", "confirmed"),
        ("sum(rate(rabbitmq_global_messages_delivered_total[$__rate_interval]))", "delivered"),
        ("sum(rate(rabbitmq_global_messages_redelivered_total[$__rate_interval]))", "redelivered"),
    ),
    panel(
        "Lost and dead-lettered",
        "ops",
        "Unroutable messages come back to the relay; dead letters stay.",
        ("sum(rate(rabbitmq_global_messages_unroutable_returned_total[$__rate_interval]))", "returned"),
        ("sum(rate(rabbitmq_global_messages_unroutable_dropped_total[$__rate_interval]))", "dropped"),
        ("sum(rate(rabbitmq_global_messages_dead_lettered_delivery_limit_total[$__rate_interval]))", "delivery limit"),
        ("sum(rate(rabbitmq_global_messages_dead_lettered_rejected_total[$__rate_interval]))", "rejected"),
        thresholds=above(0.01, 1),
    ),
    panel(
        "Memory of the broker",
        "percentunit",
        "Of the mark at which it stops taking messages.",
        ("rabbitmq_process_resident_memory_bytes / rabbitmq_resident_memory_limit_bytes", "{{instance}}"),
        thresholds=above(0.7, 0.9),
        maximum=1,
    ),
    panel(
        "Disk of the broker",
        "bytes",
        "Free, and the mark at which it stops taking messages.",
        ("rabbitmq_disk_space_available_bytes", "free {{instance}}"),
        ("rabbitmq_disk_space_available_limit_bytes", "mark {{instance}}"),
    ),
    panel(
        "Connections and channels",
        "none",
        "Of all its clients.",
        ("sum(rabbitmq_connections)", "connections"),
        ("sum(rabbitmq_channels)", "channels"),
    ),
    panel(
        "Time to commit in the log of a queue",
        "s",
        "Of quorum queues, mean over the queues of a node.",
        ("avg by (instance) (rabbitmq_raft_entry_commit_latency_seconds)", "{{instance}}"),
        thresholds=above(0.1, 1),
    ),
    stat(
        "Broker alarms",
        "none",
        "Memory, disk or file descriptors: it takes no messages while one is on.",
        (
            """sum(rabbitmq_alarms_memory_used_watermark) + sum(rabbitmq_alarms_free_disk_space_watermark)
               + sum(rabbitmq_alarms_file_descriptor_limit)""",
            "",
        ),
        thresholds=[(None, "green"), (1, "red")],
    ),
]

PROCESSES = [
    panel(
        "Processor time",
        "percentunit",
        "Of what each process may use.",
        (
            f"rate(counterfoil_process_cpu_seconds_total{{{HERE}}}[$__rate_interval]) / counterfoil_process_cpus{{{HERE}}}",
            "{{job}} {{instance}}",
        ),
        thresholds=above(0.6, 0.8),
        maximum=1,
    ),
    panel(
        "Memory",
        "percentunit",
        "Of what each process may use.",
        (
            f"counterfoil_process_resident_memory_bytes{{{HERE}}} / counterfoil_process_memory_limit_bytes{{{HERE}}}",
            "{{job}} {{instance}}",
        ),
        thresholds=above(0.7, 0.85),
        maximum=1,
    ),
    panel("Threads", "none", "Of each process.", (f"counterfoil_process_threads{{{HERE}}}", "{{job}} {{instance}}")),
    panel(
        "Time since start",
        "s",
        "Of each process. One that keeps starting anew is in trouble.",
        (f"time() - counterfoil_process_start_time_seconds{{{HERE}}}", "{{job}} {{instance}}"),
    ),
    panel(
        "Spans of traces",
        "ops",
        "By whether the collector took them. Dropped: more came than the queue holds. Failed: the collector is away.",
        (rate("counterfoil_trace_spans_total", "outcome"), "{{outcome}}"),
    ),
    panel(
        "Dependencies not asked for now",
        "none",
        "1 while a circuit is open: after five failures in a row a dependency is left alone for a minute.",
        ("max by (dependency) (counterfoil_circuit_open)", "{{dependency}}"),
        thresholds=[(None, "green"), (1, "red")],
    ),
    panel(
        "Reads that may come from the replica",
        "ops",
        "By who answered: the replica, or the primary since the replica lacked a write of the session.",
        (rate("counterfoil_replica_reads_total", "by"), "{{by}}"),
    ),
    panel("Cache hits", "percentunit", "Share of the questions that a cache could answer, from memory or from Redis.",
        (
            """sum by (cache) (rate(counterfoil_cache_requests_total{outcome="hit"}[$__rate_interval]))
               / sum by (cache) (rate(counterfoil_cache_requests_total{level="memory"}[$__rate_interval]))""",
            "{{cache}}",
        ),
        thresholds=below(0.9, 0.7),
        maximum=1,
    ),
    panel("Shared cache", "none", "1 while it answers.", ("min(counterfoil_cache_up)", "up"), thresholds=[(None, "red"), (1, "green")]),
    panel("Mails waiting", "none", "To be sent.", ("max(counterfoil_mail_backlog)", "waiting"), thresholds=above(100, 1000)),
    panel("Mails", "ops", "By what became of them.", (rate("counterfoil_mails_total", "outcome"), "{{outcome}}")),
    panel(
        "Notifications",
        "ops",
        "What happened and was told, by event.",
        (rate("counterfoil_notifications_addressed_total", "event"), "{{event}}"),
    ),
    panel(
        "Deliveries",
        "ops",
        "Over each channel, by what became of them.",
        (rate("counterfoil_notifications_deliveries_total", "channel, outcome"), "{{channel}} {{outcome}}"),
    ),
    panel(
        "Deliveries waiting",
        "none",
        "To be sent, by channel.",
        ("max by (channel) (counterfoil_notifications_waiting)", "{{channel}}"),
        thresholds=above(100, 1000),
    ),
    panel(
        "Webhooks switched off",
        "none",
        "Because they took nothing any more, in the time shown.",
        ("sum(increase(counterfoil_notifications_webhooks_disabled_total[$__range]))", "switched off"),
    ),
]

BOARD = dashboard(
    "counterfoil-services",
    "Counterfoil / Database and services",
    "PostgreSQL, RabbitMQ and the processes themselves.",
    [("Statements and pools", POOL), ("PostgreSQL", SERVER), ("RabbitMQ", BROKER), ("Processes, cache, mail", PROCESSES)],
)
