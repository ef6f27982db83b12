//! Announcements: each cause once, whoever listens and however badly.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Listener, Room, keep_secret, secrets, wait_until, watch};

/// A room whose notebooks can't be delivered: the template is broken.
fn broken() -> Room {
    let room = Room::watching("max_new_per_hour = 0");
    fs::write(room.path("quick.ipynb"), "{ no notebook").expect("written");
    room
}

fn mend(room: &Room) {
    fs::write(room.path("quick.ipynb"), crate::support::TEMPLATE).expect("written");
}

fn texts(heard: &[Value]) -> Vec<&str> {
    heard
        .iter()
        .filter_map(|message| message["text"].as_str())
        .collect()
}

#[test]
fn a_thousand_jobs_held_by_one_cause_are_one_message_and_so_is_their_release() {
    let listener = Listener::start();
    let mut room = broken();
    listener.table(&room, "[\"held\", \"recovered\"]");
    (1..=1000).for_each(|number| drop(room.make_run(number)));
    room.start();
    room.await_sum("held", 1000, 60);
    wait_until(20, "it is told", || !listener.heard().is_empty());
    std::thread::sleep(Duration::from_secs(2));
    let heard = listener.heard();
    assert_eq!(heard.len(), 1, "{:?}", texts(&heard));
    let message = &heard[0];
    assert_eq!(message["event"], "held");
    assert_eq!(message["notebook"], "quick");
    assert_eq!(message["failure"]["code"], "template-invalid");
    assert_eq!(message["failure"]["class"], "hold");
    let text = message["text"].as_str().expect("a text");
    assert!(
        text.starts_with("needs a person: [notebook.quick]: 1"),
        "{text}"
    );
    assert!(text.contains("\nwhat to do: correct it there"), "{text}");
    mend(&room);
    room.await_sum("delivered", 1000, 120);
    wait_until(20, "the end is told", || listener.heard().len() > 1);
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(listener.events(), ["held", "recovered"]);
    assert_eq!(listener.heard()[1]["failure"]["code"], "template-invalid");
}

#[test]
fn each_delivery_is_told_with_its_link_and_none_of_before() {
    let listener = Listener::start();
    let mut room = Room::watching("");
    room.make_run(1);
    room.start();
    room.await_delivered(1, 20);
    assert_eq!(room.stop(), 0);
    listener.table(&room, "[\"delivered\", \"failed\"]");
    room.start();
    // It follows what happens from now on.
    wait_until(10, "it has looked", || {
        !room.run(&["status"]).out.is_empty()
    });
    std::thread::sleep(Duration::from_secs(1));
    room.make_run(2);
    room.await_delivered(2, 20);
    wait_until(20, "it is told", || !listener.heard().is_empty());
    std::thread::sleep(Duration::from_secs(1));
    let heard = listener.heard();
    assert_eq!(heard.len(), 1, "{:?}", texts(&heard));
    let message = heard[0].clone();
    assert_eq!(message["event"], "delivered");
    assert_eq!(message["count"], 1);
    let run = room
        .runs()
        .into_iter()
        .find(|run| run["name"] == "run_000002");
    let run = run.expect("the run");
    for key in [
        "name",
        "watch",
        "incarnation",
        "path",
        "parameters",
        "state",
        "ready_at",
    ] {
        assert_eq!(message["run"][key], run[key], "{key}");
    }
    assert_eq!(message["job"], run["jobs"][0]);
    assert_eq!(message["destination"], "dir");
    assert!(message["failure"].is_null());
    let text = message["text"].as_str().expect("a text");
    assert!(text.starts_with("run_000002: quick is at dir: "), "{text}");
    assert!(text.contains("run_000002.ipynb"), "{text}");
    assert_eq!(room.stop(), 0);
    room.start();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(listener.heard().len(), 1, "a restart tells nothing again");
}

