//! `nbcourier status --watch`, on a terminal and as lines of JSON.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{DELIVERY, Room, make, wait_until, watch};

const ENTER: &str = "\u{1b}[?1049h\u{1b}[?25l";
const LEAVE: &str = "\u{1b}[?25h\u{1b}[?1049l";

/// A terminal on which `status --watch` runs.
struct Window {
    terminal: Child,
    drawn: PathBuf,
}

impl Window {
    fn open(room: &Room, (columns, rows): (usize, usize)) -> Self {
        let drawn = room.path(&format!("drawn-{columns}"));
        let program = room.program();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/window.py");
        let mut command = Command::new("python3");
        command
            .arg(script)
            .args([columns, rows].map(|n| n.to_string()));
        command.arg(&drawn).arg(program.get_program());
        command.args(program.get_args()).args(["status", "--watch"]);
        let set = program.get_envs();
        command.envs(set.filter_map(|(name, value)| Some((name, value?))));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        Self {
            terminal: command.spawn().expect("python3"),
            drawn,
        }
    }

    fn drawn(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.drawn).unwrap_or_default()).into_owned()
    }

    /// The lines that stand there now.
    fn lines(&self) -> Vec<String> {
        let drawn = self.drawn();
        // The last one may be in the drawing still.
        let frames: Vec<&str> = drawn.split("\u{1b}[H").collect();
        let whole = frames.iter().rev().find(|frame| frame.contains("\u{1b}[J"));
        let whole = whole.map(|frame| frame.split("\u{1b}[J").next().unwrap_or_default());
        let lines = whole.unwrap_or_default().split("\r\n");
        // The terminal itself puts a return before each end of a line.
        let clean = |line: &str| {
            line.replace("\u{1b}[K", "")
                .trim_end_matches('\r')
                .to_owned()
        };
        lines.map(clean).collect()
    }

    fn await_line(&self, part: &str) {
        let there = || self.lines().iter().any(|line| line.contains(part));
        let begun = Instant::now();
        while !there() {
            let late = begun.elapsed() > Duration::from_secs(20);
            assert!(!late, "no {part:?} in {:#?}", self.lines());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Types Ctrl-C; how it ended.
    fn interrupt(&mut self) -> Value {
        let mut keys = self.terminal.stdin.take().expect("keys");
        keys.write_all(b"\x03").expect("typed");
        // An end of the keys would be read again and again.
        wait_until(20, "it ends", || {
            self.terminal.try_wait().is_ok_and(|end| end.is_some())
        });
        let mut told = String::new();
        let mut out = self.terminal.stdout.take().expect("a word");
        out.read_to_string(&mut told).expect("a word");
        serde_json::from_str(&told).expect("JSON")
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let _ = self.terminal.kill();
        let _ = self.terminal.wait();
    }
}

#[test]
fn a_window_is_redrawn_through_an_outage_and_leaves_the_terminal_as_it_was() {
    let mut room = Room::watching("");
    room.start();
    let mut window = Window::open(&room, (80, 24));
    window.await_line("up since");
    room.make_run(1);
    window.await_line("1 delivered");
    assert_eq!(room.stop(), 0);
    window.await_line("down since");
    window.await_line("the daemon is not running");
    window.await_line("run_000001");
    room.start();
    room.make_run(2);
    window.await_line("run_000002");
    assert!(
        window.lines()[0].contains("up since"),
        "{:?}",
        window.lines()
    );

    assert_eq!(window.interrupt(), json!({"code": 130, "same": true}));
    let drawn = window.drawn();
    assert!(drawn.starts_with(ENTER), "{drawn:?}");
    assert!(drawn.trim_end().ends_with(LEAVE), "{drawn:?}");
}

#[test]
fn a_narrow_window_is_kept_within_and_nothing_hostile_reaches_the_terminal() {
    let mut room = Room::bare(&format!("{}{DELIVERY}", watch("h4", "pattern = '.*'")));
    fs::write(room.path("quick.ipynb"), "{}").expect("a broken template");
    room.start();
    let names = [
        "a\u{1b}[2Jb",
        "c\u{9b}31md",
        "e\u{202e}f",
        "日本語の長い名前のラン",
        "g\rh",
    ];
    for name in names {
        make(&room.path("data"), name, "{}");
    }
    wait_until(20, "all are held", || room.count("held") == names.len());
    let mut windows = [(40, 12), (80, 24)].map(|size| (size, Window::open(&room, size)));
    for ((columns, rows), window) in &mut windows {
        window.await_line("what to do");
        let lines = window.lines();
        assert!(lines.len() <= *rows, "{lines:#?}");
        for line in &lines {
            let wide = line
                .chars()
                .filter(|c| ('\u{3000}'..'\u{a000}').contains(c));
            assert!(line.chars().count() + wide.count() <= *columns, "{line:?}");
        }
        let drawn = window.drawn();
        let rest = [ENTER, "\u{1b}[H", "\u{1b}[K", "\u{1b}[J", "\r\r\n"]
            .iter()
            .fold(drawn, |rest, ours| rest.replace(ours, ""));
        let hostile = |c: char| c.is_control() || c == '\u{202e}';
        assert!(!rest.contains(hostile), "{rest:?}");
        assert_eq!(window.interrupt()["code"], 130);
    }
    for command in [["runs", "--all"], ["status", "-v"]] {
        let out = room.run(&command).out;
        let hostile = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!out.contains(hostile), "{out:?}");
    }
}

#[test]
fn lines_of_json_come_with_each_change_until_nobody_reads_them() {
    let mut room = Room::watching("");
    room.start();
    let mut command = room.program();
    command.args(["status", "--json", "--watch"]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it runs");
    let mut lines = BufReader::new(child.stdout.take().expect("lines"));
    let first = next(&mut lines);
    assert_eq!(
        (&first["down_since"], &first["runs"]),
        (&Value::Null, &json!([]))
    );
    assert!(first["up_since"].is_string() && first["health"].is_array());
    room.make_run(1);
    await_line(&mut lines, |line| {
        line["runs"][0]["jobs"][0]["state"] == "delivered"
    });
    assert_eq!(room.stop(), 0);
    await_line(&mut lines, |line| line["down_since"].is_string());
    room.start();
    await_line(&mut lines, |line| line["down_since"].is_null());
    drop(lines);
    room.make_run(2);
    wait_until(20, "it ends when nobody reads", || {
        child.try_wait().is_ok_and(|end| end.is_some())
    });
    assert_eq!(child.wait().expect("ended").code(), Some(0));
}

fn next(lines: &mut BufReader<ChildStdout>) -> Value {
    let mut line = String::new();
    lines.read_line(&mut line).expect("a line");
    serde_json::from_str(&line).expect("one object a line")
}

fn await_line(lines: &mut BufReader<ChildStdout>, wanted: impl Fn(&Value) -> bool) {
    for _ in 0..20 {
        if wanted(&next(lines)) {
            return;
        }
    }
    panic!("not within twenty changes");
}

#[test]
fn a_window_without_a_terminal_is_refused_with_what_to_do() {
    let room = Room::watching("");
    let refused = room.run(&["status", "--watch"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.err.contains("add --json for a line at each change"));
}
