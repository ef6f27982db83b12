//! Ledgers of older versions, as `tests/ledgers/make.py` wrote them: today's program takes them up
//! with jobs in every state.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Room, assert_ledger_is_sound, begin, files, finish};

fn ledger(version: u32) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join(format!("tests/ledgers/v{version}.db"))
}

/// Runs a statement on a database nobody uses, by a program that is not ours; its first value.
fn sql(file: &Path, statement: &str, value: &str) -> String {
    let program = "import sqlite3, sys\n\
        db = sqlite3.connect(sys.argv[1])\n\
        with db: row = db.execute(sys.argv[2], [sys.argv[3]][:sys.argv[2].count('?')]).fetchone()\n\
        db.close()\n\
        print(row[0] if row else '')";
    let done = Command::new("python3")
        .args(["-c", program])
        .arg(file)
        .args([statement, value])
        .output()
        .expect("python3");
    assert!(done.status.success(), "{done:?}");
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

/// A room with the runs that the ledgers know, and one that they don't.
fn room() -> Room {
    let room = Room::watching("existing = \"ignore\"");
    (1..=9)
        .filter(|number| *number != 7)
        .for_each(|number| drop(room.make_run(number)));
    begin(&room.path("data"), "run_000007");
    room
}

/// The ledgers know their runs below /data/h4, where they were seen after they had begun: a run
/// that began later than one of its name was seen is another one.
fn move_to(room: &Room, file: &Path) {
    let statement =
        "UPDATE runs SET path = CAST(replace(CAST(path AS TEXT), '/data/h4', ?) AS BLOB)";
    sql(file, statement, room.path("data").to_str().expect("UTF-8"));
    let now = jiff::Timestamp::now().as_millisecond().to_string();
    sql(file, "UPDATE runs SET seen_at = CAST(? AS INTEGER)", &now);
}

const WANTED: [&str; 9] = [
    "run_000001 ready delivered",
    "run_000002 ready delivered",
    "run_000003 ready delivered",
    "run_000004 ready failed",
    "run_000005 ready skipped",
    "run_000006 ready delivered",
    "run_000007 acquiring",
    "run_000008 ignored existed-before",
    "run_000009 ready delivered",
];

#[test]
fn a_ledger_of_each_older_version_goes_on_where_it_stood() {
    for version in 1..=5 {
        let mut room = room();
        let file = room.path("state/ledger.db");
        fs::create_dir(room.path("state")).expect("a state directory");
        fs::copy(ledger(version), &file).expect("a copy");
        move_to(&room, &file);
        let before = room.run(&["runs"]);
        assert_eq!(before.code, 74, "{before:?}");
        let told = format!("the ledger has version {version}, which `nbcourier daemon` brings to");
        assert!(before.err.contains(&told), "{before:?}");
        room.start();
        room.await_ledger(&WANTED);
        let notebooks = files(&room.path("notebooks"));
        assert_eq!(notebooks.len(), 4, "version {version}: {notebooks:?}");
        assert!(room.path("notebooks/run_000006.ipynb").exists());
        let shown = room.run(&["show", "run_000005", "--json"]).json();
        let events = shown["events"].as_array().expect("events");
        let skipped = events.iter().find(|event| event["event"] == "skipped");
        assert_eq!(
            skipped.expect("kept")["actor"],
            "uid 1000",
            "version {version}"
        );
        finish(&room.path("data/run_000007"));
        assert_eq!(room.run(&["retry", "--failed"]).code, 0);
        let mut wanted = WANTED.map(|line| line.replace("failed", "delivered"));
        wanted[6] = "run_000007 ready delivered".into();
        room.await_ledger(&wanted);
        assert_eq!(room.stop(), 0);
        assert_ledger_is_sound(&room);
        let today = sql(&file, "SELECT user_version FROM pragma_user_version", "");
        assert!(today.parse::<u32>().expect("a version") > 5, "{today}");
    }
}

#[test]
fn a_backup_of_an_older_version_is_restored_and_taken_up() {
    let mut room = room();
    let copy = room.path("old.db");
    fs::copy(ledger(1), &copy).expect("a copy");
    move_to(&room, &copy);
    let restored = room.run(&["restore", copy.to_str().expect("UTF-8")]);
    assert_eq!(restored.code, 0, "{restored:?}");
    assert!(
        restored
            .err
            .starts_with("8 runs restored; the newest record is of 2026-11-01T"),
        "{restored:?}"
    );
    room.start();
    room.await_ledger(&WANTED);
}
