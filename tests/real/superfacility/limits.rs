//! What the API can't do, and what it says of its client.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use super::{DIRECTORY, Stand};
use crate::support::{files, secrets, wait_until};

#[test]
fn a_notebook_that_is_too_large_is_given_up_before_or_after_it_is_sent() {
    let stand = Stand::start();
    let mut room = stand.room("max_bytes = 20_000");
    room.start();
    let long = format!("{{\"energy\": 1.5, \"note\": \"{}\"}}", "x".repeat(20_000));
    room.make_run_with(1, &long);
    let failure = room.await_failure("notebook-too-large", 20);
    assert_eq!(failure["class"], "give-up", "{failure}");
    assert_eq!(stand.count("PUT", "/upload/"), 0);
    stand.fault(
        "PUT",
        &["/upload/"],
        &json!({ "status": 413, "body": "<p>Too large</p>" }),
    );
    room.make_run(2);
    wait_until(10, "it is given up too", || room.count("failed") == 2);
    room.make_run(3);
    wait_until(20, "others are delivered", || room.count("delivered") == 1);
    assert_eq!(files(&stand.runs()).len(), 1);
}

#[test]
fn directories_that_are_missing_are_named_and_waited_for() {
    let stand = Stand::start();
    let keys = format!("directory = \"{DIRECTORY}/{{campaign}}\"");
    let mut room = stand.room(&keys);
    fs::create_dir(stand.runs().join("H4")).expect("a directory");
    room.start();
    room.make_run_with(1, "{\"campaign\": \"H 6\"}");
    room.make_run_with(2, "{\"campaign\": \"H4\"}");
    let failure = room.await_failure("directory-missing", 20);
    assert_eq!(failure["class"], "hold", "{failure}");
    let advice = failure["advice"].as_str().expect("advice");
    // A blank could separate words of a command.
    assert!(
        advice.contains(&format!("mkdir -p {DIRECTORY}/H_6 ")),
        "{advice}"
    );
    wait_until(20, "the other is delivered", || {
        room.count("delivered") == 1
    });
    fs::create_dir(stand.runs().join("H_6")).expect("a directory");
    room.await_delivered(2, 20);

    fs::rename(stand.runs(), stand.path("away")).expect("renamed");
    room.make_run_with(3, "{\"campaign\": \"H4\"}");
    let failure = room.await_failure("not-writable", 20);
    let advice = failure["advice"].as_str().expect("advice");
    assert!(
        advice.contains(&format!("mkdir -p {DIRECTORY} ")),
        "{advice}"
    );
    let checked = room.run(&["check"]);
    assert!(checked.out.contains("there is no directory"), "{checked:?}");
    fs::rename(stand.path("away"), stand.runs()).expect("renamed");
    room.await_delivered(3, 20);
}

#[test]
fn what_a_run_is_called_can_not_become_a_command() {
    let stand = Stand::start();
    let mut room = stand.room("");
    let text = fs::read_to_string(room.path("nbcourier.toml")).expect("the configuration");
    let named = text.replace(
        "quick.ipynb\"\n",
        "quick.ipynb\"\nname = \"{beam} {run_name}.ipynb\"\n",
    );
    fs::write(room.path("nbcourier.toml"), named).expect("written");
    room.start();
    room.make_run_with(1, "{\"beam\": \"e-$(touch /tmp/x);`id`'\\\"..é\"}");
    room.await_delivered(1, 20);
    let name = "e-__touch__tmp_x___id___..__run_000001.ipynb";
    assert_eq!(files(&stand.runs()), [stand.runs().join(name)]);
    let path = room.jobs()[0]["path"].clone();
    assert_eq!(path, format!("{}/{name}", &DIRECTORY[1..]));
}

#[test]
fn check_says_whose_the_client_is_when_it_ends_and_leaves_one_test_notebook() {
    let stand = Stand::start();
    let mut room = stand.room("");
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(40);
    let mine = ["daqclientaaaa".to_owned(), soon.to_string()];
    stand.order(&json!({ "listed": [["daqclientbbbb", "2020-01-01T00:00:00Z"], mine] }));
    for _ in 0..2 {
        let checked = room.run(&["check", "--deliver"]);
        assert_eq!(checked.code, 0, "{checked:?}");
        for part in [
            "perlmutter is active",
            "user alice",
            &format!("directory {DIRECTORY}"),
            &format!("expires {soon}"),
            "the client `daq a` ends in less than 3 days",
            "make a new one in Iris",
            &format!("and stays: {DIRECTORY}/nbcourier-check.ipynb"),
        ] {
            assert!(checked.out.contains(part), "{part}: {checked:?}");
        }
    }
    assert_eq!(stand.count("PUT", "/upload/"), 2);
    assert_eq!(files(&stand.runs()).len(), 1);
    room.start();
    let end = || room.run(&["status", "--json"]).json();
    wait_until(10, "the end is known", || {
        end()["destinations"][0]["token_expires_at"] == soon.to_string()
    });
    let metrics = secrets::page(&room, "/metrics").unwrap_or_default();
    let line = format!(
        "nbcourier_credential_expiry_timestamp_seconds{{destination=\"nersc\"}} {}\n",
        soon.as_second()
    );
    let metrics = String::from_utf8_lossy(&metrics);
    assert!(metrics.contains(&line), "{metrics}");
    let health = end()["health"].to_string();
    assert!(health.contains("ends in less than 3 days"), "{health}");
}

#[test]
fn another_machine_or_another_service_is_told_from_a_bad_day() {
    let stand = Stand::start();
    let room = stand.room("");
    let text = fs::read_to_string(room.path("nbcourier.toml")).expect("the configuration");
    for (from, to) in [("\"perlmutter\"", "\"cori\""), ("/api/v1.2", "/api/v9")] {
        let wrong = text.replacen(from, to, 1);
        fs::write(room.path("nbcourier.toml"), wrong).expect("written");
        let checked = room.run(&["check"]);
        assert_eq!(checked.code, 1, "{checked:?}");
        assert!(checked.out.contains("(not-a-superfacility)"), "{checked:?}");
    }
    // Iris shows tokens too, for a quick try; such a one is sent as any other.
    let kept = text.split("auth.oauth").next().unwrap_or_default();
    let kept = format!("{kept}auth.token = {{ file = \"token\" }}\n");
    fs::write(room.path("nbcourier.toml"), kept).expect("written");
    fs::write(room.path("token"), "unknown").expect("written");
    fs::set_permissions(room.path("token"), fs::Permissions::from_mode(0o600)).expect("chmod");
    let checked = room.run(&["check"]);
    assert_eq!(checked.code, 77, "{checked:?}");
    let seen = stand.seen();
    let sent = &seen.last().expect("a call")["headers"];
    let sent = sent["authorization"]
        .as_str()
        .or_else(|| sent["Authorization"].as_str());
    assert_eq!(sent, Some("Bearer unknown"));
}
