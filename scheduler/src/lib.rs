//! What time alone makes happen: a few background loops.
//!
//! Each loop takes no input. It looks at the world, does what is missing, and may run in any number of processes
//! at once. A wake-up only makes a loop faster; its period makes it right.

mod background;
mod dispatch;
mod notifier;
mod relay;
mod sending;
mod ticker;
mod upkeep;

pub use ticker::{Ticker, TickerError};

use background::Background;
use shared::clock::Clock;
use shared::config::{Config, Scheduler};
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
        let relay_once = relay::Relay::new(store.clone(), queue, relay_rules(scheduler));
        relay.run(move || relay_once.clone().round())
    });

    let notifier = notifier::Notifier {
        store: store.clone(),
        relay_wake: relay_wake.clone(),
        routing: Arc::new(config.routing()),
    };
    let ticker = Ticker::new(store.clone(), relay_wake.clone(), Clock::system())
        .with_backup_stores(!config.backup.stores.is_empty());
    let upkeep = upkeep::Upkeep {
        store,
        relay_wake,
        ring_again_after: Duration::from_secs(scheduler.ring_again_after_s),
        lease_expiries_max: scheduler.lease_expiries_max,
        retention: config.retention(),
        currencies: Arc::default(),
    };
    let background = |name, period| Background { name, period, wake: never.clone(), stop: stop.clone() };
    loops.spawn(background("ticker", period).run(move || ticker.clone().round()));
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
    loops.spawn(background("notifier", period).run(move || notifier.clone().round()));
    loops.spawn(background("pruner", Duration::from_secs(600)).run(move || upkeep.clone().prune()));

    tracing::info!(
        "scheduler runs relay, ticker, stager, rescuer, finisher, accountant, notifier and pruner"
    );
    while let Some(ended) = loops.join_next().await {
        if let Err(error) = ended {
            // Only a panic gets here; the others go on, and the missing one shows in its metric.
            tracing::error!(%error, "a background loop died");
        }
    }
    tracing::info!("scheduler stopped");
}

/// For a process without a scheduler: rings for what it commits, each time `committed` rings, until `stop`; what there is
/// more than a few of is for the relays elsewhere, which are told.
pub async fn ring_own(
    config: &Config,
    store: Store,
    queue: Queue,
    committed: Arc<Notify>,
    stop: CancellationToken,
) {
    let left = Arc::new(Notify::new());
    let own = relay::Own::new(store.clone(), queue, relay_rules(&config.scheduler));
    tokio::join!(store.announce_doorbells(left.clone(), stop.clone()), own.run(&committed, &left, stop));
}

fn relay_rules(scheduler: &Scheduler) -> relay::RelayRules {
    relay::RelayRules {
        window: dispatch::window::WindowBounds {
            min: scheduler.relay_window_min,
            max: scheduler.relay_window,
        },
        age_step: chrono::TimeDelta::seconds(scheduler.age_step_s as i64),
        answered_within: Duration::from_secs(scheduler.ring_again_after_s),
    }
}
