//! `backup` and `restore`: a copy of the live ledger, and what a daemon makes of it later.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::support::{
    Process, Room, assert_ledger_is_sound, assert_one_whole_notebook_each, files, random,
    wait_until,
};

const DIRECTORY: &str = "[destination.dir]\npath = \"notebooks\"\ndirectory = \"\"\n";

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn a_backup_of_a_live_ledger_brings_everything_back_and_later_runs_come_again() {
    let mut room = Room::new(DIRECTORY);
    room.start();
    (1..=40).for_each(|number| drop(room.make_run(number)));
    wait_until(30, "deliveries are under way", || {
        room.count("delivered") > 5
    });
    let copy = room.path("copy.db");
    let made = room.run(&["backup", text(&copy)]);
    assert_eq!(made.code, 0, "{made:?}");
    assert!(
        made.err.contains(" runs, ") && made.err.contains("copy.db"),
        "{made:?}"
    );
    let mode = fs::metadata(&copy).expect("a backup").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!room.path("copy.db.part").exists());
    let again = room.run(&["backup", text(&copy)]);
    assert_eq!(again.code, 2, "{again:?}");
    assert!(again.err.contains("copy.db is there already"), "{again:?}");
    room.await_delivered(40, 60);
    (41..=43).for_each(|number| drop(room.make_run(number)));
    room.await_delivered(43, 30);
    let notebooks = files(&room.path("notebooks")).len();
    assert_eq!(notebooks, 43);

    let refused = room.run(&["restore", text(&copy)]);
    assert_eq!(refused.code, 78, "{refused:?}");
    assert!(
        refused.err.contains(&format!("(pid {})", room.pid())),
        "{refused:?}"
    );
    room.kill();
    let known = room.runs().len();
    let restored = room.run(&["restore", text(&copy), "--json"]);
    assert_eq!(restored.code, 0, "{restored:?}");
    let aside = restored.json()["set_aside"]
        .as_str()
        .expect("a path")
        .to_owned();
    assert!(
        aside.contains("/state/ledger.db.before-restore-2"),
        "{aside}"
    );
    let runs = restored.json()["runs"].as_u64().expect("a number");
    assert!(runs < 43, "made before the last runs: {runs}");
    assert_eq!(room.runs().len() as u64, runs);
    room.start();
    room.await_delivered(43, 60);
    let doubled = 43 - usize::try_from(runs).expect("a few");
    let notebooks = files(&room.path("notebooks"));
    assert_eq!(
        notebooks.len(),
        43 + doubled,
        "only what the backup didn't know"
    );
    assert!(room.path("notebooks/run_000043-2.ipynb").exists());
    assert_eq!(room.stop(), 0);
    assert_ledger_is_sound(&room);

    let undone = room.run(&["restore", &aside]);
    assert_eq!(undone.code, 0, "{undone:?}");
    assert!(
        undone
            .err
            .contains("43 runs restored; the newest record is of 2"),
        "{undone:?}"
    );
    assert_eq!(room.runs().len(), known, "with what stood in its log only");
}

#[test]
fn a_restore_that_is_killed_leaves_a_ledger_or_the_way_to_one() {
    let mut room = Room::new(DIRECTORY);
    (1..=100).for_each(|number| drop(room.make_run(number)));
    room.start();
    room.await_delivered(100, 60);
    let copy = room.path("copy.db");
    assert_eq!(room.run(&["backup", text(&copy)]).code, 0);
    room.make_run(101);
    room.await_delivered(101, 20);
    room.kill();
    let mut names: Vec<String> = (1..=101).map(|number| format!("run_{number:06}")).collect();
    for _ in 0..25 {
        let mut command = room.program();
        command.arg("restore").arg(&copy).stderr(Stdio::null());
        let mut restore = Process::start(&mut command);
        std::thread::sleep(Duration::from_micros(random(40_000)));
        restore.kill();
        drop(restore);
        // The way to it is completed by the daemon.
        room.start();
        room.await_delivered(101, 20);
        room.kill();
    }
    let restored = room.run(&["restore", text(&copy)]);
    assert_eq!(restored.code, 0, "{restored:?}");
    let left = files(&room.path("state"));
    let begun = |file: &&std::path::PathBuf| {
        text(file).contains("resto") && !text(file).contains(".before-restore-")
    };
    assert_eq!(left.iter().find(begun), None, "nothing half done is left");
    assert_eq!(room.runs().len(), 100);
    let copies = files(&room.path("notebooks")).len() - 101;
    names.extend((0..copies).map(|_| "run_000101".to_owned()));
    assert_one_whole_notebook_each(&room.path("notebooks"), &names);
}

