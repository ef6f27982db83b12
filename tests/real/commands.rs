//! Destinations that are programs, through the whole program.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Room, files, token, wait_until};

/// A program that the configuration of a room names `./take`, with the room's path for §.
fn install(room: &Room, script: &str) {
    let script = script.replace('§', &room.dir.path().display().to_string());
    let (new, place) = (room.path("take.new"), room.path("take"));
    fs::write(&new, format!("#!/bin/sh\n{script}\n")).expect("a script");
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).expect("executable");
    fs::rename(new, place).expect("renamed");
}

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// The only job, once it is in this state for this reason.
fn await_state(room: &Room, state: &str, code: &str) -> Value {
    let mut job = Value::Null;
    wait_until(20, code, || {
        job = room.jobs().into_iter().next().unwrap_or_default();
        job["state"] == state && job["failure"]["code"] == code
    });
    job
}

#[test]
fn what_a_program_answers_is_followed_until_it_has_taken_the_notebook() {
    let mut room = Room::new("[destination.archive]\ncommand = [\"./take\"]\ndirectory = \"h4\"\n");
    room.start();
    room.make_run(1);
    await_state(&room, "held", "command-missing");
    let checked = room.run(&["check"]);
    assert_eq!(checked.code, 1, "{checked:?}");
    assert!(checked.out.contains("take` is not there"), "{checked:?}");
    fs::write(room.path("status"), "75").expect("written");
    install(
        &room,
        "echo \"$NBCOURIER_JOB\" >> §/asked; status=$(cat §/status)\n\
         cat > §/notebooks/$NBCOURIER_JOB.ipynb; echo \"it says $status\" >&2\n\
         test $status = 0 && echo https://archive.example/1; exit $status",
    );
    let waiting = await_state(&room, "waiting", "command-unavailable");
    let what = waiting["failure"]["what"].as_str().expect("words");
    assert!(
        what.ends_with("exit status: 75 (a temporary failure): it says 75"),
        "{what}"
    );
    fs::write(room.path("status"), "77").expect("written");
    await_state(&room, "held", "command-refused");
    fs::write(room.path("status"), "0").expect("written");
    room.await_delivered(1, 20);
    let job = &room.jobs()[0];
    assert_eq!(job["url"], "https://archive.example/1");
    assert_eq!(job["path"], "h4/run_000001.ipynb");
    let asked = lines(&room.path("asked"));
    assert!(
        asked.len() >= 3 && asked.iter().all(|id| job["job"] == **id),
        "{asked:?}"
    );
    assert_eq!(files(&room.path("notebooks")).len(), 1);
    assert_eq!(room.run(&["check"]).code, 0);
    let tried = room.run(&["check", "--deliver"]);
    assert!(
        tried.code == 0 && tried.out.contains("it was not run"),
        "{tried:?}"
    );
    assert_eq!(lines(&room.path("asked")), asked);
}

/// Files of all processes that hold this text: command lines and environments.
fn processes_with(text: &str) -> Vec<PathBuf> {
    let processes = fs::read_dir("/proc").expect("proc").flatten();
    let open =
        processes.flat_map(|process| ["cmdline", "environ"].map(|name| process.path().join(name)));
    let holds = |file: &PathBuf| {
        let bytes = fs::read(file).unwrap_or_default();
        String::from_utf8_lossy(&bytes).contains(text)
    };
    open.filter(holds).collect()
}

#[test]
fn after_a_kill_the_program_runs_again_for_the_same_job_and_the_token_lies_nowhere_else() {
    let mut room = Room::new(
        "[destination.archive]\ncommand = [\"./take\"]\nauth.token = { file = \"secret\" }\n",
    );
    let secret = token();
    fs::write(room.path("secret"), &secret).expect("a token");
    fs::set_permissions(room.path("secret"), fs::Permissions::from_mode(0o600)).expect("chmod");
    fs::write(room.path("hold"), "").expect("written");
    install(
        &room,
        "set -e; cat > /dev/null; echo \"$NBCOURIER_TOKEN_FILE $NBCOURIER_JOB\" >> §/asked\n\
         cp $NBCOURIER_FACTS §/facts-$(wc -l < §/asked)\n\
         while test -e §/hold; do sleep 0.05; done",
    );
    room.start();
    room.make_run(1);
    let asked = || lines(&room.path("asked"));
    wait_until(20, "the program runs", || room.path("facts-1").exists());
    let first = asked();
    let place = PathBuf::from(first[0].split(' ').next().expect("a path"));
    assert_eq!(fs::read_to_string(&place).expect("the token"), secret);
    assert_eq!(processes_with(&secret), Vec::<PathBuf>::new());
    room.kill();
    room.start();
    wait_until(20, "the program runs again", || {
        room.path("facts-2").exists()
    });
    assert_eq!(
        lines(&room.path("asked")),
        [first[0].clone(), first[0].clone()]
    );
    let facts = |n| -> Value {
        let text = fs::read_to_string(room.path(&format!("facts-{n}"))).expect("facts");
        serde_json::from_str(&text).expect("JSON")
    };
    assert_eq!(facts(1), facts(2));
    assert_eq!(facts(1)["parameters"]["run"], "000001");
    fs::remove_file(room.path("hold")).expect("removed");
    room.await_delivered(1, 20);
    assert!(!place.exists(), "the token is left");
    let holders = files(room.dir.path()).into_iter();
    let holders: Vec<PathBuf> = holders
        .filter(|file| {
            String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).contains(&secret)
        })
        .collect();
    assert_eq!(holders, [room.path("secret")]);
}
