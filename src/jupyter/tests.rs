//! The words about credentials and servers.

use std::path::Path;

use serde_json::json;

use super::hub::{not_for_it, owner_of};
use super::probe::diagnose;
use super::scopes::Scopes;
use super::spawn::{no_route, not_ready, not_running};
use super::*;
use crate::catalogue::assert_told;
use crate::config::checked::Scheme;
use crate::config::parse;
use crate::config::secret::Secret;
use crate::spawns::{NotNow, Why};

const CONFIG: &str = "watch.h4.directory = \"/data\"\nnotebook.quick.template = \"/q.ipynb\"\n\
    destination.swan.hub = \"https://hub.example\"\ndestination.swan.auth.token = { file = \"/t\" }\n\
    destination.lab.server = \"https://server.example\"\ndestination.lab.auth.token = { file = \"/t\" }\n";

fn jupyters() -> [Jupyter; 2] {
    // Another test may have been quicker.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let config = parse(CONFIG, Path::new("/etc/nbcourier.toml")).expect("valid");
    ["swan", "lab"].map(|name| {
        let table = config.destination(name).expect("a destination");
        Jupyter::new(&config, table, None).expect("usable")
    })
}

fn token(text: &str) -> Token {
    Token::kept(
        Secret::new(text.into()),
        "the file /t".into(),
        Scheme::Token,
    )
}

#[test]
fn a_refused_credential_is_told_with_where_to_get_another_one() {
    let [hub, server] = jupyters();
    let kept = token("a-token");
    let accepted = Accepted {
        fingerprint: kept.secret().fingerprint(),
        at: "2026-11-20T12:00:00Z".into(),
    };
    let issued = Token::issued(Secret::new("x".into()), "oauth".into(), Scheme::Bearer);
    let told = [
        ("never known", hub.refused(&kept, None)),
        ("known before", hub.refused(&kept, Some(&accepted))),
        (
            "a server's own",
            hub.refused(&token(&"0a".repeat(24)), None),
        ),
        ("issued for it", not_for_it("https://hub.example/", &issued)),
        (
            "never known to a server",
            server.refused_by_server(&kept, None),
        ),
        (
            "known before to a server",
            server.refused_by_server(&kept, Some(&accepted)),
        ),
        (
            "a hub in place of a server",
            server.not_a_server("a JupyterHub or one of its servers"),
        ),
    ];
    assert_told(
        "credentials",
        told.map(|(met, failure)| (met.to_owned(), failure)),
    );
}

#[test]
fn a_valid_token_that_is_the_wrong_one_is_told_apart() {
    let [jupyter, _] = jupyters();
    let hub = jupyter.hub.as_ref().expect("a hub");
    let own = ["access:servers!server=alice/", "read:users:name!user=alice"];
    let cases = [
        (
            "another user's",
            json!({"kind": "user", "name": "bob", "scopes": []}),
        ),
        (
            "a server's own",
            json!({"kind": "user", "name": "alice", "scopes": own}),
        ),
        (
            "without access",
            json!({"kind": "user", "name": "alice", "scopes": ["read:users"]}),
        ),
        (
            "without a start",
            json!({"kind": "user", "name": "alice", "scopes": ["access:servers"]}),
        ),
    ];
    let mut told: Vec<_> = cases
        .iter()
        .map(|(met, owner)| {
            let told = diagnose(hub, owner, &Scopes::of(owner), "alice");
            ((*met).to_owned(), told.expect_err("a failure"))
        })
        .collect();
    let service = json!({"kind": "service", "name": "daq", "scopes": []});
    told.push((
        "a service's".into(),
        owner_of(&service).expect_err("a failure"),
    ));
    assert_told("wrong-tokens", told);
}

#[test]
fn a_server_that_does_not_start_is_told_with_when_the_next_try_is() {
    let [jupyter, _] = jupyters();
    let hub = jupyter.hub.as_ref().expect("a hub");
    let stopped = Code::ServerStopped.failure("https://hub.example/user/alice/api answered 503");
    let why = [
        Why::Starting,
        Why::Failing(3),
        Why::HubFailing,
        Why::HubFull(60),
    ];
    let limited = why.map(|why| {
        let met = format!("{why:?}");
        let refused = NotNow {
            why,
            until: 1_795_000_000_000,
        };
        (met, jupyter.limited("alice", refused))
    });
    let told = [
        ("`spawn` is false".to_owned(), not_running("alice")),
        ("too slow".to_owned(), not_ready(hub, "alice")),
        ("ready and not reached".to_owned(), no_route(&stopped)),
    ];
    assert_told("servers", told.into_iter().chain(limited));
}
