//! From a complete run to its job in the ledger, one run at a time.

use std::fs::File;
use std::io::Write as _;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};

use crate::room::{Room, complete};
use crate::table::{Row, ms, quantile};

/// Between what a run begins with and its marker, and between two runs.
const PACE: Duration = Duration::from_millis(15);

/// How often the ledger is looked at.
const GLANCE: Duration = Duration::from_micros(50);

/// The raw limit: a thread that reads an event, appends a line to a file and flushes it.
fn limit(watched: PathBuf, file: PathBuf) -> Receiver<Instant> {
    let (sender, durable) = channel();
    let events = inotify::init(CreateFlags::CLOEXEC).expect("inotify");
    inotify::add_watch(&events, &watched, WatchFlags::CLOSE_WRITE).expect("a watch");
    let mut file = File::create(file).expect("a file");
    std::thread::spawn(move || {
        let mut space = [MaybeUninit::uninit(); 4096];
        let mut events = Reader::new(events, &mut space);
        while events.next().is_ok() {
            let flushed = file.write_all(&[b'x'; 200]).and_then(|()| file.sync_all());
            flushed.expect("flushed");
            if sender.send(Instant::now()).is_err() {
                return;
            }
        }
    });
    durable
}

fn since(marked: Instant, durable: Instant) -> f64 {
    durable.saturating_duration_since(marked).as_secs_f64()
}

/// A run at its usual pace: its marker comes when it has been known for a while. When it came.
fn marked(run: &Path) -> Instant {
    sleep(PACE);
    complete(run);
    Instant::now()
}

pub(crate) fn rows(long: bool) -> Vec<Row> {
    let count = if long { 3000 } else { 300 };
    let (ours, theirs, raw) = (Room::new(""), Room::new(""), Room::new(""));
    let durable = limit(raw.path("data"), raw.path("queue"));
    let (_daemon, _) = ours.start();
    let (peer, _) = theirs.start_peer().expect("watches");
    let mut ledger = ours.ledger();
    let mut figures = [const { Vec::<f64>::new() }; 3];
    // The first ones pay for what is made late.
    let warm = 10;
    for number in 1..=count + warm {
        let marker = marked(&raw.path("data"));
        let at = durable.recv().expect("flushed");
        figures[2].push(since(marker, at));

        let run = ours.begin_run("data", number);
        ledger.await_count("SELECT count(*) FROM runs", number, GLANCE);
        let marker = marked(&run);
        let at = ledger.await_count("SELECT coalesce(max(id), 0) FROM jobs", number, GLANCE);
        figures[0].push(since(marker, at));

        sleep(PACE);
        let run = theirs.begin_run("data", number);
        let marker = marked(&run);
        let at = peer.await_durable(number, Duration::from_secs(60));
        figures[1].push(since(marker, at.expect("found")));
    }
    let row = |part: f64, name: &str| {
        let [ours, theirs, raw] = figures.each_ref().map(|all| quantile(&all[warm..], part));
        let ratio = ours / raw;
        let row = Row::new(format!("complete → durable, {name} of {count}"), ms(ours));
        let row = row.peer(ms(theirs)).raw(ms(raw), format!("{ratio:.1} ×"));
        (row, ratio)
    };
    let ((middle, _), (late, ratio)) = (row(0.5, "p50"), row(0.99, "p99"));
    vec![middle, late.at_most(ratio, "2 × raw", (2.0, 3.0))]
}
