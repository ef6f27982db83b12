//! A server's own tokens, which people take for the hub's (as with DockerSpawner): told for what they
//! are, and used where the hub knows them.

use std::fs;
use std::process::Command;

use crate::delivery::write_token;
use crate::hub::Hub;
use crate::support::{token, wait_until};
use crate::tokens::{checked, room, servers_own_token};

#[test]
fn a_servers_own_token_is_used_where_the_hub_knows_it_and_told_where_it_does_not() {
    let own = format!("{:0>48}", token());
    let given = format!(
        "c.ScriptedSpawner.args = [*c.HomeSpawner.args, '--IdentityProvider.token={own}']\n"
    );
    let known = format!("{given}c.JupyterHub.api_tokens = {{'{own}': 'alice'}}\n");
    let mut hub = Hub::with(&["alice", "bob"], |_| known);
    // The hub knows it.
    let mut daemon = room(&hub, &own);
    let (exit, words) = checked(&daemon);
    assert_eq!(exit, 0, "{words}");
    assert!(
        words.contains("the token of the user alice, from file "),
        "{words}"
    );
    daemon.start();
    daemon.make_run(1);
    daemon.await_delivered(1, 60);
    // What that hub itself gives to a server.
    hub.stop_server("alice");
    let hubs = servers_own_token(&hub);
    let other = room(&hub, &hubs);
    let (exit, words) = checked(&other);
    assert_eq!(exit, 77, "{words}");
    assert!(
        words.contains("(token-of-the-server)") && words.contains("is gone when it stops"),
        "{words}"
    );
    // A token that ends within days is told; a clock that differs is, too.
    write_token(&other, &hub.user_token("alice", 10 * 86400));
    let (exit, words) = checked(&other);
    assert_eq!(exit, 0, "{words}");
    assert!(
        words.contains("the token ends in less than 14 days, at 20"),
        "{words}"
    );
    let nbcourier = other.program();
    let mut ahead = Command::new("faketime");
    ahead
        .args(["-f", "+90s"])
        .arg(nbcourier.get_program())
        .args(nbcourier.get_args());
    let told = ahead.arg("check").output().expect("faketime").stdout;
    let told = String::from_utf8_lossy(&told);
    assert!(
        told.contains("the clock differs by ") && told.contains("is ahead of that of"),
        "{told}"
    );
    // A hub that knows neither: its database is another one.
    hub.stop_server("alice");
    hub.down();
    fs::remove_file(hub.dir.path().join("hub.sqlite")).expect("removed");
    hub.snippet = given;
    hub.up();
    let cases = [
        (
            &own,
            "it looks like a server's own token, from its log or `jupyter server list`",
        ),
        (&hubs, "does not know the token from file"),
    ];
    let fresh = room(&hub, &own);
    for (token, told) in cases {
        write_token(&fresh, token);
        let (exit, words) = checked(&fresh);
        assert_eq!(exit, 77, "{words}");
        assert!(
            words.contains("(token-unknown)") && words.contains(told),
            "{words}"
        );
        assert!(words.contains("/hub/token"), "{words}");
    }
    // The daemon remembers that it was known; it goes on with the right one.
    daemon.make_run(2);
    let failure = daemon.await_failure("token-expired", 30);
    let what = failure["what"].as_str().unwrap_or_default();
    assert!(what.contains("it has expired or was revoked"), "{what}");
    write_token(&daemon, &hub.user_token("alice", 10 * 86400));
    daemon.await_delivered(2, 60);
    wait_until(20, "the end of the token is told", || {
        let status = daemon.run(&["status", "--json"]).json();
        let health = status["health"].as_array().cloned().unwrap_or_default();
        health
            .iter()
            .any(|notice| notice["code"] == "token-expires")
    });
}
