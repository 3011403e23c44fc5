//! Random lives of jobs, decided by dice: the real store on a real PostgreSQL, and everything around it (broker,
//! workers, scheduler, clock) moved one step at a time by this test, so that a seed is a story that can be read
//! again.
//!
//! `COUNTERFOIL_SIMULATION_SEEDS=5000 sh ops/test.sh -p worker --test simulation` runs many,
//! `COUNTERFOIL_SIMULATION_SEED=17 … -- --nocapture` tells one.

mod invariants;
mod workers;
mod world;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use world::World;

const STEPS: usize = 120;
/// In a run of the test suite.
const SEEDS: u64 = 24;

#[tokio::test]
async fn whatever_the_dice_say_every_effect_is_there_once() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let seeds = match number("COUNTERFOIL_SIMULATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("COUNTERFOIL_SIMULATION_SEEDS").unwrap_or(SEEDS),
    };
    let mut world = World::new().await;
    for seed in seeds {
        println!("seed {seed}");
        run(&mut world, seed).await;
    }
}

async fn run(world: &mut World, seed: u64) {
    let mut dice = SmallRng::seed_from_u64(seed);
    world.begin_again().await;
    for _ in 0..STEPS {
        step(world, &mut dice).await;
        world.check_invariants(seed).await;
    }
    world.settle(&mut dice, seed).await;
    world.check_the_end(seed).await;
}

/// One thing that happens. The weights make a long story likely: work is done, and things break now and then.
async fn step(world: &mut World, dice: &mut SmallRng) {
    let which = dice.random_range(0..100);
    match which {
        0..14 => world.enqueue(dice).await,
        14..28 => world.relay(dice).await,
        28..44 => world.deliver(dice).await,
        44..70 => world.work(dice).await,
        70..73 => world.duplicate_a_message(dice),
        73..76 => world.drop_a_message(dice),
        76..78 => world.reorder_messages(dice),
        78..80 => world.crash_a_worker(dice).await,
        80..82 => world.freeze_a_worker(dice),
        82..84 => world.thaw_a_worker(dice),
        84..88 => world.pass_time(dice).await,
        88..91 => world.stage().await,
        91..94 => world.rescue().await,
        94..96 => world.ring_again().await,
        96 => world.cancel(dice).await,
        97 => world.wipe_the_broker(),
        98 => world.end_all_sessions().await,
        _ => world.prune().await,
    }
}
