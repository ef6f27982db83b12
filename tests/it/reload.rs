//! `nbcourier reload` and SIGHUP: another configuration while the daemon runs.

use std::fs;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::support::{
    Ended, Room, assert_ledger_is_sound, assert_one_whole_notebook_each, wait_until, watch,
};

const DIRECTORY: &str = "[destination.dir]\npath = \"notebooks\"\ndirectory = \"\"\n";

fn events(room: &Room) -> Vec<(String, String, String)> {
    let program = "import json,sqlite3,sys\nc = sqlite3.connect('file:' + sys.argv[1] + '?mode=ro', uri=True)\n\
        print(json.dumps(c.execute(\"SELECT event, detail, actor FROM events WHERE event LIKE 'reload%' ORDER BY id\").fetchall()))";
    let done = Command::new("python3")
        .args(["-c", program])
        .arg(room.path("state/ledger.db"))
        .output()
        .expect("python3");
    serde_json::from_slice(&done.stdout).expect("events")
}

fn replace(room: &Room, from: &str, to: &str) {
    let file = room.path("nbcourier.toml");
    let text = fs::read_to_string(&file).expect("a configuration");
    assert!(text.contains(from), "{from} in {text}");
    fs::write(file, text.replace(from, to)).expect("a configuration");
}

fn reload(room: &Room) -> Value {
    let ended = room.run(&["reload", "--json"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    ended.json()
}

fn health(room: &Room) -> Vec<Value> {
    let status = room.run(&["status", "--json"]).json();
    status["health"].as_array().expect("health").clone()
}

#[test]
fn a_new_watch_is_seen_from_a_reload_on_and_who_asked_is_recorded() {
    let mut room = Room::new(DIRECTORY);
    room.start();
    room.make_run(1);
    room.await_delivered(1, 20);
    let page = room.run(&["status", "--json"]).json()["page"].clone();
    fs::create_dir(room.path("more")).expect("a directory");
    room.add(&watch("h5", "directory = \"more\""));
    let said = room.run(&["reload"]);
    assert_eq!((said.code, said.err.trim()), (0, "reloaded: new watch.h5"));
    crate::support::make(&room.path("more"), "run_000002", "{\"energy\": 1}");
    room.await_delivered(2, 20);
    assert_eq!(
        reload(&room),
        json!({"new": [], "changed": [], "gone": [], "after_restart": []}),
        "nothing has changed since"
    );
    assert_eq!(room.run(&["status", "--json"]).json()["page"], page);

    let uid = rustix::process::getuid().as_raw();
    let events = events(&room);
    assert_eq!(events.len(), 2);
    assert_eq!((&*events[0].0, &*events[0].1), ("reloaded", "new watch.h5"));
    assert!(events[0].2.contains(&format!("uid {uid}")), "{events:?}");
    let told = "the configuration is taken over: new watch.h5";
    assert!(room.log().contains(told), "{}", room.log());
    assert_eq!(room.stop(), 0);
}

#[test]
fn a_refused_configuration_changes_nothing_and_is_told_until_a_good_one_comes() {
    let mut room = Room::new(DIRECTORY);
    room.start();
    replace(&room, "settle =", "settel =");
    room.add("[destination.dir2]\npaht = \"x\"\n");
    let Ended { code, err, .. } = room.run(&["reload"]);
    assert_eq!(code, 78, "{err}");
    for part in [
        "unknown key `settel`",
        "did you mean `settle`?",
        "paht",
        "the former configuration still counts",
    ] {
        assert!(err.contains(part), "{part} in {err}");
    }
    room.make_run(1);
    wait_until(20, "the former configuration delivers", || {
        room.path("notebooks/run_000001.ipynb").exists()
    });
    let status = room.run(&["status"]);
    assert_eq!(status.code, 78, "the file has mistakes: {status:?}");
    assert!(status.out.contains("was not taken over"), "{status:?}");
    assert!(status.out.contains("run_000001"), "{status:?}");

    replace(&room, "settel =", "settle =");
    replace(&room, "paht", "path");
    fs::create_dir(room.path("x")).expect("a directory");
    assert_eq!(reload(&room)["new"], json!(["destination.dir2"]));
    assert_eq!(health(&room), Vec::<Value>::new());
    let names: Vec<String> = events(&room).into_iter().map(|event| event.0).collect();
    assert_eq!(names, ["reload-refused", "reloaded"]);
}

#[test]
fn what_only_a_restart_can_change_is_refused_with_these_words() {
    let mut room = Room::new(DIRECTORY);
    room.start();
    replace(&room, "state = \"state\"", "state = \"elsewhere\"");
    room.signal(rustix::process::Signal::HUP);
    wait_until(20, "it is refused", || {
        room.log().contains("is not taken over")
    });
    replace(&room, "state = \"elsewhere\"", "state = \"state\"");
    let health = health(&room);
    assert_eq!(health[0]["code"], "reload-refused");
    let what = health[0]["what"].as_str().expect("a text");
    assert!(
        what.ends_with("`[daemon] state` can't change while nbcourier runs"),
        "{what}"
    );
    room.add("[ledger]\nurl = \"sqlite:other.db\"\n");
    let refused = room.run(&["reload"]);
    assert_eq!(refused.code, 78, "{refused:?}");
    assert!(
        refused.err.contains("systemctl restart nbcourier"),
        "{refused:?}"
    );
}

#[test]
fn a_hangup_is_a_reload() {
    let mut room = Room::new(DIRECTORY);
    room.start();
    fs::create_dir(room.path("more")).expect("a directory");
    room.add(&watch("h5", "directory = \"more\""));
    room.signal(rustix::process::Signal::HUP);
    wait_until(20, "it is taken over", || {
        room.log().contains("new watch.h5")
    });
    crate::support::make(&room.path("more"), "run_000001", "{\"energy\": 1}");
    room.await_delivered(1, 20);
    assert_eq!(events(&room)[0].2, "SIGHUP");
    assert_eq!(room.stop(), 0);
}

#[test]
fn jobs_of_a_destination_that_is_gone_are_held_and_go_on_when_it_is_back() {
    let mut room = Room::new(DIRECTORY);
    // Nothing can be created there yet, and so it waits.
    fs::remove_dir(room.path("notebooks")).expect("no directory");
    room.start();
    room.make_run(1);
    room.make_run(2);
    room.await_failure("not-writable", 20);
    replace(&room, "[destination.dir]", "[destination.other]");
    assert_eq!(
        reload(&room),
        json!({"new": ["destination.other"], "changed": [], "gone": ["destination.dir"], "after_restart": []})
    );
    room.await_failure("destination-removed", 20);
    wait_until(20, "both are held", || room.count("held") == 2);
    fs::create_dir(room.path("notebooks")).expect("a directory");
    replace(&room, "[destination.other]", "[destination.dir]");
    reload(&room);
    room.await_delivered(2, 20);
    assert_eq!(health(&room), Vec::<Value>::new());
}

#[test]
fn jobs_of_a_notebook_that_is_gone_are_held_and_can_be_skipped() {
    let server =
        "[destination.away]\nserver = \"http://127.0.0.1:9/\"\nauth.token = { env = \"HOME\" }\n";
    let mut room = Room::new(server);
    room.start();
    room.make_run(1);
    room.await_failure("server-unreachable", 20);
    replace(&room, "[notebook.quick]", "[notebook.slow]");
    reload(&room);
    room.await_failure("notebook-removed", 20);
    assert_eq!(room.run(&["skip", "--held"]).code, 0);
    assert_eq!((room.count("skipped"), room.jobs().len()), (1, 1));
}

#[test]
fn the_page_moves_to_another_address_and_goes_without_a_restart() {
    let mut room = Room::new(DIRECTORY);
    room.start();
    let page = |room: &Room| room.run(&["status", "--json"]).json()["page"].clone();
    let before = page(&room);
    let port = crate::support::lasting_port();
    replace(&room, "127.0.0.1:0", &format!("127.0.0.1:{port}"));
    assert_eq!(reload(&room)["changed"], json!(["status"]));
    assert_ne!(page(&room), before);
    assert_eq!(page(&room), format!("http://127.0.0.1:{port}/"));
    replace(&room, &format!("127.0.0.1:{port}"), "off");
    reload(&room);
    assert_eq!(page(&room), Value::Null);
}

#[test]
fn what_waits_for_a_credential_goes_on_at_once_when_a_reload_names_another_file() {
    let mut room = Room::new(
        "[destination.program]\ncommand = [\"true\"]\nauth.token = { file = \"lost\" }\n",
    );
    // A probe alone would let it wait for minutes.
    room.pace = "10";
    room.start();
    room.make_run(1);
    room.await_failure("credential-unreadable", 60);
    fs::write(room.path("token"), crate::support::token()).expect("a token");
    let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(room.path("token"), owner_only).expect("chmod");
    replace(&room, "\"lost\"", "\"token\"");
    replace(&room, "[daemon]", "log = \"debug\"\n[daemon]");
    let said = room.run(&["reload"]);
    let told = "reloaded: changed destination.program; only after a restart log";
    assert_eq!(said.err.trim(), told, "{said:?}");
    room.await_delivered(1, 20);
}

/// Reloads all the time until it is dropped.
struct Restless(Child);

impl Restless {
    fn new(room: &Room) -> Self {
        let program = "import subprocess,sys\nwhile True:\n    done = subprocess.run(sys.argv[1:], capture_output=True)\n    if done.returncode: sys.exit(f'{done.returncode} {done.stderr}')";
        let reload = room.program();
        let mut command = Command::new("python3");
        command.args(["-c", program]).arg(reload.get_program());
        command.args(reload.get_args()).arg("reload");
        let set = reload.get_envs();
        command.envs(set.filter_map(|(name, value)| Some((name, value?))));
        Self(command.stderr(Stdio::piped()).spawn().expect("python3"))
    }

    fn assert_well(&mut self) {
        if self.0.try_wait().expect("a child").is_some() {
            let told = self.0.stderr.take().map(std::io::read_to_string);
            panic!("a reload failed: {told:?}");
        }
    }
}

impl Drop for Restless {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_hundred_runs_among_reloads_from_two_sides_are_each_delivered_once() {
    let mut room = Room::new(DIRECTORY);
    room.start();
    let mut restless = [Restless::new(&room), Restless::new(&room)];
    let mut names = Vec::new();
    for number in 1..=100 {
        room.make_run(number);
        names.push(format!("run_{number:06}"));
        std::thread::sleep(std::time::Duration::from_millis(40));
    }
    room.await_delivered(100, 60);
    restless.iter_mut().for_each(Restless::assert_well);
    drop(restless);
    let reloads = events(&room);
    assert!(reloads.len() > 20, "{} reloads", reloads.len());
    assert!(reloads.iter().all(|event| event.0 == "reloaded"));
    assert_one_whole_notebook_each(&room.path("notebooks"), &names);
    let attempts = room.jobs().iter().map(|job| job["attempts"].as_u64()).max();
    assert_eq!(attempts, Some(Some(1)), "no delivery was broken off");
    assert_eq!(room.stop(), 0);
    assert_ledger_is_sound(&room);
}
