//! What is measured of one contender at a time.

use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::arrivals::Tally;
use crate::contender::{Contender, Who, complete, names};
use crate::site::Site;

/// How long all notebooks may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long something that comes too much may take.
const AFTERWARDS: Duration = Duration::from_secs(3);

/// What many runs at once came to.
pub(crate) struct Burst {
    /// Notebooks a second, from the first marker.
    pub(crate) rate: f64,
    /// From marker to notebook, seconds.
    pub(crate) waits: Vec<f64>,
    /// Seconds of a core for a notebook.
    pub(crate) used: f64,
    /// The same of the user's server.
    pub(crate) server_used: f64,
    /// Most memory, bytes.
    pub(crate) peak: f64,
}

/// What came of many runs during which the hub was away.
pub(crate) struct Outage {
    pub(crate) tally: Tally,
    /// Seconds from the hub's return to the last notebook.
    pub(crate) after: f64,
}

fn waits(marked: &[Instant], came: &[Option<Instant>]) -> Vec<f64> {
    let wait = |(marked, came): (&Instant, &Option<Instant>)| {
        came.map_or(f64::INFINITY, |came| (came - *marked).as_secs_f64())
    };
    marked.iter().zip(came).map(wait).collect()
}

/// From marker to notebook, one run after the other at a pace; seconds.
pub(crate) fn paced(who: Who, site: &Site, count: usize, pace: Duration) -> Vec<f64> {
    let contender = Contender::start(who, site, &format!("runs/paced-{who:?}"));
    let begun = Instant::now();
    let mut runs = Vec::new();
    let mut marked = Vec::new();
    for number in 0..count {
        let run = contender.begin(number);
        let end = begun + pace * u32::try_from(number + 1).expect("a small number");
        sleep(end.saturating_duration_since(Instant::now()));
        marked.push(complete(&run));
        runs.push(run);
    }
    let came = contender
        .arrivals
        .await_some(&names(&runs), count, PATIENCE);
    contender.process.stop();
    waits(&marked, &came)
}

/// Begins runs, lets that be noticed, and completes them all at once; when each was.
fn release(contender: &Contender, count: usize) -> (Vec<String>, Vec<Instant>) {
    let runs: Vec<PathBuf> = (0..count).map(|number| contender.begin(number)).collect();
    sleep(Duration::from_secs(1));
    let marked = runs.iter().map(|run| complete(run)).collect();
    (names(&runs), marked)
}

/// Many runs at once.
pub(crate) fn burst(who: Who, site: &Site, round: usize, count: usize) -> Burst {
    let contender = Contender::start(who, site, &format!("runs/burst-{round}-{who:?}"));
    let before = (contender.process.used(), site.server_used());
    let (runs, marked) = release(&contender, count);
    let came = contender.arrivals.await_some(&runs, count, PATIENCE);
    let last = came.iter().flatten().max().expect("some came");
    let seconds = (*last - marked[0]).as_secs_f64();
    // The last one's record.
    sleep(Duration::from_millis(300));
    let each = |used: f64| used / count as f64;
    let measured = Burst {
        rate: came.iter().flatten().count() as f64 / seconds,
        waits: waits(&marked, &came),
        used: each(contender.process.used() - before.0),
        server_used: each(site.server_used() - before.1),
        peak: contender.process.memory("VmHWM"),
    };
    contender.process.stop();
    measured
}

/// Many runs at once, and the hub restarted when a third of them has its notebook.
pub(crate) fn outage(who: Who, site: &mut Site, count: usize, away: Duration) -> Outage {
    let contender = Contender::start(who, site, &format!("runs/outage-{who:?}"));
    let (runs, _) = release(&contender, count);
    contender.arrivals.await_some(&runs, count / 3, PATIENCE);
    let back = site.restart(away);
    let before = contender.arrivals.await_some(&runs, 0, PATIENCE);
    let before = before
        .iter()
        .flatten()
        .filter(|came| **came < back - away / 2);
    assert!(before.count() < count, "the hub went when all was done");
    let came = contender.arrivals.await_some(&runs, count, PATIENCE);
    let last = came.iter().flatten().max().expect("some came");
    sleep(AFTERWARDS);
    let tally = contender.arrivals.tally(&runs);
    if tally.lost + tally.doubled > 0 {
        crate::progress(&contender.log());
    }
    contender.process.stop();
    Outage {
        tally,
        after: last.saturating_duration_since(back).as_secs_f64(),
    }
}
