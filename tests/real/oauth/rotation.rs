//! Refresh tokens that are replaced at each use: never lost where that can be helped, and told where
//! it can't.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{Provider, await_held, by_refresh, table, words, write_secret};
use crate::support::{Ended, Room, assert_one_whole_notebook_each, random};

const ID: &str = "turns";

/// A room whose destination has a refresh token that is replaced at each use.
fn room(provider: &Provider) -> Room {
    provider.refresh_client(ID, true);
    let room = Room::new(&table(provider, ID, &by_refresh(provider, ID)));
    write_secret(&room, "refresh", &provider.refresh_token(ID));
    room
}

/// The permissions of a file or directory of the state directory.
fn mode(room: &Room, below: &str) -> u32 {
    let path = room.path("state").join(below);
    let facts = fs::metadata(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    facts.permissions().mode() & 0o777
}

/// Waits, in short steps, until a token request arrives after so many.
fn await_request(provider: &Provider, before: usize) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while provider.count(ID) <= before {
        assert!(Instant::now() < deadline, "no token request");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Whether the credential works; if not, it must be said that it is in doubt.
fn works(check: &Ended) -> bool {
    let in_doubt = check.out.contains("(credential-in-doubt)");
    assert!(check.code == 0 || in_doubt, "{check:?}");
    check.code == 0
}

#[test]
fn killed_fifty_times_around_a_rotation_it_goes_on_or_says_that_it_is_in_doubt() {
    let provider = Provider::start();
    let mut room = room(&provider);
    // Rotated at once, told later: half of the kills come before that.
    provider.fault(&json!({ "kind": "late", "ms": 40, "times": 0 }));
    let mut doubts = 0;
    for number in 1..=50 {
        room.make_run(number);
        let before = provider.count(ID);
        room.launch();
        await_request(&provider, before);
        std::thread::sleep(Duration::from_millis(random(80)));
        room.kill();
        if !works(&room.run(&["check", "--json"])) {
            doubts += 1;
            write_secret(&room, "refresh", &provider.refresh_token(ID));
            let check = room.run(&["check", "--json"]);
            assert!(works(&check), "a new token clears the doubt: {check:?}");
        }
    }
    eprintln!("50 kills, {doubts} in doubt");
    assert!((1..50).contains(&doubts), "both happen: {doubts}");
    room.start();
    room.await_delivered(50, 60);
    let names: Vec<_> = (1..=50).map(|n| format!("run_{n:06}")).collect();
    assert_one_whole_notebook_each(&provider.root(), &names);
}

#[test]
fn an_answer_lost_after_a_rotation_holds_the_queue_until_there_is_a_new_token() {
    let provider = Provider::start();
    let mut room = room(&provider);
    room.start();
    room.make_run(1);
    room.await_delivered(1, 30);
    assert_eq!(
        (mode(&room, "tokens"), mode(&room, &stored())),
        (0o700, 0o600)
    );

    // The stored token outlives the daemon; the one of the file is used up.
    room.restart();
    room.make_run(2);
    room.await_delivered(2, 30);
    assert!(
        provider
            .requests(ID)
            .iter()
            .all(|request| request["status"] == 200)
    );

    let before = provider.requests(ID).len();
    provider.revoke();
    provider.fault(&json!({ "kind": "drop", "client": ID }));
    room.make_run(3);
    let failure = await_held(&room, ID, "credential-in-doubt", 30);
    assert!(words(&failure).contains("refresh"), "{failure}");
    let asked = &provider.requests(ID)[before..];
    assert!(asked.len() >= 2, "once more with the old one: {asked:?}");
    let status = room.run(&["status", "--json"]);
    assert_eq!(status.code, 1);
    assert!(status.out.contains("credential-in-doubt"), "{status:?}");
    room.make_run(4);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!((room.count("failed"), room.count("delivered")), (0, 2));
    let asked = provider.requests(ID).len() - before;
    assert!(asked <= 5, "{asked} requests with a dead token");

    write_secret(&room, "refresh", &provider.refresh_token(ID));
    room.await_delivered(4, 30);
    assert!(room.alive());
}

fn stored() -> String {
    format!("tokens/{ID}.json")
}

#[test]
fn checks_beside_the_daemon_never_use_a_token_that_it_has_used_up() {
    let provider = Provider::start();
    let mut room = room(&provider);
    provider.life(3);
    provider.fault(&json!({ "kind": "late", "ms": 200, "times": 0 }));
    room.start();
    for round in 1..=3 {
        room.make_run(round);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let check = room.run(&["check", "--json"]);
                    assert_eq!(check.code, 0, "{check:?}");
                });
            }
        });
    }
    room.await_delivered(3, 30);
    let requests = provider.requests(ID);
    eprintln!("{} rotations by the daemon and nine checks", requests.len());
    assert!(
        requests.iter().all(|request| request["status"] == 200),
        "{requests:#?}"
    );
    assert_eq!(provider.seen()["most_in_flight"], 1);
}
