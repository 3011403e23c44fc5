//! The process itself and the disk it writes to.

use crate::telemetry::metric::{Label, Metric, Role, Unit};

const OBJECTS: &[Label] = &[Label::one_of("dir", &["objects"])];

pub(super) const METRICS: &[Metric] = &[
    Metric::gauge(
        "counterfoil_build_info",
        Unit::Flag,
        &[
            Label::bounded("version", "one for each build"),
            Label::one_of("role", &["api", "worker", "scheduler", "up"]),
        ],
        Role::ALL,
        "1; what runs here",
    ),
    Metric::gauge(
        "counterfoil_process_start_time_seconds",
        Unit::Timestamp,
        &[],
        Role::ALL,
        "When the process started",
    ),
    Metric::counter("counterfoil_process_cpu_seconds_total", &[], Role::ALL, "Processor time used")
        .of(Unit::Seconds)
        .at_start(),
    Metric::gauge(
        "counterfoil_process_cpus",
        Unit::Count,
        &[],
        Role::ALL,
        "Processors the process may use: the quota of its control group, else all",
    ),
    Metric::gauge("counterfoil_process_resident_memory_bytes", Unit::Bytes, &[], Role::ALL, "Memory in use"),
    Metric::gauge(
        "counterfoil_process_memory_limit_bytes",
        Unit::Bytes,
        &[],
        Role::ALL,
        "Memory the process may use: the limit of its control group, else all of the machine",
    ),
    Metric::gauge("counterfoil_process_open_fds", Unit::Count, &[], Role::ALL, "Open file descriptors"),
    Metric::gauge(
        "counterfoil_process_max_fds",
        Unit::Count,
        &[],
        Role::ALL,
        "Most file descriptors it may open",
    ),
    Metric::gauge("counterfoil_process_threads", Unit::Count, &[], Role::ALL, "Threads"),
    Metric::counter(
        "counterfoil_trace_spans_total",
        &[Label::one_of("outcome", &["exported", "dropped", "failed"])],
        Role::ALL,
        "Spans of sampled traces: taken by the collector, dropped because the queue was full, or not taken by the collector",
    ),
    Metric::gauge(
        "counterfoil_disk_size_bytes",
        Unit::Bytes,
        OBJECTS,
        &[Role::Api, Role::Worker],
        "Size of the file system that holds the uploads",
    ),
    Metric::gauge(
        "counterfoil_disk_free_bytes",
        Unit::Bytes,
        OBJECTS,
        &[Role::Api, Role::Worker],
        "Room that is left on it for this process",
    ),
];
