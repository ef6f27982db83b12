//! Notebooks in whose rendering the daemon is killed, and those that merely were on their way.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Room, TEMPLATE, lines, make, wait_until, watch};

/// A run of the watch `big`, as `Room::ledger` begins its line.
const BIG: &str = "big:run_1 ready";

/// The data that the daemon may have where only the big template needs more, bytes.
const MEMORY: u32 = 100_000_000;

/// Lines of text in a template: 15 MB in the file, and ten times as many in memory.
const TOO_BIG: usize = 600_000;

/// A template with so many lines in its metadata.
fn template(lines: usize) -> String {
    let mut notebook: Value = serde_json::from_str(TEMPLATE).expect("a notebook");
    notebook["metadata"]["log"] = json!(vec!["event 1: 0.12345678\n"; lines]);
    notebook.to_string()
}

/// A room with the watches `h4` and `big`, and a template each with so many lines.
fn room([quick, big]: [usize; 2]) -> Room {
    let watches = [watch("h4", ""), watch("big", "directory = \"big\"")].concat();
    let room = Room::bare(&format!(
        "{watches}[notebook.quick]\ntemplate = \"quick.ipynb\"\nwatch = [\"h4\"]\n\
         [notebook.big]\ntemplate = \"big.ipynb\"\nwatch = [\"big\"]\nname = \"big-{{run_name}}.ipynb\"\n\
         [destination.dir]\npath = \"notebooks\"\ndirectory = \"\"\nconcurrency = 8\n"
    ));
    fs::write(room.path("quick.ipynb"), template(quick)).expect("a template");
    fs::write(room.path("big.ipynb"), template(big)).expect("a template");
    make(&room.path("big"), "run_1", "{}");
    room
}

/// What the ledger answers to a program that is not ours, a line a row.
fn ask(room: &Room, sql: &str) -> Vec<String> {
    let program = "import sqlite3,sys\nc = sqlite3.connect(f'file:{sys.argv[1]}?mode=ro', uri=True)\n\
        for row in c.execute(sys.argv[2]): print(*row)";
    let mut python = Command::new("python3");
    python
        .args(["-c", program])
        .arg(room.path("state/ledger.db"));
    let done = python.arg(sql).output().expect("python3");
    let out = String::from_utf8_lossy(&done.stdout);
    out.lines().map(str::to_owned).collect()
}

/// The jobs that are on their way, each with its step and how often the daemon has ended in it.
fn on_their_way(room: &Room) -> Vec<String> {
    let sql = "SELECT r.watch || ':' || r.name, j.step, j.crashes FROM jobs j \
               JOIN runs r ON r.id = j.run WHERE j.state = 'delivering' ORDER BY j.id";
    ask(room, sql)
}

/// Lets the run of `big` and then these become ready, and nothing be delivered.
fn record(room: &mut Room, numbers: std::ops::RangeInclusive<u32>) {
    room.arguments = vec!["--only", "detect"];
    room.start();
    let mut wanted = vec![format!("{BIG} waiting")];
    room.await_ledger(&wanted);
    numbers
        .clone()
        .for_each(|number| drop(room.make_run(number)));
    wanted.extend(lines(numbers, "ready waiting"));
    room.await_ledger(&wanted);
    assert_eq!(room.stop(), 0);
    room.arguments.clear();
}

/// Waits until the daemon has ended by itself, and by no wish of its own.
fn await_end(room: &mut Room) {
    let mut code = None;
    wait_until(60, "the daemon ends", || {
        code = room.ended();
        code.is_some()
    });
    assert_eq!(code, Some(-1), "a signal ends it");
}

/// Kills the daemon while it renders the job of this run, which it has been killed in so often.
fn kill_in(room: &mut Room, run: &str, crashes: u32) {
    let wanted = format!("{run} local {crashes}");
    wait_until(30, &wanted, || on_their_way(room).contains(&wanted));
    room.kill();
}

fn job_of(room: &Room, run: &str) -> Value {
    let runs = room.runs();
    let mut big = runs.iter().filter(|each| each["watch"] == "big");
    let named = big.rfind(|each| each["name"] == run);
    named.expect("the run")["jobs"][0].clone()
}

