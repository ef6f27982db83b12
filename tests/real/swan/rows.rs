//! Every way to ask SWAN for a server, right and wrong: what the operator reads of it.

use serde_json::{Value, json};

use super::Swan;
use crate::delivery::write_token;
use crate::support::{Room, secrets, wait_until};

/// The request of a thread in CERN's forum, of 2021.
const THREAD: &str = "{ LCG-rel = \"LCG_97apython3\", platform = \"x86_64-centos7-gcc8-opt\", \
    scriptenv = \"\", ncores = \"2\", memory = \"8\", spark-cluster = \"none\" }";

const SWAN: &str = "profile = \"swan\"\n";

/// What would have saved its author the thread.
const ANSWER: &str = "these are options of CERN SWAN, which answers every mistake in them with the same 500. \
    What is wrong: `spawn_options` of profile \"swan\" needs `software_source` (write software_source = \"lcg\"); \
    SWAN has not known `LCG-rel` since September 2024 (today's name: lcg = \"LCG_110_swan\"); \
    SWAN has not known `platform` since September 2024 (today's name: platforms = \"x86_64-el9-gcc13-opt\"); \
    SWAN has not known `ncores` since September 2024 (today's name: cores = 2); \
    SWAN takes `memory` with a unit (write memory = \"8G\"); \
    SWAN has not known `spark-cluster` since September 2024 (today's name: clusters = \"none\"). \
    Correct that, and set `profile = \"swan\"` in this destination: then nbcourier checks and completes them before it asks";

/// Options of today with this in place of their number of cores, memory and GPU.
fn today(rest: &str) -> String {
    format!(
        "spawn_options = {{ software_source = \"lcg\", lcg = \"LCG_110_swan\", scriptenv = \"\", \
         platforms = \"x86_64-el9-gcc13-opt\", use-jupyterlab = \"checked\", {rest} }}"
    )
}

/// A destination named as its user, with these lines.
fn destination(swan: &Swan, user: &str, lines: &str) -> String {
    format!(
        "[destination.{user}]\nhub = \"{}\"\nca_file = \"{}\"\ndirectory = \"SWAN_projects/h4\"\n\
         auth.kerberos = {{ keytab = \"{}\" }}\n{lines}\n",
        swan.url,
        swan.authority().display(),
        swan.keytab(user).display(),
    )
}

fn room(swan: &Swan, tables: &str) -> Room {
    let mut room = Room::new(tables);
    let krb5 = swan.path("krb5.conf").display().to_string();
    room.environment = vec![("KRB5_CONFIG", krb5)];
    room
}

/// The failure of this destination's job once it has this code.
fn failure(room: &Room, destination: &str, code: &str) -> Value {
    let mut job = Value::Null;
    wait_until(90, &format!("{code} of {destination}"), || {
        let mut jobs = room.jobs().into_iter();
        job = jobs
            .find(|job| job["destination"] == destination)
            .unwrap_or_default();
        job["failure"]["code"] == code
    });
    job["failure"].take()
}

/// Users, options sent as they are, and what is said of their failure.
fn wrong() -> Vec<(&'static str, String, &'static str)> {
    let typed = "spawn_options = { LCG-rel = \"LCG_98python3\", platform = \"x\", \
        scriptenv = \"none\", ncores = 2, memory = \"8G\", spark-cluster = \"none\" }";
    let well = today("cores = 2, memory = \"8G\", gpu = \"none\"");
    let without = |part: &str| {
        assert!(well.contains(part), "{part}");
        well.replace(part, "")
    };
    vec![
        ("bob", typed.into(), "today's name: cores = 2"),
        (
            "carol",
            "spawn_options = {}".into(),
            "spawn_options sent: {}",
        ),
        (
            "dave",
            today("cores = \"2\", memory = \"8G\", gpu = \"none\""),
            "SWAN takes the number of cores as a number, not as a text (write cores = 2, without quotes)",
        ),
        (
            "erin",
            today("cores = 2, memory = \"8 GB\", gpu = \"none\""),
            "`memory` is \"8 GB\" and must be \"8G\"",
        ),
        (
            "frank",
            today("cores = 2, memory = \"8G\""),
            "`gpu` is missing",
        ),
        (
            "bob",
            today("cores = 2, memory = \"8\", gpu = \"none\""),
            "SWAN takes `memory` with a unit",
        ),
        (
            "carol",
            without("software_source = \"lcg\", "),
            "needs `software_source`",
        ),
        ("dave", without("lcg = \"LCG_110_swan\", "), "needs `lcg`"),
        (
            "erin",
            without("platforms = \"x86_64-el9-gcc13-opt\", "),
            "needs `platforms`",
        ),
        (
            "frank",
            without("scriptenv = \"\", "),
            "`scriptenv` is missing",
        ),
        (
            "bob",
            without("use-jupyterlab = \"checked\", "),
            "`use-jupyterlab` is missing",
        ),
    ]
}

