//! What can be read and what can't be done while no daemon runs.

use super::Site;
use crate::hub::request;
use crate::link::Way;
use crate::support::secrets::page;
use crate::support::{make, wait_until};

#[test]
fn with_all_daemons_down_the_ledger_can_be_read_from_every_machine() {
    let site = Site::new();
    let mut machine = site.machine("", &site.detecting("h1"));
    let other = site.machine("deliver", &site.detecting("h1"));
    let early = other.room.run(&["runs"]);
    assert_eq!(early.code, 69, "there is no ledger yet: {early:?}");
    machine.room.start();
    let data = machine.room.path("data");
    make(&data, "run_000001", "{\"energy\": 1}");
    site.await_delivered(1, 20);
    assert_eq!(machine.room.stop(), 0);
    for machine in [&machine, &other] {
        let status = machine.room.run(&["status", "--json"]);
        assert_eq!(status.code, 69, "{status:?}");
        assert_eq!(status.json()["jobs"]["delivered"], 1);
        assert_eq!(machine.room.ledger(), ["h1:run_000001 ready delivered"]);
        let show = machine.room.run(&["show", "run_000001", "--json"]);
        assert_eq!(show.code, 0, "{show:?}");
        assert_eq!(show.json()["jobs"][0]["state"], "delivered");
        let show = machine.room.run(&["show", "run_000001"]);
        assert!(show.out.contains("delivered"), "{show:?}");
    }
}

#[test]
fn the_page_of_each_machine_shows_the_runs_of_all() {
    let site = Site::new();
    let mut machine = site.machine("", &site.detecting("h1"));
    let mut other = site.machine("deliver", &site.detecting("h1"));
    machine.room.start();
    other.room.start();
    make(&machine.room.path("data"), "run_000001", "{\"energy\": 1}");
    site.await_delivered(1, 20);
    for (path, shown) in [
        ("/", "all well"),
        ("/?q=RUN_000001&state=delivered&before=9", "delivered"),
        ("/?state=held", "No run is like that"),
        ("/run/1", "first seen"),
        ("/runs/run_000001.html", "parameters of this run"),
        ("/api/v1/runs/h1:run_000001", "\"events\""),
        ("/readyz", "ready"),
    ] {
        for room in [&machine.room, &other.room] {
            let answer = page(room, path).expect("the page");
            let answer = String::from_utf8_lossy(&answer).into_owned();
            let well = answer.starts_with("HTTP/1.1 200") && answer.contains(shown);
            assert!(well, "{path}: {answer}");
        }
    }
    let status = other.room.run(&["status", "--json"]).json();
    let base = status["page"].as_str().expect("a page").to_owned();
    let is = |path: &str, code| request("GET", &format!("{base}{path}"), "", "").0 == code;
    other.link.cut(Way::Refused);
    for path in ["", "run/1", "api/v1/runs", "readyz"] {
        wait_until(30, "the page says that the ledger is away", || {
            is(path, 503)
        });
    }
    assert!(is("healthz", 200), "the process lives");
    other.link.heal();
    for path in ["", "readyz"] {
        wait_until(30, "all is there again", || is(path, 200));
    }
}

#[test]
fn a_shared_ledger_is_not_backed_up_here_and_it_is_said_how() {
    let site = Site::new();
    let mut machine = site.machine("", &site.detecting("h1"));
    let file = machine.room.path("backup");
    let words = ["backup", file.to_str().expect("a path")];
    for running in [false, true] {
        if running {
            machine.room.start();
        }
        let ended = machine.room.run(&words);
        assert_eq!(ended.code, 78, "{ended:?}");
        assert!(ended.err.contains("pg_dump"), "{ended:?}");
        assert!(!file.exists());
    }
    let restore = machine.room.run(&["restore", words[1]]);
    assert_eq!(restore.code, 78, "{restore:?}");
}