#[test]
fn a_receiver_that_is_down_delays_nothing_and_hears_one_summary_when_it_is_back() {
    let listener = Listener::start();
    let mut room = Room::watching("max_new_per_hour = 0");
    listener.table(&room, "[\"delivered\"]");
    listener.answer(503);
    room.start();
    std::thread::sleep(Duration::from_secs(1));
    (1..=300).for_each(|number| drop(room.make_run(number)));
    room.await_sum("delivered", 300, 60);
    let health = || room.run(&["status", "--json"]).json()["health"].to_string();
    wait_until(20, "a notice", || health().contains("announcement-failed"));
    assert!(health().contains("answered 503"), "{}", health());
    assert_eq!(room.count("held"), 0);
    listener.answer(200);
    wait_until(30, "it is told", || !listener.heard().is_empty());
    wait_until(20, "all is well", || {
        !health().contains("announcement-failed")
    });
    // The one that was tried first is told by itself at most.
    let told = || -> i64 {
        listener
            .heard()
            .iter()
            .filter_map(|m| m["count"].as_i64())
            .sum()
    };
    wait_until(20, "all are told", || told() == 300);
    let heard = listener.heard();
    assert!(heard.len() <= 2, "{:?}", texts(&heard));
    let last = heard.last().expect("one")["text"].as_str().expect("a text");
    assert!(
        last.contains("notebooks were delivered, the last one of run_"),
        "{last}"
    );
}

#[test]
fn a_receiver_that_is_slow_or_dead_keeps_nobody_waiting() {
    let listener = Listener::start();
    let mut room = Room::watching("");
    listener.table(&room, "[\"delivered\"]");
    listener.take(3000);
    // Nobody listens there at all.
    room.add("[announce.dead]\nwebhook = { file = \"nowhere\" }\non = \"delivered\"\n");
    keep_secret(
        &room.path("nowhere"),
        "http://127.0.0.1:9/hooks/never-there",
    );
    secrets::note("hooks/never-there");
    room.start();
    std::thread::sleep(Duration::from_secs(1));
    (1..=5).for_each(|number| drop(room.make_run(number)));
    room.await_delivered(5, 10);
    let health = room.run(&["status", "--json"]).json()["health"].to_string();
    assert!(!health.contains("never-there"), "{health}");
    wait_until(30, "one is told", || !listener.heard().is_empty());
    listener.take(0);
    wait_until(30, "all are told", || listener.heard().len() == 5);
    let health = room.run(&["status", "--json"]).json()["health"].to_string();
    assert!(health.contains("[announce.dead]"), "{health}");
    assert_eq!(room.stop(), 0);
}

#[test]
fn a_kill_in_between_loses_no_announcement() {
    let listener = Listener::start();
    let mut room = Room::watching("max_new_per_hour = 0");
    listener.table(&room, "[\"delivered\", \"held\"]");
    listener.take(100);
    room.start();
    std::thread::sleep(Duration::from_secs(1));
    for round in 0..6 {
        (1..=5).for_each(|number| drop(room.make_run(round * 5 + number)));
        std::thread::sleep(Duration::from_millis(150 + u64::from(round) * 70));
        room.restart();
    }
    room.await_delivered(30, 30);
    let told = || {
        let heard = listener.heard();
        let jobs = heard
            .iter()
            .map(|message| message["job"]["job"].to_string());
        jobs.collect::<std::collections::BTreeSet<_>>().len()
    };
    wait_until(30, "all thirty are told", || told() == 30);
    let heard = listener.heard();
    // Of each kill at most the one that was being told.
    assert!((30..=36).contains(&heard.len()), "{}", heard.len());
    fs::rename(room.path("notebooks"), room.path("away")).expect("renamed");
    fs::write(room.path("notebooks"), "no directory").expect("a file");
    room.make_run(99);
    wait_until(20, "the hold is told", || {
        listener.events().contains(&"held".to_owned())
    });
    room.restart();
    std::thread::sleep(Duration::from_secs(2));
    let held = listener
        .events()
        .into_iter()
        .filter(|event| event == "held");
    assert_eq!(held.count(), 1, "a restart tells it no second time");
}

#[test]
fn a_hold_that_is_retried_in_vain_is_the_same_cause() {
    let listener = Listener::start();
    let mut room = broken();
    listener.table(&room, "[\"held\", \"recovered\"]");
    room.make_run(1);
    room.start();
    wait_until(20, "it is told", || !listener.heard().is_empty());
    for _ in 0..3 {
        room.run(&["retry", "--held"]);
        std::thread::sleep(Duration::from_millis(700));
    }
    room.await_sum("held", 1, 20);
    assert_eq!(listener.events(), ["held"]);
}

