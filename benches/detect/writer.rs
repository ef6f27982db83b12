//! What watching costs the one who writes the data.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::room::Room;
use crate::table::{Row, median};

/// A file's first part is written again and again: what is measured is the writing, not the disk.
const SPAN: u64 = 16 << 20;

/// How often, and how many bytes.
const WRITES: [(u64, usize); 2] = [(300_000, 4 << 10), (60_000, 64 << 10)];

const ROUNDS: usize = 5;

/// Writes so many blocks of that size; how long it took.
fn write(file: &Path, (count, size): (u64, usize)) -> f64 {
    let file = File::options().write(true).open(file).expect("opened");
    let block = vec![7; size];
    let begun = Instant::now();
    for at in 0..count {
        file.write_all_at(&block, at * size as u64 % SPAN)
            .expect("written");
    }
    begun.elapsed().as_secs_f64()
}

/// All writes into all files, one after the other.
fn pass(files: &[PathBuf]) -> Vec<f64> {
    let each = |file: &PathBuf| {
        let file = file.clone();
        WRITES.iter().map(move |writes| write(&file, *writes))
    };
    files.iter().flat_map(each).collect()
}

pub(crate) fn rows(_long: bool) -> Vec<Row> {
    // The peer watches both, as it watches all that is below.
    let room = Room::with(
        "[watch.open]\ndirectory = \"data/open\"\nready = { marker = \"DONE\" }\nexisting = \"all\"\n\
         [watch.flat]\ndirectory = \"data/flat\"\npattern = '(?<run>\\d+)\\.dat'\nready = { quiet = \"60s\" }\nexisting = \"all\"\n",
    );
    let files = ["data/open/run_1/events.dat", "data/flat/1.dat"].map(|file| room.path(file));
    for file in &files {
        std::fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
        std::fs::write(file, vec![0; SPAN as usize]).expect("written");
    }
    pass(&files);
    let mut times = [const { Vec::<Vec<f64>>::new() }; 3];
    for round in 0..ROUNDS {
        for turn in 0..3 {
            let who = (round + turn) % 3;
            let (ours, peer) = match who {
                0 => (None, None),
                1 => (Some(room.start().0), None),
                _ => (None, room.start_peer()),
            };
            // Whatever it begins with.
            sleep(Duration::from_millis(500));
            times[who].push(pass(&files));
            if let Some(daemon) = ours {
                daemon.stop();
            }
            drop(peer);
        }
    }
    let mut rows = Vec::new();
    for (at, layout) in ["open run", "flat files"].iter().enumerate() {
        for (writes, (count, size)) in WRITES.iter().enumerate() {
            let [alone, ours, theirs] = times.each_ref().map(|passes| {
                let each = passes.iter().map(|pass| pass[at * WRITES.len() + writes]);
                median(&each.collect::<Vec<f64>>())
            });
            let slower = ours / alone - 1.0;
            let shown = |seconds: f64| {
                let percent = (seconds / alone - 1.0) * 100.0;
                format!("{seconds:.3} s ({percent:+.1} %)")
            };
            let what = format!("{}k writes of {} KiB, {layout}", count / 1000, size >> 10);
            let row = Row::new(what, shown(ours)).peer(shown(theirs));
            let row = row.raw(format!("{alone:.3} s"), format!("{:.2}", ours / alone));
            rows.push(row.at_most(slower, "3 %", (0.03, 0.1)));
        }
    }
    rows
}
