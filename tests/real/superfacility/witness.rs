//! What nbcourier sends, beside what the official client sends.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::{DIRECTORY, Stand};
use crate::hub::environment;

/// The kinds of call that both make.
const CALLS: [&str; 7] = [
    "POST /c2id/token",
    "GET /api/v1.2/status/",
    "GET /api/v1.2/account/",
    "GET /api/v1.2/account/clients",
    "GET /api/v1.2/utilities/ls/",
    "GET /api/v1.2/utilities/download/",
    "PUT /api/v1.2/utilities/upload/",
];

/// Headers that may differ, and why.
const HEADERS: [(&str, &str); 5] = [
    ("User-Agent", "each says who it is"),
    (
        "Accept-Encoding",
        "nbcourier reads no compressed answers: they are small",
    ),
    (
        "Connection",
        "httpx says `keep-alive`, which is the default of HTTP/1.1",
    ),
    (
        "Content-Length",
        "names and assertions have other lengths; that bodies arrive whole is compared below",
    ),
    (
        "Authorization",
        "compared by its scheme; the status, which anybody may ask for, nbcourier asks without a token",
    ),
];

/// A call as it is compared: what may differ is put aside, what must be new each time by its form.
fn comparable(call: &Value) -> Value {
    let headers = call["headers"].as_object().expect("headers").iter();
    let aside = |name: &str| {
        HEADERS
            .iter()
            .any(|(one, _)| one.eq_ignore_ascii_case(name))
    };
    let mut kept: BTreeMap<String, Value> = headers
        .filter(|(name, _)| !aside(name) && !name.eq_ignore_ascii_case("host"))
        .map(|(name, value)| (name.to_lowercase(), value.clone()))
        .collect();
    if let Some(Value::String(kind)) = kept.get_mut("content-type") {
        // The border of a form is new each time. Authlib names a charset for the fields of the token
        // request, for which this type has no parameter (URL Standard, 5.2): they are ASCII anyway.
        kind.truncate(kind.find(';').unwrap_or(kind.len()));
    }
    let path = call["path"].as_str().expect("a path");
    let path = path
        .replace("witness.ipynb", "NAME")
        .replace("run_000001.ipynb", "NAME");
    let mut form = call["form"].clone();
    if form.is_object() {
        form["client_assertion"] = "compared below".into();
    }
    json!({ "path": path, "query": call["query"], "headers": kept, "form": form, "parts": parts(call) })
}

/// The parts of a form, their names and types.
fn parts(call: &Value) -> Vec<Value> {
    let parts = call["parts"].as_array().into_iter().flatten();
    let part = |part: &Value| {
        let named = part["filename"]
            .as_str()
            .map(|name| name.ends_with(".ipynb"));
        json!({ "name": part["name"], "type": part["type"], "is named as the notebook": named })
    };
    parts.map(part).collect()
}

fn scheme(call: &Value) -> Option<&str> {
    call["headers"]["authorization"]
        .as_str()
        .or_else(|| call["headers"]["Authorization"].as_str())
        .and_then(|value| value.split_once(' '))
        .map(|(scheme, _)| scheme)
}

/// The last call of each kind, after all that comes before have found out what is there.
fn last<'a>(calls: &'a [Value], kind: &str) -> &'a Value {
    let fits = |call: &&Value| {
        let line = format!(
            "{} {}",
            call["method"].as_str().unwrap_or_default(),
            call["path"].as_str().unwrap_or_default()
        );
        match kind.ends_with("account/") {
            true => line == kind,
            false => line.starts_with(kind),
        }
    };
    calls
        .iter()
        .rfind(fits)
        .unwrap_or_else(|| panic!("no {kind} among {calls:#?}"))
}

/// The assertion's parts that are the same for all, and that its times and its name are as they
/// should be.
fn assertion(call: &Value) -> (Value, i64) {
    let (header, claims) = (&call["assertion"]["header"], &call["assertion"]["claims"]);
    let number = |name: &str| claims[name].as_i64().unwrap_or_else(|| panic!("{claims}"));
    let life = number("exp") - number("iat");
    assert!(
        claims["jti"].as_str().is_some_and(|id| id.len() >= 20),
        "{claims}"
    );
    let names: Vec<&String> = claims.as_object().expect("claims").keys().collect();
    let mut names: Vec<&str> = names.into_iter().map(String::as_str).collect();
    names.sort_unstable();
    let same = json!({ "header": header, "iss": claims["iss"], "sub": claims["sub"], "aud": claims["aud"], "names": names });
    (same, life)
}

#[test]
fn the_official_client_asks_the_same() {
    let stand = Stand::start();
    stand.order(&json!({ "listed": [["daqclientaaaa", "2027-01-20T00:00:00Z"]] }));
    let mut room = stand.room("");
    let file = room.path("witness.ipynb");
    fs::write(&file, "{}").expect("written");
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/superfacility");
    let done = Command::new(environment().join("clients/bin/python"))
        .arg(here.join("witness.py"))
        .args([
            format!("{}/api/v1.2", stand.url),
            format!("{}/c2id/token", stand.url),
        ])
        .arg(stand.dir.path().join("key"))
        .arg(format!("{DIRECTORY}/witness.ipynb"))
        .arg(&file)
        .output()
        .expect("python");
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let theirs = stand.seen();
    room.start();
    room.make_run(1);
    room.await_delivered(1, 20);
    let ours = &stand.seen()[theirs.len()..];

    for kind in CALLS {
        let (their, our) = (last(&theirs, kind), last(ours, kind));
        assert_eq!(comparable(our), comparable(their), "{kind}");
        match kind {
            "GET /api/v1.2/status/" => assert_eq!(scheme(our), None),
            _ => assert_eq!(scheme(our), scheme(their), "{kind}"),
        }
    }
    let (their, their_life) = assertion(last(&theirs, CALLS[0]));
    let (our, our_life) = assertion(last(ours, CALLS[0]));
    assert_eq!(our, their);
    // Theirs lives an hour; a stolen one of ours is of use for minutes.
    assert_eq!(their_life, 3600);
    assert!((120..=310).contains(&our_life), "{our_life}");
    // Both arrived whole, under their names.
    assert_eq!(
        fs::read(stand.runs().join("witness.ipynb")).expect("theirs"),
        b"{}"
    );
    assert!(stand.runs().join("run_000001.ipynb").exists());
    // One token each, for all calls.
    assert_eq!(stand.count("POST", "/c2id/token"), 2);
}