#[test]
fn holds_of_single_jobs_are_one_cause_and_names_in_a_text_call_nobody() {
    let listener = Listener::start();
    let keys = "pattern = '(?<run>.+)'\nmax_new_per_hour = 0";
    let delivery = "[notebook.quick]\ntemplate = \"quick.ipynb\"\nname = \"{beam}.ipynb\"\n\
        [destination.dir]\npath = \"notebooks\"\ndirectory = \"\"\n";
    let mut room = Room::bare(&format!("{}{delivery}", watch("h4", keys)));
    listener.table(&room, "[\"held\", \"delivered\"]");
    for name in ["1", "2", "3"] {
        crate::support::make(&room.path("data"), name, "{}");
    }
    room.start();
    room.await_sum("held", 3, 20);
    wait_until(20, "it is told", || !listener.heard().is_empty());
    crate::support::make(&room.path("data"), "@all <!here> `x`", "{\"beam\": \"e\"}");
    wait_until(20, "it is told", || listener.heard().len() > 1);
    std::thread::sleep(Duration::from_secs(1));
    let heard = listener.heard();
    assert_eq!(
        listener.events(),
        ["held", "delivered"],
        "{:?}",
        texts(&heard)
    );
    assert_eq!(heard[0]["failure"]["code"], "parameter-missing");
    let text = heard[1]["text"].as_str().expect("a text");
    assert!(!text.contains(['@', '<', '>', '`']), "{text}");
    assert!(
        heard[1]["run"]["name"]
            .as_str()
            .expect("a name")
            .contains("@all")
    );
}

/// A program that keeps what it is given.
fn keeper(room: &Room) -> String {
    let file = room.path("keep");
    fs::write(&file, "#!/bin/sh\ncat >> \"$1\"\necho >> \"$1\"\n").expect("a program");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&file, mode).expect("chmod");
    file.display().to_string()
}

fn kept(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let each = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    each.collect()
}

#[test]
fn a_program_gets_the_message_on_its_input_and_its_complaint_is_a_notice() {
    let mut room = Room::watching("");
    let (program, told) = (keeper(&room), room.path("told"));
    room.add(&format!(
        "[announce.program]\ncommand = [{program:?}, {told:?}]\non = \"delivered\"\n\
         [announce.complains]\ncommand = [\"/bin/sh\", \"-c\", \"echo no paper >&2; exit 3\"]\non = \"delivered\"\n"
    ));
    let check = room.run(&["check", "--offline"]);
    assert!(check.out.contains("✓ announce program"), "{check:?}");
    room.start();
    std::thread::sleep(Duration::from_secs(1));
    room.make_run(1);
    wait_until(20, "it is told", || kept(&told).len() == 1);
    assert_eq!(kept(&told)[0]["job"], room.jobs()[0]);
    let health = || room.run(&["status", "--json"]).json()["health"].to_string();
    wait_until(20, "a notice", || health().contains("no paper"));
    assert!(health().contains("exit status: 3"), "{}", health());
}

#[test]
fn check_says_what_is_wrong_with_a_webhook_and_never_shows_it() {
    let room = Room::watching("");
    let listener = Listener::start();
    listener.table(&room, "\"held\"");
    let check = room.run(&["check", "--offline"]);
    let origin = listener.url.split("/hooks").next().expect("an origin");
    assert!(
        check.out.contains(&format!("webhook at {origin}")),
        "{check:?}"
    );
    for (text, told) in [
        (
            "http://chat.example/hooks/secret-of-a-webhook",
            "plain http is for this machine only",
        ),
        ("secret-of-a-webhook", "it is no URL"),
        ("", "it is empty"),
    ] {
        keep_secret(&room.path("hook"), text);
        let check = room.run(&["check", "--offline"]);
        assert_eq!(check.code, 77, "{check:?}");
        assert!(check.out.contains(told), "{check:?}");
        assert!(!check.out.contains("secret-of"), "{check:?}");
    }
}
