//! Many runs change at once: nothing comes twice, and what can't be told waits for a person.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::{DELIVERY, Room, copy_tree, files, lines, wait_until, watch};

const RUNS: u32 = 30;

/// A room with thirty runs delivered, an hour old.
fn thirty(keys: &str) -> Room {
    let mut room = Room::watching(keys);
    (1..=RUNS).for_each(|number| drop(room.make_run(number)));
    touch(&room.path("data"), "1 hour ago");
    room.start();
    room.await_ledger(&lines(1..=RUNS, "ready delivered"));
    room
}

/// How a tree comes back.
#[derive(Clone, Copy, Debug)]
struct Restore {
    /// As one directory, not run by run.
    whole: bool,
    /// With the times that it had.
    times: bool,
}

impl Restore {
    /// Deletes all runs, and brings them back from a copy in which three were corrected.
    fn run(self, data: &Path) {
        let copy = data.with_extension("copy");
        copy_tree(data, &copy);
        for number in 1..=3 {
            let file = copy.join(format!("run_{number:06}/run.json"));
            fs::write(file, "{\"energy\": -1}").expect("corrected");
        }
        if !self.times {
            touch(&copy, "now");
        }
        if self.whole {
            fs::remove_dir_all(data).expect("removed");
            copy_tree(&copy, data);
            return;
        }
        for number in 1..=RUNS {
            let name = format!("run_{number:06}");
            fs::remove_dir_all(data.join(&name)).expect("removed");
            copy_tree(&copy.join(&name), &data.join(&name));
        }
    }

    fn all() -> impl Iterator<Item = Self> {
        let each = [(true, true), (true, false), (false, true), (false, false)];
        each.into_iter().map(|(whole, times)| Self { whole, times })
    }
}

/// Gives all files and directories this time.
fn touch(tree: &Path, time: &str) {
    let mut find = Command::new("find");
    find.arg(tree)
        .args(["-exec", "touch", "-d", time, "{}", "+"]);
    assert!(find.status().expect("find").success());
}

fn held(number: u32) -> String {
    format!("run_{number:06}#2 ready held:mass-change")
}

#[test]
fn a_tree_from_a_backup_doubles_nothing_and_what_differs_is_held() {
    for restore in Restore::all() {
        let mut room = thirty("");
        room.kill();
        restore.run(&room.path("data"));
        room.start();
        let mut wanted = lines(1..=RUNS, "ready delivered");
        wanted.extend((1..=3).map(held));
        room.await_ledger(&wanted);
        room.stays(&wanted);
        assert_eq!(room.troubles(), ["mass-change"], "one trouble, not three");
        room.make_run(RUNS + 1);
        wanted.push(format!("run_{:06} ready delivered", RUNS + 1));
        room.await_ledger(&wanted);
        room.restart();
        room.stays(&wanted);
        let runs = room.runs();
        let again = runs.iter().find(|run| run["incarnation"] == 2);
        let job = again.and_then(|run| run["jobs"][0]["job"].as_str());
        assert_eq!(room.run(&["skip", job.expect("a job")]).code, 0);
        assert_eq!(room.run(&["retry", "--held"]).code, 0);
        wait_until(20, "two are released, one is skipped", || {
            (room.count("delivered"), room.count("skipped")) == (33, 1)
        });
    }
}

#[test]
fn a_tree_that_is_restored_beneath_the_running_daemon_doubles_nothing() {
    for restore in Restore::all().filter(|restore| restore.whole || restore.times) {
        // Without it a run may be read in the middle of its copying, before it has its old times.
        let mut room = thirty("settle = \"300ms\"");
        restore.run(&room.path("data"));
        for restart in [false, true] {
            if restart {
                room.restart();
            }
            wait_until(20, "what differs is complete", || {
                let runs = room.runs();
                runs.len() == 33 && runs.iter().all(|run| run["state"] == "ready")
            });
            room.stays(&room.ledger());
        }
        let ledger = room.ledger();
        let again: Vec<_> = ledger.iter().filter(|line| line.contains('#')).collect();
        let of_three =
            |line: &&&String| (1..=3).any(|n| line.starts_with(&format!("run_{n:06}#2")));
        assert_eq!(
            again.iter().filter(of_three).count(),
            3,
            "{restore:?} {again:?}"
        );
        // One at a time, the first of them may be numbers that were used again.
        let notebooks = files(&room.path("notebooks")).len();
        assert!(
            notebooks == 30 || !restore.whole && notebooks <= 33,
            "{restore:?} {ledger:#?}"
        );
    }
}

