//! nbcourier's own login by Kerberos, from a keytab or a cache to notebooks in a user's space.

use std::fs;

use serde_json::{Value, json};

use super::Swan;
use crate::support::Room;

/// A room that delivers to alice, with tickets from here.
fn room(swan: &Swan, tickets: &str, interface: bool) -> Room {
    let mut room = Room::new(&format!(
        "[destination.swan]\nhub = \"{}\"\nprofile = \"swan\"\nca_file = \"{}\"\n\
         directory = \"SWAN_projects/h4\"\nauth.kerberos = {{ {tickets} }}\n\
         [destination.swan.spawn_options]\nsoftware_source = \"lcg\"\nlcg = \"LCG_110_swan\"\n\
         platforms = \"x86_64-el9-gcc13-opt\"\ncores = 2\nmemory = \"8 GB\"\nuse-jupyterlab = {interface}\n",
        swan.url,
        swan.authority().display(),
    ));
    let krb5 = swan.path("krb5.conf").display().to_string();
    room.environment = vec![("KRB5_CONFIG", krb5)];
    room
}

fn keytab(swan: &Swan) -> String {
    format!("keytab = \"{}\"", swan.keytab("alice").display())
}

#[test]
fn from_a_keytab_alone_notebooks_come_into_a_project_in_the_users_home_in_both_interfaces() {
    let swan = Swan::with(&["alice"], &[]);
    for (number, interface) in [(1, false), (2, true)] {
        let mut room = room(&swan, &keytab(&swan), interface);
        let checked = room.run(&["check"]);
        assert_eq!(checked.code, 0, "{checked:?}");
        assert!(checked.out.contains("user alice"), "{checked:?}");
        room.start();
        room.make_run(number);
        room.await_delivered(1, 120);
        let project = swan.home("alice").join("SWAN_projects/h4");
        let name = format!("run_00000{number}.ipynb");
        assert!(project.join(&name).exists(), "{name}");
        assert!(project.join(".swanproject").exists());
        let url = room.jobs()[0]["url"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let (path, other) = match interface {
            true => ("lab/tree/user/a/alice/SWAN_projects/h4", "notebooks/"),
            false => ("notebooks/SWAN_projects/h4", "lab/"),
        };
        assert!(url.ends_with(&format!("/{path}/{name}")), "{url}");
        assert!(!url.contains(other), "{url}");
        swan.note_secrets();
        room.kill();
        swan.stop_server("alice");
    }
    assert_eq!(swan.starts("begins", "alice"), 2);
}

#[test]
fn each_end_of_a_login_is_told_apart_and_none_is_tried_over_and_over() {
    let swan = Swan::with(&["alice"], &[]);
    let switch = |name: &str, value: &Value| swan.switch(&json!({ name: value }));
    for (name, ill, well, code, words) in [
        (
            "otp",
            json!("123456"),
            Value::Null,
            "need-otp",
            "one-time code",
        ),
        (
            "webauthn",
            json!(true),
            json!(false),
            "need-webauthn",
            "security key",
        ),
        ("consent", json!(true), json!(false), "consent", "consent"),
        (
            "error",
            json!("Account disabled"),
            Value::Null,
            "idp-error",
            "Account disabled",
        ),
        (
            "no_button",
            json!(true),
            json!(false),
            "no-button",
            "no login by Kerberos",
        ),
        (
            "deny_exchange",
            json!("eos-service"),
            json!(false),
            "denied",
            "403",
        ),
        ("roles", json!([]), json!(["swan-user"]), "denied", "403"),
    ] {
        switch(name, &ill);
        let room = room(&swan, &keytab(&swan), true);
        let checked = room.run(&["check"]);
        assert_eq!(checked.code, 77, "{name}: {checked:?}");
        let told = checked.out.contains(code) && checked.out.contains(words);
        assert!(told, "{name}: {checked:?}");
        switch(name, &well);
    }
    assert_eq!(swan.seen("otp_attempts"), 0);
    switch("iss", &json!(true));
    let checked = room(&swan, &keytab(&swan), true).run(&["check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    switch("down", &json!(true));
    let checked = room(&swan, &keytab(&swan), true).run(&["check"]);
    assert_eq!(checked.code, 69, "{checked:?}");
    switch("down", &json!(false));

    switch("otp", &json!("123456"));
    let before = swan.seen("pages");
    let mut room = room(&swan, &keytab(&swan), true);
    room.start();
    room.make_run(1);
    room.await_failure("need-otp", 30);
    std::thread::sleep(std::time::Duration::from_secs(8));
    assert_eq!(swan.seen("pages"), before + 1);
    switch("otp", &Value::Null);
    let retried = room.run(&["retry", "--held"]);
    assert_eq!(retried.code, 0, "{retried:?}");
    room.await_delivered(1, 120);
    swan.note_secrets();
}

#[test]
fn another_ticket_or_key_releases_what_waited_for_it_without_a_restart() {
    let swan = Swan::with(&["alice"], &[]);
    let cache = format!("cache = \"{}\"", swan.cache("alice").display());
    let mut with_cache = room(&swan, &cache, true);
    with_cache.start();
    with_cache.make_run(1);
    with_cache.await_failure("no-ticket", 30);
    swan.take_tickets("alice", "1s");
    std::thread::sleep(std::time::Duration::from_secs(3));
    let checked = with_cache.run(&["check"]);
    assert!(checked.out.contains("ticket-expired"), "{checked:?}");
    let _ = fs::remove_file(swan.cache("alice"));
    swan.take_tickets("alice", "1h");
    with_cache.await_delivered(1, 120);
    swan.note_secrets();
    with_cache.kill();

    swan.change_key("alice");
    let mut with_keytab = room(&swan, &keytab(&swan), true);
    with_keytab.start();
    with_keytab.make_run(2);
    let failure = with_keytab.await_failure("no-ticket", 30);
    let advice = failure["advice"].as_str().unwrap_or_default();
    assert!(advice.contains("new keytab"), "{failure}");
    swan.renew_keytab("alice");
    with_keytab.await_delivered(1, 120);
    swan.note_secrets();
}
