//! Where reads go: to the replica, if there is one that has everything the reader has written, else to the primary.

use crate::caller::Caller;
use crate::problem::Problem;
use crate::state::Api;
use shared::ids::JobId;
use shared::store::Store;
use shared::store::reconciliations::{Reconciliation, Summary};

impl Api {
    /// For a list that may be a moment old, but never older than the caller's own changes.
    pub(crate) async fn reading(&self, caller: &Caller) -> Result<Store, Problem> {
        let Some(replica) = &self.replica else { return Ok(self.store.clone()) };
        let position = self.store.last_write(caller.credential_id()).await?;
        Ok(replica.at(position).unwrap_or(&self.store).clone())
    }

    /// For results of a run: the replica, if the run has completed there too, since a reader may have seen that already.
    pub(crate) async fn reading_results(
        &self,
        caller: &Caller,
        id: JobId,
    ) -> Result<(Store, Reconciliation, Summary), Problem> {
        if self.replica.is_some() {
            let store = self.reading(caller).await?;
            if let Ok((run, summary)) = completed(&store, id).await {
                return Ok((store, run, summary));
            }
        }
        let (run, summary) = self.completed(id).await?;
        Ok((self.store.clone(), run, summary))
    }

    /// Notes that the caller has changed something. The change is done, so a failure is no answer to it: the caller may
    /// then read what was before it, as long as the replica is behind.
    pub(crate) async fn has_written(&self, caller: &Caller) {
        if self.replica.is_some()
            && let Err(error) = self.store.note_write(caller.credential_id()).await
        {
            tracing::warn!(error = shared::chain(&error), "it is not noted that somebody has written");
        }
    }
}

async fn completed(store: &Store, id: JobId) -> Result<(Reconciliation, Summary), Problem> {
    let run = store.reconciliation(id).await?;
    let completed = run.and_then(|mut run| run.summary.take().map(|summary| (run, summary)));
    completed.ok_or_else(Problem::not_found)
}
