//! Histories against the reference, alone and beside a ledger in `SQLite`.

#[path = "../model/mod.rs"]
mod histories;

use nbcourier::ledger::{Ledger, Location, file};

use crate::support::long;
use histories::play;
use histories::real::Real;

/// As many as the dice have sides; the same ones each time.
const SEEDS: [u64; 4] = [1, 5, 20_261_121, 4_000_000_007];

#[tokio::test]
async fn no_history_breaks_a_promise_of_the_rules() {
    let steps = if long() { 2_500_000 } else { 250_000 };
    let test = "it model::no_history_breaks_a_promise_of_the_rules";
    play(&SEEDS, steps, (&[1, 3], None), test).await;
}

#[tokio::test]
async fn a_ledger_in_a_file_does_what_the_rules_say() {
    // Nothing here depends on a disk that flushes.
    let memory = std::path::Path::new("/dev/shm");
    let dir = match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    };
    let dir = dir.expect("a temporary directory");
    let file = file(dir.path());
    let ledger = Ledger::open(&Location::File(file.clone())).await;
    let url = format!("sqlite://{}", file.display());
    let real = Real::new(vec![ledger.expect("a ledger")], &url).await;
    let steps = if long() { 25_000 } else { 1_250 };
    let test = "it model::a_ledger_in_a_file_does_what_the_rules_say";
    let real = play(&SEEDS, steps, (&[1], Some(real)), test).await;
    real.expect("it lasts").close().await;
}
