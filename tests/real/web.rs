//! The page in a real Chromium, driven by `tests/web/browser.mjs`.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::delivery::write_token;
use crate::hub::{Hub, environment};
use crate::support::{Room, secrets, token, wait_until};

const DIRECTORY: &str = "[destination.dir]\npath = \"notebooks\"\ndirectory = \"\"\n\
    open = \"https://hub.example/{path}\"\n";

/// A destination whose token other users can read: a person is needed.
const HELD: &str =
    "[destination.hub]\nhub = \"http://127.0.0.1:9\"\nauth.token = { file = \"open.token\" }\n";

/// Where the room's page is served.
fn page(room: &Room) -> String {
    let status = room.run(&["status", "--json"]).json();
    status["page"].as_str().expect("a page").to_owned()
}

/// Has a case looked at in a browser.
fn browse(room: &Room, case: &str, mut given: Value) {
    given["page"] = page(room).into();
    given["data"] = room.path("data").display().to_string().into();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/web/browser.mjs");
    let done = Command::new("timeout")
        .args(["--kill-after=5", "120", "node"])
        .arg(script)
        .arg(case)
        .env("NBC_TEST_ENV", environment())
        // What it is given may be secret, and arguments are for everybody.
        .env("NBC_TEST_GIVEN", given.to_string())
        .output()
        .expect("node");
    let told = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{case}: {told}");
}

/// A room with a run that is delivered and waits for a person at once.
fn mixed() -> Room {
    let mut room = Room::new(&format!("{DIRECTORY}{HELD}"));
    let secret = token();
    fs::write(room.path("open.token"), secret).expect("a token");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    fs::set_permissions(room.path("open.token"), open).expect("chmod");
    room.start();
    room.make_run(1);
    wait_until(20, "it is delivered and held", || {
        room.count("delivered") == 1 && room.count("held") == 1
    });
    // The file has done its part, and is none that a secret may stay in.
    fs::write(room.path("open.token"), "").expect("emptied");
    room
}

#[test]
fn rows_grow_while_runs_arrive_and_a_silent_daemon_does_not_look_well() {
    let mut room = Room::new(DIRECTORY);
    room.start();
    browse(&room, "live", json!({ "daemon": room.pid() }));
}

#[test]
fn the_page_works_without_javascript() {
    let room = mixed();
    browse(&room, "plain", json!({}));
}

#[test]
fn everybody_can_use_the_page_in_light_and_dark() {
    let room = mixed();
    let uid = room.jobs()[0]["job"].as_str().expect("a job").to_owned();
    let paths =
        json!({ "paths": ["/run/1", format!("/runs/{uid}.html"), "/?q=nothing", "/run/9"] });
    browse(&room, "everybody", paths);
}

#[test]
fn another_site_gets_nothing_out_of_a_browser_that_may_read_but_may_link_to_the_page() {
    let mut room = Room::new(DIRECTORY);
    let secret = token();
    write_token(&room, &secret);
    let file = room.path("nbcourier.toml");
    let config = fs::read_to_string(&file).expect("a configuration");
    let token = "[status]\nread_token = { file = \"token\" }\n";
    fs::write(file, config.replace("[status]\n", token)).expect("a configuration");
    room.start();
    browse(&room, "sites", json!({ "token": secret }));
}

/// Names as they lie on the disk, and as the page shows them.
const HOSTILE: [(&str, &str); 8] = [
    ("<script>hacked=1", "<script>hacked=1"),
    (
        "<img src=x onerror=hacked=1>",
        "<img src=x onerror=hacked=1>",
    ),
    ("\"><svg onload=hacked=1>", "\"><svg onload=hacked=1>"),
    ("';hacked=1;'", "';hacked=1;'"),
    ("run_\u{202e}gpj.exe", "run_⟨U+202E⟩gpj.exe"),
    ("javascript:hacked=1", "javascript:hacked=1"),
    ("&lt;b&gt; {{7*7}} ${7*7}", "&lt;b&gt; {{7*7}} ${7*7}"),
    ("a\nb\u{1b}[31m", "a%0Ab%1B[31m"),
];

