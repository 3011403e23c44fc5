//! What time alone makes happen: a few background loops.
//!
//! Each loop takes no input. It looks at the world, does what is missing, and may run in any number of processes
//! at once. A wake-up only makes a loop faster; its period makes it right.

mod background;
mod relay;
mod upkeep;

use background::Background;
use shared::config::Config;
use shared::queue::Queue;
use shared::store::Store;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Counting a million jobs took 0.8 s on a very busy machine.
const BALANCE_PERIOD: Duration = Duration::from_secs(30);

/// Runs every loop until `stop`; each ends after the round it is in. `relay_wake` rings when something in this
/// process has written to the outbox; without such a neighbour the relay's period has to do.
pub async fn run(
    config: &Config,
    store: Store,
    queue: Queue,
    relay_wake: Arc<Notify>,
    stop: CancellationToken,
) {
    let scheduler = &config.scheduler;
    let period = Duration::from_millis(scheduler.period_ms);
    let never = Arc::new(Notify::new());
    let mut loops = JoinSet::new();

    let relay = Background {
        name: "relay",
        period: Duration::from_millis(scheduler.relay_period_ms),
        wake: relay_wake.clone(),
        stop: stop.clone(),
    };
    loops.spawn({
        let relay_once = relay::Relay::new(store.clone(), queue, scheduler.relay_window);
        relay.run(move || relay_once.clone().round())
    });

    let upkeep = upkeep::Upkeep {
        store,
        relay_wake,
        ring_again_after: Duration::from_secs(scheduler.ring_again_after_s),
        retention: Duration::from_secs(scheduler.retention_days * 86_400),
        idempotency_key_life: Duration::from_secs(config.http.idempotency_key_hours * 3600),
    };
    let background = |name, period| Background { name, period, wake: never.clone(), stop: stop.clone() };
    loops.spawn(background("stager", period).run({
        let upkeep = upkeep.clone();
        move || upkeep.clone().stage()
    }));
    loops.spawn(background("rescuer", period).run({
        let upkeep = upkeep.clone();
        move || upkeep.clone().rescue()
    }));
    loops.spawn(background("finisher", period).run({
        let upkeep = upkeep.clone();
        move || upkeep.clone().finish_batches()
    }));
    loops.spawn(background("accountant", BALANCE_PERIOD).run({
        let upkeep = upkeep.clone();
        move || upkeep.clone().balance()
    }));
    loops.spawn(background("pruner", Duration::from_secs(600)).run(move || upkeep.clone().prune()));

    tracing::info!("scheduler runs relay, stager, rescuer, finisher, accountant and pruner");
    while let Some(ended) = loops.join_next().await {
        if let Err(error) = ended {
            // Only a panic gets here; the others go on, and the missing one shows in its metric.
            tracing::error!(%error, "a background loop died");
        }
    }
    tracing::info!("scheduler stopped");
}
