//! Trigger files, however they come: each is one run, or says why not.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::support::{DELIVERY, Room, lines, long, wait_until, watch};

/// A room with only a spool, its daemon running, that was `prepare`d before.
fn spool(prepare: impl FnOnce(&mut Room)) -> Room {
    let mut room = Room::bare(&format!("[spool]\ndirectory = \"spool\"\n{DELIVERY}"));
    prepare(&mut room);
    room.start();
    wait_until(10, "the spool is made", || room.path("spool/tmp").is_dir());
    room
}

fn drop_in(room: &Room, name: &str, text: &str) {
    fs::write(room.path("spool").join(name), text).expect("written");
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("a directory").flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_trigger_file_may_be_copied_linked_moved_or_written_slowly() {
    let room = spool(|_| {});
    let spool = room.path("spool");
    let elsewhere = |run: &str| {
        let file = room.path(run);
        fs::write(&file, format!("{{\"run\": \"{run}\"}}")).expect("written");
        file
    };
    fs::copy(elsewhere("copied"), spool.join("copied.json")).expect("copied");
    fs::hard_link(elsewhere("linked"), spool.join("linked.json")).expect("linked");
    fs::rename(elsewhere("moved"), spool.join("moved.json")).expect("moved");
    fs::rename(elsewhere("staged"), spool.join("tmp/staged.json")).expect("staged");
    fs::rename(spool.join("tmp/staged.json"), spool.join("staged.json")).expect("dropped");
    // Every pause is longer than a file must be unchanged, which is 100 ms here.
    let mut slow = File::create(spool.join("slow.json")).expect("a file");
    for part in ["{\"run\": ", "\"slow\"", ", \"parameters\": {}", "}"] {
        slow.write_all(part.as_bytes()).expect("written");
        std::thread::sleep(Duration::from_millis(200));
    }
    let runs = ["copied", "linked", "moved", "slow", "staged"];
    let wanted = runs.map(|run| format!("spool:{run} ready delivered"));
    room.await_ledger(&wanted);
    room.stays(&wanted);
    wait_until(10, "all are put away", || {
        names(&spool.join("accepted")) == runs.map(|run| format!("{run}.json"))
    });
    assert_eq!(names(&spool.join("rejected")), [""; 0]);
}

#[test]
fn the_same_announcement_twice_is_one_run_and_another_one_is_another() {
    let mut room = spool(|_| {});
    let accepted = |count: usize| {
        wait_until(10, "it is put away", || {
            names(&room.path("spool/accepted")).len() == count
        });
    };
    let files = [
        ("a.json", "{\"run\": 1, \"id\": \"one\"}"),
        ("b.json", "{\"run\": 2, \"id\": \"one\"}"),
        ("c.json", "{\"run\": 3}"),
        ("c.json", "{\"run\": 3}"),
        ("d.json", "{\"run\": 3}"),
        ("c.json", "{\"run\": 4}"),
        ("e.json", "{\"run\": 5, \"id\": \"two\"}"),
        ("e.json", "{\"run\": 6, \"id\": \"three\"}"),
    ];
    for (count, (name, text)) in (1..).zip(files) {
        drop_in(&room, name, text);
        accepted(count);
    }
    let wanted = ["1", "3", "4", "5", "6"].map(|run| format!("spool:{run} ready delivered"));
    room.await_ledger(&wanted);
    room.restart();
    drop_in(&room, "f.json", "{\"run\": 7, \"id\": \"two\"}");
    room.stays(&wanted);
}

#[test]
fn a_bad_trigger_file_is_put_aside_with_its_reason_each_time() {
    // What can't be parsed may still be in the writing: 600 ms here.
    let room = spool(|room| room.pace = "0.02");
    let cases = [
        ("half.json", "{\"run\": ", "no-json", true),
        ("half.json", "{\"run\": }", "no-json", true),
        ("text.toml", "run = \n", "no-toml", true),
        ("list.yaml", "- 1\n", "no-table", false),
        (
            "key.json",
            "{\"run\": 1, \"usr\": \"x\"}",
            "unknown-key",
            false,
        ),
        ("type.json", "{\"run\": [1]}", "wrong-type", false),
        ("none.json", "{}", "no-run", false),
        ("path.json", "{\"path\": \"/none\"}", "bad-path", false),
        (
            "to.json",
            "{\"run\": 1, \"to\": \"none\"}",
            "unknown-name",
            false,
        ),
    ];
    let rejected = room.path("spool/rejected");
    for (count, (name, text, code, placed)) in (1..).zip(cases) {
        drop_in(&room, name, text);
        wait_until(20, code, || names(&rejected).len() == 2 * count);
        let told: Vec<Value> = names(&rejected)
            .iter()
            .filter(|name| name.ends_with(".error"))
            .map(|name| fs::read_to_string(rejected.join(name)).expect("told"))
            .map(|text| serde_json::from_str(&text).expect("JSON"))
            .collect();
        let fits = |error: &&Value| {
            error["code"] == code
                && error["position"]["line"].is_u64() == placed
                && error["message"]
                    .as_str()
                    .is_some_and(|text| !text.is_empty())
        };
        assert!(told.iter().any(|error| fits(&error)), "{code}: {told:#?}");
    }
    assert_eq!(room.runs().len(), 0);
    assert!(rejected.join("half-2.json.error").exists());
}

#[test]
fn a_file_that_cannot_be_put_away_is_one_run_all_the_same() {
    let mut room = spool(Room::unprivileged);
    let accepted = room.path("spool/accepted");
    let mode = |mode| {
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(&accepted, mode).expect("chmod");
    };
    mode(0o500);
    drop_in(&room, "a.json", "{\"run\": 1}");
    let wanted = ["spool:1 ready delivered"];
    room.await_ledger(&wanted);
    wait_until(20, "it is told", || {
        room.troubles().contains(&"spool-unusable".into())
    });
    room.restart();
    room.stays(&wanted);
    mode(0o770);
    wait_until(20, "it is put away", || names(&accepted) == ["a.json"]);
    room.stays(&wanted);
    assert_eq!(room.troubles(), [""; 0]);
}

#[test]
fn many_trigger_files_at_once_are_all_taken() {
    let count: u64 = if long() { 10_000 } else { 1_000 };
    let mut room = Room::bare(&format!("[spool]\ndirectory = \"spool\"\n{DELIVERY}"));
    fs::remove_file(room.path("quick.ipynb")).expect("removed");
    fs::create_dir(room.path("spool")).expect("made");
    for number in 0..count {
        drop_in(
            &room,
            &format!("{number}.json"),
            &format!("{{\"run\": {number}}}"),
        );
    }
    room.start();
    wait_until(90, "all are recorded", || {
        let status = room.run(&["status", "--json"]).json();
        let jobs = status["jobs"].as_object().expect("counts");
        jobs.values().filter_map(Value::as_u64).sum::<u64>() == count
    });
    wait_until(10, "all are put away", || {
        names(&room.path("spool/accepted")).len() == usize::try_from(count).expect("a count")
    });
    assert_eq!(room.runs().len(), usize::try_from(count).expect("a count"));
}

#[test]
fn what_may_not_be_read_or_is_no_file_stays_and_is_told() {
    let mut room = spool(Room::unprivileged);
    let spool = room.path("spool");
    let closed = spool.join("closed.json");
    let open = |mode| {
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(&closed, mode).expect("chmod");
    };
    // Closed before it can be taken: from `tmp`, as a careful producer drops it.
    let staged = spool.join("tmp/closed.json");
    fs::write(&staged, "{\"run\": \"closed\"}").expect("written");
    fs::set_permissions(&staged, fs::Permissions::from_mode(0o000)).expect("chmod");
    fs::rename(staged, &closed).expect("dropped");
    fs::write(room.path("target"), "{\"run\": \"linked\"}").expect("written");
    symlink(room.path("target"), spool.join("link.json")).expect("a link");
    symlink("nowhere", spool.join("dangling.json")).expect("a link");
    drop_in(&room, ".hidden.json", "{\"run\": \"hidden\"}");
    drop_in(&room, "good.json", "{\"run\": \"good\"}");
    let health = || room.run(&["status", "--json"]).out;
    wait_until(20, "three are told", || {
        let health = health();
        health.contains("chmod g+r")
            && ["link.json", "dangling.json"]
                .iter()
                .all(|name| health.contains(name))
    });
    room.await_ledger(&["spool:good ready delivered"]);
    open(0o644);
    let wanted = ["spool:closed ready delivered", "spool:good ready delivered"];
    room.await_ledger(&wanted);
    room.restart();
    room.stays(&wanted);
    assert!(spool.join("link.json").is_symlink() && room.path("target").exists());
}

#[test]
fn runs_that_only_others_can_call_complete_wait_for_their_trigger_file() {
    let watch = watch("h4", "ready = \"external\"\npoll_every = \"200ms\"");
    let mut room = Room::bare(&format!(
        "{watch}[spool]\ndirectory = \"spool\"\n{DELIVERY}"
    ));
    room.start();
    let runs = [1, 2, 3].map(|number| room.make_run(number));
    room.await_ledger(&lines(1..=3, "acquiring"));
    room.stays(&lines(1..=3, "acquiring"));
    drop_in(
        &room,
        "one.json",
        &format!("{{\"path\": \"{}\"}}", runs[0].display()),
    );
    drop_in(
        &room,
        "two.json",
        "{\"watch\": \"h4\", \"run\": \"run_000002\"}",
    );
    let wanted = [lines(1..=2, "ready delivered"), lines([3], "acquiring")].concat();
    room.await_ledger(&wanted);
    drop_in(
        &room,
        "again.json",
        &format!("{{\"path\": \"{}\"}}", runs[0].display()),
    );
    wait_until(10, "it is taken", || {
        room.path("spool/accepted/again.json").exists()
    });
    room.restart();
    room.stays(&wanted);
}

#[test]
fn nothing_is_taken_from_a_spool_into_which_everybody_may_write() {
    let room = spool(|_| {});
    let mode = |mode| {
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(room.path("spool"), mode).expect("chmod");
    };
    mode(0o777);
    wait_until(20, "it is told", || {
        room.troubles().contains(&"spool-open".into())
    });
    drop_in(&room, "a.json", "{\"run\": 1}");
    room.stays::<&str>(&[]);
    mode(0o770);
    room.await_ledger(&["spool:1 ready delivered"]);
}
