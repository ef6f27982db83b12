//! `init` by flags and by questions on a terminal.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::support::{Ended, Room};

/// What `init` does with these arguments, and with these lines typed on a terminal if there is one.
fn init(room: &Room, arguments: &[&str], typed: Option<&str>) -> Ended {
    let config = room.path("new/nbcourier.toml").display().to_string();
    let mut words = vec![env!("CARGO_BIN_EXE_nbcourier"), "-c", &config, "init"];
    words.extend(arguments);
    let mut command = match typed {
        None => Command::new(words[0]),
        Some(_) => Command::new("script"),
    };
    match typed {
        None => command.args(&words[1..]).stdin(Stdio::null()),
        // A terminal of its own, with the program's exit status.
        Some(_) => command
            .args(["-qec", &words.join(" "), "/dev/null"])
            .stdin(Stdio::piped()),
    };
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    if let (Some(mut terminal), Some(typed)) = (child.stdin.take(), typed) {
        terminal.write_all(typed.as_bytes()).expect("typed");
    }
    let done = child.wait_with_output().expect("it ends");
    Ended {
        code: done.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&done.stdout).into_owned(),
        err: String::from_utf8_lossy(&done.stderr).into_owned(),
    }
}

fn written(room: &Room) -> Option<String> {
    fs::read_to_string(room.path("new/nbcourier.toml")).ok()
}

#[test]
fn without_a_terminal_init_waits_for_nothing_and_says_which_flags_are_missing() {
    let room = Room::bare("");
    let data = room.path("data").display().to_string();
    let (no_place, no_runs) = (
        "--hub URL, --server URL, --swan or --path DIRECTORY",
        "--watch DIRECTORY",
    );
    let no_account = "--keytab FILE or --token";
    for (arguments, missing) in [
        (vec![], vec![no_place, no_runs]),
        (vec!["--swan"], vec![no_runs, no_account]),
        (vec!["--swan", "--watch", &data], vec![no_account]),
        (vec!["--watch", &data], vec![no_place]),
    ] {
        let told = init(&room, &arguments, None);
        assert_eq!(told.code, 2, "{arguments:?}: {told:?}");
        for flags in [no_place, no_runs, no_account] {
            assert_eq!(
                told.err.contains(flags),
                missing.contains(&flags),
                "{told:?}"
            );
        }
    }
    for (arguments, words) in [
        (["--keytab", &data], "Is a directory"),
        (["--release", "LCG_110_swan"], "no RELEASE/PLATFORM"),
    ] {
        let flags = ["--swan=http://127.0.0.1:1", "--watch", &data];
        let token = if arguments[0] == "--keytab" {
            None
        } else {
            Some("--token")
        };
        let arguments: Vec<&str> = flags.into_iter().chain(arguments).chain(token).collect();
        let told = init(&room, &arguments, None);
        assert_eq!(told.code, 2, "{told:?}");
        assert!(told.err.contains(words), "{told:?}");
    }
    assert_eq!(written(&room), None);
}

#[test]
fn on_a_terminal_init_asks_for_what_is_missing_again_if_need_be_and_learns_from_the_runs() {
    let room = Room::bare("");
    (1..4).for_each(|number| drop(room.make_run(number)));
    let (data, out) = (room.path("data"), room.path("notebooks"));
    let state = room.path("state").display().to_string();
    let typed = format!("what?\n{}\n/nowhere\n{}\n", out.display(), data.display());
    let done = init(&room, &["--state", &state], Some(&typed));
    assert_eq!(done.code, 0, "{done:?}");
    for words in [
        "Where do notebooks go?",
        "such as `swan`",
        "there is no directory `/nowhere`",
        "learned from",
        "next: start it by `nbcourier -c ",
    ] {
        assert!(done.out.contains(words), "{words}: {}", done.out);
    }
    let text = written(&room).expect("a configuration");
    for line in [
        r"pattern = 'run_(?<run>\d{6})'",
        &format!("path = \"{}\"", out.display()),
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let again = init(&room, &[], Some(&typed));
    assert_eq!(again.code, 78, "{again:?}");
    assert!(!again.out.contains("Where do"), "{again:?}");
    assert_eq!(written(&room), Some(text));
}

#[test]
fn who_gives_no_answer_gets_no_configuration() {
    let room = Room::bare("");
    for typed in ["", "what?\n\n\nno\nwhy\n/tmp\n"] {
        let told = init(&room, &[], Some(typed));
        assert_eq!(told.code, 2, "{told:?}");
        assert!(told.out.contains("no answer"), "{told:?}");
    }
    assert_eq!(written(&room), None);
}

#[test]
fn for_a_persons_own_token_in_swan_init_says_where_it_is_made_and_goes() {
    let room = Room::bare("");
    let data = room.path("data").display().to_string();
    let flags = ["--swan=http://127.0.0.1:1/", "--token", "--watch", &data];
    let done = init(&room, &flags, None);
    assert_eq!(done.code, 77, "{done:?}");
    for words in [
        "make one at http://127.0.0.1:1/hub/token",
        "new/credentials/swan)",
        "next: when that is mended, `nbcourier -c ",
    ] {
        assert!(done.err.contains(words), "{words}: {done:?}");
    }
    let text = written(&room).expect("a configuration");
    for line in [
        "profile = \"swan\" ",
        "directory = \"SWAN_projects/data\" ",
        "\n# [destination.swan.spawn_options]",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}
