//! The alerts and the dashboard, by a real Prometheus that scrapes a real daemon.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::delivery::write_token;
use crate::hub::Hub;
use crate::support::{Process, Room, lasting_port, secrets, wait_until};

/// Panels and alerts without data where nothing is wrong with what they tell of.
const EMPTY: [&str; 4] = [
    "NbcourierWaitsLong",
    "NbcourierStuck",
    "NbcourierAbsent",
    "Notifications and listing 1",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn promtool(arguments: &[&str]) {
    let done = Command::new("promtool")
        .args(arguments)
        .current_dir(root())
        .output();
    let done = done.expect("promtool");
    assert!(done.status.success(), "{done:?}");
}

/// A room that delivers to a directory and to a hub by a token that ends, holds for a file in a
/// directory's place, and can't reach a server.
fn room(hub: &Hub) -> Room {
    let room = Room::new(&format!(
        "[destination.share]\npath = \"notebooks\"\ndirectory = \"\"\n\
         [destination.full]\npath = \"full\"\ndirectory = \"\"\n\
         [destination.away]\nserver = \"http://127.0.0.1:9\"\nauth.token = {{ file = \"token\" }}\n\
         [destination.hub]\nhub = \"{}\"\nauth.token = {{ file = \"token\" }}\n",
        hub.url
    ));
    fs::write(room.path("full"), "no directory").expect("a file");
    write_token(&room, &hub.user_token("alice", 3600));
    room
}

/// The address of the room's page.
fn page(room: &Room) -> String {
    let log = room.log();
    let address = log.rsplit_once("page=\"http://").expect("a page").1;
    address.split('/').next().expect("an address").to_owned()
}

fn scraped(room: &Room) -> String {
    let answer = secrets::page(room, "/metrics").unwrap_or_default();
    String::from_utf8_lossy(&answer).into_owned()
}

/// A Prometheus that asks the room's daemon each second, and where it answers.
fn prometheus(dir: &Path, target: &str) -> (Process, String) {
    let rules = root().join("config/alerts.yml");
    let config = format!(
        "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: [{rules:?}]\n\
         scrape_configs:\n- job_name: nbcourier\n  static_configs: [{{ targets: [{target:?}] }}]\n"
    );
    let file = dir.join("prometheus.yml");
    fs::write(&file, config).expect("a configuration");
    let address = format!("127.0.0.1:{}", lasting_port());
    let log = fs::File::create(dir.join("prometheus.log")).expect("a log");
    let mut command = Command::new("prometheus");
    command.arg(format!("--config.file={}", file.display()));
    command.arg(format!(
        "--storage.tsdb.path={}",
        dir.join("tsdb").display()
    ));
    command.arg(format!("--web.listen-address={address}"));
    let process = Process::start(command.stderr(log));
    (process, format!("http://{address}"))
}

fn asked(server: &str) -> Option<Value> {
    let script: PathBuf = root().join("tests/real/metrics.py");
    let done = Command::new("python3")
        .arg(script)
        .arg(server)
        .output()
        .expect("python3");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    // Until it is up, and has evaluated the rules.
    let early = ["refused", "503", "'unknown'"]
        .iter()
        .any(|word| said.contains(word));
    assert!(done.status.success() || early, "{said}");
    serde_json::from_slice(&done.stdout).ok()
}

#[test]
fn the_alerts_come_when_they_should() {
    promtool(&["check", "rules", "config/alerts.yml"]);
    promtool(&["test", "rules", "tests/alerts.yml"]);
}

#[test]
fn every_question_of_the_dashboard_and_the_alerts_is_answered() {
    let hub = Hub::start();
    let mut room = room(&hub);
    room.start();
    let target = page(&room);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (_prometheus, server) = prometheus(dir.path(), &target);
    // Rates need two looks at least.
    for number in 1..=10 {
        room.make_run(number);
        std::thread::sleep(Duration::from_millis(500));
    }
    wait_until(20, "one is held", || room.count("held") > 0);
    wait_until(60, "all are delivered", || room.count("delivered") == 20);
    let mut answer = None;
    let silent = |answer: &Value| -> Vec<String> {
        let asked = answer["asked"].as_array().expect("questions").iter();
        let silent = asked.filter(|one| one["results"] == 0);
        let names = silent.filter_map(|one| one["where"].as_str());
        names
            .filter(|name| !EMPTY.contains(name))
            .map(str::to_owned)
            .collect()
    };
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while std::time::Instant::now() < deadline {
        answer = asked(&server).or(answer);
        if answer
            .as_ref()
            .is_some_and(|answer| silent(answer).is_empty())
        {
            break;
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    let answer = answer.expect("an answer");
    assert_eq!(
        silent(&answer),
        [] as [&str; 0],
        "without data:\n{}",
        scraped(&room)
    );
    let known: Vec<&str> = answer["known"]
        .as_array()
        .expect("names")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    for one in answer["asked"].as_array().expect("questions") {
        for name in one["names"]
            .as_array()
            .expect("names")
            .iter()
            .filter_map(Value::as_str)
        {
            assert!(known.contains(&name), "{name} of {one}");
        }
    }
    let text = scraped(&room);
    for line in [
        "nbcourier_deliveries_total{destination=\"share\",outcome=\"delivered\"} 10",
        "nbcourier_delivery_attempts_total{destination=\"share\",code=\"ok\"} 10",
        "nbcourier_runs_detected_total{watch=\"h4\"} 10",
        "nbcourier_jobs{destination=\"full\",state=\"held\"} 10",
        "nbcourier_run_to_notebook_seconds_count{destination=\"share\"} 10",
        "{destination=\"away\",endpoint=\"server\",status_class=\"none\"}",
        "{destination=\"hub\",endpoint=\"spawn\",status_class=\"2xx\"}",
        "{destination=\"hub\",endpoint=\"contents\",status_class=\"2xx\"}",
        "nbcourier_spawn_duration_seconds_count{destination=\"hub\"} 1",
        "nbcourier_delivery_attempts_total{destination=\"hub\",code=\"ok\"} 10",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
    // Labels are of few values: neither a run nor a user is among them.
    let odd = ["run_0000", "user=", "alice", "other"].map(|word| text.contains(word));
    assert_eq!(odd, [false; 4], "{text}");
}