#[test]
fn hostile_names_parameters_and_templates_are_text() {
    let mut room = Room::new(DIRECTORY);
    let file = room.path("nbcourier.toml");
    let config = fs::read_to_string(&file).expect("a configuration");
    let config = config.replace(
        "[notebook.quick]\n",
        "pattern = '(?s)(?<run>.+)'\n[notebook.quick]\n",
    );
    fs::write(file, config).expect("a configuration");
    let bad = "<script>hacked=1</script><img src=x onerror=hacked=1>[x](javascript:hacked=1)";
    let cells = json!([
        { "cell_type": "markdown", "metadata": {}, "source": bad },
        { "cell_type": "code", "metadata": { "tags": ["parameters"] }, "execution_count": null, "source": "run = 0", "outputs": [] },
        { "cell_type": "code", "metadata": {}, "execution_count": 1, "source": bad, "outputs": [
            { "output_type": "display_data", "metadata": {}, "data": { "text/html": bad, "text/plain": bad, "application/javascript": "hacked=1" } } ] },
    ]);
    let kernel = json!({ "name": "python3", "display_name": bad, "language": "python" });
    let template = json!({ "nbformat": 4, "nbformat_minor": 4, "metadata": { "kernelspec": kernel }, "cells": cells });
    fs::write(room.path("quick.ipynb"), template.to_string()).expect("a template");
    room.start();
    let long = "é".repeat(100);
    let names = HOSTILE.map(|(name, _)| name);
    for name in names.iter().chain([&long.as_str()]) {
        let run = room.path("data").join(name);
        fs::create_dir(&run).expect("a run");
        let metadata = json!({ "title": format!("{bad}{name}"), "long": "x".repeat(500) });
        fs::write(run.join("run.json"), metadata.to_string()).expect("metadata");
        fs::write(run.join("DONE"), "").expect("a marker");
    }
    // A name of 200 bytes leaves no room for `.ipynb`.
    wait_until(30, "all are delivered but one", || {
        room.count("delivered") == names.len() && room.count("held") == 1
    });
    let previews = room.jobs();
    let previews = previews
        .iter()
        .map(|job| format!("/runs/{}.html", job["job"].as_str().expect("a job")));
    let stories = (1..=names.len() + 1).map(|id| format!("/run/{id}"));
    let paths: Vec<String> = stories.chain(previews.take(2)).collect();
    let mut shown: Vec<&str> = HOSTILE.iter().map(|(_, shown)| *shown).collect();
    shown.push(&long);
    browse(&room, "hostile", json!({ "shown": shown, "paths": paths }));
}

#[test]
fn ten_thousand_runs_are_loaded_in_under_a_second() {
    let mut room = Room::new(DIRECTORY);
    room.start();
    assert_eq!(room.stop(), 0);
    room.fill(10_000);
    room.arguments = vec!["--only", "detect"];
    room.start();
    browse(&room, "many", json!({}));
}

#[test]
fn the_link_opens_the_notebook_in_a_real_hub_and_the_page_has_it_while_the_hub_is_stopped() {
    let mut hub = Hub::start();
    secrets::note(&hub.token);
    let mut room = Room::new(&format!(
        "[destination.hub]\nhub = \"{}\"\nuser = \"alice\"\ndirectory = \"runs\"\nauth.token = {{ file = \"token\" }}\n",
        hub.url
    ));
    write_token(&room, &hub.token);
    room.start();
    room.make_run(1);
    room.await_delivered(1, 90);
    // The link starts the server after the login.
    hub.stop_server("alice");
    browse(&room, "hub", json!({}));
    hub.stop_server("alice");
    hub.down();
    let file = room.path("home.ipynb");
    browse(&room, "without", json!({ "file": file }));
    let delivered = fs::read(hub.home("alice").join("runs/run_000001.ipynb")).expect("delivered");
    assert_eq!(fs::read(file).expect("downloaded"), delivered);
    hub.up();
}
