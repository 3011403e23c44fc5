//! How many jobs wait.

use super::{Store, StoreError};
use crate::ids::ProjectId;
use std::collections::HashMap;

impl Store {
    /// Jobs that are scheduled or available, by project; `None`: of the system. Reads the whole backlog, about a
    /// quarter of a second for a million.
    pub async fn backlog(&self) -> Result<HashMap<Option<ProjectId>, u64>, StoreError> {
        let rows: Vec<(Option<ProjectId>, i64)> = sqlx::query_as(
            "SELECT project_id, count(*) FROM jobs WHERE state = 'scheduled' GROUP BY project_id
             UNION ALL
             SELECT project_id, count(*) FROM jobs WHERE state = 'available' GROUP BY project_id",
        )
        .fetch_all(self.pool())
        .await?;
        let mut backlog = HashMap::new();
        for (project_id, jobs) in rows {
            *backlog.entry(project_id).or_default() += jobs.max(0) as u64;
        }
        Ok(backlog)
    }
}
