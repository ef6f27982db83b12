//! What the machine denies the daemon: readers of its log, file descriptors.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::{Process, Room, assert_ledger_is_sound, lines, wait_until};

/// Starts the daemon by a shell that redirects its stderr.
fn redirected(redirection: &str) -> Room {
    let mut room = Room::watching("");
    let script = format!("exec \"$@\" {redirection}");
    room.wrap = ["sh", "-ec", &script, "sh"].map(String::from).to_vec();
    room.environment
        .push(("NBC_TEST_PIPE", room.path("pipe").display().to_string()));
    room
}

/// A pipe, held open both ways, so that it fills.
fn both_ends(pipe: &Path) -> File {
    let made = Command::new("mkfifo").arg(pipe).status();
    assert!(made.expect("mkfifo").success());
    let both = File::options().read(true).write(true).open(pipe);
    both.expect("a pipe")
}

fn await_up(room: &Room) {
    wait_until(20, "the daemon answers", || room.run(&["status"]).code == 0);
}

#[test]
fn without_anybody_who_reads_its_log_it_delivers_all_the_same() {
    // Closed, a pipe without a reader, a full disk.
    let redirections = [">&- 2>&-", "2> \"$NBC_TEST_PIPE\"", "> /dev/full 2>&1"];
    for redirection in redirections {
        let mut room = redirected(redirection);
        let pipe = room.path("pipe");
        let reader = both_ends(&pipe);
        room.launch();
        await_up(&room);
        // From now on nobody holds the other end.
        drop(reader);
        (1..=20).for_each(|number| drop(room.make_run(number)));
        room.await_ledger(&lines(1..=20, "ready delivered"));
        assert_eq!(room.stop(), 0, "{redirection}");
        assert_ledger_is_sound(&room);
    }
}

#[test]
fn a_log_pipe_that_nobody_empties_for_a_while_delays_nothing() {
    let mut room = redirected("-vv 2> \"$NBC_TEST_PIPE\"");
    let pipe = room.path("pipe");
    let held = both_ends(&pipe);
    room.launch();
    await_up(&room);
    (1..=150).for_each(|number| drop(room.make_run(number)));
    room.await_ledger(&lines(1..=150, "ready delivered"));
    let log = File::create(room.path("taken")).expect("a file");
    let reader = Process::start(Command::new("cat").arg(&pipe).stdout(log));
    wait_until(20, "the lines that waited are there", || {
        let taken = fs::read_to_string(room.path("taken")).unwrap_or_default();
        taken.matches("outcome=\"created\"").count() >= 150
    });
    assert_eq!(room.stop(), 0);
    drop((reader, held));
}

#[test]
fn without_file_descriptors_it_waits_and_goes_on_once_there_are_some() {
    let mut room = Room::watching("");
    room.wrap = ["prlimit", "--nofile=64:64"].map(String::from).to_vec();
    room.start();
    room.make_run(1);
    room.await_ledger(&lines([1], "ready delivered"));
    let page = room.run(&["status", "--json"]).json()["page"].clone();
    let address = page.as_str().and_then(|page| page.strip_prefix("http://"));
    let address = address.expect("a page").trim_end_matches('/').to_owned();
    let connections: Vec<_> = (0..128)
        .map(|_| TcpStream::connect(&address).expect("connected"))
        .collect();
    let open = || fs::read_dir(format!("/proc/{}/fd", room.pid())).map_or(0, Iterator::count);
    wait_until(10, "it has no descriptor left", || open() >= 63);
    (2..=30).for_each(|number| drop(room.make_run(number)));
    let before = room.processor_seconds();
    std::thread::sleep(Duration::from_secs(3));
    let used = room.processor_seconds() - before;
    assert!(used < 1.5, "it spins: {used} s of processor time in 3 s");
    assert!(room.alive());
    drop(connections);
    room.await_ledger(&lines(1..=30, "ready delivered"));
    room.stays(&lines(1..=30, "ready delivered"));
    assert!(!room.log().contains("panicked"), "{}", room.log());
    assert_eq!(room.stop(), 0);
    assert_ledger_is_sound(&room);
}
