//! Trouble at the API: all delivered, once, and nobody's file touched.

use std::fs;

use serde_json::json;

use super::{DIRECTORY, Stand};
use crate::support::{assert_one_whole_notebook_each, files, wait_until};

#[test]
fn whatever_the_api_answers_each_run_is_delivered_once() {
    let stand = Stand::start();
    let mut room = stand.room("");
    let error =
        |words: &str| json!({ "status": 200, "body": { "status": "ERROR", "error": words } });
    let page = |title: &str| json!({ "status": 200, "body": format!("<title>{title}</title>") });
    let status = |status: u16| json!({ "status": status });
    let kind = |kind: &str| json!({ "kind": kind });
    let faults = [
        ("/upload/", error("Disk quota exceeded"), "storage-full"),
        ("/upload/", error("the worker was lost"), "hub-error"),
        ("/upload/", status(500), "hub-error"),
        ("/upload/", status(502), "answer-lost"),
        ("/upload/", status(403), "not-writable"),
        ("/upload/", kind("half"), "storage-full"),
        ("/upload/", kind("lose"), "answer-lost"),
        ("/upload/", kind("cut"), "answer-lost"),
        ("/ls/", kind("cut"), "hub-unreachable"),
        ("/ls/", status(503), "hub-down"),
        ("/ls/", page("Sign in"), "page-instead-of-api"),
        ("/download/", kind("cut"), "hub-unreachable"),
    ];
    let runs: Vec<_> = (1..=faults.len())
        .map(|number| format!("run_{number:06}"))
        .collect();
    for (run, (call, fault, _)) in runs.iter().zip(&faults) {
        let method = if *call == "/upload/" { "PUT" } else { "GET" };
        stand.fault(method, &[call, run], fault);
    }
    (1..)
        .zip(&runs)
        .for_each(|(number, _)| drop(room.make_run(number)));
    room.start();
    room.await_delivered(runs.len(), 40);
    assert_eq!(stand.order(&json!({})), 0, "every fault was met");
    for (run, (_, fault, code)) in runs.iter().zip(&faults) {
        let shown = room.run(&["show", run]);
        assert!(shown.out.contains(code), "{fault}: {code}: {shown:?}");
    }
    assert_one_whole_notebook_each(&stand.runs(), &runs);
}

#[test]
fn what_stands_there_is_never_replaced_or_followed() {
    let stand = Stand::start();
    let mut room = stand.room("");
    let runs = stand.runs();
    fs::write(runs.join("run_000001.ipynb"), "a person's").expect("a file");
    // An empty file is the beginning of every notebook, and still somebody's.
    fs::write(runs.join("run_000002.ipynb"), "").expect("a file");
    fs::create_dir(runs.join("run_000003.ipynb")).expect("a directory");
    let precious = stand.path("precious");
    fs::write(&precious, "a person's").expect("a file");
    std::os::unix::fs::symlink(&precious, runs.join("run_000004.ipynb")).expect("a link");
    // Files of others may not be readable, or for a moment not be there for the one who reads.
    for (number, words) in [(5, "Permission denied"), (6, "No such file or directory")] {
        let name = format!("run_{number:06}.ipynb");
        fs::write(runs.join(&name), "a person's").expect("a file");
        let error = json!({ "status": "ERROR", "error": words });
        stand.fault(
            "GET",
            &["/download/", &name],
            &json!({ "status": 200, "body": error }),
        );
    }
    room.start();
    (1..=6).for_each(|number| drop(room.make_run(number)));
    room.await_delivered(6, 20);
    for job in room.jobs() {
        assert_eq!(job["outcome"], "numbered", "{job}");
        let path = job["path"].as_str().expect("a path");
        assert!(
            path.starts_with(&DIRECTORY[1..]) && path.ends_with("-2.ipynb"),
            "{path}"
        );
        let url = job["url"].as_str().expect("a link");
        let server = "https://jupyter.nersc.gov/user/alice/perlmutter-login-node-base/lab/tree";
        assert_eq!(url, format!("{server}/{path}"));
    }
    for (number, text) in [
        (1, "a person's"),
        (2, ""),
        (5, "a person's"),
        (6, "a person's"),
    ] {
        let file = runs.join(format!("run_{number:06}.ipynb"));
        assert_eq!(fs::read_to_string(file).expect("a file"), text);
    }
    assert_eq!(fs::read_to_string(precious).expect("a file"), "a person's");
}

