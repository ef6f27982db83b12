//! From the end of a run to its notebook in the user's Jupyter, on one real `JupyterHub`, beside a
//! courier in Python and the bare calls, in the same run: `benches/run`.
//!
//! The peer, and what it does and doesn't do, is `benches/peer/courier.py`. Both deliver the same
//! runs by the same template into one user's running server, one contender at a time, four
//! notebooks at once; the time of a notebook is when it stands on the disk behind the server under
//! its final name. The limit is a closed loop, four at once too, of the calls that each makes for a
//! notebook.
//!
//! It fails where a floor is missed, which lies below the goal by what a shared machine takes.

#![allow(clippy::print_stdout, reason = "the figures are its purpose")]
#![allow(clippy::print_stderr, reason = "so is the progress of the minutes")]

mod arrivals;
mod calls;
mod contender;
#[path = "../../tests/real/hub.rs"]
#[allow(dead_code, unreachable_pub, reason = "it uses a part")]
mod hub;
mod measure;
mod rows;
mod site;
#[path = "../../tests/support/mod.rs"]
mod support;
#[path = "../common/table.rs"]
mod table;
#[path = "../common/watched.rs"]
mod watched;

use std::process::ExitCode;
use std::time::Duration;

use contender::Who;
use measure::{Burst, Outage};
use site::Site;

/// Notebooks at once: nbcourier's default, the peer's threads, and the calls'.
pub(crate) const CONCURRENCY: usize = 4;

/// Runs one after the other, and the pace.
pub(crate) const PACED: (usize, Duration) = (80, Duration::from_millis(250));

/// Runs at once.
pub(crate) const BURST: usize = 300;

/// How often these are measured.
pub(crate) const ROUNDS: usize = 5;

/// Runs at once while the hub is restarted, and how long that is away.
pub(crate) const OUTAGE: (usize, Duration) = (100, Duration::from_secs(10));

/// All that was measured, nbcourier's first.
pub(crate) struct Figures {
    pub(crate) paced: [Vec<f64>; 2],
    /// And the bare calls of either.
    pub(crate) bursts: [Vec<Burst>; 4],
    pub(crate) outages: [Outage; 2],
}

pub(crate) fn progress(what: &str) {
    eprintln!("{what}");
}

fn paced(who: Who, site: &Site) -> Vec<f64> {
    let (count, pace) = PACED;
    progress(&format!("{who:?}: {count} runs, one each {pace:?}"));
    measure::paced(who, site, count, pace)
}

/// The bytes of a notebook that nbcourier has delivered.
fn delivered(site: &Site) -> String {
    let file = site.directory("runs/paced-Nbcourier/run_000001.ipynb");
    std::fs::read_to_string(file).expect("a notebook")
}

/// A burst of one of the four: nbcourier, the peer, and the bare calls of either.
fn burst(turn: usize, site: &Site, round: usize, notebook: &str) -> Burst {
    let who = [Who::Nbcourier, Who::Peer][turn % 2];
    let (name, measured) = match turn {
        0 | 1 => ("itself", measure::burst(who, site, round, BURST)),
        _ => (
            "its calls",
            calls::burst(who, site, round, (notebook, BURST)),
        ),
    };
    progress(&format!("  {who:?}, {name}: {:.1}/s", measured.rate));
    measured
}

fn bursts(site: &Site, notebook: &str) -> [Vec<Burst>; 4] {
    let mut bursts = [const { Vec::new() }; 4];
    for round in 0..ROUNDS {
        progress(&format!(
            "round {} of {ROUNDS}: {BURST} runs at once",
            round + 1
        ));
        // Each time another comes first.
        for turn in 0..4 {
            let turn = (round + turn) % 4;
            bursts[turn].push(burst(turn, site, round, notebook));
        }
    }
    bursts
}

fn outage(who: Who, site: &mut Site) -> Outage {
    let (count, away) = OUTAGE;
    progress(&format!(
        "{who:?}: {count} runs at once, hub away for {away:?}"
    ));
    measure::outage(who, site, count, away)
}

fn main() -> ExitCode {
    progress("starting a JupyterHub");
    let mut site = Site::start();
    // The peer starts the user's server; nbcourier finds it running.
    let [peers, ours] = [Who::Peer, Who::Nbcourier].map(|who| paced(who, &site));
    let notebook = delivered(&site);
    let figures = Figures {
        paced: [ours, peers],
        bursts: bursts(&site, &notebook),
        outages: [Who::Nbcourier, Who::Peer].map(|who| outage(who, &mut site)),
    };
    rows::print(&figures, notebook.len())
}
