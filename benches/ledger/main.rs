//! The ledger's writes beside one row that its driver inserts, and beside a bare flush of the disk,
//! in the same run: `cargo bench --bench ledger`, after `tests/setup`. `SQLite` on the disk that holds
//! `target`, and a real `PostgreSQL` that it starts itself on the one that holds temporary files.
//!
//! It fails where a long history makes a claim or its record more than three times as slow.

#![allow(clippy::print_stdout, reason = "the figures are its purpose")]
#![allow(clippy::print_stderr, reason = "a failed database shows its log")]

mod bench;
#[path = "../../tests/real/postgres.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "shared with the tests; a part is used"
)]
mod postgres;
#[path = "../../tests/support/mod.rs"]
mod support;
#[path = "../common/table.rs"]
mod table;
mod work;

use std::process::ExitCode;

use bench::Bench;
use nbcourier::ledger::LedgerError;
use table::{ms, quantile, thousands};
use work::Sample;

/// What is measured, and what it is a multiple of: the insert, or the same in an empty ledger.
const ROWS: [(&str, Sample, Option<Sample>); 9] = [
    ("4 kB written and flushed, no database", Sample::Flush, None),
    ("one row inserted by the driver", Sample::Insert, None),
    (
        "a run and its job durable",
        Sample::Ready,
        Some(Sample::Insert),
    ),
    (
        "500 runs at once durable",
        Sample::Burst,
        Some(Sample::Insert),
    ),
    ("a due job claimed", Sample::Claim, Some(Sample::Insert)),
    (
        "its delivery recorded",
        Sample::Finish,
        Some(Sample::Insert),
    ),
    (
        "**beside 100 000 finished and 20 000 waiting:** durable",
        Sample::LateReady,
        Some(Sample::Ready),
    ),
    ("claimed", Sample::LateClaim, Some(Sample::Claim)),
    ("recorded", Sample::LateFinish, Some(Sample::Finish)),
];

/// How much slower a long history may make it.
const FLOOR: f64 = 3.0;

/// The median's multiple of what it is measured against.
fn times(bench: &Bench, (sample, base): (Sample, Option<Sample>)) -> Option<f64> {
    let median = |sample| quantile(bench.values(sample), 0.5);
    Some(median(sample) / median(base?))
}

fn cells(bench: &Bench, (sample, base): (Sample, Option<Sample>)) -> String {
    let values = bench.values(sample);
    let each = values.iter().sum::<f64>() / values.len() as f64;
    let rate = sample.runs() as f64 / each;
    let times = times(bench, (sample, base)).map_or(String::new(), |times| format!("{times:.1} ×"));
    let (middle, late) = (quantile(values, 0.5), quantile(values, 0.99));
    let (middle, late) = (ms(middle), ms(late));
    format!("{middle} / {late} | {} | {times}", thousands(rate as usize))
}

fn main() -> Result<ExitCode, LedgerError> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let long = support::long();
    let benches = runtime.block_on(async {
        let mut benches = [Bench::sqlite().await?, Bench::postgres().await?];
        for bench in &mut benches {
            bench.measure(if long { 2000 } else { 400 }).await?;
        }
        Ok::<_, LedgerError>(benches)
    })?;
    println!(
        "| p50 / p99 | SQLite | per second | times the insert | PostgreSQL | per second | times the insert |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut fails = false;
    for (what, sample, base) in ROWS {
        let cells = benches.each_ref().map(|bench| cells(bench, (sample, base)));
        println!("| {what} | {} |", cells.join(" | "));
        let late = base.is_some_and(|base| base != Sample::Insert);
        let slow = |bench: &Bench| times(bench, (sample, base)).is_some_and(|times| times > FLOOR);
        fails |= late && benches.iter().any(slow);
    }
    Ok(match fails {
        false => ExitCode::SUCCESS,
        true => ExitCode::FAILURE,
    })
}
