//! The examples for destinations that are programs, with the real rclone and git.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Room, assert_one_whole_notebook_each, files};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("config/examples")
        .join(name)
}

fn names(runs: impl Iterator<Item = u32>) -> Vec<String> {
    runs.map(|run| format!("run_{run:06}")).collect()
}

#[test]
fn rclone_copies_each_run_once_and_leaves_what_exists() {
    let mut room = Room::new("");
    let (configuration, remote) = (room.path("rclone.conf"), room.path("notebooks"));
    fs::write(&configuration, "[share]\ntype = local\n").expect("a configuration");
    let table = format!(
        "[destination.cloud]\ncommand = [{:?}, {configuration:?}, \"share:{}\", \"https://cloud.example/{{path}}\"]\n\
         directory = \"h4\"\n",
        example("rclone-notebook"),
        remote.display()
    );
    room.add(&table);
    fs::create_dir(remote.join("h4")).expect("a directory");
    fs::write(remote.join("h4/run_000002.ipynb"), "a person's").expect("written");
    room.start();
    for run in 1..=4 {
        room.make_run(run);
    }
    room.await_delivered(4, 40);
    let kept = remote.join("h4/run_000002.ipynb");
    assert_eq!(fs::read_to_string(&kept).expect("kept"), "a person's");
    fs::remove_file(kept).expect("removed");
    assert_one_whole_notebook_each(&remote, &names(1..=4));
    let links: BTreeSet<String> = room
        .jobs()
        .iter()
        .map(|job| job["url"].to_string())
        .collect();
    assert!(
        links.contains("\"https://cloud.example/h4/run_000002-2.ipynb\""),
        "{links:?}"
    );

    // A second run of the command finds its own notebook.
    let placed = remote.join("h4/run_000001.ipynb");
    fs::write(room.path("facts"), "{\"path\": \"h4/run_000001.ipynb\"}").expect("facts");
    let again = Command::new(example("rclone-notebook"))
        .arg(&configuration)
        .arg(format!("share:{}", remote.display()))
        .env("NBCOURIER_FACTS", room.path("facts"))
        .stdin(fs::File::open(placed).expect("a notebook"))
        .output();
    let again = again.expect("the example");
    assert!(again.status.success(), "{again:?}");
    assert_eq!(files(&remote).len(), 4);
}

fn git(directory: &Path, arguments: &[&str]) -> String {
    let done = Command::new("git")
        .args([
            "-c",
            "user.name=a person",
            "-c",
            "user.email=person@lab.example",
        ])
        .args(arguments)
        .current_dir(directory)
        .output()
        .expect("git");
    assert!(done.status.success(), "{arguments:?}: {done:?}");
    String::from_utf8_lossy(&done.stdout).into_owned()
}

#[test]
fn git_gets_one_commit_for_each_run_beside_people_who_push_too() {
    let mut room = Room::new("");
    let here = room.dir.path().to_owned();
    git(
        &here,
        &[
            "init",
            "--quiet",
            "--bare",
            "--initial-branch=main",
            "origin",
        ],
    );
    git(&here, &["clone", "--quiet", "origin", "person"]);
    let person = room.path("person");
    fs::write(person.join("run_000003.ipynb"), "a person's").expect("written");
    git(&person, &["checkout", "--quiet", "-b", "main"]);
    git(&person, &["add", "."]);
    git(&person, &["commit", "--quiet", "-m", "Begin"]);
    git(&person, &["push", "--quiet", "origin", "main"]);
    git(
        &here,
        &["clone", "--quiet", "--branch", "main", "origin", "clone"],
    );
    room.add(&format!(
        "[destination.git]\ncommand = [{:?}, {:?}, \"main\", \"https://git.example/{{path}}\"]\n\
         directory = \"\"\n",
        example("git-notebook"),
        room.path("clone")
    ));
    fs::write(room.path("clone/.git/index.lock"), "").expect("what a killed git has left");
    room.start();
    for run in 1..=8 {
        room.make_run(run);
        if run % 3 == 0 {
            git(&person, &["pull", "--quiet", "--rebase", "origin", "main"]);
            git(
                &person,
                &["commit", "--quiet", "--allow-empty", "-m", "More"],
            );
            // Somebody else may be quicker here as well; then they have it for their next push.
            let _ = Command::new("git")
                .args(["push", "--quiet", "origin", "main"])
                .current_dir(&person)
                .output();
        }
    }
    room.await_delivered(8, 60);
    let log = git(&room.path("origin"), &["log", "main", "--format=%s"]);
    let ours = log.lines().filter(|line| line.starts_with("Add quick of "));
    let ours: BTreeSet<&str> = ours.collect();
    assert_eq!(ours.len(), 8, "{log}");
    assert_eq!(log.matches("Add quick of ").count(), 8, "{log}");
    git(
        &here,
        &["clone", "--quiet", "--branch", "main", "origin", "result"],
    );
    let result = room.path("result");
    assert_eq!(
        fs::read_to_string(result.join("run_000003.ipynb")).expect("kept"),
        "a person's"
    );
    fs::remove_file(result.join("run_000003.ipynb")).expect("removed");
    fs::remove_dir_all(result.join(".git")).expect("removed");
    assert_one_whole_notebook_each(&result, &names(1..=8));
    let links: Vec<String> = room
        .jobs()
        .iter()
        .map(|job| job["url"].to_string())
        .collect();
    assert!(
        links.contains(&"\"https://git.example/run_000003-2.ipynb\"".to_owned()),
        "{links:?}"
    );
}
