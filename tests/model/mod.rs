//! Histories of a ledger: arrivals, outcomes, crashes between any two steps, clocks that are set,
//! lost leases and what people do, thrown by dice that can be thrown again.
//!
//! Each is played to a small reference, whose promises are asked after every step; beside it, where
//! there is one, to a real ledger, which must then look the same.

#![allow(unreachable_pub, reason = "modules of two test binaries")]

pub mod dice;
mod drill;
pub mod driver;
mod effects;
mod names;
pub mod real;
mod reference;
mod rules;
mod steps;

use std::time::Instant;

use dice::seed_of;
use driver::World;
use real::Real;

/// How many steps a world lasts; then all must come to an end in it.
const WORLD: u64 = 300;

/// How a failed history is repeated.
struct Replay {
    seed: u64,
    steps: u64,
    test: &'static str,
}

impl Drop for Replay {
    #[allow(clippy::print_stderr, reason = "whoever reads the failure repeats it")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (seed, steps, test) = (self.seed, self.steps, self.test);
            eprintln!(
                "replay: NBC_TEST_SEED={seed} NBC_TEST_STEPS={steps} cargo test --test {test}"
            );
        }
    }
}

/// A number from the environment.
fn asked(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is no number: {text}")),
    )
}

/// Plays worlds of these seeds, so many steps for each; `test` is where.
pub async fn play(
    seeds: &[u64],
    steps: u64,
    (workers, mut real): (&[usize], Option<Real>),
    test: &'static str,
) -> Option<Real> {
    let alone = asked("NBC_TEST_SEED");
    let seeds = alone.as_ref().map_or(seeds, std::slice::from_ref);
    let steps = asked("NBC_TEST_STEPS").unwrap_or(steps);
    for seed in seeds {
        let begun = Instant::now();
        for number in 0..steps.div_ceil(WORLD) {
            let steps = WORLD.min(steps - number * WORLD);
            let seed = seed_of(*seed, number);
            let _replay = Replay { seed, steps, test };
            let at = usize::try_from(seed % 64).unwrap_or(0) % workers.len();
            let mut world = World::new(seed, workers[at], real.take()).await;
            world.live(steps).await;
            real = world.end().await;
        }
        told(*seed, steps, begun);
    }
    real
}

#[allow(
    clippy::print_stderr,
    reason = "figures for who runs it with --nocapture"
)]
fn told(seed: u64, steps: u64, begun: Instant) {
    eprintln!("seed {seed}: {steps} steps in {:.1?}", begun.elapsed());
}
