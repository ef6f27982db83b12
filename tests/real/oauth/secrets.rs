//! Where secrets are after everything has happened: in their own files, and nowhere else.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::keys::by_key;
use super::{
    Provider, SECRET, await_delivered_to, await_held, by_refresh, by_secret, table, write_secret,
};
use crate::support::{Room, files, secrets};

/// Fails if a secret is shown by a command or stands in a notebook, or where no daemon may leave
/// one, or if more than the refresh token of now is stored.
pub fn assert_kept(room: &Room, provider: &Provider) {
    let all = provider.secrets();
    secrets::assert_kept(room);
    let shown = [
        &["status", "--json"][..],
        &["runs", "--all", "--json"],
        &["show", "run_000001", "--json"],
        &["check", "--json"],
        &["check", "-vv"],
    ]
    .map(|arguments| {
        let ended = room.run(arguments);
        ended.out + &ended.err
    });
    let read = |file: PathBuf| fs::read_to_string(file).expect("a notebook");
    let notebooks = files(&provider.root()).into_iter().map(read);
    for text in shown.into_iter().chain(notebooks) {
        let found = all.iter().find(|secret| text.contains(*secret));
        assert!(!text.is_empty() && found.is_none(), "{found:?} in {text}");
    }
    stored(room, &all);
}

/// What is stored of a credential: the refresh token of now, for its owner's eyes, and no other.
fn stored(room: &Room, secrets: &[String]) {
    for file in files(&room.path("state/tokens")) {
        let mode = fs::metadata(&file).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
        let text = fs::read_to_string(&file).expect("text");
        let held = secrets.iter().filter(|secret| text.contains(*secret));
        assert!(held.count() <= 1, "{}", file.display());
    }
}

/// An answer that repeats what it was asked.
fn echo(client: &str, error: &str, secret: &str) -> Value {
    let body = json!({ "error": error, "error_description": format!("what is {secret} of?") });
    json!({
        "kind": "instead", "client": client, "status": 400, "times": 2, "body": body.to_string(),
        "headers": { "content-type": "application/json" },
    })
}

#[test]
fn after_all_that_can_happen_secrets_are_in_their_own_files_only() {
    let provider = Provider::start();
    provider.secret_client("secret", "client_secret_post");
    provider.secret_client("basic", "client_secret_basic");
    provider.refresh_client("turns", true);
    let keys = provider.key_client("key");
    let basic = by_secret(&provider, "basic") + ", client_auth = \"basic\"";
    let tables = [
        table(&provider, "secret", &by_secret(&provider, "secret")),
        table(&provider, "basic", &basic),
        table(&provider, "turns", &by_refresh(&provider, "turns")),
        table(&provider, "key", &by_key(&provider, Some("key"), "key")),
    ];
    let mut room = Room::new(&tables.concat());
    room.arguments = vec!["-vv"];
    let first = provider.refresh_token("turns");
    let pem = keys["pkcs8"].as_str().expect("a key");
    write_secret(&room, "secret", SECRET);
    write_secret(&room, "refresh", &first);
    write_secret(&room, "key", pem);
    room.start();
    room.make_run(1);
    room.await_delivered(4, 30);

    // Refused with its own words, by the endpoint and by the server; lost; cut off.
    provider.revoke();
    provider.fault(&echo("secret", "invalid_request", SECRET));
    provider.fault(&echo("basic", SECRET, SECRET));
    provider.fault(&json!({ "kind": "drop", "client": "turns" }));
    provider.fault(&json!({
        "kind": "instead", "client": "key", "status": 200, "cut": true,
        "body": format!("{{\"access_token\": \"{SECRET}\"}}{SECRET}"),
        "headers": { "content-type": "application/json" },
    }));
    room.make_run(2);
    await_held(&room, "turns", "credential-in-doubt", 30);
    assert_kept(&room, &provider);
    let second = provider.refresh_token("turns");
    write_secret(&room, "refresh", &second);
    for name in ["secret", "basic", "turns", "key"] {
        await_delivered_to(&room, name, 2, 60);
    }
    assert_kept(&room, &provider);
}
