//! `auth.command` with the tools that CERN's people use for its single sign-on.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Swan;
use crate::support::{Ended, Room};

/// CERN's own tool, which takes tickets by the keytab itself.
fn sso_cookie(swan: &Swan) -> Vec<String> {
    let url = format!("{}/hub/oauth_login", swan.url);
    words(&[
        "env",
        &format!("KRB5_CONFIG={}", swan.path("krb5.conf").display()),
        &format!("KRB5_CLIENT_KTNAME=FILE:{}", swan.keytab("alice").display()),
        "KRB5CCNAME=MEMORY:",
        &format!("REQUESTS_CA_BUNDLE={}", swan.authority().display()),
        &tool("auth-get-sso-cookie"),
        "-u",
        &url,
        "-o",
        "{file}",
        "-s",
        swan.host(),
    ])
}

/// The other one, which wants tickets that are there.
fn sso_cli(swan: &Swan) -> Vec<String> {
    let realm = swan.path("krb5.conf").display().to_string();
    words(&[
        "env",
        &format!("KRB5_CONFIG={realm}"),
        &format!("SSL_CERT_FILE={}", swan.authority().display()),
        "k5start",
        "-q",
        "-U",
        "-f",
        &swan.keytab("alice").display().to_string(),
        "-k",
        "{file}.tickets",
        "--",
        &tool("cern-sso-cli"),
        "cookie",
        "--use-ccache",
        "--force",
        "--krb5-config",
        &realm,
        "--auth-host",
        swan.host(),
        "--url",
        &format!("{}/hub/oauth_login", swan.url),
        "--file",
        "{file}",
    ])
}

fn tool(name: &str) -> String {
    let path = Swan::program(name).get_program().to_owned();
    path.into_string().expect("a path")
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// A room that delivers to whom this command logs in.
fn room(swan: &Swan, words: &[String]) -> Room {
    let mut room = Room::new(&format!(
        "[destination.swan]\nhub = \"{}\"\nprofile = \"swan\"\ndirectory = \"SWAN_projects/h4\"\n\
         auth.command = {words:?}\n[destination.swan.spawn_options]\nsoftware_source = \"lcg\"\n\
         lcg = \"LCG_110_swan\"\nplatforms = \"x86_64-el9-gcc13-opt\"\ncores = 2\nmemory = \"8G\"\n",
        swan.url,
    ));
    // A login takes longer than the other commands of tests.
    room.pace = "0.3";
    room
}

/// What `check` says of a login by each tool.
fn checked(swan: &Swan, tools: &[Vec<String>; 2]) -> [Ended; 2] {
    let check = |words: &Vec<String>| room(swan, words).run(&["check"]);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| check(&tools[1]));
        [check(&tools[0]), other.join().expect("checked")]
    })
}

fn assert_told(row: &str, checked: &Ended, (code, told): (&str, &str)) {
    assert_eq!(checked.code == 0, code.is_empty(), "{row}: {checked:?}");
    let is_told = checked.out.contains(code) && checked.out.contains(told);
    assert!(is_told, "{row}: {checked:?}");
}

#[test]
fn both_tools_bring_notebooks_from_a_keytab_into_a_users_space() {
    let swan = Swan::with(&["alice"], &[]);
    for (number, words) in [(1, sso_cookie(&swan)), (2, sso_cli(&swan))] {
        let mut room = room(&swan, &words);
        let before = swan.seen("pages");
        room.start();
        room.make_run(number);
        room.await_delivered(1, 120);
        let project = swan.home("alice").join("SWAN_projects/h4");
        let name = format!("run_00000{number}.ipynb");
        assert!(project.join(&name).exists(), "{name}");
        let url = room.jobs()[0]["url"].to_string();
        assert!(
            url.contains("/lab/tree/user/a/alice/SWAN_projects/"),
            "{url}"
        );
        // One login is enough for all that a delivery takes.
        assert_eq!(swan.seen("pages"), before + 1);
        swan.note_secrets();
        room.kill();
    }
}

/// What the stand-in for the sign-on does, and what is told with either tool.
type Row = (
    &'static str,
    Value,
    Value,
    [(&'static str, &'static str); 2],
);