/// A release that SWAN doesn't offer, and more cores than anybody has.
fn unknown() -> String {
    let options = today("cores = 64, memory = \"8 GB\"").replace("LCG_110_swan", "LCG_97");
    format!("{SWAN}{options}")
}

#[test]
fn every_wrong_request_for_a_server_is_told_with_its_cause_and_the_right_ones_are_delivered() {
    let swan = Swan::with(
        &[
            "alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy",
        ],
        &[],
    );
    what_is_not_offered_is_said_before(&swan);
    let tables = destination(&swan, "ivan", &unknown()) + &destination(&swan, "grace", SWAN);
    let mut right = room(&swan, &tables);
    right.start();
    right.make_run(1);
    the_last_choice_is_repeated(&swan, &right);
    let rows = &wrong();
    std::thread::scope(|scope| {
        for user in ["bob", "carol", "dave", "erin", "frank"] {
            let (swan, own) = (&swan, rows.iter().filter(move |row| row.0 == user));
            scope.spawn(move || own.for_each(|row| a_mistake_is_told(swan, row)));
        }
    });
    what_waits_says_for_what(&swan);
    // SWAN checks neither releases nor cores, and gives what it has.
    await_delivered(&right, "ivan");
    await_delivered(&right, "grace");
    assert!(
        swan.home("grace")
            .join("SWAN_projects/h4/run_000001.ipynb")
            .exists()
    );
    a_server_that_runs_is_used(&swan);
    swan.note_secrets();
}

fn a_mistake_is_told(swan: &Swan, (user, lines, said): &(&str, String, &str)) {
    let mut asking = room(swan, &destination(swan, user, lines));
    // A hub of which five ask at once may take its time.
    asking.pace = "1";
    let checked = asking.run(&["check", "--deliver"]);
    assert_eq!(checked.code, 69, "{user}: {checked:?}");
    for said in ["(spawn-failed)", said] {
        assert!(checked.out.contains(said), "{user}: {checked:?}");
    }
    assert_eq!(swan.starts("runs", user), 0, "{user}");
    swan.note_secrets();
}

/// What the daemon retries, and what it holds.
fn what_waits_says_for_what(swan: &Swan) {
    let second = format!("{SWAN}server_name = \"second\"");
    let raw = format!("spawn_options = {THREAD}");
    let tables = destination(swan, "alice", &raw) + &destination(swan, "heidi", &second);
    let mut room = room(
        swan,
        &(tables
            + &destination(swan, "judy", SWAN).replace(
                &format!(
                    "auth.kerberos = {{ keytab = \"{}\" }}",
                    swan.keytab("judy").display()
                ),
                "auth.token = { file = \"token\" }",
            )),
    );
    // Nobody has ever logged in as judy.
    assert_eq!(swan.api("POST", "users/judy", &swan.admin, "").0, 201);
    let (_, made) = swan.api("POST", "users/judy/tokens", &swan.admin, "{}");
    let token = made["token"].as_str().expect("a token");
    secrets::note(token);
    write_token(&room, token);
    room.start();
    room.make_run(1);
    let refused = failure(&room, "heidi", "spawn-refused");
    assert_eq!(refused["class"], "hold");
    assert!(
        refused["what"]
            .to_string()
            .contains("Named servers are not enabled"),
        "{refused}"
    );
    // Asked before a start: that isn't taken for a mistake in the options.
    let refused = failure(&room, "judy", "token-unknown");
    assert_eq!(refused["class"], "hold");
    let advice = refused["advice"].as_str().unwrap_or_default();
    assert!(advice.contains("the same token is good again"), "{refused}");
    assert_eq!(swan.starts("begins", "judy"), 0);
    the_thread_is_answered(swan, &room);
    swan.note_secrets();
}

