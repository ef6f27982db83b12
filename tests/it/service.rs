//! What systemd hears from the daemon, over a socket in systemd's place.

use std::io::Read as _;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::systemd::Systemd;
use crate::support::{Process, Room, TEMPLATE, lines, wait_until};

/// Somebody who keeps the ledger for themselves, for as long as this lives.
fn locked(room: &Room) -> Process {
    let script = "import sqlite3, sys, time\n\
                  c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20)\n\
                  c.execute('BEGIN IMMEDIATE')\nprint('locked', flush=True)\ntime.sleep(60)";
    let mut command = Command::new("python3");
    command
        .args(["-c", script])
        .arg(room.path("state/ledger.db"));
    let mut holder = Process::start(command.stdout(Stdio::piped()));
    let mut word = [0; 6];
    let out = holder.0.stdout.as_mut().expect("a pipe");
    out.read_exact(&mut word).expect("it locks");
    holder
}

#[test]
fn systemd_hears_when_it_is_ready_how_it_is_and_that_it_stops() {
    let mut room = Room::watching("");
    let address = room.path("notify");
    let mut systemd = Systemd::of(&mut room, &address.display().to_string(), None);
    std::fs::write(room.path("quick.ipynb"), "broken").expect("a template");
    room.make_run(1);
    room.launch();
    wait_until(20, "it is ready", || systemd.has_told("READY=1"));
    assert_eq!(room.runs().len(), 1, "the watch has been listed by then");
    systemd.await_status(10, |now| {
        now.starts_with("a person is needed since 20")
            && now.contains("/quick.ipynb: it is no JSON")
            && now.ends_with(" (what to do: nbcourier status)")
    });
    std::fs::write(room.path("quick.ipynb"), TEMPLATE).expect("a template");
    systemd.await_status(10, |now| {
        now.starts_with("all well: 1 delivered, last run_000001 at 20")
    });
    std::fs::rename(room.path("data"), room.path("away")).expect("unmounted");
    systemd.await_status(10, |now| {
        now.starts_with("not well: [watch.h4] can't list /")
    });
    std::fs::rename(room.path("away"), room.path("data")).expect("mounted");
    systemd.await_status(10, |now| now.starts_with("all well: "));
    assert!(!systemd.has_told("STOPPING=1") && !systemd.has_told("WATCHDOG=1"));
    assert_eq!(room.stop(), 0);
    assert!(systemd.has_told("STOPPING=1"));
}

#[test]
fn its_watchdog_is_fed_by_loops_that_turn_and_starves_when_they_do_not() {
    let mut room = Room::watching("");
    let address = format!("@nbcourier-test-{}", std::process::id());
    let limit = Duration::from_secs(4);
    let mut systemd = Systemd::of(&mut room, &address, Some(limit));
    room.launch();
    wait_until(20, "it is ready", || systemd.has_told("READY=1"));
    let idle = systemd.longest_silence(5);
    assert!(idle < limit / 2, "idle, it is silent for {idle:?}");
    let lock = locked(&room);
    room.make_run(1);
    // Its loops wait for the ledger, longer than this watchdog does: fed by nothing else.
    let hung = systemd.longest_silence(8);
    assert!(hung > limit / 2, "hung, it is fed after {hung:?}");
    assert!(
        room.log().contains("the loop `watch h4` hangs"),
        "{}",
        room.log()
    );
    drop(lock);
    room.await_ledger(&lines([1], "ready delivered"));
    wait_until(10, "it is fed again", || {
        systemd.longest_silence(3) < limit / 2
    });
    assert_eq!(room.stop(), 0);
}

#[test]
fn a_server_that_does_not_answer_starves_no_watchdog() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("a port").port();
    let mut room = Room::new(&format!(
        "[destination.lab]\nserver = \"http://127.0.0.1:{port}/\"\nauth.token = {{ env = \"LAB\" }}\n"
    ));
    room.environment.push(("LAB", "not-a-secret".into()));
    let address = format!("@nbcourier-test-silent-{}", std::process::id());
    let limit = Duration::from_secs(4);
    let mut systemd = Systemd::of(&mut room, &address, Some(limit));
    room.make_run(1);
    room.launch();
    wait_until(20, "it is ready", || systemd.has_told("READY=1"));
    wait_until(20, "it delivers", || room.count("delivering") == 1);
    let waiting = systemd.longest_silence(6);
    assert_eq!(room.count("delivering"), 1, "it waits for the answer");
    assert!(waiting < limit / 2, "it is silent for {waiting:?}");
}
