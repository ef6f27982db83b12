//! Tokens that a hub makes for nbcourier, by a credential that may do nothing else; and the lines of
//! the README that give it this right, or the right to deliver.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::cookies::revoke;
use crate::delivery::{room_for_two, write_token};
use crate::hub::Hub;
use crate::support::{Process, Room, files, lasting_port, wait_until};
use crate::tokens::checked;

/// A token endpoint that issues what a file holds.
const ISSUER: &str = r#"
import http.server, json, sys
class Issuer(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        token = open(sys.argv[2]).read()
        text = json.dumps({"access_token": token, "token_type": "bearer", "expires_in": 600}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    def log_message(self, *words):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Issuer).serve_forever()
"#;

/// The README's lines for an administrator, the first or the second, with the token where it is.
fn readme(at: usize, token: &Path) -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(readme).expect("the README");
    let mut snippets = readme
        .split("```python\n")
        .filter(|text| text.starts_with("# jupyterhub_config.py"));
    let snippet = snippets.nth(at).expect("the lines");
    let snippet = snippet.split("```").next().unwrap_or_default();
    let file = "/srv/jupyterhub/nbcourier.token";
    assert!(snippet.contains(file));
    snippet.replace(file, &token.display().to_string())
}

#[test]
fn the_readmes_service_delivers_for_its_users_and_nothing_is_too_much() {
    let hub = Hub::with(&["alice", "bob"], |token| readme(0, token));
    let mut room = room_for_two(&hub.url, &hub.token);
    let checked = room.run(&["check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    assert!(!checked.out.contains('!'), "{}", checked.out);
    let who = "the token of the service nbcourier, from file ";
    let may = "may access:servers, delete:servers, read:servers, start:servers for user=alice";
    assert!(
        checked.out.contains(who) && checked.out.contains(may),
        "{}",
        checked.out
    );
    room.start();
    room.make_run(1);
    room.await_delivered(2, 60);
}

/// The tokens that were made for a user, as the hub lists them.
pub fn made(hub: &Hub, user: &str) -> Vec<Value> {
    let (status, list) = hub.api("GET", &format!("users/{user}/tokens"), &hub.admin, "");
    assert_eq!(status, 200, "{list}");
    let mut made = list["api_tokens"].as_array().cloned().unwrap_or_default();
    made.retain(|token| {
        token["note"]
            .as_str()
            .is_some_and(|note| note.starts_with("nbcourier on "))
    });
    made
}

/// When each was made: a hub gives the number of a deleted one to another.
fn births(tokens: &[Value]) -> Vec<&str> {
    tokens
        .iter()
        .filter_map(|token| token["created"].as_str())
        .collect()
}

#[test]
fn only_the_tokens_that_the_hub_makes_deliver_and_they_are_made_anew() {
    let hub = Hub::with(&["alice", "bob"], |token| readme(1, token));
    let port = lasting_port();
    let mut room = Room::new(&format!(
        "[destination.hub]\nhub = \"{}\"\nuser = \"alice\"\ndirectory = \"runs\"\n\
         auth.oauth = {{ token_url = \"http://127.0.0.1:{port}/token\", client_id = \"daq\", \
         secret = {{ file = \"token\" }}, mint = \"15s\" }}\n",
        hub.url
    ));
    write_token(&room, "the-clients-own-secret");
    let issued = hub.dir.path().join("issued");
    fs::write(&issued, &hub.token).expect("a token");
    let mut issuer = Command::new("python3");
    issuer.args(["-c", ISSUER, &port.to_string()]).arg(&issued);
    let _issuer = Process::start(issuer.stderr(Stdio::null()));
    wait_until(10, "tokens are issued", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    let (exit, words) = checked(&room);
    assert_eq!(exit, 0, "{words}");
    assert!(
        words.contains("the token of the user alice") && words.contains("of nbcourier"),
        "{words}"
    );
    assert!(!words.contains("may do more than"), "{words}");
    room.start();
    room.make_run(1);
    room.await_delivered(1, 60);
    let first = made(&hub, "alice");
    let newest = first.last().expect("a token");
    assert!(
        newest["expires_at"].is_string() && made(&hub, "bob").is_empty(),
        "{newest}"
    );
    let mut scopes: Vec<&str> = newest["scopes"]
        .as_array()
        .expect("scopes")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    scopes.retain(|scope| !scope.starts_with("read:users:"));
    scopes.sort_unstable();
    assert_eq!(
        scopes,
        [
            "access:servers!user=alice",
            "delete:servers!user=alice",
            "read:servers!user=alice",
            "start:servers!user=alice"
        ]
    );
    // Revoked while it is used. The server would remember it for a while; a stopped one doesn't.
    revoke(&hub, "alice");
    hub.stop_server("alice");
    room.make_run(2);
    room.await_delivered(2, 60);
    let second = made(&hub, "alice");
    assert!(!second.is_empty());
    assert!(
        births(&second)
            .iter()
            .all(|birth| !births(&first).contains(birth))
    );
    // It ends, and nobody waits for a refusal.
    wait_until(25, "it has ended", || {
        made(&hub, "alice")
            .iter()
            .all(|token| !births(&second).contains(&token["created"].as_str().unwrap_or_default()))
    });
    room.make_run(3);
    room.await_delivered(3, 60);
    assert_eq!(files(&hub.home("alice").join("runs")).len(), 3);
    assert!(room.jobs().iter().all(|job| {
        job["attempts"]
            .as_u64()
            .is_some_and(|attempts| attempts <= 2)
    }));
    assert_eq!(room.stop(), 0);
    for secret in [hub.token.as_str(), "the-clients-own-secret"] {
        assert!(!room.log().contains(secret));
    }
    // A credential that may start and see servers, but make no tokens; and one that may do everything.
    fs::write(&issued, &hub.blind).expect("a token");
    let (exit, words) = checked(&room);
    assert_eq!(exit, 77, "{words}");
    assert!(
        words.contains("(scope-missing)") && words.contains("lacks the scope tokens!user=alice"),
        "{words}"
    );
    fs::write(&issued, &hub.admin).expect("a token");
    let (exit, words) = checked(&room);
    assert_eq!(exit, 0, "{words}");
    assert!(
        words.contains("the credential may do more than making tokens"),
        "{words}"
    );
}
