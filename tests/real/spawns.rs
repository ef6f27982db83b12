//! Starts of users' servers: how many, when, and what a stop of the daemon does to them.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::delivery::write_token;
use crate::hub::{Hub, request};
use crate::support::{Room, secrets, wait_until};

/// A room whose runs say for which user they are.
fn room_for(hub: &Hub, users: &[&str], tables: &str) -> Room {
    let room = Room::new(&format!(
        "[destination.hub]\nhub = \"{}\"\nuser = \"{{user}}\"\nusers = {users:?}\n\
         directory = \"runs\"\nauth.token = {{ file = \"token\" }}\n{tables}",
        hub.url
    ));
    write_token(&room, &hub.token);
    room
}

fn make_run_of(room: &Room, number: u32, user: &str) {
    room.make_run_with(number, &format!("{{\"user\": \"{user}\"}}"));
}

/// The jobs of a destination in this state.
fn jobs(room: &Room, destination: &str, state: &str) -> Vec<Value> {
    let mut jobs = room.jobs();
    jobs.retain(|job| job["destination"] == destination && job["state"] == state);
    jobs
}

/// When the hub began to start a user's server, in seconds.
fn begun(hub: &Hub, user: &str) -> Vec<f64> {
    let starts = hub.starts().into_iter();
    starts
        .filter(|(what, whose, _)| what == "begins" && whose == user)
        .map(|(_, _, at)| at)
        .collect()
}

/// How many servers were being started, and how many starts had failed in a row, whenever the hub
/// began to start one.
fn beside_each(hub: &Hub) -> Vec<(usize, usize)> {
    let (mut running, mut failed, mut seen) = (Vec::new(), 0, Vec::new());
    for (what, user, _) in hub.starts() {
        if what == "begins" {
            assert!(!running.contains(&user), "{user}'s is being started");
            seen.push((running.len(), failed));
            running.push(user);
        } else {
            running.retain(|other| *other != user);
            failed = if what == "fails" { failed + 1 } else { 0 };
        }
    }
    seen
}

#[test]
fn after_two_failures_servers_are_started_one_after_the_other_until_one_succeeds() {
    let users = ["ann", "ben", "cat", "dan", "eve"];
    let hub = Hub::of(&["ann", "ben", "cat", "dan", "eve"]);
    for user in &users[..3] {
        hub.script(user, "fail 2 1");
    }
    let mut room = room_for(&hub, &users, "");
    for (number, user) in (1..).zip(&users[..3]) {
        make_run_of(&room, number, user);
    }
    room.start();
    room.await_delivered(3, 90);
    let beside = beside_each(&hub);
    assert!(beside.iter().any(|(running, _)| *running > 0), "at first");
    let careful: Vec<_> = beside.iter().filter(|(_, failed)| *failed >= 2).collect();
    assert!(careful.len() >= 3, "{beside:?}");
    assert!(
        careful.iter().all(|(running, _)| *running == 0),
        "{beside:?}"
    );

    for user in &users[3..] {
        hub.script(user, "fail 9 2");
    }
    make_run_of(&room, 4, "dan");
    make_run_of(&room, 5, "eve");
    wait_until(20, "both are started at once", || {
        beside_each(&hub).last() == Some(&(1, 0))
    });
}

#[test]
fn a_hub_starts_so_many_servers_an_hour_and_nothing_else_is_delayed() {
    let users = ["ann", "ben", "cat", "dan"];
    let hub = Hub::of(&["ann", "ben", "cat", "dan"]);
    let mut room = room_for(
        &hub,
        &users,
        "max_spawns_per_hour = 2\n[destination.share]\npath = \"notebooks\"\n",
    );
    // An hour lasts six minutes.
    room.pace = "0.1";
    for (number, user) in (1..).zip(users) {
        make_run_of(&room, number, user);
    }
    room.start();
    wait_until(60, "two are started and two wait", || {
        let waiting = jobs(&room, "hub", "waiting");
        let limited = |job: &&Value| job["failure"]["code"] == "spawn-limited";
        jobs(&room, "hub", "delivered").len() == 2 && waiting.iter().filter(limited).count() == 2
    });
    assert_eq!(jobs(&room, "share", "delivered").len(), 4);
    let soon = jiff::Timestamp::now() + Duration::from_secs(240);
    for job in jobs(&room, "hub", "waiting") {
        let failure = &job["failure"];
        let said = |key: &str| failure[key].as_str().unwrap_or_default().to_owned();
        assert!(said("what").contains("2 servers within an hour"), "{job}");
        assert!(said("advice").contains("max_spawns_per_hour"), "{job}");
        let at = job["next_attempt_at"].as_str().unwrap_or_default();
        let at: jiff::Timestamp = at.parse().expect("a time");
        assert!(at > soon, "{job}");
    }
    // A server that runs already needs no start.
    let served = jobs(&room, "hub", "delivered")[0]["user"].clone();
    make_run_of(&room, 5, served.as_str().expect("a user"));
    wait_until(20, "it is delivered meanwhile", || {
        jobs(&room, "hub", "delivered").len() == 3
    });
    assert_eq!(
        hub.starts()
            .iter()
            .filter(|(what, ..)| what == "begins")
            .count(),
        2
    );
}

