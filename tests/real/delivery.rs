//! Into a real hub, a real server and a directory.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::hub::{Hub, Server, environment};
use crate::support::{
    Room, assert_ledger_is_sound, assert_one_whole_notebook_each, files, long, random,
};

/// What every notebook below a directory shows when it is executed, all being valid.
fn executed(directory: &Path) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/validate.py");
    let done = Command::new(environment().join("python/bin/python"))
        .arg(script)
        .arg(directory)
        .output()
        .expect("python");
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    serde_json::from_slice(&done.stdout).expect("JSON")
}

fn assert_shows_its_run(directory: &Path, count: u32) {
    let shown = executed(directory);
    assert_eq!(
        shown.as_object().map(serde_json::Map::len),
        Some(count as usize)
    );
    for number in 1..=count {
        let line = format!("run_{number:06} {number:06} {number}.5 e-\"\n");
        assert_eq!(shown[format!("run_{number:06}.ipynb")], line);
    }
}

/// A room whose runs go to alice and to bob: one notebook table each.
pub fn room_for_two(hub_url: &str, token: &str) -> Room {
    let table = |user: &str| {
        format!(
            "[destination.{user}]\nhub = \"{hub_url}\"\nuser = \"{user}\"\ndirectory = \"runs/h4\"\n\
             auth.token = {{ file = \"token\" }}\n"
        )
    };
    let room = Room::new(&(table("alice") + &table("bob")));
    write_token(&room, token);
    room
}

pub fn write_token(room: &Room, token: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let (fresh, file) = (room.path("token.new"), room.path("token"));
    fs::write(&fresh, token).expect("a token");
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o600)).expect("chmod");
    fs::rename(fresh, file).expect("renamed");
}

/// Analysts edit their template in Jupyter; each run takes it as it is then.
#[test]
fn a_template_on_the_users_own_server_is_read_for_each_run() {
    let hub = Hub::start();
    let mut room = Room::new(&format!(
        "[destination.hub]\nhub = \"{}\"\nuser = \"alice\"\ndirectory = \"runs\"\nauth.token = {{ file = \"token\" }}\n",
        hub.url
    ));
    let config = fs::read_to_string(room.path("nbcourier.toml")).expect("a configuration");
    let config = config.replace("\"quick.ipynb\"", "\"contents:my templates/é.ipynb\"");
    fs::write(room.path("nbcourier.toml"), config).expect("write");
    write_token(&room, &hub.token);
    room.start();
    room.make_run(1);
    let failure = room.await_failure("template-not-there", 60);
    assert_eq!(failure["class"], "hold");
    let folder = hub.home("alice").join("my templates");
    fs::create_dir_all(&folder).expect("a folder");
    let template = fs::read_to_string(room.path("quick.ipynb")).expect("a template");
    fs::write(folder.join("é.ipynb"), &template).expect("write");
    room.await_delivered(1, 60);
    fs::write(folder.join("é.ipynb"), "{}").expect("write");
    room.make_run(2);
    room.await_delivered(2, 60);
    let status = room.run(&["status", "--json"]).json();
    let health = status["health"].as_array().expect("health");
    assert!(
        health
            .iter()
            .any(|notice| notice["code"] == "template-broken"),
        "{health:?}"
    );
    assert_shows_its_run(&hub.home("alice").join("runs"), 2);
}

#[test]
fn twenty_runs_for_two_users_with_stopped_servers_give_forty_notebooks() {
    let hub = Hub::start();
    let mut room = room_for_two(&hub.url, &hub.token);
    let checked = room.run(&["check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    assert!(
        !checked.out.contains("more than a delivery needs"),
        "{}",
        checked.out
    );
    room.start();
    for number in 1..=20 {
        room.make_run(number);
    }
    room.await_delivered(40, 120);
    for user in ["alice", "bob"] {
        let directory = hub.home(user).join("runs/h4");
        assert_eq!(files(&directory).len(), 20);
        assert_shows_its_run(&directory, 20);
    }
    assert!(room.jobs().iter().all(|job| {
        let url = job["url"].as_str().unwrap_or_default();
        url.starts_with(&format!(
            "{}/hub/user-redirect/lab/tree/runs/h4/run_0000",
            hub.url
        ))
    }));
    let checked = room.run(&["check", "--deliver"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    assert_eq!(files(&hub.home("alice").join("runs/h4")).len(), 20);
    assert_eq!(room.stop(), 0);
}

#[test]
fn twenty_runs_into_a_plain_server_and_a_directory() {
    let server = Server::start();
    let tables = format!(
        "[destination.server]\nserver = \"{}\"\ndirectory = \"runs/h4\"\nauth.token = {{ file = \"token\" }}\n\
         [destination.dir]\npath = \"notebooks\"\ndirectory = \"\"\n",
        server.url
    );
    let mut room = Room::new(&tables);
    write_token(&room, &server.token);
    let checked = room.run(&["check", "--deliver"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    room.start();
    for number in 1..=20 {
        room.make_run(number);
    }
    room.await_delivered(40, 60);
    assert_shows_its_run(&server.root().join("runs/h4"), 20);
    assert_shows_its_run(&room.path("notebooks"), 20);
}

#[test]
fn killed_at_random_moments_it_delivers_every_run_exactly_once_to_a_real_server() {
    let (kills, runs) = if long() { (300, 1000) } else { (30, 200) };
    let server = Server::start();
    let mut room = Room::new(&format!(
        "[destination.server]\nserver = \"{}\"\ndirectory = \"runs\"\nauth.token = {{ file = \"token\" }}\n",
        server.url
    ));
    write_token(&room, &server.token);
    room.start();
    let mut names = Vec::new();
    for kill in 0..kills {
        while names.len() < runs * (kill + 1) / kills {
            let number = u32::try_from(names.len()).expect("a small number") + 1;
            room.make_run(number);
            names.push(format!("run_{number:06}"));
        }
        std::thread::sleep(Duration::from_millis(100 + random(500)));
        room.kill();
        room.launch();
    }
    room.await_delivered(runs, 180);
    assert_one_whole_notebook_each(&server.root().join("runs"), &names);
    assert_eq!(room.stop(), 0);
    assert_ledger_is_sound(&room);
}
