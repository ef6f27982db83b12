//! A token endpoint as Squirro's: no client, few words in its answers, codes of its own.

use serde_json::json;

use super::{Provider, await_held, table, words, write_secret};
use crate::support::Room;

/// A client of the provider's that its endpoint of Squirro's form asks for itself.
fn room(provider: &Provider) -> Room {
    provider.refresh_client("squirro", false);
    let url = &provider.url;
    let oauth = format!(
        "token_url = \"{url}/api/user/oauth2/token\", refresh_token = {{ file = \"refresh\" }}"
    );
    let room = Room::new(&table(provider, "squirro", &oauth));
    write_secret(&room, "refresh", &provider.refresh_token("squirro"));
    room
}

/// The token requests so far.
fn count(provider: &Provider) -> usize {
    provider.seen()["token"].as_array().expect("a list").len()
}

#[test]
fn stale_tokens_answers_without_a_refresh_token_and_codes_of_its_own_cost_no_job() {
    let provider = Provider::start();
    let mut room = room(&provider);
    let silent = json!({
        "kind": "edit", "client": "squirro", "times": 2, "remove": ["refresh_token"],
    });
    provider.fault(&silent);
    room.start();
    room.make_run(1);
    room.await_delivered(1, 30);
    provider.revoke();
    room.make_run(2);
    room.await_delivered(2, 30);
    assert_eq!(count(&provider), 2, "the refresh token is kept");

    // Two nodes of the cluster disagree: the refused token comes back twice.
    provider.revoke();
    let stale = json!({ "kind": "edit", "client": "squirro", "times": 2, "stale": true });
    provider.fault(&stale);
    room.make_run(3);
    room.await_delivered(3, 30);
    assert_eq!(count(&provider), 5);
    assert!(
        room.jobs().iter().all(|job| job["attempts"] == 1),
        "{:#?}",
        room.jobs()
    );

    for (number, status) in [(4, 404), (5, 410)] {
        provider.revoke();
        let dead = json!({
            "kind": "instead", "client": "squirro", "times": 0, "status": status,
            "headers": { "content-type": "application/json" }, "body": r#"{"error": "gone"}"#,
        });
        provider.fault(&dead);
        room.make_run(number);
        let failure = await_held(&room, "squirro", "grant-refused", 20);
        assert!(words(&failure).contains("refresh"), "{failure}");
        provider.calm();
        write_secret(&room, "refresh", &provider.refresh_token("squirro"));
        room.await_delivered(number as usize, 30);
    }
}
