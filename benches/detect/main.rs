//! Detection beside a script with watchdog and the raw limit of the machine, in the same run:
//! `cargo bench --bench detect`, after `tests/setup`. The real program as a daemon, on the disk that
//! holds `target`.
//!
//! It fails where a floor is missed, which lies below the goal by what a shared machine takes.
//! `NBC_TEST_LONG=1` takes five to ten times as many runs.

#![allow(clippy::print_stdout, reason = "the figures are its purpose")]

mod burst;
mod known;
mod latency;
mod room;
#[path = "../../tests/support/mod.rs"]
mod support;
#[path = "../common/table.rs"]
mod table;
#[path = "../common/watched.rs"]
mod watched;
mod writer;

use std::process::ExitCode;

use table::Row;

/// Measures one part, at length or not.
type Part = fn(bool) -> Vec<Row>;

fn main() -> ExitCode {
    let long = support::long();
    let parts: [(&str, Part); 4] = [
        ("latency", latency::rows),
        ("burst", burst::rows),
        ("known", known::rows),
        ("writer", writer::rows),
    ];
    // Names of parts; cargo's own options are none.
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let is_wanted = |part: &str| {
        let mut names = wanted.iter().filter(|name| !name.starts_with('-'));
        wanted.iter().all(|name| name.starts_with('-')) || names.any(|name| name == part)
    };
    let rows = { parts }
        .into_iter()
        .filter(|(part, _)| is_wanted(part))
        .flat_map(|(_, rows)| rows(long));
    table::print(("script with watchdog", "raw limit"), rows)
}
