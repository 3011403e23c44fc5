//! The notifier: what happened → who is told, over which channels, and when.

use crate::background::{Round, RoundError};
use shared::notification::Channel;
use shared::store::Store;
use shared::store::notifications::Routing;
use std::sync::Arc;
use tokio::sync::Notify;

/// Notifications addressed, or recipients' digests sent, in one round; each is a transaction of its own.
const BATCH: usize = 100;
const LOST_MAX: u32 = 500;

#[derive(Clone)]
pub(crate) struct Notifier {
    pub store: Store,
    pub relay_wake: Arc<Notify>,
    pub routing: Arc<Routing>,
}

impl Notifier {
    pub(crate) async fn round(self) -> Result<Round, RoundError> {
        let mut rang = false;
        let mut after = None;
        let mut addressed = 0;
        while addressed < BATCH {
            let Some(done) = self.store.address_next(after, &self.routing, None).await? else { break };
            addressed += 1;
            after = Some(done.id);
            if done.is_known {
                metrics::counter!("counterfoil_notifications_addressed_total", "event" => done.event)
                    .increment(1);
            }
            rang |= done.jobs > 0;
        }
        let mut released = 0;
        while released < BATCH && self.store.release_held(&self.routing, None).await? {
            released += 1;
        }
        self.store.resolve_past_alerts().await?;
        let lost = self.store.give_up_deliveries(LOST_MAX).await?;
        for channel in &lost {
            tracing::warn!(channel = channel.as_str(), "a delivery was given up with its job");
        }
        self.measure().await?;
        if rang || released > 0 {
            self.relay_wake.notify_one();
        }
        let is_full = addressed == BATCH || released == BATCH || lost.len() == LOST_MAX as usize;
        Ok(if is_full { Round::More } else { Round::Idle })
    }

    async fn measure(&self) -> Result<(), RoundError> {
        let waiting = self.store.waiting_deliveries().await?;
        for channel in Channel::ALL {
            let count = waiting.iter().find(|(of, _)| *of == channel).map_or(0, |(_, count)| *count);
            metrics::gauge!("counterfoil_notifications_waiting", "channel" => channel.as_str())
                .set(count as f64);
            if channel == Channel::Email {
                metrics::gauge!("counterfoil_mail_backlog").set(count as f64);
            }
        }
        Ok(())
    }
}
