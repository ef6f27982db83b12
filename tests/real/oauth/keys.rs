//! `private_key_jwt` by keys in every form that people hold, and files that others may read.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::{Provider, await_delivered_to, await_held, table, words, write_secret};
use crate::support::{Room, wait_until};

/// The forms of a key, and whether it says whose it is.
const FORMS: [(&str, bool); 6] = [
    ("pkcs8", false),
    ("pkcs1", false),
    ("jwk", false),
    ("jwks", false),
    ("sfapi_pem", true),
    ("sfapi_json", true),
];

/// `auth.oauth` by the key in the file of this name.
pub fn by_key(provider: &Provider, id: Option<&str>, file: &str) -> String {
    let id = id
        .map(|id| format!("client_id = \"{id}\", "))
        .unwrap_or_default();
    let url = &provider.url;
    format!("token_url = \"{url}/token\", {id}key = {{ file = \"{file}\" }}")
}

fn set_mode(room: &Room, file: &str, mode: u32) {
    let permissions = fs::Permissions::from_mode(mode);
    fs::set_permissions(room.path(file), permissions).expect("chmod");
}

#[test]
fn keys_of_six_forms_sign_and_one_that_others_may_read_is_refused() {
    let provider = Provider::start();
    let keys = provider.key_client("keyholder");
    let tables = FORMS.map(|(form, names_client)| {
        let id = (!names_client).then_some("keyholder");
        table(
            &provider,
            form,
            &by_key(&provider, id, &format!("{form}.key")),
        )
    });
    let mut room = Room::new(&tables.concat());
    for (form, _) in FORMS {
        write_secret(
            &room,
            &format!("{form}.key"),
            keys[form].as_str().expect("a key"),
        );
    }
    set_mode(&room, "pkcs8.key", 0o644);
    set_mode(&room, "jwk.key", 0o400);
    room.start();
    room.make_run(1);
    for (form, _) in FORMS.iter().filter(|(form, _)| *form != "pkcs8") {
        await_delivered_to(&room, form, 1, 30);
    }
    let failure = await_held(&room, "pkcs8", "credential-unreadable", 20);
    assert!(words(&failure).contains("pkcs8.key"), "{failure}");
    assert_eq!(
        provider.requests("keyholder").len(),
        5,
        "no request with that key"
    );
    set_mode(&room, "pkcs8.key", 0o600);
    room.await_delivered(6, 30);
    let requests = provider.requests("keyholder");
    assert!(
        requests
            .iter()
            .all(|request| request["auth"] == "private_key_jwt")
    );
    // A provider refuses an assertion that it has seen.
    provider.revoke();
    room.make_run(2);
    room.await_delivered(12, 30);
}

#[test]
fn a_key_that_was_replaced_is_taken_from_its_file_without_a_restart() {
    let provider = Provider::start();
    let keys = provider.key_client("changing");
    let oauth = by_key(&provider, Some("changing"), "key");
    let mut room = Room::new(&table(&provider, "changing", &oauth));
    write_secret(&room, "key", keys["pkcs1"].as_str().expect("a key"));
    room.start();
    room.make_run(1);
    room.await_delivered(1, 30);
    let keys = provider.key_client("changing");
    provider.revoke();
    room.make_run(2);
    await_held(&room, "changing", "client-refused", 20);
    let asked = provider.count("changing");
    write_secret(&room, "key", keys["jwk"].as_str().expect("a key"));
    wait_until(5, "asked at once, whatever the pause", || {
        provider.count("changing") > asked
    });
    room.await_delivered(2, 20);
}