#[test]
fn a_restart_forgets_no_pause_and_a_stop_waits_for_no_server() {
    let hub = Hub::start();
    let mut room = room_for(&hub, &["alice", "bob"], "");
    room.pace = "0.4";
    hub.script("alice", "fail 1");
    hub.script("bob", "slow 12");
    make_run_of(&room, 1, "alice");
    make_run_of(&room, 2, "bob");
    room.start();
    room.await_failure("spawn-failed", 30);
    wait_until(10, "bob's server is being started", || {
        begun(&hub, "bob").len() == 1
    });
    // While the hub is asked for it, and while its progress is followed.
    stop_at_once(&mut room);
    room.start();
    room.run(&["retry", "run_000001"]);
    let failure = room.await_failure("spawn-limited", 5);
    let what = failure["what"].as_str().unwrap_or_default();
    assert!(
        what.contains("alice's server has failed to start"),
        "{failure}"
    );
    wait_until(5, "bob's is waited for again", || {
        jobs(&room, "hub", "delivering").len() == 1
    });
    stop_at_once(&mut room);
    room.start();
    room.await_delivered(2, 60);
    assert_eq!(begun(&hub, "bob").len(), 1);
    let alice = begun(&hub, "alice");
    // 0.4 of half a minute.
    assert!(alice.len() == 2 && alice[1] - alice[0] > 12.0, "{alice:?}");
}

/// Whether a user's server runs.
fn runs(hub: &Hub, user: &str) -> bool {
    let (_, model) = hub.api("GET", &format!("users/{user}"), &hub.admin, "");
    model["servers"][""]["ready"] == true
}

#[test]
fn a_server_that_nobody_used_is_stopped_after_a_restart_too_and_no_other_one() {
    let users = ["ann", "ben", "cat", "dan"];
    let hub = Hub::of(&["ann", "ben", "cat", "dan"]);
    let mut room = room_for(&hub, &users, "stop_after = \"8s\"\n");
    // His own, started by himself.
    hub.api("POST", "users/dan/server", &hub.admin, "");
    for (number, user) in (1..).zip(users) {
        make_run_of(&room, number, user);
    }
    room.start();
    room.await_delivered(4, 90);
    assert_eq!(room.stop(), 0);
    room.start();
    // One looks at files, one computes; the pause of the probes, within which all is ours, is 3 s.
    std::thread::sleep(Duration::from_secs(4));
    let use_server = |method: &str, user: &str, path: &str| {
        let url = format!("{}/user/{user}/api/{path}", hub.url);
        request(method, &url, &hub.admin, "").0
    };
    assert_eq!(use_server("GET", "ben", "contents/runs"), 200);
    assert_eq!(use_server("POST", "cat", "kernels"), 201);
    wait_until(40, "ann's server is stopped", || !runs(&hub, "ann"));
    std::thread::sleep(Duration::from_secs(5));
    for user in &users[1..] {
        assert!(runs(&hub, user), "{user}'s is used");
    }
    make_run_of(&room, 5, "ann");
    room.await_delivered(5, 60);
    assert_eq!(begun(&hub, "ann").len(), 2);

    // Who may not stop it is told so where it is asked for, and of no trouble.
    let body = "{\"scopes\": [\"access:servers!user=ann\", \"read:servers!user=ann\", \
                \"start:servers!user=ann\"]}";
    let (_, made) = hub.api("POST", "users/ann/tokens", &hub.admin, body);
    let checked = room_for(&hub, &["ann"], "");
    let token = made["token"].as_str().expect("a token");
    secrets::note(token);
    write_token(&checked, token);
    let told = checked.run(&["check"]);
    assert_eq!(told.code, 0, "{told:?}");
    assert!(told.out.contains("may stop no server"), "{told:?}");
}

/// Stops a daemon that waits for bob's server: the attempt is as if it had never begun.
fn stop_at_once(room: &mut Room) {
    let asked = Instant::now();
    assert_eq!(room.stop(), 0);
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
    let mut jobs = jobs(room, "hub", "waiting");
    jobs.retain(|job| job["user"] == "bob");
    assert_eq!((jobs.len(), &jobs[0]["attempts"]), (1, &0.into()));
}
