//! Whoever is in the group of the control socket sees and acts without a right to anything else.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use crate::support::{Ended, NOBODY, Room, wait_until};

/// Somebody without an account.
const SHIFTER: u32 = 54_321;

/// Runs a command as somebody who is only in this group.
fn run_as(room: &Room, group: u32, arguments: &[&str]) -> Ended {
    let mut command = room.program();
    let done = command.args(arguments).uid(SHIFTER).gid(group).output();
    let done = done.expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended {
        code: done.status.code().unwrap_or(-1),
        out: text(&done.stdout),
        err: text(&done.stderr),
    }
}

/// A room as the unit has it: state closed to all but the service, socket in a directory of its own.
fn room() -> Room {
    let mut room = Room::watching("");
    let runtime = room.path("run");
    fs::create_dir(&runtime).expect("a directory");
    let shown = runtime.to_str().expect("a path").to_owned();
    room.environment.push(("RUNTIME_DIRECTORY", shown));
    room.unprivileged();
    std::os::unix::fs::chown(&runtime, Some(NOBODY), Some(NOBODY)).expect("chown");
    fs::set_permissions(&runtime, fs::Permissions::from_mode(0o755)).expect("chmod");
    room
}

#[test]
fn a_member_of_the_group_sees_and_acts_and_is_recorded_and_others_are_told_which_group() {
    let is_root = rustix::process::geteuid().is_root();
    assert!(is_root, "it takes root to become other users");
    let mut room = room();
    fs::write(room.path("quick.ipynb"), "{}").expect("a broken template");
    room.start();
    (1..=3).for_each(|number| drop(room.make_run(number)));
    wait_until(20, "all are held", || room.count("held") == 3);
    let state = fs::metadata(room.path("state")).expect("a state directory");
    assert_eq!(state.permissions().mode() & 0o777, 0o700);

    let status = run_as(&room, NOBODY, &["status"]);
    assert_eq!(status.code, 1, "{status:?}");
    assert!(status.out.contains("run_000003"), "{status:?}");
    let runs = run_as(&room, NOBODY, &["runs", "--state", "held", "--json"]);
    assert_eq!(runs.json().as_array().map(Vec::len), Some(3), "{runs:?}");
    let unknown = run_as(&room, NOBODY, &["show", "run_00001"]);
    assert_eq!(unknown.code, 2);
    assert!(
        unknown.err.contains("did you mean `run_000001`?"),
        "{unknown:?}"
    );
    assert_eq!(run_as(&room, NOBODY, &["skip", "run_000001"]).code, 0);
    let shown = run_as(&room, NOBODY, &["show", "run_000001"]);
    assert!(
        shown.out.contains(&format!("skipped by uid {SHIFTER}")),
        "{shown:?}"
    );
    let run = room.path("data/run_000002");
    let again = run_as(&room, NOBODY, &["submit", run.to_str().expect("a path")]);
    assert_eq!(again.code, 0, "{again:?}");
    let shown = run_as(&room, NOBODY, &["show", "run_000002"]);
    assert!(
        shown.out.contains(&format!("submitted by uid {SHIFTER}")),
        "{shown:?}"
    );
    let reloaded = run_as(&room, NOBODY, &["reload"]);
    assert_eq!(reloaded.code, 0, "{reloaded:?}");

    let socket = room.path("run/control.sock");
    let group = Command::new("stat").args(["-c", "%G"]).arg(socket).output();
    let group = String::from_utf8(group.expect("stat").stdout).expect("a name");
    let group = group.trim();
    for command in [
        &["status"] as &[&str],
        &["retry", "--held"],
        &["runs"],
        &["reload"],
    ] {
        let refused = run_as(&room, SHIFTER, command);
        assert_eq!(refused.code, 77, "{refused:?}");
        assert!(
            refused
                .err
                .contains(&format!("only members of the group `{group}`")),
            "{refused:?}"
        );
        assert!(
            refused.err.contains(&format!("sudo usermod -aG {group}")),
            "{refused:?}"
        );
    }
    assert_eq!(room.stop(), 0);
    for group in [NOBODY, SHIFTER] {
        let down = run_as(&room, group, &["retry", "--held"]);
        assert_eq!(down.code, if group == NOBODY { 69 } else { 77 }, "{down:?}");
    }
}
