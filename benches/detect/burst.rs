//! Many complete runs at once.

use std::time::{Duration, Instant};

use crate::room::{Room, complete};
use crate::table::{Row, mb, thousands};

/// Makes the runs aside.
fn prepare(room: &Room, count: usize) {
    for number in 0..count {
        complete(&room.begin_run("aside", number));
    }
}

/// Moves them into the watched directory; when the first one came.
fn release(room: &Room, count: usize) -> Instant {
    let names: Vec<String> = (0..count)
        .map(|number| format!("run_{number:07}"))
        .collect();
    let (aside, data) = (room.path("aside"), room.path("data"));
    let begun = Instant::now();
    for name in names {
        std::fs::rename(aside.join(&name), data.join(&name)).expect("moved");
    }
    begun
}

fn rate(count: usize, begun: Instant, ended: Instant) -> f64 {
    count as f64 / (ended - begun).as_secs_f64()
}

pub(crate) fn rows(long: bool) -> Vec<Row> {
    let count = if long { 100_000 } else { 20_000 };
    let (theirs, lost, theirs_peak) = {
        let room = Room::new("");
        prepare(&room, count);
        let (peer, _) = room.start_peer().expect("watches");
        let begun = release(&room, count);
        let quiet = Duration::from_secs(8);
        let (found, ended) = match peer.await_durable(count, quiet) {
            Ok(ended) => (count, ended),
            Err(found) => (found, Instant::now() - quiet),
        };
        let peak = peer.process.memory("VmHWM");
        (rate(found, begun, ended), count - found, peak)
    };
    let room = Room::new("");
    prepare(&room, count);
    let (daemon, _) = room.start();
    let mut ledger = room.ledger();
    let begun = release(&room, count);
    let moved = begun.elapsed().as_secs_f64();
    let jobs = "SELECT coalesce(max(id), 0) FROM jobs";
    let ended = ledger.await_count(jobs, count, Duration::from_millis(5));
    let ours = rate(count, begun, ended);
    let ready = ledger.ask(
        "SELECT count(DISTINCT r.name) FROM runs r JOIN jobs j ON j.run = r.id WHERE r.state = 'ready'",
    );
    let peak = daemon.memory("VmHWM");
    daemon.stop();
    let what = format!("{} runs at once", thousands(count));
    let shown = |rate: f64| format!("{}/s", thousands(rate as usize));
    let lost_here = count - ready;
    vec![
        Row::new(format!("{what}: recorded"), shown(ours))
            .peer(shown(theirs))
            .raw(
                format!("{} (moved)", shown(count as f64 / moved)),
                format!("{:.1} × peer", ours / theirs),
            )
            .at_least(ours, "10 000/s", (10_000.0, 8_000.0)),
        Row::new(format!("{what}: lost"), thousands(lost_here))
            .peer(thousands(lost))
            .at_most(lost_here as f64, "0", (0.0, 0.0)),
        Row::new(format!("{what}: peak memory"), mb(peak))
            .peer(mb(theirs_peak))
            .at_most(peak, "100 MB", (1e8, 1.1e8)),
    ]
}
