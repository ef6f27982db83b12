//! `init --login`: a person at another browser gives the daemon its refresh token.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{ChildStderr, Stdio};

use serde_json::json;

use super::{Provider, by_refresh, table};
use crate::support::{Process, Room};

/// A login that waits for its person.
struct Login {
    process: Process,
    told: BufReader<ChildStderr>,
    code: String,
}

impl Login {
    /// Starts it, and reads on until it shows where to go and what to type there.
    fn start(room: &Room, provider: &Provider, destination: &str) -> Self {
        let mut command = room.program();
        command.args(["init", "--login", destination]);
        let mut process = Process::start(command.stderr(Stdio::piped()));
        let mut told = BufReader::new(process.0.stderr.take().expect("a pipe"));
        let mut text = String::new();
        let is_code = |word: &&str| {
            let letters = word.bytes().filter(u8::is_ascii_uppercase).count();
            word.len() == 9 && letters == 8 && word.as_bytes()[4] == b'-'
        };
        loop {
            let read = told.read_line(&mut text).expect("text");
            assert!(read > 0, "no code: {text}");
            let code = text.split_whitespace().find(is_code).map(str::to_owned);
            if let Some(code) = code.filter(|_| text.contains(&format!("{}/device", provider.url)))
            {
                return Self {
                    process,
                    told,
                    code,
                };
            }
        }
    }

    /// Waits for its end: its exit code and its last words.
    fn end(mut self) -> (i32, String) {
        let mut words = String::new();
        while self.told.read_line(&mut words).is_ok_and(|read| read > 0) {}
        (self.process.wait(10), words)
    }
}

#[test]
fn a_login_stores_a_token_for_the_daemon_and_a_refusal_is_told() {
    let provider = Provider::start();
    provider.refresh_client("person", true);
    let url = &provider.url;
    let oauth = by_refresh(&provider, "person").replace(
        &format!("token_url = \"{url}/token\""),
        &format!("issuer = \"{url}\""),
    );
    let oauth = format!("{oauth}, scope = \"openid offline_access\"");
    let tables = table(&provider, "mine", &oauth) + &table(&provider, "refused", &oauth);
    let mut room = Room::new(&tables.replace("{ file = \"refresh\" }", "{ file = \"absent\" }"));
    let (mine, refused) = std::thread::scope(|scope| {
        let both = [("mine", true), ("refused", false)].map(|(destination, consents)| {
            let login = Login::start(&room, &provider, destination);
            let code = login.code.clone();
            let title = provider.order("person", &json!({ "code": code, "consents": consents }));
            eprintln!("{destination}: {title}");
            scope.spawn(move || login.end())
        });
        let [mine, refused] = both.map(|thread| thread.join().expect("an end"));
        (mine, refused)
    });
    assert_eq!(mine.0, 0, "{}", mine.1);
    assert_eq!(refused.0, 77, "{}", refused.1);
    let stored = room.path("state/tokens/mine.json");
    let facts = std::fs::metadata(stored).expect("a stored token");
    assert_eq!(facts.permissions().mode() & 0o777, 0o600);
    room.start();
    room.make_run(1);
    super::await_delivered_to(&room, "mine", 1, 30);
    super::await_held(&room, "refused", "credential-unreadable", 20);
}
