//! What happens to a SWAN while nbcourier delivers to it for months: one daemon goes through all of it.

use std::time::Duration;

use serde_json::{Value, json};

use super::Swan;
use crate::delivery::write_token;
use crate::support::{Room, wait_until};

/// A room that delivers to each of these users, who are authenticated as their tables say.
fn room(swan: &Swan, users: &[(&str, &str)]) -> Room {
    let table = |(user, more): &(&str, &str)| {
        format!(
            "[destination.{user}]\nhub = \"{}\"\nprofile = \"swan\"\nca_file = \"{}\"\n\
             directory = \"SWAN_projects/h4\"\n{more}\n[destination.{user}.spawn_options]\n\
             software_source = \"lcg\"\nlcg = \"LCG_110_swan\"\nplatforms = \"x86_64-el9-gcc13-opt\"\n\
             cores = 2\nmemory = \"8 GB\"\n",
            swan.url,
            swan.authority().display(),
        )
    };
    let mut room = Room::new(&users.iter().map(table).collect::<String>());
    let krb5 = swan.path("krb5.conf").display().to_string();
    room.environment = vec![("KRB5_CONFIG", krb5)];
    room
}

fn by_keytab(swan: &Swan, user: &str) -> String {
    let keytab = swan.keytab(user);
    format!("auth.kerberos = {{ keytab = \"{}\" }}", keytab.display())
}

/// When each token was made that nbcourier has of a user.
fn tokens(swan: &Swan, user: &str) -> Vec<String> {
    let (status, list) = swan.api("GET", &format!("users/{user}/tokens"), &swan.admin, "");
    assert_eq!(status, 200, "{list}");
    let tokens = list["api_tokens"].as_array().cloned().unwrap_or_default();
    let ours = tokens.iter().filter(|token| {
        let note = token["note"].as_str();
        note.is_some_and(|note| note.starts_with("nbcourier on "))
    });
    let born = ours.filter_map(|token| token["created"].as_str());
    born.map(str::to_owned).collect()
}

/// The jobs of a user's destination in this state.
fn jobs(room: &Room, user: &str, state: &str) -> Vec<Value> {
    let mut jobs = room.jobs();
    jobs.retain(|job| job["destination"] == user && job["state"] == state);
    jobs
}

fn await_of(room: &Room, user: &str, count: usize) {
    wait_until(120, &format!("{count} of {user} are delivered"), || {
        jobs(room, user, "delivered").len() == count
    });
}

/// How long the hub takes a sign-on for fresh, and a little more.
const STALE: Duration = Duration::from_secs(5);

#[test]
fn one_token_outlives_refused_refreshes_a_silent_sign_on_and_five_failed_starts_of_ten() {
    let mut swan = Swan::with(&["alice", "bob"], &[("NBC_SWAN_REFRESH_AGE", "4")]);
    let cookies = swan.path("cookies");
    assert_eq!(
        swan.sso_cookies("bob", "/hub/oauth_login", &cookies).code,
        0
    );
    swan.note_secrets();
    let bobs = swan.mint("bob", &cookies).expect("a token");
    let kept = "auth.token = { file = \"token\" }";
    let users = [("alice", &*by_keytab(&swan, "alice")), ("bob", kept)];
    let mut room = room(&swan, &users);
    write_token(&room, &bobs);
    // An hour of failing starts lasts 54 s.
    room.pace = "0.015";
    swan.script("alice", "fail 1");
    room.start();
    room.make_run(1);
    room.await_delivered(2, 120);
    let first = tokens(&swan, "alice");

    // The sign-on refuses to refresh: a login helps who has a ticket, and the other is told.
    swan.switch(&json!({ "revoke": true }));
    for user in ["alice", "bob"] {
        swan.stop_server(user);
    }
    swan.script("alice", "fail 2");
    std::thread::sleep(STALE);
    let logins = swan.seen("logins");
    room.make_run(2);
    let failure = room.await_failure("token-expired", 60);
    let told = |key: &str, words: &str| {
        failure[key]
            .as_str()
            .is_some_and(|text| text.contains(words))
    };
    assert!(
        told("what", "SWAN can't renew its owner's sign-on"),
        "{failure}"
    );
    assert!(told("advice", "the same token is good again"), "{failure}");
    await_of(&room, "alice", 2);
    assert_eq!(jobs(&room, "bob", "held").len(), 1);
    assert!(swan.seen("logins") > logins);
    assert_eq!(tokens(&swan, "alice"), first);
    swan.switch(&json!({ "revoke": false }));
    room.await_delivered(4, 120);

    // Nobody answers at the sign-on.
    swan.stop_web();
    swan.stop_server("alice");
    swan.script("alice", "fail 2");
    std::thread::sleep(STALE);
    room.make_run(3);
    wait_until(60, "she waits for it", || {
        let waiting = jobs(&room, "alice", "waiting");
        waiting.iter().any(|job| job["failure"]["class"] == "retry")
    });
    swan.start_web();
    room.await_delivered(6, 120);
    assert_eq!(tokens(&swan, "alice"), first);

    // Starts that succeed, to make it five of ten that failed.
    for number in 4..=5 {
        swan.stop_server("alice");
        room.make_run(number);
        room.await_delivered(number as usize * 2, 120);
    }
    assert_eq!(swan.starts("fails", "alice"), 5);
    assert_eq!(swan.starts("begins", "alice"), 10);
    assert_eq!(tokens(&swan, "alice"), first);
    swan.note_secrets();
}

#[test]
fn a_culled_user_is_logged_in_again_and_one_who_is_kept_alive_is_not_culled() {
    let swan = Swan::with(&["alice", "bob"], &[]);
    let alive = by_keytab(&swan, "alice") + "\nkeep_alive = true";
    let mut room = room(
        &swan,
        &[("alice", &*alive), ("bob", &*by_keytab(&swan, "bob"))],
    );
    // A sign of life each 7 s, the survey of an hour each 11 s.
    room.pace = "0.003";
    room.start();
    room.make_run(1);
    room.await_delivered(2, 120);
    let (alices, bobs) = (tokens(&swan, "alice"), tokens(&swan, "bob"));
    assert_eq!(swan.seen("logins"), 2);
    let culler = swan.cull(15);
    let model = |user: &str| swan.api("GET", &format!("users/{user}"), &swan.admin, "");
    wait_until(60, "he is culled, and of her the server only", || {
        model("bob").0 == 404 && model("alice").1["server"].is_null()
    });
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(model("alice").0, 200);
    drop(culler);
    room.make_run(2);
    room.await_delivered(4, 120);
    assert_eq!(swan.seen("logins"), 3);
    assert_eq!(tokens(&swan, "alice"), alices);
    let anew = tokens(&swan, "bob");
    assert!(anew.len() == 1 && anew != bobs, "{anew:?}");
    swan.note_secrets();
}
