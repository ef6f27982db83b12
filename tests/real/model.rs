//! Histories against the reference beside a ledger that several workers share in `PostgreSQL`.

#[path = "../model/mod.rs"]
mod histories;

use std::time::Duration;

use nbcourier::ledger::{Ledger, Location};
use url::Url;

use crate::postgres::Postgres;
use crate::support::long;
use histories::play;
use histories::real::{Real, owner};

/// The same ones each time.
const SEEDS: [u64; 4] = [2, 3, 20_261_121, 4_000_000_007];

/// How many workers share the ledger.
const WORKERS: usize = 3;

#[tokio::test]
async fn a_shared_ledger_does_what_the_rules_say() {
    let postgres = Postgres::start();
    // Nothing here depends on a disk that flushes.
    postgres.sql("ALTER ROLE nbc SET synchronous_commit = off");
    let (port, password) = (postgres.port, &postgres.password);
    let url = format!("postgres://nbc:{password}@127.0.0.1:{port}/nbc");
    let mut ledgers = Vec::new();
    for worker in 0..WORKERS {
        let location = Location::Server {
            url: Url::parse(&url).expect("a URL"),
            password: "the test".into(),
            owner: owner(worker),
            // No lease ends by itself.
            lease: Duration::from_secs(86_400),
        };
        ledgers.push(Ledger::open(&location).await.expect("a ledger"));
    }
    let real = Real::new(ledgers, &url).await;
    let steps = if long() { 25_000 } else { 1_250 };
    let test = "real model::a_shared_ledger_does_what_the_rules_say";
    let real = play(&SEEDS, steps, (&[WORKERS], Some(real)), test).await;
    real.expect("it lasts").close().await;
}
