//! A beam shift, every interval scaled down: runs come in while credentials of four kinds end, are
//! revoked, refused, lost and replaced.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::keys::by_key;
use super::pace::{most_requests, span};
use super::secrets::assert_kept;
use super::{Provider, SECRET, by_refresh, by_secret, jobs_to, table, write_secret};
use crate::delivery::write_token;
use crate::hub::Hub;
use crate::support::{Room, assert_one_whole_notebook_each, files, long, wait_until};

const WAYS: [&str; 4] = ["secret", "key", "turns", "hub"];

/// One destination for each kind of credential; a run says where it belongs.
fn room(provider: &Provider, hub: &Hub) -> Room {
    let hub = format!(
        "[destination.hub]\nhub = \"{}\"\nuser = \"alice\"\ndirectory = \"runs\"\n\
         auth.token = {{ file = \"token\" }}\n",
        hub.url
    );
    let tables = [
        table(provider, "secret", &by_secret(provider, "secret")),
        table(provider, "key", &by_key(provider, Some("key"), "key")),
        table(provider, "turns", &by_refresh(provider, "turns")),
        hub,
    ];
    let notebook = |way: &&str| {
        format!(
            "[notebook.to-{way}]\ntemplate = \"quick.ipynb\"\nto = [\"{way}\"]\nwhen = \"to == '{way}'\"\n"
        )
    };
    let notebooks: String = WAYS.iter().map(notebook).collect();
    Room::bare(&format!(
        "[watch.h4]\ndirectory = \"data\"\nready = {{ marker = \"DONE\" }}\nsettle = \"0s\"\n\
         parameters = [\"run.json\"]\nexisting = \"all\"\npoll_every = \"2s\"\n{notebooks}{}",
        tables.concat()
    ))
}

/// What happens to the credentials, in this order, spread over the shift.
const TROUBLES: [fn(&Provider, &Hub, &Room); 11] = [
    |provider, _, _| provider.revoke(),
    |provider, _, _| provider.remove_client("secret"),
    |provider, _, _| provider.fault(&json!({ "kind": "drop", "client": "turns" })),
    // Its key is replaced where it is known, and then in its file.
    |provider, _, room| {
        let keys = provider.key_client("key");
        provider.revoke();
        std::thread::sleep(Duration::from_millis(500));
        write_secret(room, "key", keys["jwks"].as_str().expect("a key"));
    },
    |provider, _, _| provider.secret_client("secret", "client_secret_post"),
    |provider, _, room| write_secret(room, "refresh", &provider.refresh_token("turns")),
    // Her token has ended; a running server would remember it for a while.
    |_, hub, _| hub.stop_server("alice"),
    |provider, _, _| {
        let down = json!({ "kind": "instead", "status": 503, "times": 4 });
        provider.fault(&down);
    },
    |provider, _, _| provider.revoke(),
    |_, hub, room| {
        wait_until(20, "the ended token is noticed", || {
            room.log().contains("token-expired")
        });
        write_token(room, &hub.user_token("alice", 600));
    },
    |provider, _, _| provider.revoke(),
];

/// Makes the runs at an even pace, the troubles between them.
fn shift(provider: &Provider, hub: &Hub, room: &Room, runs: u32) {
    let begun = Instant::now();
    let step = runs / 12;
    for number in 1..=runs {
        let way = WAYS[number as usize % 4];
        room.make_run_with(number, &format!("{{\"to\": \"{way}\"}}"));
        let next = Duration::from_millis(200) * number;
        std::thread::sleep(next.saturating_sub(begun.elapsed()));
        let trouble = TROUBLES.get((number / step).wrapping_sub(1) as usize);
        if let Some(trouble) = trouble.filter(|_| number % step == 0) {
            trouble(provider, hub, room);
        }
    }
}

#[test]
fn a_shift_with_every_trouble_of_credentials_delivers_every_run_once() {
    let runs = if long() { 500 } else { 100 };
    let (provider, hub) = (Provider::start(), Hub::of(&["alice"]));
    provider.life(3);
    provider.secret_client("secret", "client_secret_post");
    provider.refresh_client("turns", true);
    let keys = provider.key_client("key");
    let mut room = room(&provider, &hub);
    room.arguments = vec!["-vv"];
    write_secret(&room, "secret", SECRET);
    write_secret(&room, "key", keys["pkcs8"].as_str().expect("a key"));
    write_secret(&room, "refresh", &provider.refresh_token("turns"));
    // It ends in the middle.
    write_token(&room, &hub.user_token("alice", runs / 16));
    room.start();
    shift(&provider, &hub, &room, runs);
    room.await_delivered(runs as usize, 60);
    assert_eq!(room.count("failed"), 0);
    assert_delivered_once(&provider, &hub, runs);
    for code in [
        "client-refused",
        "credential-in-doubt",
        "token-endpoint-down",
        "token-expired",
    ] {
        assert!(room.log().contains(code), "{code} was not met");
    }
    for way in &WAYS[..3] {
        assert_few_requests(&provider, way);
        eprintln!("{way}: {}", attempts(&room, way));
    }
    assert_kept(&room, &provider);
}

/// Fails if a client was issued more tokens than their life and the four revocations explain, or if
/// it asked often in vain: by a secret that was refused, with a token that was used up, while the
/// endpoint was down.
fn assert_few_requests(provider: &Provider, client: &str) {
    let (took, all) = span(provider, client);
    let requests = provider.requests(client);
    let issued = requests.iter().filter(|request| request["status"] == 200);
    let issued = issued.count();
    eprintln!("{client}: {issued} of {all} token requests issued one in {took} ms");
    assert!(
        issued <= most_requests(took) + 4,
        "{client}: {issued} in {took} ms"
    );
    assert!(all - issued <= 8, "{client}: {requests:#?}");
}

/// The attempts that the jobs of a destination have taken.
fn attempts(room: &Room, destination: &str) -> String {
    let jobs = jobs_to(room, destination);
    let attempts = jobs
        .iter()
        .filter_map(|job: &Value| job["attempts"].as_u64());
    format!("{} attempts for {} jobs", attempts.sum::<u64>(), jobs.len())
}

fn assert_delivered_once(provider: &Provider, hub: &Hub, runs: u32) {
    let root = provider.root();
    for (at, way) in WAYS.iter().enumerate() {
        let mine = (1..=runs).filter(|number| *number as usize % 4 == at);
        let names: Vec<_> = mine.map(|number| format!("run_{number:06}")).collect();
        let directory = match *way {
            "hub" => hub.home("alice").join("runs"),
            way => root.join(way),
        };
        assert_one_whole_notebook_each(&directory, &names);
        assert_eq!(files(&directory).len(), names.len(), "{way}");
    }
}
