//! Figures, and the table that shows them beside others' and a goal.

#![allow(dead_code, reason = "each benchmark uses a part")]

use std::process::ExitCode;

/// A line of the table.
pub(crate) struct Row {
    what: String,
    ours: String,
    peer: String,
    raw: String,
    ratio: String,
    goal: String,
    reached: &'static str,
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
            reached: "",
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
        self.fails = figure > floor;
        self.reached = match figure <= goal {
            true => "yes",
            false if self.fails => "no",
            false => "nearly",
        };
        self
    }

    /// The figure is to be at least the goal; below the floor the benchmark fails.
    pub(crate) fn at_least(self, figure: f64, text: &str, (goal, floor): (f64, f64)) -> Self {
        let row = self.at_most(-figure, text, (-goal, -floor));
        let goal = format!("≥ {text}");
        Self { goal, ..row }
    }

    /// The figure is to be at least the goal, but the benchmark doesn't depend on that.
    pub(crate) fn aims_at(mut self, figure: f64, text: &str, goal: f64) -> Self {
        self.goal = format!("≥ {text}");
        self.reached = if figure >= goal { "yes" } else { "no" };
        self
    }

    fn print(&self) {
        println!(
            "| {} | {} | {} | {} | {} | {} | {} |",
            self.what, self.ours, self.peer, self.raw, self.ratio, self.goal, self.reached
        );
    }
}

/// Prints the lines as they come below a head that names what stands beside; whether all floors
/// were kept.
pub(crate) fn print((peer, raw): (&str, &str), rows: impl Iterator<Item = Row>) -> ExitCode {
    println!("| what | nbcourier | {peer} | {raw} | ratio | goal | reached |");
    println!("|---|---|---|---|---|---|---|");
    let mut fails = false;
    for row in rows {
        row.print();
        fails |= row.fails;
    }
    match fails {
        false => ExitCode::SUCCESS,
        true => ExitCode::FAILURE,
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

pub(crate) fn ms(seconds: f64) -> String {
    format!("{:.2} ms", seconds * 1e3)
}

pub(crate) fn mb(bytes: f64) -> String {
    format!("{:.1} MB", bytes / 1e6)
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