#[test]
fn a_damaged_or_newer_ledger_is_refused_with_the_command_that_mends_it() {
    let mut room = Room::new(DIRECTORY);
    room.start();
    room.make_run(1);
    room.await_delivered(1, 20);
    let copy = room.path("copy.db");
    assert_eq!(room.run(&["backup", text(&copy)]).code, 0);
    assert_eq!(room.stop(), 0);
    let ledger = room.path("state/ledger.db");
    let sound = fs::read(&ledger).expect("a ledger");
    let mut torn = sound.clone();
    torn[8192..12288].fill(0xa5);
    let mut header = sound.clone();
    header[..4].fill(0);
    let mut newer = sound.clone();
    // The user version, a big-endian number at byte 60 (sqlite.org/fileformat2.html, §1.3).
    newer[60..64].copy_from_slice(&999_u32.to_be_bytes());
    for (bytes, part) in [
        (&torn, "damaged"),
        (&header, "damaged"),
        (&newer, "version 999"),
    ] {
        fs::write(&ledger, bytes).expect("written");
        let refused = room.run(&["daemon"]);
        assert_eq!(refused.code, 78, "{refused:?}");
        for part in [part, "state/ledger.db: ", "`nbcourier restore FILE`"] {
            assert!(refused.err.contains(part), "{part}: {refused:?}");
        }
        assert_eq!(&fs::read(&ledger).expect("there"), bytes, "left as it is");
        let restored = room.run(&["restore", text(&ledger)]);
        assert_eq!(
            restored.code, 78,
            "what is no backup is refused: {restored:?}"
        );
        assert!(restored.err.contains(part), "{restored:?}");
        assert_eq!(
            &fs::read(&ledger).expect("there"),
            bytes,
            "and left as it is"
        );
        assert_eq!(room.run(&["restore", text(&copy)]).code, 0);
        assert_eq!(room.runs().len(), 1);
    }
    room.start();
    room.make_run(2);
    room.await_delivered(2, 20);
}

#[test]
fn backup_and_restore_end_with_the_codes_of_the_contract() {
    let room = Room::new(DIRECTORY);
    let copy = room.path("copy.db");
    assert_eq!(room.run(&["backup", text(&copy)]).code, 69, "no ledger yet");
    let missing = room.run(&["restore", text(&copy)]);
    assert_eq!(missing.code, 2, "{missing:?}");
    let file = room.path("nbcourier.toml");
    let config = fs::read_to_string(&file).expect("a configuration");
    let shared = "[ledger]\nurl = \"postgres://nbc@db.example/nbc\"\n";
    fs::write(&file, format!("{config}{shared}")).expect("written");
    let dump = room.run(&["backup", text(&copy)]);
    assert_eq!(dump.code, 78, "{dump:?}");
    assert!(
        dump.err.contains("type: pg_dump --format=custom --file='"),
        "{dump:?}"
    );
    let back = room.run(&["restore", text(&copy)]);
    assert_eq!(back.code, 78, "{back:?}");
    assert!(
        back.err
            .contains("--dbname='postgres://nbc@db.example/nbc' '"),
        "{back:?}"
    );
}

#[test]
fn what_was_torn_in_the_writing_when_the_power_went_is_left_out() {
    let mut room = Room::new(DIRECTORY);
    room.start();
    (1..=5).for_each(|number| drop(room.make_run(number)));
    room.await_delivered(5, 20);
    room.kill();
    let before = room.runs();
    // The first half of a frame of a transaction that was never reported.
    let log = room.path("state/ledger.db-wal");
    let mut bytes = fs::read(&log).expect("a log");
    bytes.extend_from_within(32..2000);
    fs::write(&log, bytes).expect("written");
    assert_eq!(room.runs(), before);
    room.start();
    room.make_run(6);
    room.await_delivered(6, 20);
    assert_eq!(files(&room.path("notebooks")).len(), 6);
    assert_eq!(room.stop(), 0);
    assert_ledger_is_sound(&room);
}
