//! The unit, judged by systemd itself; `--long`: the package in a booted Debian, and its first minutes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Ended, long};

fn in_tree(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn run(command: &mut Command) -> Ended {
    let done = command.output().expect("it runs");
    Ended {
        code: done.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&done.stdout).into_owned(),
        err: String::from_utf8_lossy(&done.stderr).into_owned(),
    }
}

#[test]
fn systemd_has_nothing_to_say_about_the_unit() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let unit = fs::read_to_string(in_tree("systemd/nbcourier.service")).expect("a unit");
    let here = unit.replace("/usr/bin/nbcourier", env!("CARGO_BIN_EXE_nbcourier"));
    assert_ne!(unit, here);
    let file = dir.path().join("nbcourier.service");
    fs::write(&file, here).expect("a unit");
    let mut verify = Command::new("systemd-analyze");
    // Of the pages only the package knows where they are.
    let verified = run(verify.args(["verify", "--man=no"]).arg(&file));
    // A misspelt directive is only spoken of.
    assert_eq!((verified.code, &*verified.out, &*verified.err), (0, "", ""));
}

#[test]
fn the_exposure_of_the_unit_is_small() {
    let mut security = Command::new("systemd-analyze");
    security.args(["security", "--offline=true", "--threshold=20"]);
    let judged = run(security.arg(in_tree("systemd/nbcourier.service")));
    assert_eq!(judged.code, 0, "{judged:?}");
    assert!(
        judged
            .out
            .contains("Overall exposure level for nbcourier.service: 1."),
        "{judged:?}"
    );
}

#[test]
fn users_and_directories_of_the_packages_are_what_systemd_understands() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let root = format!("--root={}", dir.path().display());
    let made = run(Command::new("systemd-sysusers")
        .arg(&root)
        .arg(in_tree("systemd/nbcourier.sysusers")));
    assert_eq!(made.code, 0, "{made:?}");
    let group = fs::read_to_string(dir.path().join("etc/group")).expect("groups");
    assert!(
        group
            .lines()
            .any(|line| line.starts_with("daq:") && line.ends_with(":nbcourier")),
        "{group}"
    );
}

/// A script of tests/systemd in a booted Debian, for which the machine's packages of `--long` are needed.
fn in_debian(script: &str) {
    if !long() {
        return;
    }
    let mut boot = Command::new(in_tree("tests/systemd/boot"));
    boot.arg(env!("CARGO_BIN_EXE_nbcourier")).arg(script);
    let told = run(&mut boot);
    eprintln!("{}", told.out);
    assert_eq!(told.code, 0, "{}", told.err);
}

#[test]
fn the_package_serves_from_its_installation_to_its_purge() {
    in_debian("life");
}
