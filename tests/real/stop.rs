//! The daemon is stopped or frozen while a notebook or a server's start is on its way.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::delivery::write_token;
use crate::hub::{Hub, Server};
use crate::proxy::{Fault, Proxy};
use crate::support::{Room, assert_ledger_is_sound, assert_one_whole_notebook_each, wait_until};

fn table(name: &str, url: &str) -> String {
    format!(
        "[destination.{name}]\nserver = \"{url}\"\ndirectory = \"{name}\"\n\
         auth.token = {{ file = \"token\" }}\n"
    )
}

/// State and attempts of the jobs for a destination.
fn jobs(room: &Room, destination: &str) -> Vec<(Value, Value)> {
    let jobs = room.jobs().into_iter();
    let jobs = jobs.filter(|job| job["destination"] == destination);
    jobs.map(|job| (job["state"].clone(), job["attempts"].clone()))
        .collect()
}

#[test]
fn stopped_in_the_middle_of_uploads_it_ends_the_short_and_gives_back_the_long_one() {
    let server = Server::start();
    let proxy = Proxy::start(&server.url);
    let tables = table("short", &proxy.url) + &table("long", &proxy.url);
    let mut room = Room::new(&tables);
    // Answers are waited for longer than a stop may take.
    room.pace = "1";
    write_token(&room, &server.token);
    room.start();
    proxy.next(
        "PUT",
        "short/nbcourier",
        Fault::Delay(Duration::from_secs(4)),
    );
    proxy.next(
        "PUT",
        "long/nbcourier",
        Fault::Delay(Duration::from_secs(30)),
    );
    room.make_run(1);
    wait_until(20, "both are on their way", || proxy.left() == 0);
    let asked = Instant::now();
    assert_eq!(room.stop(), 0);
    eprintln!(
        "stopped in the middle of an upload within {:?}",
        asked.elapsed()
    );
    assert!(
        asked.elapsed() < Duration::from_secs(25),
        "{:?}",
        asked.elapsed()
    );
    assert_eq!(jobs(&room, "short"), [("delivered".into(), 1.into())]);
    assert_eq!(jobs(&room, "long"), [("waiting".into(), 0.into())]);
    assert!(
        room.jobs().iter().all(|job| job["failure"].is_null()),
        "no failure of theirs"
    );
    room.start();
    room.await_delivered(2, 30);
    assert_eq!(jobs(&room, "long"), [("delivered".into(), 1.into())]);
    let run = ["run_000001".to_owned()];
    for directory in ["short", "long"] {
        assert_one_whole_notebook_each(&server.root().join(directory), &run);
    }
    assert_eq!(room.stop(), 0);
    assert_ledger_is_sound(&room);
}

#[test]
fn stopped_while_a_server_starts_it_ends_at_once_and_follows_that_start_later() {
    let hub = Hub::start();
    hub.script("alice", "slow 8");
    let mut room = Room::new(&format!(
        "[destination.hub]\nhub = \"{}\"\nuser = \"alice\"\ndirectory = \"runs\"\nauth.token = {{ file = \"token\" }}\n",
        hub.url
    ));
    write_token(&room, &hub.token);
    room.start();
    room.make_run(1);
    wait_until(20, "the server starts", || {
        let model = hub.api("GET", "users/alice", &hub.admin, "").1;
        model["servers"][""]["pending"] == "spawn"
    });
    let asked = Instant::now();
    assert_eq!(room.stop(), 0);
    eprintln!(
        "stopped in the middle of a spawn within {:?}",
        asked.elapsed()
    );
    assert!(
        asked.elapsed() < Duration::from_secs(3),
        "{:?}",
        asked.elapsed()
    );
    assert_eq!(jobs(&room, "hub"), [("waiting".into(), 0.into())]);
    room.start();
    room.await_delivered(1, 40);
    assert_eq!(jobs(&room, "hub"), [("delivered".into(), 1.into())]);
    let told = fs::read_to_string(hub.dir.path().join("log")).expect("the hub's log");
    assert_eq!(told.matches("Spawning jupyterhub-singleuser").count(), 1);
    let run = ["run_000001".to_owned()];
    assert_one_whole_notebook_each(&hub.home("alice").join("runs"), &run);
}

#[test]
fn frozen_for_longer_than_every_timeout_it_goes_on_and_doubles_nothing() {
    let server = Server::start();
    let proxy = Proxy::start(&server.url);
    let mut room = Room::new(&table("server", &proxy.url));
    write_token(&room, &server.token);
    room.start();
    room.make_run(1);
    room.await_delivered(1, 30);
    let moment = Duration::from_secs(1);
    let steps = [
        ("PUT", Fault::Delay(moment)),
        ("PATCH", Fault::DelayAnswer(moment)),
    ];
    for (method, fault) in steps {
        proxy.next(method, "server/nbcourier", fault);
    }
    (2..=6).for_each(|number| drop(room.make_run(number)));
    wait_until(20, "they are on their way", || proxy.left() == 0);
    room.signal(Signal::STOP);
    room.make_run(7);
    // An answer is waited for 10 s here, and so is a connection.
    std::thread::sleep(Duration::from_secs(12));
    room.signal(Signal::CONT);
    room.await_delivered(7, 30);
    let runs: Vec<_> = (1..=7).map(|number| format!("run_{number:06}")).collect();
    assert_one_whole_notebook_each(&server.root().join("server"), &runs);
    let jobs = room.jobs();
    assert!(
        jobs.iter().all(|job| job["attempts"].as_u64() <= Some(3)),
        "{jobs:?}"
    );
    assert!(
        jobs.iter().all(|job| job["outcome"] != "numbered"),
        "{jobs:?}"
    );
    assert_eq!(room.stop(), 0);
    assert_ledger_is_sound(&room);
}
