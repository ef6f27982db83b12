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
mod writer;

use std::process::ExitCode;

/// Measures one part, at length or not.
type Part = fn(bool) -> Vec<Row>;

/// A line of the table.
pub(crate) struct Row {
    what: String,
    ours: String,
    peer: String,
    raw: String,
    ratio: String,
    goal: String,
    reached: Option<bool>,
    fails: bool,
}

impl Row {
    pub(crate) fn new(what: impl Into<String>, ours: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            ours: ours.into(),
            peer: String::new(),
            raw: String::new(),
            ratio: String::new(),
            goal: String::new(),
            reached: None,
            fails: false,
        }
    }

    pub(crate) fn peer(mut self, peer: impl Into<String>) -> Self {
        self.peer = peer.into();
        self
    }

    pub(crate) fn raw(mut self, raw: impl Into<String>, ratio: impl Into<String>) -> Self {
        (self.raw, self.ratio) = (raw.into(), ratio.into());
        self
    }

    /// The figure is to be at most the goal; above the floor the benchmark fails.
    pub(crate) fn at_most(mut self, figure: f64, text: &str, (goal, floor): (f64, f64)) -> Self {
        self.goal = format!("≤ {text}");
        (self.reached, self.fails) = (Some(figure <= goal), figure > floor);
        self
    }

    /// The figure is to be at least the goal; below the floor the benchmark fails.
    pub(crate) fn at_least(self, figure: f64, text: &str, (goal, floor): (f64, f64)) -> Self {
        let row = self.at_most(-figure, text, (-goal, -floor));
        let goal = format!("≥ {text}");
        Self { goal, ..row }
    }

    fn print(&self) {
        let reached = match (self.reached, self.fails) {
            (None, _) => "",
            (Some(true), _) => "yes",
            (Some(false), false) => "nearly",
            (Some(false), true) => "no",
        };
        println!(
            "| {} | {} | {} | {} | {} | {} | {reached} |",
            self.what, self.ours, self.peer, self.raw, self.ratio, self.goal
        );
    }
}

/// The smallest of the values that so large a part of them does not exceed.
pub(crate) fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (part * sorted.len() as f64).ceil() as usize;
    sorted[at.clamp(1, sorted.len()) - 1]
}

pub(crate) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// With a blank between thousands.
pub(crate) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(' ');
        }
        shown.push(digit);
    }
    shown
}

pub(crate) fn ms(seconds: f64) -> String {
    format!("{:.2} ms", seconds * 1e3)
}

pub(crate) fn mb(bytes: f64) -> String {
    format!("{:.1} MB", bytes / 1e6)
}

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
    println!("| what | nbcourier | script with watchdog | raw limit | ratio | goal | reached |");
    println!("|---|---|---|---|---|---|---|");
    let mut fails = false;
    for (part, rows) in parts {
        for row in is_wanted(part).then(|| rows(long)).into_iter().flatten() {
            row.print();
            fails |= row.fails;
        }
    }
    match fails {
        false => ExitCode::SUCCESS,
        true => ExitCode::FAILURE,
    }
}
