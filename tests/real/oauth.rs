//! `auth.oauth` against a real certified provider, with faults switched while it runs.

mod faults;
mod keys;
mod login;
mod pace;
mod provider;
mod refusals;
mod rotation;
mod secrets;
mod shift;
mod squirro;
mod tls;
mod ways;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use serde_json::Value;

pub use provider::{Provider, SECRET};

use crate::support::{Room, wait_until};

/// Between two looks at the jobs, which a process of its own takes.
const LOOK: Duration = Duration::from_millis(150);

/// Writes a file that only its owner may read, in one step.
pub fn write_secret(room: &Room, name: &str, text: &str) {
    let (fresh, file) = (room.path(&format!("{name}.new")), room.path(name));
    fs::write(&fresh, text).expect("a secret");
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o600)).expect("chmod");
    fs::rename(fresh, file).expect("a rename");
}

/// A destination at the protected server that gets its tokens by this `auth.oauth`.
pub fn table(provider: &Provider, name: &str, oauth: &str) -> String {
    format!(
        "[destination.{name}]\nserver = \"{}\"\ndirectory = \"{}/{name}\"\nauth.oauth = {{ {oauth} }}\n",
        provider.api, provider.name
    )
}

/// `auth.oauth` of a client of the provider's, by the secret in the file `secret`.
pub fn by_secret(provider: &Provider, id: &str) -> String {
    let url = &provider.url;
    format!("token_url = \"{url}/token\", client_id = \"{id}\", secret = {{ file = \"secret\" }}")
}

/// The same by the refresh token in the file `refresh`.
pub fn by_refresh(provider: &Provider, id: &str) -> String {
    let url = &provider.url;
    format!(
        "token_url = \"{url}/token\", client_id = \"{id}\", refresh_token = {{ file = \"refresh\" }}"
    )
}

/// A room for clients of the provider's that have [`SECRET`]: a destination each, of the same name.
pub fn room_of(provider: &Provider, clients: &[&str]) -> Room {
    let table = |id: &&str| {
        provider.secret_client(id, "client_secret_post");
        table(provider, id, &by_secret(provider, id))
    };
    let room = Room::new(&clients.iter().map(table).collect::<String>());
    write_secret(&room, "secret", SECRET);
    room
}

/// The jobs of a destination.
pub fn jobs_to(room: &Room, destination: &str) -> Vec<Value> {
    let jobs = room.jobs().into_iter();
    jobs.filter(|job| job["destination"] == destination)
        .collect()
}

/// Waits until so many jobs of a destination are delivered.
pub fn await_delivered_to(room: &Room, destination: &str, count: usize, seconds: u64) {
    wait_until(seconds, &format!("{count} at {destination}"), || {
        std::thread::sleep(LOOK);
        let jobs = jobs_to(room, destination);
        let delivered = jobs.iter().filter(|job| job["state"] == "delivered");
        delivered.count() == count
    });
}

/// Waits until a job of a destination is held by this code; its failure.
pub fn await_held(room: &Room, destination: &str, code: &str, seconds: u64) -> Value {
    let mut failure = Value::Null;
    wait_until(seconds, &format!("{destination}: {code}"), || {
        std::thread::sleep(LOOK);
        let jobs = jobs_to(room, destination);
        let held = |job: &&Value| job["state"] == "held" && job["failure"]["code"] == code;
        failure = jobs
            .iter()
            .find(held)
            .map(|job| job["failure"].clone())
            .unwrap_or_default();
        !failure.is_null()
    });
    failure
}

/// Fails if a job has needed more than one attempt, or has failed.
pub fn assert_first_attempt(room: &Room) {
    for job in room.jobs() {
        assert_eq!(job["attempts"], 1, "{job}");
        assert_eq!(job["state"], "delivered", "{job}");
    }
}

/// What a failure says and advises.
pub fn words(failure: &Value) -> String {
    format!("{} {}", failure["what"], failure["advice"])
}