fn rows() -> Vec<Row> {
    let both = |code, told| [(code, told); 2];
    let denied = both(
        "(denied)",
        "the sign-on let the account in, and the hub did not",
    );
    let page = both("(no-button)", "not recognized as");
    vec![
        (
            "otp",
            json!("123456"),
            Value::Null,
            [
                ("(need-otp)", "a second factor (2FA)"),
                ("(need-otp)", "failed to read OTP"),
            ],
        ),
        (
            "webauthn",
            json!(true),
            json!(false),
            [
                ("(need-otp)", "a second factor (2FA)"),
                ("(need-webauthn)", "2FA required"),
            ],
        ),
        ("deny_exchange", json!("eos-service"), json!(false), denied),
        ("roles", json!([]), json!(["swan-user"]), denied),
        (
            "consent",
            json!(true),
            json!(false),
            both("(consent)", "requires consent"),
        ),
        (
            "error",
            json!("Account disabled"),
            Value::Null,
            both("(idp-error)", "Account disabled"),
        ),
        ("no_button", json!(true), json!(false), page),
        ("down", json!(true), json!(false), page),
        (
            "iss",
            json!(true),
            json!(false),
            [("(idp-error)", "`auth.kerberos`"), ("", "user alice")],
        ),
    ]
}

#[test]
fn each_end_of_a_tool_is_told_apart_and_a_second_factor_is_tried_once() {
    let mut swan = Swan::with(&["alice"], &[]);
    let tools = [sso_cookie(&swan), sso_cli(&swan)];
    swan.switch(&json!({ "otp": "123456" }));
    let runs = swan.path("runs");
    let counted = format!("echo >>{}; exec \"$@\"", runs.display());
    let counted = [words(&["sh", "-c", &counted, "sh"]), tools[0].clone()].concat();
    let mut waiting = room(&swan, &counted);
    waiting.start();
    waiting.make_run(1);
    waiting.await_failure("need-otp", 30);
    let since = Instant::now();

    for (row, ill, well, told) in rows() {
        swan.switch(&json!({ row: ill }));
        for (checked, told) in checked(&swan, &tools).iter().zip(told) {
            assert_told(row, checked, told);
        }
        swan.switch(&json!({ row: well }));
    }
    let change = |from: &str, to: &str| {
        let changed =
            |words: &Vec<String>| words.iter().map(|word| word.replace(from, to)).collect();
        tools.each_ref().map(changed)
    };
    let root = change("/hub/oauth_login", "/");
    for checked in checked(&swan, &root) {
        assert_told("root", &checked, ("(no-button)", "HUB/hub/oauth_login"));
    }
    let authority = swan.authority().display().to_string();
    for checked in checked(
        &swan,
        &change(&authority, "/etc/ssl/certs/ca-certificates.crt"),
    ) {
        assert_told(
            "authority",
            &checked,
            ("(tls-untrusted)", "REQUESTS_CA_BUNDLE=FILE"),
        );
    }
    for checked in checked(&swan, &change("alice.keytab", "bob.keytab")) {
        assert_told("no keytab", &checked, ("(no-ticket)", "klist"));
    }
    swan.take_tickets("alice", "1s");
    let cache = format!("KRB5CCNAME=FILE:{}", swan.cache("alice").display());
    let (tool, options) = (tools[1].iter().position(|word| word == "--"), &tools[1]);
    let cli = options.iter().skip(tool.expect("k5start's last") + 1);
    let expired = [
        tools[0]
            .iter()
            .filter(|word| !word.contains("KTNAME"))
            .cloned()
            .collect(),
        options[..3]
            .iter()
            .chain([&cache])
            .chain(cli)
            .cloned()
            .collect(),
    ]
    .map(|words: Vec<String>| -> Vec<String> {
        words
            .iter()
            .map(|word| word.replace("KRB5CCNAME=MEMORY:", &cache))
            .collect()
    });
    std::thread::sleep(Duration::from_secs(2));
    for checked in checked(&swan, &expired) {
        assert_told("expired", &checked, ("(no-ticket)", "klist"));
    }
    swan.change_key("alice");
    for checked in checked(&swan, &tools) {
        assert_told("old keytab", &checked, ("(no-ticket)", "klist"));
    }
    swan.renew_keytab("alice");
    swan.stop_web();
    for checked in checked(&swan, &tools) {
        assert_told(
            "nobody there",
            &checked,
            ("(credential-command-failed)", "ended with exit status: 1: "),
        );
    }
    swan.start_web();

    // Half a minute of this test: what needs a person is looked at after 18 s.
    std::thread::sleep(Duration::from_secs(20).saturating_sub(since.elapsed()));
    assert_eq!(fs::read_to_string(&runs).expect("runs").len(), 1);
    assert_eq!(waiting.run(&["retry", "--held"]).code, 0);
    waiting.await_delivered(1, 120);
    swan.note_secrets();
}
