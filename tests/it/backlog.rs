//! A long outage of one destination: what it leaves behind delays nobody, now or later.

#![allow(clippy::print_stderr, reason = "the figures are to be seen")]

use std::collections::HashMap;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::{Room, files, long, wait_until, watch};

/// A run of the watch on `live`, which goes to the destination that is well and to the other.
fn fresh(room: &Room, number: u32) -> String {
    let name = format!("run_{number:06}");
    crate::support::make(&room.path("live"), &name, "{}");
    name
}

/// Two watches: `data` goes to `share`, whose directory is missing, and to a server that is down;
/// `live` goes to `share` and to a directory that is well.
fn room() -> Room {
    let keys = "max_new_per_hour = 0";
    let live = format!("directory = \"live\"\n{keys}");
    let tables = format!(
        "{}{}[notebook.old]\ntemplate = \"quick.ipynb\"\nwatch = [\"h4\"]\nto = [\"share\", \"down\"]\n\
         [notebook.live]\ntemplate = \"quick.ipynb\"\nwatch = [\"live\"]\nto = [\"share\", \"dir\"]\n\
         [destination.share]\npath = \"share\"\ndirectory = \"{{watch}}\"\n\
         [destination.down]\nserver = \"http://{}\"\nauth.token = {{ file = \"token\" }}\n\
         [destination.dir]\npath = \"notebooks\"\ndirectory = \"\"\n",
        watch("h4", keys),
        watch("live", &live),
        nobody(),
    );
    let room = Room::bare(&tables);
    fs::create_dir(room.path("live")).expect("a directory");
    fs::write(room.path("token"), "0123456789abcdef").expect("a token");
    let own = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(room.path("token"), own).expect("chmod");
    room
}

/// An address where nobody listens.
fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address")
}

/// Jobs in these states, from the counts.
fn count(room: &Room, states: &[&str]) -> u64 {
    let jobs = room.run(&["status", "--json"]).json()["jobs"].clone();
    let numbers = states.iter().filter_map(|state| jobs[state].as_u64());
    numbers.sum()
}

/// Makes a run and waits for its notebook; how long it took.
fn way(room: &Room, number: u32, directory: &Path) -> Duration {
    let begun = Instant::now();
    let notebook = directory.join(format!("{}.ipynb", fresh(room, number)));
    wait_until(20, "a fresh run is delivered", || notebook.exists());
    begun.elapsed()
}

#[test]
fn a_backlog_costs_neither_start_nor_memory_nor_anybodys_time_and_drains_in_order() {
    let (old, drained) = if long() {
        (50_000, 50_000)
    } else {
        (10_000, 600)
    };
    let mut room = room();
    room.start();
    (1..=old).for_each(|number| drop(room.make_run(number)));
    wait_until(300, "all wait", || {
        count(&room, &["waiting", "held"]) == 2 * u64::from(old)
    });
    let memory = room.most_memory();
    assert_eq!(room.stop(), 0);
    // The outage outlasts a restart.
    let begun = Instant::now();
    room.start();
    let started = begun.elapsed();
    assert!(started < Duration::from_secs(2), "{started:?}");
    let mut longest = Duration::ZERO;
    for number in 1..=20 {
        longest = longest.max(way(&room, number, &room.path("notebooks")));
    }
    assert!(longest < Duration::from_secs(2), "{longest:?}");
    assert!(count(&room, &["waiting", "held", "delivering"]) >= 2 * u64::from(old));

    fs::create_dir(room.path("share")).expect("the outage is over");
    let share = room.path("share/h4");
    wait_until(30, "it is noticed", || !files(&share).is_empty());
    let begun = Instant::now();
    let behind = way(&room, 21, &room.path("share/live"));
    let beside = way(&room, 22, &room.path("notebooks"));
    wait_until(3600, "it drains", || {
        fs::read_dir(&share).map_or(0, Iterator::count) >= drained
    });
    let rate = files(&share).len() as f64 / begun.elapsed().as_secs_f64();
    let (most, first) = (room.most_memory(), memory);
    eprintln!(
        "{old} runs wait for two destinations: start {started:?}, fresh run elsewhere {longest:?}; while they drain: \
         fresh run {behind:?}, elsewhere {beside:?}, {rate:.0} a second; memory {first} MB, then {most} MB"
    );
    assert!(beside < Duration::from_secs(2), "{beside:?}");
    assert!(
        behind < Duration::from_secs(10),
        "behind all the old ones: {behind:?}"
    );
    assert!(first.max(most) < 100, "{first} MB, then {most} MB");
    assert_eq!(room.stop(), 0);
    assert_in_order(&share, &recorded(&room));
}

/// The names of all runs in the order in which their jobs for the share were recorded.
fn recorded(room: &Room) -> Vec<String> {
    let program = "import sqlite3, sys\n\
        sql = \"SELECT name FROM jobs JOIN runs ON runs.id = jobs.run\"\n\
        sql += \" WHERE watch = 'h4' AND destination = 'share' ORDER BY jobs.id\"\n\
        rows = sqlite3.connect(sys.argv[1]).execute(sql)\n\
        print(*(name for name, in rows), sep='\\n')";
    let done = Command::new("python3")
        .args(["-c", program])
        .arg(room.path("state/ledger.db"))
        .output()
        .expect("python3");
    let names = String::from_utf8_lossy(&done.stdout);
    names.lines().map(str::to_owned).collect()
}

/// Of those that came by their age every one came at its turn, but for those that were on their way
/// together. The newest were admitted beside them, one for one.
fn assert_in_order(directory: &Path, recorded: &[String]) {
    let turns: HashMap<_, _> = recorded.iter().zip(0_usize..).collect();
    let mut seen: Vec<_> = files(directory)
        .into_iter()
        .filter(|file| file.extension().is_some_and(|end| end == "ipynb"))
        .map(|file| {
            let made = fs::metadata(&file).and_then(|facts| facts.modified());
            let name = file
                .file_stem()
                .map(|name| name.to_string_lossy().into_owned());
            (made.expect("a time"), turns[&name.expect("a name")])
        })
        .collect();
    seen.sort();
    let turns = seen.iter().map(|(_, turn)| *turn);
    let by_age: Vec<_> = turns.filter(|turn| *turn < recorded.len() / 2).collect();
    assert!(
        by_age.len() * 10 >= seen.len() * 4,
        "{} of {}",
        by_age.len(),
        seen.len()
    );
    let places = by_age
        .iter()
        .zip(0_usize..)
        .map(|(came, due)| came.abs_diff(due));
    let farthest = places.max().unwrap_or_default();
    let first = &by_age[..by_age.len().min(100)];
    assert!(
        farthest <= 64,
        "{farthest} places from its turn: {first:?} …"
    );
}