#[test]
fn a_template_that_kills_the_daemon_is_tried_alone_then_held_and_all_others_are_delivered() {
    let mut room = room([10_000, TOO_BIG]);
    record(&mut room, 1..=60);
    let memory = format!("--data={MEMORY}");
    room.wrap = ["prlimit", &memory].map(String::from).to_vec();
    let mut neighbours = Vec::new();
    for end in 1..=5 {
        room.launch();
        await_end(&mut room);
        let mut there = on_their_way(&room);
        let big = format!("big:run_1 local {}", end - 1);
        assert!(there.contains(&big), "{there:?}");
        there.retain(|job| *job != big);
        match end {
            1..=3 => neighbours.extend(there),
            _ => assert_eq!(there, [""; 0], "it is alone"),
        }
        room.make_run(60 + end);
    }
    assert!(
        neighbours.iter().any(|job| job.contains(" local ")),
        "others were being rendered too: {neighbours:?}"
    );
    room.start();
    let mut wanted = lines(1..=65, "ready delivered");
    wanted.push(format!("{BIG} held:poison"));
    room.await_ledger(&wanted);
    let job = job_of(&room, "run_1");
    assert_eq!(job["failure"]["class"], "hold");
    assert_eq!(job["attempts"], 5);
    room.stays(&wanted);
    let held = room.jobs().into_iter().map(|job| job["failure"].clone());
    let held: Vec<_> = held.filter(|failure| failure["code"] == "poison").collect();
    crate::support::assert_told("poison", &room, &held);
    assert!(room.alive());
}

#[test]
fn a_held_notebook_is_tried_again_when_a_person_or_a_changed_template_says_so() {
    let mut room = room([0, TOO_BIG]);
    room.wrap = ["prlimit", &format!("--data={MEMORY}")]
        .map(String::from)
        .to_vec();
    let is_held = |room: &Room, runs: u32| {
        let mut wanted = lines(1..=runs, "ready delivered");
        wanted.push(format!("{BIG} held:poison"));
        room.await_ledger(&wanted);
    };
    for _ in 0..5 {
        room.launch();
        await_end(&mut room);
    }
    room.start();
    room.make_run(1);
    is_held(&room, 1);
    let retried = room.run(&["retry", "big:run_1"]);
    assert_eq!(retried.code, 0, "{retried:?}");
    await_end(&mut room);
    for _ in 0..4 {
        room.launch();
        await_end(&mut room);
    }
    room.start();
    room.make_run(2);
    is_held(&room, 2);
    fs::write(room.path("new.ipynb"), TEMPLATE).expect("a template");
    fs::rename(room.path("new.ipynb"), room.path("big.ipynb")).expect("replaced");
    let mut wanted = lines(1..=2, "ready delivered");
    wanted.push(format!("{BIG} delivered"));
    room.await_ledger(&wanted);
    assert!(room.alive());
}

#[test]
fn four_kills_while_it_renders_are_forgiven_and_five_are_not_and_others_are_delivered_meanwhile() {
    let mut room = room([0, 500_000]);
    let delivered = |room: &Room| {
        let sql = "SELECT count(*) FROM jobs WHERE state = 'delivered'";
        ask(room, sql).concat().parse::<u32>().ok()
    };
    for kill in 0..4 {
        room.make_run(kill);
        room.launch();
        let last = kill.min(2) + 1;
        wait_until(30, "others are delivered unless it is alone", || {
            let there = on_their_way(&room).contains(&format!("big:run_1 local {kill}"));
            there && delivered(&room) == Some(last)
        });
        kill_in(&mut room, "big:run_1", kill);
        assert_eq!(delivered(&room), Some(last));
    }
    room.start();
    wait_until(60, "all are delivered", || delivered(&room) == Some(5));
    assert_eq!(ask(&room, "SELECT max(crashes) FROM jobs"), ["0"]);
    make(&room.path("big"), "run_2", "{}");
    for kill in 0..5 {
        kill_in(&mut room, "big:run_2", kill);
        room.launch();
    }
    let mut wanted = lines(0..=3, "ready delivered");
    wanted.push(format!("{BIG} delivered"));
    wanted.push("big:run_2 ready held:poison".into());
    room.await_ledger(&wanted);
    room.kill();
    // While nobody looks.
    fs::write(room.path("big.ipynb"), TEMPLATE).expect("a template");
    room.start();
    wanted.pop();
    wanted.push("big:run_2 ready delivered".into());
    room.await_ledger(&wanted);
}

#[test]
fn what_waits_for_an_answer_is_delivered_however_often_the_daemon_is_killed_meanwhile() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let server =
        format!("server = \"http://127.0.0.1:{port}\"\nauth.token = {{ file = \"token\" }}\n");
    let mut room = Room::new(&format!("[destination.far]\n{server}"));
    fs::write(room.path("token"), "0123456789abcdef").expect("a token");
    let private = fs::Permissions::from_mode(0o600);
    fs::set_permissions(room.path("token"), private).expect("chmod");
    room.make_run(1);
    for _ in 0..6 {
        room.launch();
        let wanted = "h4:run_000001 network 0";
        wait_until(20, wanted, || on_their_way(&room) == [wanted]);
        room.kill();
    }
    drop(silent);
    let file = room.path("nbcourier.toml");
    let text = fs::read_to_string(&file).expect("a configuration");
    let near = text.replace(&server, "path = \"notebooks\"\ndirectory = \"\"\n");
    assert_ne!(near, text);
    fs::write(file, near).expect("written");
    room.start();
    room.await_ledger(&lines([1], "ready delivered"));
}