/// Before anything is started `check` tells what there is and what isn't.
fn what_is_not_offered_is_said_before(swan: &Swan) {
    let asking = room(swan, &destination(swan, "ivan", &unknown()));
    let checked = asking.run(&["check", "--json"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    let said = checked.json()["checks"].to_string();
    for line in [
        "SWAN offers releases: LCG_110_swan, devswan/latest; builders: venv",
        "SWAN offers no release \\\"LCG_97\\\"",
        "set `lcg` to one of: LCG_110_swan, devswan/latest",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    let known = unknown().replace("LCG_97", "LCG_110_swan");
    let asking = room(swan, &destination(swan, "ivan", &known));
    let checked = asking.run(&["check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    for line in [
        "SWAN offers with LCG_110_swan platforms: x86_64-el9-gcc13-opt; cores: 2, 4; memory: 8G, 16G; clusters: none, k8s",
        "SWAN offers no `cores` 64 with LCG_110_swan",
        "set `cores` to one of: 2, 4",
    ] {
        assert!(checked.out.contains(line), "{line}: {checked:?}");
    }
    assert!(!checked.out.contains("no `memory`"), "{checked:?}");
    assert_eq!(swan.starts("begins", "ivan"), 0);
    swan.note_secrets();
}

/// The request of 2021: told why it fails, and refused before it is sent once the profile is set.
fn the_thread_is_answered(swan: &Swan, asked: &Room) {
    let told = failure(asked, "alice", "spawn-failed");
    assert_eq!(told["class"], "retry");
    assert_eq!(told["advice"], ANSWER);
    let sent = "{\"LCG-rel\":\"LCG_97apython3\",\"platform\":\"x86_64-centos7-gcc8-opt\",\"scriptenv\":\"\",\
                \"ncores\":\"2\",\"memory\":\"8\",\"spark-cluster\":\"none\"}";
    assert_eq!(
        told["what"],
        format!("alice's server did not start: Spawn failed: 'cores'; spawn_options sent: {sent}")
    );
    let lines = format!("{SWAN}spawn_options = {THREAD}");
    let refused = room(swan, &destination(swan, "alice", &lines)).run(&["check"]);
    assert_eq!(refused.code, 78, "{refused:?}");
    for line in [
        "today's name: lcg",
        "today's name: cores = 2",
        "write memory = \"8G\"",
        "6 problems",
    ] {
        assert!(refused.err.contains(line), "{line}: {refused:?}");
    }
}

/// Without options SWAN starts what the user had before, although that has failed.
fn the_last_choice_is_repeated(swan: &Swan, room: &Room) {
    let told = failure(room, "grace", "spawn-failed");
    let advice = told["advice"].as_str().unwrap_or_default();
    assert!(advice.contains("there may be none"), "{told}");
    swan.script("grace", "fail 1");
    let choice = json!({
        "software_source": "lcg", "lcg": "LCG_110_swan", "platforms": "x86_64-el9-gcc13-opt",
        "scriptenv": "", "cores": 2, "memory": "8G", "use-jupyterlab": "unchecked", "gpu": "none",
    });
    wait_until(
        30,
        "her choice is made, and not while the daemon asks",
        || {
            let ask = || {
                swan.api(
                    "POST",
                    "users/grace/server",
                    &swan.admin,
                    &choice.to_string(),
                )
            };
            ask().0 == 500
        },
    );
}

/// Another daemon finds the server that runs, which shows no form any more.
fn a_server_that_runs_is_used(swan: &Swan) {
    let (status, answer) = swan.api("POST", "users/ivan/server", &swan.admin, "");
    assert_eq!(status, 400);
    assert!(
        answer["message"].to_string().contains("already running"),
        "{answer}"
    );
    let mut other = room(swan, &destination(swan, "ivan", &unknown()));
    let checked = other.run(&["check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    assert!(
        checked.out.contains("only while no server of ivan runs"),
        "{checked:?}"
    );
    other.start();
    other.make_run(2);
    await_delivered(&other, "ivan");
    assert_eq!(swan.starts("begins", "ivan"), 1);
    swan.note_secrets();
}

/// Waits until this destination has its notebook.
fn await_delivered(room: &Room, destination: &str) {
    wait_until(120, &format!("{destination} has it"), || {
        let jobs = room.jobs();
        let mut jobs = jobs.iter().filter(|job| job["destination"] == destination);
        jobs.any(|job| job["state"] == "delivered")
    });
}