#[test]
fn a_tree_that_is_restored_slowly_beneath_the_running_daemon_doubles_nothing() {
    // `cp` sets the old times after it has written: with `settle` they are there when it is read.
    let mut room = thirty("settle = \"300ms\"");
    let (data, copy) = (room.path("data"), room.path("copy"));
    copy_tree(&data, &copy);
    for number in 1..=RUNS {
        let run = data.join(format!("run_{number:06}"));
        fs::remove_dir_all(&run).expect("removed");
        fs::create_dir(&run).expect("made");
    }
    // As long as `cp` needs for large data; the daemon has seen the directories.
    std::thread::sleep(Duration::from_millis(500));
    for number in 1..=RUNS {
        let name = format!("run_{number:06}");
        for file in ["run.json", "DONE"] {
            copy_tree(&copy.join(&name).join(file), &data.join(&name).join(file));
        }
    }
    let wanted = lines(1..=RUNS, "ready delivered");
    room.await_ledger(&wanted);
    room.stays(&wanted);
    room.restart();
    room.stays(&wanted);
    assert_eq!(
        files(&room.path("notebooks")).len(),
        30,
        "{:#?}",
        room.ledger()
    );
    assert_eq!(room.count("held"), 0, "they say the same as before");
}

#[test]
fn runs_without_metadata_are_told_apart_by_their_times_or_held() {
    for times in [true, false] {
        let mut room = thirty("parameters = []");
        room.kill();
        Restore { whole: true, times }.run(&room.path("data"));
        room.start();
        let mut wanted = lines(1..=RUNS, "ready delivered");
        wanted.extend((1..=if times { 3 } else { RUNS }).map(held));
        room.await_ledger(&wanted);
        room.restart();
        room.stays(&wanted);
    }
}

#[test]
fn new_times_and_rights_of_the_whole_tree_change_nothing() {
    for down in [false, true] {
        let mut room = thirty("");
        if down {
            room.kill();
        }
        let data = room.path("data");
        touch(&data, "now");
        for file in files(&data) {
            let mode = fs::Permissions::from_mode(0o600);
            fs::set_permissions(file, mode).expect("chmod");
        }
        if down {
            room.start();
        }
        room.stays(&lines(1..=RUNS, "ready delivered"));
        room.restart();
        room.stays(&lines(1..=RUNS, "ready delivered"));
    }
}

#[test]
fn more_new_runs_in_an_hour_than_allowed_wait_for_a_person() {
    let tables = watch("h4", "max_new_per_hour = 5");
    let mut room = Room::bare(&format!(
        "{tables}[spool]\ndirectory = \"spool\"\n{DELIVERY}"
    ));
    // Those that exist, are submitted or announced don't count.
    (101..=108).for_each(|number| drop(room.make_run(number)));
    room.start();
    let exempt = lines(101..=108, "ready delivered");
    room.await_ledger(&exempt);
    fs::write(room.path("spool/a.json"), "{\"run\": 1}").expect("announced");
    let mut wanted = [exempt, vec!["spool:1 ready delivered".into()]].concat();
    room.await_ledger(&wanted);
    (1..=12).for_each(|number| drop(room.make_run(number)));
    wait_until(20, "five are delivered and the rest is held", || {
        (room.count("delivered"), room.count("held")) == (14, 7)
    });
    assert_eq!(room.troubles(), ["mass-change"]);
    room.await_failure("mass-change", 5);
    room.restart();
    room.stays(&room.ledger());
    // A restart begins no new hour.
    room.make_run(13);
    wait_until(20, "one more is held", || room.count("held") == 8);
    assert_eq!(room.run(&["retry", "--held"]).code, 0);
    wanted.extend(lines(1..=13, "ready delivered"));
    room.await_ledger(&wanted);
    assert_eq!(room.troubles(), [""; 0]);
}

#[test]
fn without_a_limit_no_burst_is_held() {
    let mut room = thirty("max_new_per_hour = 0");
    (31..=60).for_each(|number| drop(room.make_run(number)));
    room.await_ledger(&lines(1..=60, "ready delivered"));
    assert_eq!(room.stop(), 0);
}
