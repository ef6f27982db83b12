//! What a person must mend: told as what it is, asked for seldom, and well by itself afterwards.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use super::{
    Provider, await_delivered_to, await_held, by_secret, room_of, table, words, write_secret,
};
use crate::support::{Room, wait_until};

/// Mends the audiences in the configuration.
fn correct(room: &Room) {
    let file = room.path("nbcourier.toml");
    let text = fs::read_to_string(&file).expect("a configuration");
    let corrected = ["other", "nobody"].iter().fold(text, |text, wrong| {
        text.replace(&format!("\"{wrong}\""), "\"jupyter\"")
    });
    fs::write(file, corrected).expect("written");
}

#[test]
fn a_client_that_is_unknown_for_a_while_costs_time_only() {
    let provider = Provider::start();
    let mut room = room_of(&provider, &["gone"]);
    // Ten minutes are six seconds.
    room.pace = "0.01";
    room.start();
    room.make_run(1);
    room.await_delivered(1, 30);
    provider.remove_client("gone");
    provider.revoke();
    (2..=6).for_each(|number| drop(room.make_run(number)));
    let failure = await_held(&room, "gone", "client-refused", 20);
    let words = words(&failure);
    assert!(
        words.contains("expired") && words.contains("address"),
        "{words}"
    );
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!((room.count("failed"), room.count("delivered")), (0, 1));
    let requests = provider.requests("gone").len();
    eprintln!("{} requests in ten minutes", requests - 1);
    assert!((2..=7).contains(&requests), "{requests}");
    provider.secret_client("gone", "client_secret_post");
    room.await_delivered(6, 40);
    assert!(room.alive());
}

#[test]
fn an_audience_that_is_wrong_unknown_or_not_to_be_had_is_named() {
    let provider = Provider::start();
    let kinds = [
        ("wrong", "other"),
        ("unknown", "nobody"),
        ("broken", "jupyter"),
    ];
    let tables = kinds.map(|(id, audience)| {
        provider.secret_client(id, "client_secret_post");
        let oauth = format!("{}, audience = \"{audience}\"", by_secret(&provider, id));
        table(&provider, id, &oauth)
    });
    let mut room = Room::new(&tables.concat());
    // As it is in use: after the first refusals nothing is asked for a while.
    room.pace = "1";
    write_secret(&room, "secret", super::SECRET);
    let json = json!({ "content-type": "application/json" });
    provider.fault(&json!({
        "kind": "instead", "client": "broken", "times": 0, "status": 500, "headers": json,
        "body": r#"{"error": "unknown_error"}"#,
    }));
    room.start();
    room.make_run(1);
    for (id, code) in [
        ("wrong", "token-refused"),
        ("unknown", "audience-refused"),
        ("broken", "audience-refused"),
    ] {
        let failure = await_held(&room, id, code, 30);
        assert!(words(&failure).contains("audience"), "{id}: {failure}");
    }
    std::thread::sleep(Duration::from_secs(5));
    for (id, most) in [("wrong", 2), ("unknown", 1), ("broken", 1)] {
        let requests = provider.requests(id).len();
        assert!(requests <= most, "{id}: {requests}");
    }
    let refused = provider.seen()["refused"].as_u64().expect("a count");
    assert!(refused <= 6, "{refused} calls with a refused token");
    provider.calm();
    correct(&room);
    room.restart();
    for (id, _) in kinds {
        await_delivered_to(&room, id, 1, 30);
    }
}

/// A redirect that a careless client would follow with the secret.
fn redirect(door: &str, to: &str) -> Value {
    json!({
        "kind": "instead", "door": door, "times": 0, "status": 307,
        "headers": { "location": format!("{to}/token") },
    })
}

#[test]
fn a_redirect_to_another_origin_is_not_followed() {
    let provider = Provider::start();
    let mut room = room_of(&provider, &["led"]);
    provider.fault(&redirect("token", &provider.stranger));
    room.start();
    room.make_run(1);
    let failure = await_held(&room, "led", "token-request-refused", 20);
    assert!(words(&failure).contains("token_url"), "{failure}");
    provider.calm();
    room.await_delivered(1, 40);

    provider.fault(&redirect("api", &provider.stranger));
    let before = provider.seen()["api"].as_u64();
    room.make_run(2);
    wait_until(20, "the server was asked", || {
        provider.seen()["api"].as_u64() > before
    });
    std::thread::sleep(Duration::from_secs(1));
    provider.calm();
    room.await_delivered(2, 60);
    assert_eq!(
        provider.seen()["strayed"],
        json!([]),
        "nothing arrives there"
    );
}
