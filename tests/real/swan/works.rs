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

fn names(listing: &Value) -> Vec<&str> {
    let entries = listing["content"].as_array().expect("a listing");
    entries
        .iter()
        .filter_map(|entry| entry["name"].as_str())
        .collect()
}

#[test]
fn a_keytab_alone_leads_to_a_server_with_todays_options_and_to_its_contents() {
    let swan = Swan::start();
    let token = token_of_alice(&swan);
    let notebook = json!({ "type": "notebook", "content": {
        "cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5,
    } });
    // In JupyterLab the root is all of EOS, else the home.
    for (interface, root, home) in [
        ("unchecked", "SWAN_projects", ""),
        ("checked", "user", "user/a/alice/"),
    ] {
        let body = options(interface).to_string();
        let (status, answer) = swan.api("POST", "users/alice/server", &token, &body);
        assert!(status == 201 || status == 202, "{status} {answer}");
        swan.await_ready("alice");
        let folder = format!("{home}SWAN_projects");
        let project = json!({ "type": "directory", "is_project": true });
        let ask = |method: &str, path: &str, body: &Value| {
            swan.contents(method, "alice", path, &token, body)
        };
        let plain = json!({ "type": "directory" });
        let (status, answer) = ask("PUT", &folder, &plain);
        assert_eq!(status, 201, "{answer}");
        let (status, answer) = ask("PUT", &format!("{folder}/h4"), &project);
        assert_eq!(
            (status, &answer["is_project"]),
            (201, &json!(true)),
            "{answer}"
        );
        let (status, answer) = ask("PUT", &format!("{folder}/h4/{interface}.ipynb"), &notebook);
        assert_eq!(status, 201, "{answer}");
        assert!(
            swan.home("alice")
                .join(format!("SWAN_projects/h4/{interface}.ipynb"))
                .exists()
        );
        let (status, listing) = ask("GET", "", &Value::Null);
        assert_eq!(status, 200, "{listing}");
        assert!(names(&listing).contains(&root), "{listing}");
        swan.stop_server("alice");
    }
    assert_eq!(swan.starts("runs", "alice"), 2);
    assert_eq!(swan.seen("logins"), 1);
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
fn cerns_tool_ends_well_without_a_login_where_a_code_is_asked_for_or_the_hub_denies() {
    let swan = Swan::start();
    let cookies = swan.path("cookies");
    let switch = |name: &str, value: &Value| swan.switch(&json!({ name: value }));
    let log_in = || {
        let _ = fs::remove_file(&cookies);
        swan.sso_cookies("alice", "/hub/oauth_login", &cookies)
    };
    for (name, ill, well) in [
        ("otp", json!("123456"), Value::Null),
        ("webauthn", json!(true), json!(false)),
        ("deny_exchange", json!("eos-service"), json!(false)),
        ("roles", json!([]), json!(["swan-user"])),
    ] {
        switch(name, &ill);
        let login = log_in();
        assert_eq!(login.code, 0, "{name}: {login:?}");
        let refused = swan.mint("alice", &cookies).expect_err("no login");
        assert!(
            refused.starts_with("no login at the hub"),
            "{name}: {refused}"
        );
        switch(name, &well);
    }
    // It answers the page that asks for a code, without one.
    assert_eq!(swan.seen("otp_attempts"), 2);
    for (name, ill, well) in [
        ("consent", json!(true), json!(false)),
        ("error", json!("Account disabled"), Value::Null),
        ("no_button", json!(true), json!(false)),
        ("iss", json!(true), json!(false)),
        ("down", json!(true), json!(false)),
    ] {
        switch(name, &ill);
        let login = log_in();
        assert_eq!(login.code, 1, "{name}: {login:?}");
        switch(name, &well);
    }
    token_of_alice(&swan);
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

#[test]
fn nobody_logs_in_by_an_old_key_or_while_nobody_answers_and_all_is_well_afterwards() {
    // As CERN's hub isn't: each of its pages leads to the login at once.
    let mut swan = Swan::with(&["alice"], &[("NBC_SWAN_AUTO_LOGIN", "1")]);
    let cookies = swan.path("cookies");
    let login = |swan: &Swan| {
        let _ = fs::remove_file(&cookies);
        let _ = fs::remove_file(swan.cache("alice"));
        swan.sso_cookies("alice", "/hub/spawn", &cookies).code
    };
    assert_eq!(login(&swan), 0);
    swan.change_key("alice");
    assert_eq!(login(&swan), 1);
    swan.renew_keytab("alice");
    assert_eq!(login(&swan), 0);
    swan.stop_web();
    assert_eq!(login(&swan), 1);
    swan.start_web();
    assert_eq!(login(&swan), 0);
    swan.mint("alice", &cookies).expect("a token");
    // The other tool, which finds the page by the same id.
    fs::remove_file(&cookies).expect("a file");
    swan.take_tickets("alice", "1h");
    let done = swan.cli_cookies("alice", "/hub/oauth_login", &cookies);
    assert_eq!(done.code, 0, "{done:?}");
    swan.mint("alice", &cookies).expect("a token");
}