#[test]
fn a_token_that_ends_too_early_is_replaced_and_the_call_sent_again() {
    let stand = Stand::start();
    let mut room = stand.room("");
    room.start();
    room.make_run(1);
    room.await_delivered(1, 20);
    for number in 2..=3 {
        // In the middle of the delivery as well: an upload is sent again, whole.
        match number {
            2 => drop(stand.order(&json!({ "revoke": true }))),
            _ => stand.fault("PUT", &["/upload/"], &json!({ "status": 401 })),
        }
        let before = stand.seen().len();
        room.make_run(number);
        room.await_delivered(number as usize, 20);
        let seen = stand.seen();
        let refused = seen[before..].iter().filter(|call| call["status"] == 401);
        assert_eq!(refused.count(), 1, "{number}: {:#?}", &seen[before..]);
    }
    assert_eq!(stand.count("POST", "/c2id/token"), 3);
    let attempts: Vec<_> = room
        .jobs()
        .iter()
        .map(|job| job["attempts"].clone())
        .collect();
    assert_eq!(attempts, [1, 1, 1], "no job has noticed");
    let runs: Vec<_> = (1..=3).map(|number| format!("run_{number:06}")).collect();
    assert_one_whole_notebook_each(&stand.runs(), &runs);
}

#[test]
fn a_client_that_is_refused_holds_its_destination_until_its_key_is_swapped() {
    let stand = Stand::start();
    let mut room = stand.room("");
    room.start();
    room.make_run(1);
    room.await_delivered(1, 20);
    // Its address is no longer in the range: tokens are issued, and refused.
    stand.order(&json!({ "refuse": 403 }));
    room.make_run(2);
    let failure = room.await_failure("token-refused", 20);
    assert_eq!(failure["class"], "hold", "{failure}");
    for cause in ["expired", "address", "key", "security level"] {
        let advice = failure["advice"].as_str().expect("advice");
        assert!(advice.contains(cause), "{advice}");
    }
    stand.order(&json!({ "refuse": 0 }));
    room.await_delivered(2, 20);
    // It has expired: no token is issued any more, and the one that is there is refused.
    stand.order(&json!({ "disabled": ["daqclientaaaa"] }));
    room.make_run(3);
    let failure = room.await_failure("client-refused", 20);
    assert_eq!(failure["class"], "hold", "{failure}");
    assert_eq!(room.run(&["check"]).code, 77);
    stand.give_key(&room, "other.json");
    room.await_delivered(3, 20);
    assert_eq!(room.count("failed"), 0);
    assert_eq!(files(&stand.runs()).len(), 3);
}

#[test]
fn a_machine_that_is_unavailable_is_waited_for() {
    let stand = Stand::start();
    let mut room = stand.room("");
    stand.order(&json!({ "status": "unavailable", "notes": ["Back at noon"] }));
    room.start();
    (1..=3).for_each(|number| drop(room.make_run(number)));
    let failure = room.await_failure("machine-unavailable", 20);
    assert_eq!(failure["class"], "retry", "{failure}");
    let what = failure["what"].as_str().expect("what");
    assert!(
        what.ends_with("perlmutter is unavailable: Back at noon"),
        "{what}"
    );
    let checked = room.run(&["check"]);
    assert_eq!(checked.code, 69, "{checked:?}");
    assert_eq!(stand.count("PUT", "/upload/"), 0);
    assert_eq!(
        stand.count("POST", "/c2id/token"),
        0,
        "nothing is asked of what is down"
    );
    stand.order(&json!({ "status": "degraded", "notes": [] }));
    room.await_delivered(3, 20);
    wait_until(10, "it is well again", || room.run(&["status"]).code == 0);
}
