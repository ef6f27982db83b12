//! Trouble at the hub: all delivered, once.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;

use crate::delivery::{room_for_two, write_token};
use crate::hub::Hub;
use crate::proxy::{Fault, Proxy};
use crate::support::{Room, files, wait_until};

fn room_for_alice(url: &str, token: &str) -> Room {
    let room = Room::new(&format!(
        "[destination.hub]\nhub = \"{url}\"\nuser = \"alice\"\ndirectory = \"runs\"\nauth.token = {{ file = \"token\" }}\n"
    ));
    write_token(&room, token);
    room
}

#[test]
fn failing_slow_and_throttled_starts_are_waited_out() {
    let hub = Hub::start();
    hub.script("alice", "fail 2");
    hub.script("bob", "slow 20");
    let proxy = Proxy::start(&hub.url);
    proxy.next(
        "POST",
        "users/alice/server",
        Fault::Instead(429, Some("2".into())),
    );
    let mut room = room_for_two(&proxy.url, &hub.token);
    room.start();
    room.make_run(1);
    room.make_run(2);
    room.await_failure("hub-busy", 20);
    let failure = room.await_failure("spawn-failed", 30);
    assert!(
        failure["what"]
            .as_str()
            .is_some_and(|what| what.contains("no room on the cluster today")),
        "{failure}"
    );
    room.await_delivered(4, 120);
    assert_eq!(proxy.left(), 0);
    for user in ["alice", "bob"] {
        assert_eq!(files(&hub.home(user).join("runs/h4")).len(), 2);
    }
}

#[test]
fn a_hub_that_is_down_for_half_a_minute_and_stopped_or_crashed_servers_cost_time_only() {
    let mut hub = Hub::start();
    let mut room = room_for_alice(&hub.url, &hub.token);
    room.start();
    room.make_run(1);
    room.await_delivered(1, 60);
    hub.stop_server("alice");
    room.make_run(2);
    room.await_delivered(2, 60);
    hub.signal_server("alice", Signal::KILL);
    room.make_run(3);
    room.await_delivered(3, 60);
    hub.stop_server("alice");
    hub.down();
    room.make_run(4);
    room.await_failure("hub-down", 20);
    std::thread::sleep(Duration::from_secs(30));
    // Asked once: it may be tried between two questions.
    let open = |job: &&serde_json::Value| job["state"] == "waiting" || job["state"] == "delivering";
    assert_eq!(room.jobs().iter().filter(open).count(), 1);
    hub.up();
    room.await_delivered(4, 60);
    assert_eq!(files(&hub.home("alice").join("runs")).len(), 4);
}

#[test]
fn lost_answers_lead_to_a_look_and_never_to_a_second_notebook() {
    let hub = Hub::start();
    let proxy = Proxy::start(&hub.url);
    let mut room = room_for_alice(&proxy.url, &hub.token);
    room.start();
    room.make_run(1);
    room.await_delivered(1, 60);
    for (method, number) in [("PUT", 2), ("PATCH", 3)] {
        proxy.next(method, ".part", Fault::LoseAnswer);
        room.make_run(number);
        room.await_delivered(number as usize, 60);
        assert_eq!(proxy.left(), 0);
    }
    let jobs = room.jobs();
    let outcome = |run: &str| {
        let path = format!("runs/{run}.ipynb");
        jobs.iter()
            .find(|job| job["path"] == path)
            .map(|job| job["outcome"].clone())
            .unwrap_or_default()
    };
    assert_eq!(
        (outcome("run_000002"), outcome("run_000003")),
        ("created".into(), "already-there".into())
    );
    assert_eq!(
        files(&hub.home("alice").join("runs")).len(),
        3,
        "no temporary file is left"
    );
}

#[test]
fn a_persons_file_and_edits_are_never_touched() {
    let hub = Hub::start();
    let proxy = Proxy::start(&hub.url);
    let mut room = room_for_alice(&proxy.url, &hub.token);
    let runs = hub.home("alice").join("runs");
    fs::create_dir_all(&runs).expect("a directory");
    fs::write(runs.join("run_000001.ipynb"), "mine").expect("a person's file");
    room.start();
    room.make_run(1);
    room.await_delivered(1, 60);
    // Between the look, which finds nothing, and the rename.
    proxy.next(
        "GET",
        "run_000002.ipynb?content=0",
        Fault::Write(runs.join("run_000002.ipynb"), "mine too"),
    );
    room.make_run(2);
    room.await_delivered(2, 60);
    assert_eq!(proxy.left(), 0);
    let text = |name: &str| fs::read_to_string(runs.join(name)).unwrap_or_default();
    assert_eq!(text("run_000001.ipynb"), "mine");
    assert_eq!(text("run_000002.ipynb"), "mine too");
    assert!(
        text("run_000001-2.ipynb").contains("run_000001")
            && text("run_000002-2.ipynb").contains("run_000002")
    );

    let third = room.make_run(3);
    room.await_delivered(3, 60);
    let edited = text("run_000003.ipynb").replace("print", "display");
    fs::write(runs.join("run_000003.ipynb"), &edited).expect("an edit");
    assert_eq!(room.run(&["retry", "run_000003"]).code, 0);
    assert_eq!(
        room.run(&["submit", "--wait", third.to_str().expect("a path")])
            .code,
        0
    );
    assert_eq!(room.jobs().len(), 3);
    assert_eq!(room.run(&["retry", "--fresh", "run_000003"]).code, 0);
    room.await_delivered(4, 60);
    assert_eq!(text("run_000003.ipynb"), edited);
    assert!(runs.join("run_000003-2.ipynb").exists());
    wait_until(5, "nothing temporary stays", || {
        files(&runs)
            .iter()
            .all(|file| !file.to_string_lossy().contains(".part"))
    });
    assert_eq!(files(&runs).len(), 6);
}

#[test]
fn one_users_frozen_server_delays_nobody_else() {
    let hub = Hub::start();
    let mut room = room_for_two(&hub.url, &hub.token);
    room.start();
    room.make_run(1);
    room.await_delivered(2, 60);
    hub.signal_server("alice", Signal::STOP);
    for number in 2..=12 {
        room.make_run(number);
    }
    wait_until(30, "bob's are delivered", || {
        files(&hub.home("bob").join("runs/h4")).len() == 12
    });
    assert_eq!(files(&hub.home("alice").join("runs/h4")).len(), 1);
    hub.signal_server("alice", Signal::CONT);
    room.await_delivered(24, 90);
    assert_eq!(files(&hub.home("alice").join("runs/h4")).len(), 12);
}
