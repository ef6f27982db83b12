//! Starting and idling beside runs that are known.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::room::{Room, complete};
use crate::table::{Row, mb, median, ms, thousands};
use crate::watched::Watched;

/// How long a daemon may be busy with itself after its start.
const SETTLES: Duration = Duration::from_secs(120);

fn fill(room: &Room, count: usize) {
    let data = room.path("data");
    for number in 0..count {
        let run = data.join(format!("run_{number:07}"));
        std::fs::create_dir(&run).expect("a run");
        complete(&run);
    }
}

/// The raw limit: the names in a directory.
fn list(directory: &Path) -> f64 {
    let begun = Instant::now();
    let listed = std::fs::read_dir(directory).expect("listed");
    let bytes: usize = listed
        .map(|entry| entry.expect("an entry").file_name().len())
        .sum();
    assert!(bytes > 0);
    begun.elapsed().as_secs_f64()
}

fn start(room: &Room, count: usize) -> Vec<Row> {
    let what = format!("beside {} runs", thousands(count));
    let (daemon, first) = room.start();
    let first_peak = daemon.memory("VmHWM");
    daemon.stop();
    let (mut took, mut raw, mut peaks) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..5 {
        raw.push(list(&room.path("data")));
        let (daemon, again) = room.start();
        took.push(again);
        peaks.push(daemon.memory("VmHWM"));
        daemon.stop();
    }
    let peer = room.start_peer();
    let (theirs, theirs_peak) = match &peer {
        Some((peer, took)) => (ms(*took), mb(peer.process.memory("VmHWM"))),
        None => ("no: watches used up".to_owned(), String::new()),
    };
    let (took, raw, peak) = (median(&took), median(&raw), median(&peaks));
    let share = raw / took;
    let first_goal = 15.0 * count as f64 / 1e6;
    vec![
        Row::new(format!("first start {what}"), ms(first))
            .peer(theirs.clone())
            .at_most(
                first,
                &format!("{first_goal} s"),
                (first_goal, first_goal * 1.2),
            ),
        Row::new(format!("first start {what}: peak memory"), mb(first_peak))
            .peer(theirs_peak.clone())
            .at_most(first_peak, "100 MB", (1e8, 1.1e8)),
        Row::new(format!("start {what} that are known"), ms(took))
            .peer(theirs)
            .raw(ms(raw), format!("{:.0} % of raw", share * 100.0))
            .at_least(share, "20 %", (0.2, 0.15)),
        Row::new(
            format!("start {what} that are known: peak memory"),
            mb(peak),
        )
        .peer(theirs_peak)
        .at_most(peak, "150 MB", (1.5e8, 1.6e8)),
    ]
}

/// Waits until it has done nothing for a while; how long that took.
fn settled(daemon: &Watched) -> f64 {
    let begun = Instant::now();
    // The first full scan comes after `poll_every`.
    sleep(Duration::from_secs(12));
    while begun.elapsed() < SETTLES {
        let used = daemon.used();
        sleep(Duration::from_secs(2));
        if daemon.used() - used < 0.02 {
            break;
        }
    }
    begun.elapsed().as_secs_f64()
}

fn idle(daemon: &Watched, count: usize, (used, seconds): (f64, f64)) -> [Row; 2] {
    let what = format!("idle, {} known runs", thousands(count));
    let (share, memory) = ((daemon.used() - used) / seconds, daemon.memory("VmRSS"));
    let (cpu_goal, memory_goal) = match count {
        0..=1000 => (0.001, 2e7),
        1001..=100_000 => (0.002, 4e7),
        _ => (0.01, 1.5e8),
    };
    [
        Row::new(
            format!("{what}: of a core"),
            format!("{:.2} %", share * 100.0),
        )
        .at_most(
            share,
            &format!("{} %", cpu_goal * 100.0),
            (cpu_goal, cpu_goal * 1.5),
        ),
        Row::new(format!("{what}: memory"), mb(memory)).at_most(
            memory,
            &format!("{:.0} MB", memory_goal / 1e6),
            (memory_goal, memory_goal * 1.1),
        ),
    ]
}

pub(crate) fn rows(long: bool) -> Vec<Row> {
    let counts: &[usize] = if long {
        &[1000, 100_000, 1_000_000]
    } else {
        &[1000, 100_000]
    };
    let rooms: Vec<Room> = counts.iter().map(|_| Room::new("")).collect();
    let mut rows = Vec::new();
    for (room, count) in rooms.iter().zip(counts) {
        fill(room, *count);
        let started = start(room, *count);
        if *count > 1000 {
            rows.extend(started);
        }
    }
    let daemons: Vec<Watched> = rooms.iter().map(|room| room.start().0).collect();
    let settled: Vec<f64> = daemons.iter().map(settled).collect();
    let used: Vec<f64> = daemons.iter().map(Watched::used).collect();
    let seconds = if long { 60.0 } else { 20.0 };
    sleep(Duration::from_secs_f64(seconds));
    for (at, count) in counts.iter().enumerate() {
        rows.extend(idle(&daemons[at], *count, (used[at], seconds)));
    }
    let longest = settled.iter().copied().fold(0.0, f64::max);
    rows.push(Row::new("start until idle", format!("{longest:.0} s")));
    rows
}
