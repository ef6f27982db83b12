//! Certificates in front of the token endpoint and of the server.

use std::fs;

use super::{Provider, SECRET, await_delivered_to, await_held, words, write_secret};
use crate::support::{Process, Room};
use crate::tls::listen;

/// TLS in front of a door of the stand, once for each kind of certificate.
struct Tls {
    _process: Process,
    ports: Vec<String>,
}

impl Tls {
    fn start(room: &Room, name: &str, goal: &str, kinds: &[&str]) -> Self {
        let (process, ports) = listen(goal, &room.path(name), kinds);
        Self {
            _process: process,
            ports,
        }
    }

    fn url(&self, at: usize) -> String {
        format!("https://127.0.0.1:{}", self.ports[at])
    }
}

fn destination(name: &str, server: &str, token: &str, trust: &str) -> String {
    format!(
        "[destination.{name}]\nserver = \"{server}\"\ndirectory = \"{name}\"\n{trust}\n\
         auth.oauth = {{ token_url = \"{token}/token\", client_id = \"tls\", secret = {{ file = \"secret\" }} }}\n"
    )
}

/// Adds destinations to the configuration of a room.
fn add(room: &Room, tables: &str) {
    let file = room.path("nbcourier.toml");
    let text = fs::read_to_string(&file).expect("a configuration");
    fs::write(file, text + tables).expect("written");
}

#[test]
fn a_facilitys_authority_is_trusted_an_expired_certificate_is_not_until_it_is_replaced() {
    let provider = Provider::start();
    provider.secret_client("tls", "client_secret_post");
    let mut room = Room::new("");
    write_secret(&room, "secret", SECRET);
    let token = Tls::start(&room, "token-tls", &provider.url, &["good", "expired"]);
    let api = Tls::start(&room, "api-tls", &provider.api, &["good", "expired"]);
    let authority = |name: &str| fs::read_to_string(room.path(name).join("lab.pem")).expect("one");
    let both = authority("token-tls") + &authority("api-tls");
    fs::write(room.path("labs.pem"), both).expect("written");
    let trust = "ca_file = \"labs.pem\"";
    let tables = [
        destination("good", &api.url(0), &token.url(0), trust),
        destination("token-expired", &api.url(0), &token.url(1), trust),
        destination("api-expired", &api.url(1), &token.url(0), trust),
        destination("unknown", &api.url(0), &token.url(0), ""),
    ];
    add(&room, &tables.concat());
    room.start();
    room.make_run(1);
    await_delivered_to(&room, "good", 1, 30);
    for name in ["token-expired", "api-expired"] {
        let failure = await_held(&room, name, "tls-untrusted", 20);
        assert!(words(&failure).contains("expired"), "{failure}");
    }
    let failure = await_held(&room, "unknown", "tls-untrusted", 20);
    assert!(words(&failure).contains("ca_file"), "{failure}");
    for name in ["token-tls", "api-tls"] {
        fs::write(room.path(name).join("expired"), "good").expect("mended");
    }
    for name in ["token-expired", "api-expired"] {
        await_delivered_to(&room, name, 1, 30);
    }
}

#[test]
fn a_self_signed_server_gets_tokens_by_its_pin_alone() {
    let provider = Provider::start();
    provider.secret_client("tls", "client_secret_post");
    let mut room = Room::new("");
    write_secret(&room, "secret", SECRET);
    let api = Tls::start(&room, "tls", &provider.api, &["self-signed"]);
    let sha256 = room.path("tls/self-signed.sha256");
    let pin = fs::read_to_string(sha256).expect("a fingerprint");
    let of = |name: &str, trust: &str| destination(name, &api.url(0), &provider.url, trust);
    let tables = of("pinned", &format!("pin_sha256 = \"{pin}\"")) + &of("plain", "");
    add(&room, &tables);
    room.start();
    room.make_run(1);
    await_delivered_to(&room, "pinned", 1, 30);
    let failure = await_held(&room, "plain", "tls-untrusted", 20);
    assert!(words(&failure).contains("pin_sha256"), "{failure}");
}
