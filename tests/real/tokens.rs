//! Wrong tokens of every kind: a message each, and delivery without a restart once the token is right.

use serde_json::Value;

use crate::delivery::write_token;
use crate::hub::Hub;
use crate::support::{Room, files, token, wait_until};

pub fn room(hub: &Hub, token: &str) -> Room {
    let room = Room::new(&format!(
        "[destination.hub]\nhub = \"{}\"\nuser = \"alice\"\ndirectory = \"runs\"\nauth.token = {{ file = \"token\" }}\n",
        hub.url
    ));
    write_token(&room, token);
    room
}

/// The code and words of the destination's line of `check`.
pub fn checked(room: &Room) -> (i32, String) {
    let ended = room.run(&["check", "--json"]);
    let checks = ended.json()["checks"].clone();
    let lines = checks
        .as_array()
        .expect("checks")
        .iter()
        .filter(|check| check["name"] == "destination hub");
    let words = lines.map(|check| format!("{} {}", check["what"], check["advice"]));
    (ended.code, words.collect())
}

#[test]
fn five_wrong_tokens_give_five_messages_and_the_right_one_releases_everything() {
    let hub = Hub::start();
    let bobs = hub.user_token("bob", 3600);
    let short = hub.user_token("alice", 12);
    let mut room = room(&hub, &short);
    room.start();
    room.make_run(1);
    room.await_delivered(1, 60);
    wait_until(30, "the token has expired", || {
        hub.api("GET", "user", &short, "").0 == 403
    });
    // The server remembers a token for a while; a stopped one asks the hub again.
    hub.stop_server("alice");
    let servers_own = servers_own_token(&hub);
    let cases = [
        (
            "token-expired",
            short,
            "it has expired or was revoked",
            "make a token at",
        ),
        (
            "token-unknown",
            token(),
            "does not know the token from file",
            "make a token at",
        ),
        (
            "token-unknown",
            format!("{:0>48}", token()),
            "it looks like a server's own token",
            "make a token at",
        ),
        (
            "token-of-other-user",
            bobs,
            "the token belongs to bob, but the notebooks are for alice",
            "service token",
        ),
        (
            "scope-missing",
            hub.blind.clone(),
            "lacks the scope access:servers!user=alice",
            "access:servers",
        ),
        (
            "token-of-the-server",
            servers_own,
            "a single server's own",
            "make a token at",
        ),
    ];
    for (at, (code, token, what, advice)) in cases.into_iter().enumerate() {
        write_token(&room, &token);
        let (exit, words) = checked(&room);
        assert_eq!(exit, 77, "{words}");
        assert!(
            words.contains(&format!("({code})")) && words.contains(what) && words.contains(advice),
            "{words}"
        );
        assert!(!words.contains(&token), "the token is never shown");
        room.make_run(u32::try_from(at).expect("small") + 2);
        room.run(&["retry", "--held"]);
        let mut failure = Value::Null;
        wait_until(20, code, || {
            let jobs = room.jobs();
            let held = |job: &&Value| {
                job["state"] == "held"
                    && job["failure"]["code"] == code
                    && job["failure"]["what"]
                        .as_str()
                        .is_some_and(|told| told.contains(what))
            };
            failure = jobs
                .iter()
                .find(held)
                .map(|job| job["failure"].clone())
                .unwrap_or_default();
            !failure.is_null()
        });
        assert_eq!(failure["class"], "hold");
        assert!(!room.log().contains(&token), "the token is never logged");
    }
    write_token(&room, &hub.token);
    room.await_delivered(7, 60);
    assert!(room.alive());
    assert_eq!(files(&hub.home("alice").join("runs")).len(), 7);
}

/// The token that the hub gives to a user's server, from the server's own environment.
pub fn servers_own_token(hub: &Hub) -> String {
    let (status, _) = hub.api("POST", "users/alice/server", &hub.admin, "");
    assert!(status == 201 || status == 202, "{status}");
    let mut found = None;
    wait_until(30, "the server's own token", || {
        let servers = hub.servers("alice");
        found = servers.first().and_then(|(_, environment)| {
            let mut entries = environment.split('\0');
            entries
                .find_map(|entry| entry.strip_prefix("JUPYTERHUB_API_TOKEN="))
                .map(str::to_owned)
        });
        found.is_some()
    });
    wait_until(30, "the server is ready", || {
        hub.api("GET", "users/alice", &hub.admin, "").1["servers"][""]["ready"] == true
    });
    found.expect("a token")
}

#[test]
fn a_token_with_too_much_scope_is_warned_about() {
    let hub = Hub::start();
    let room = room(&hub, &hub.admin);
    let (exit, words) = checked(&room);
    assert_eq!(exit, 0, "{words}");
    assert!(
        words.contains("more than a delivery needs") && words.contains("admin:users"),
        "{words}"
    );
}

#[test]
fn without_a_user_the_notebooks_are_for_the_tokens_owner() {
    let hub = Hub::start();
    let mut room = Room::new(&format!(
        "[destination.hub]\nhub = \"{}\"\ndirectory = \"runs\"\nauth.token = {{ file = \"token\" }}\n",
        hub.url
    ));
    write_token(&room, &hub.user_token("bob", 600));
    let (exit, words) = checked(&room);
    assert_eq!(exit, 0, "{words}");
    assert!(
        words.contains("user bob") && words.contains("token expires 20"),
        "{words}"
    );
    room.start();
    room.make_run(1);
    room.await_delivered(1, 60);
    assert_eq!(files(&hub.home("bob").join("runs")).len(), 1);
    write_token(&room, &hub.token);
    let (exit, words) = checked(&room);
    assert_eq!(exit, 77, "{words}");
    assert!(
        words.contains("belongs to the service `nbcourier`, and no user is named"),
        "{words}"
    );
}

#[test]
fn a_user_outside_the_list_is_refused() {
    let hub = Hub::start();
    let mut room = Room::bare(&format!(
        "[spool]\ndirectory = \"spool\"\n[notebook.quick]\ntemplate = \"quick.ipynb\"\n{}",
        Hub::destination(&hub.url)
    ));
    write_token(&room, &hub.token);
    room.start();
    let spool = room.path("spool");
    wait_until(10, "the spool is made", || spool.join("tmp").is_dir());
    for (run, user) in [(1, "carol"), (2, "alice")] {
        let text = format!("{{\"run\": {run}, \"parameters\": {{\"user\": \"{user}\"}}}}");
        std::fs::write(spool.join(format!("{run}.json")), text).expect("a trigger file");
    }
    let failure = room.await_failure("user-refused", 30);
    assert!(
        failure["what"]
            .as_str()
            .is_some_and(|what| what.contains("`carol` is not among `users`")),
        "{failure}"
    );
    wait_until(60, "alice's is delivered", || room.count("delivered") == 1);
    assert_eq!(room.count("held"), 1);
    assert!(!hub.home("carol").exists());
}
