//! Trouble at the token endpoint that heals by itself, and answers that leave things out.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Provider, await_delivered_to, jobs_to, room_of};
use crate::support::wait_until;

/// Ways in which an endpoint is down.
fn outages() -> [Value; 5] {
    let json = json!({ "content-type": "application/json" });
    let html = json!({ "content-type": "text/html" });
    let down = |status: u16, headers: &Value, body: &str, cut: bool| {
        json!({
            "kind": "instead", "client": "down", "status": status, "headers": headers,
            "body": body, "cut": cut,
        })
    };
    [
        down(503, &json, r#"{"error": "temporarily_unavailable"}"#, false),
        down(503, &html, "<html><title>Down</title></html>", false),
        down(503, &json!({}), "", false),
        down(200, &json, r#"{"access_token": "half of it"}"#, true),
        down(400, &json, r#"{"error": "server_error"}"#, false),
    ]
}

#[test]
fn an_endpoint_that_is_down_or_hangs_is_asked_again_and_nobody_else_waits() {
    let provider = Provider::start();
    let mut room = room_of(&provider, &["down", "hung", "well"]);
    outages().iter().for_each(|outage| provider.fault(outage));
    provider.fault(&json!({ "kind": "hang", "client": "hung" }));
    room.make_run(1);
    room.start();
    await_delivered_to(&room, "well", 1, 8);
    let failure = room.await_failure("token-endpoint-down", 20);
    assert_eq!(failure["class"], "retry", "{failure}");
    await_delivered_to(&room, "down", 1, 30);
    assert_eq!(provider.requests("down").len(), 6);

    // Told to leave it alone for a while, it does.
    provider.revoke();
    let busy = json!({
        "kind": "instead", "client": "down", "status": 503, "headers": { "retry-after": "7" },
    });
    provider.fault(&busy);
    room.make_run(2);
    await_delivered_to(&room, "well", 2, 8);
    wait_until(20, "it is told so", || provider.count("down") == 7);
    // Another run changes nothing about that.
    room.make_run(3);
    await_delivered_to(&room, "well", 3, 8);
    wait_until(30, "the hung request is given up", || {
        provider.count("hung") > 1
    });
    room.await_delivered(9, 40);
    let at = |request: &Value| request["at"].as_u64().expect("a time");
    let asked: Vec<u64> = provider.requests("down").iter().map(at).collect();
    assert_eq!(asked.len(), 8);
    assert!(asked[7] - asked[6] >= 7000, "{asked:?}");
    assert_eq!(room.count("failed"), 0);
}

/// Answers that say less than they should, and how often they lead to another request while three
/// runs are delivered one after the other.
fn answers() -> [(&'static str, Value, usize); 5] {
    let set = |value: Value| json!({ "set": { "expires_in": value } });
    [
        ("absent", json!({ "remove": ["expires_in"] }), 1),
        ("string", set("600".into()), 1),
        ("zero", set(0.into()), 1),
        ("negative", set((-5).into()), 1),
        ("untyped", json!({ "remove": ["token_type"] }), 1),
    ]
}

#[test]
fn answers_without_a_usable_life_or_a_type_are_good_enough() {
    let provider = Provider::start();
    let clients = answers().map(|(client, ..)| client);
    let mut room = room_of(&provider, &clients);
    for (client, mut edit, _) in answers() {
        edit["kind"] = "edit".into();
        edit["client"] = client.into();
        edit["times"] = 0.into();
        provider.fault(&edit);
    }
    room.start();
    let begun = Instant::now();
    for number in 1..=3 {
        room.make_run(number);
        room.await_delivered(5 * number as usize, 60);
    }
    std::thread::sleep(Duration::from_secs(2));
    let took = begun.elapsed();
    for (client, _, most) in answers() {
        let requests = provider.requests(client).len();
        eprintln!("{client}: {requests} token requests in {took:?}");
        assert!(requests <= most, "{client}: {requests}");
        for job in jobs_to(&room, client) {
            assert_eq!(job["attempts"], 1, "{job}");
        }
    }
}
