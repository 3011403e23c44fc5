//! `/api/queues/{queue}/scaling`: how many worker processes a queue could use, for an autoscaler.

use super::{PATIENCE, Vitals};
use crate::problem::{Problem, ProblemKind};
use crate::read::{Parameters, PathId, Query, ReadQuery};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use shared::limits::Subject;
use shared::queue::QueueName;
use shared::store::queues::QueueLoad;
use tokio::time::timeout;
use utoipa::{IntoParams, ToSchema};

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Replicas {
    /// Jobs that one process runs at once: its `worker.concurrency`.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000, default = 2)]
    jobs_per_replica: u32,
    #[param(value_type = Option<u32>, minimum = 0, maximum = 10000, default = 0)]
    replicas_min: u32,
    #[param(value_type = Option<u32>, minimum = 0, maximum = 10000, default = 100)]
    replicas_max: u32,
}

impl ReadQuery for Replicas {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        let per_replica = parameters.optional("jobs_per_replica", Parameters::integer(1..=1000));
        let min = parameters.optional("replicas_min", Parameters::integer(0..=10_000));
        let max = parameters.optional("replicas_max", Parameters::integer(0..=10_000));
        Some(Self {
            jobs_per_replica: per_replica.unwrap_or(2),
            replicas_min: min.unwrap_or(0),
            replicas_max: max.unwrap_or(100),
        })
    }
}

/// From Postgres, the truth; zeros for a queue without jobs.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Scaling {
    queue: String,
    /// Available and due jobs; 0 while the queue is paused, since no worker could start them.
    depth: i64,
    /// May start now.
    available: i64,
    /// Wait for a time that comes within a minute.
    due: i64,
    running: i64,
    /// Since the oldest available job could have started.
    oldest_age_s: f64,
    is_paused: bool,
    /// What runs and could run, as far as the limits on this kind allow, by what one process runs at once.
    desired_replicas: i64,
}

/// The load of a queue, for an autoscaler (KEDA's `metrics-api`: `valueLocation` `desired_replicas`, `targetValue` 1;
/// or `depth`). Open to whoever reaches the port, like the figures.
#[utoipa::path(
    get, path = "/api/queues/{queue}/scaling", tag = "operation",
    params(("queue" = String, Path), Replicas),
    responses((status = 200, description = "The load", body = Scaling))
)]
pub(crate) async fn show_scaling(
    State(vitals): State<Vitals>,
    PathId(queue): PathId<QueueName>,
    Query(replicas): Query<Replicas>,
) -> Result<Json<Scaling>, Problem> {
    let asked = async {
        let load = vitals.store.queue_load(&queue).await?;
        Ok::<_, shared::store::StoreError>((load, vitals.store.places().await?))
    };
    let (load, places) = timeout(PATIENCE, asked)
        .await
        .map_err(|_| Problem::new(ProblemKind::Unavailable, "The database did not answer in time"))??;
    let subject = Subject { kind: queue.as_str(), project_id: None, key: None };
    Ok(Json(scaling(&queue, load, places.jobs_max(subject), &replicas)))
}

fn scaling(queue: &QueueName, load: QueueLoad, jobs_max: Option<u32>, replicas: &Replicas) -> Scaling {
    let depth = if load.is_paused { 0 } else { load.available + load.due };
    let places = jobs_max.map_or(i64::MAX, i64::from);
    // A limit that was lowered does not end what runs.
    let jobs = (depth + load.running).min(places).max(load.running);
    let per_replica = i64::from(replicas.jobs_per_replica);
    let wanted = (jobs + per_replica - 1) / per_replica;
    Scaling {
        queue: queue.to_string(),
        depth,
        available: load.available,
        due: load.due,
        running: load.running,
        oldest_age_s: load.oldest_age_s,
        is_paused: load.is_paused,
        desired_replicas: wanted.max(replicas.replicas_min.into()).min(replicas.replicas_max.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_query_is_read::<Replicas>();
    }

    #[test]
    fn replicas_follow_what_can_run() {
        let queue = QueueName::parse("reconciliation").unwrap();
        let load = |available, running, is_paused| QueueLoad {
            available,
            due: 0,
            running,
            oldest_age_s: 0.0,
            is_paused,
        };
        let replicas = Replicas { jobs_per_replica: 4, replicas_min: 0, replicas_max: 10 };
        let desired = |load, max| scaling(&queue, load, max, &replicas).desired_replicas;
        assert_eq!(desired(load(0, 0, false), None), 0, "nothing to do, nobody to do it");
        assert_eq!(desired(load(1, 0, false), None), 1);
        assert_eq!(desired(load(5, 4, false), None), 3);
        assert_eq!(desired(load(1000, 0, false), None), 10, "no more than there may be");
        assert_eq!(desired(load(1000, 0, false), Some(8)), 2, "no more than the limit lets run");
        assert_eq!(desired(load(1000, 4, true), None), 1, "paused: only what runs");
        assert_eq!(desired(load(0, 12, false), Some(1)), 3, "what runs goes on under a lowered limit");
    }
}
