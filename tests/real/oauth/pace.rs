//! How often a token is asked for: seldom, by one at a time, and once for each revocation.

use std::time::{Duration, Instant};

use super::{Provider, assert_first_attempt, by_secret, room_of, table, write_secret};
use crate::support::{Room, assert_one_whole_notebook_each, wait_until};

/// The most token requests that so many milliseconds may take, where a token lives 3 s.
///
/// A tenth of its life before its end a token is replaced. The provider counts whole seconds, so
/// that a token lives from 2 to 3 s: of two that follow each other, one is used for up to 2.7 s,
/// and the other until a whole second has passed; together 5 s.
pub fn most_requests(milliseconds: u64) -> usize {
    usize::try_from(milliseconds.div_ceil(2500)).expect("small") + 1
}

/// From the first to the last of a client's token requests, milliseconds; how many there were.
pub fn span(provider: &Provider, client: &str) -> (u64, usize) {
    let requests = provider.requests(client);
    let at = |request: Option<&serde_json::Value>| {
        request
            .and_then(|request| request["at"].as_u64())
            .expect("a time")
    };
    (at(requests.last()) - at(requests.first()), requests.len())
}

fn names(count: u32) -> Vec<String> {
    (1..=count).map(|n| format!("run_{n:06}")).collect()
}

#[test]
fn a_token_of_three_seconds_serves_two_hundred_runs_with_few_requests() {
    let provider = Provider::start();
    provider.life(3);
    let mut room = room_of(&provider, &["short"]);
    room.start();
    let begun = Instant::now();
    for number in 1..=200 {
        room.make_run(number);
        let next = Duration::from_millis(100) * number;
        std::thread::sleep(next.saturating_sub(begun.elapsed()));
    }
    room.await_delivered(200, 60);
    let (took, requests) = span(&provider, "short");
    let seen = provider.seen();
    eprintln!(
        "{requests} token requests within {took} ms for {} calls, {} refused",
        seen["api"], seen["refused"]
    );
    assert!(requests <= most_requests(took), "{requests} in {took} ms");
    assert_eq!(seen["most_in_flight"], 1);
    assert_first_attempt(&room);
    assert_one_whole_notebook_each(&provider.root().join("short"), &names(200));
}

#[test]
fn twenty_that_start_at_once_ask_once_and_a_revoked_token_costs_one_request() {
    let provider = Provider::start();
    provider.secret_client("many", "client_secret_post");
    let table = table(&provider, "many", &by_secret(&provider, "many"));
    let mut room = Room::new(&format!("{table}concurrency = 20\n"));
    write_secret(&room, "secret", super::SECRET);
    // The answer is slow: all twenty come to wait for it.
    provider.fault(&serde_json::json!({ "kind": "late", "ms": 1500, "times": 0 }));
    (1..=20).for_each(|number| drop(room.make_run(number)));
    room.start();
    room.await_delivered(20, 60);
    let seen = provider.seen();
    assert_eq!(provider.requests("many").len(), 1, "{}", seen["token"]);
    provider.calm();
    for round in 1..=3 {
        let last = 20 + 20 * round;
        (last - 19..=last).for_each(|number| drop(room.make_run(number)));
        let some = usize::try_from(last).expect("small") - 15;
        wait_until(30, "in the middle", || room.count("delivered") >= some);
        provider.revoke();
        room.await_delivered(usize::try_from(last).expect("small"), 60);
    }
    room.make_run(81);
    room.await_delivered(81, 60);
    let seen = provider.seen();
    eprintln!("3 revocations, {} refusals", seen["refused"]);
    assert_eq!(provider.requests("many").len(), 4, "{}", seen["token"]);
    assert_eq!(seen["most_in_flight"], 1);
    assert!((3..=60).contains(&seen["refused"].as_u64().expect("a count")));
    assert_first_attempt(&room);
}
