//! The stack itself, without nbcourier: what others' programs see of it is what CERN's facts say.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use super::Swan;
use crate::support::wait_until;

/// Options that today's SWAN takes over REST.
fn options(interface: &str) -> Value {
    json!({
        "software_source": "lcg", "lcg": "LCG_110_swan", "platforms": "x86_64-el9-gcc13-opt",
        "scriptenv": "", "cores": 2, "memory": "8G", "use-jupyterlab": interface,
        "use-local-packages": "unchecked", "clusters": "none", "condor": "none", "gpu": "none",
        "rucio": "none", "rucioRSE": "none", "rse_mount_path": "", "path_begins_at": "0", "file": "",
    })
}

/// A token of alice by CERN's own tool, from her keytab alone.
fn token_of_alice(swan: &Swan) -> String {
    let cookies = swan.path("cookies");
    // The tool takes an old file for a login.
    let _ = fs::remove_file(&cookies);
    let login = swan.sso_cookies("alice", "/hub/oauth_login", &cookies);
    assert_eq!(login.code, 0, "{login:?}");
    swan.note_secrets();
    swan.mint("alice", &cookies).expect("a token")
}

#[test]
fn a_wrong_option_is_answered_500_without_a_reason_and_starts_nothing() {
    let swan = Swan::start();
    let token = token_of_alice(&swan);
    let with = |key: &str, value: Value| {
        let mut body = options("checked");
        body[key] = value;
        body
    };
    let without = |key: &str| {
        let mut body = options("checked");
        body.as_object_mut().expect("an object").remove(key);
        body
    };
    let of_2021 = json!({
        "LCG-rel": "LCG_98python3", "platform": "x86_64-centos7-gcc8-opt", "scriptenv": "none",
        "ncores": "2", "memory": "8589934592", "spark-cluster": "none",
    });
    let wrong = [
        of_2021,
        json!({}),
        with("cores", json!("2")),
        with("memory", json!("8")),
        with("memory", json!("8 GB")),
        without("software_source"),
        without("lcg"),
        without("platforms"),
        without("scriptenv"),
        without("use-jupyterlab"),
        without("gpu"),
    ];
    for body in &wrong {
        let (status, answer) = swan.api("POST", "users/alice/server", &token, &body.to_string());
        assert_eq!(
            (status, &answer["message"]),
            (500, &json!("error")),
            "{body}: {answer}"
        );
    }
    assert_eq!(swan.starts("runs", "alice"), 0);
    // What the 500s at random look like from here.
    swan.script("alice", "fail 1");
    let start = || {
        swan.api(
            "POST",
            "users/alice/server",
            &token,
            &options("checked").to_string(),
        )
    };
    assert_eq!(start().0, 500);
    let (status, answer) = start();
    assert!(status == 201 || status == 202, "{answer}");
    swan.await_ready("alice");
}

#[test]
fn a_token_is_refused_while_its_users_sso_is_and_good_again_afterwards_but_not_after_the_culler() {
    let mut swan = Swan::with(&["alice"], &[("NBC_SWAN_REFRESH_AGE", "1")]);
    let token = token_of_alice(&swan);
    let asked = |swan: &Swan| swan.api("GET", "users/alice", &token, "").0;
    let pause = || std::thread::sleep(Duration::from_millis(1500));
    pause();
    assert_eq!(asked(&swan), 200);
    swan.switch(&json!({ "revoke": true }));
    pause();
    assert_eq!(asked(&swan), 403);
    swan.switch(&json!({ "revoke": false }));
    assert_eq!(asked(&swan), 200);
    let culler = swan.cull(2);
    wait_until(60, "she is culled", || {
        swan.api("GET", "users/alice", &swan.admin, "").0 == 404
    });
    drop(culler);
    assert_eq!(asked(&swan), 403);
    // Nor does a hub know it that has started again.
    swan.down();
    swan.up();
    let fresh = token_of_alice(&swan);
    assert_eq!(asked(&swan), 403);
    assert_eq!(swan.api("GET", "users/alice", &fresh, "").0, 200);
}
