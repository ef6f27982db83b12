//! The unit, judged by systemd itself; `--long`: the package in a booted Debian, and its first minutes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::hub::Hub;
use crate::support::{Ended, files, long};

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
    fs::create_dir(dir.path().join("etc")).expect("a directory");
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

#[test]
fn the_rpm_asks_for_nothing_that_alma_9_lacks() {
    if !long() {
        return;
    }
    let program = env!("CARGO_BIN_EXE_nbcourier");
    let symbols = run(Command::new("objdump").args(["-T", program])).out;
    let glibc = regex::Regex::new(r"GLIBC_2\.(\d+)").expect("a pattern");
    let minor = |found: regex::Captures<'_>| found[1].parse::<u32>().expect("a number");
    let newest = glibc.captures_iter(&symbols).map(minor).max();
    assert!(
        newest.is_some_and(|minor| (17..=34).contains(&minor)),
        "{newest:?}"
    );

    let dir = tempfile::tempdir().expect("a temporary directory");
    let release = dir.path().join("release");
    fs::create_dir(&release).expect("a directory");
    fs::copy(program, release.join("nbcourier")).expect("a program");
    let tools = std::env::var("NBC_TEST_ENV").expect("what tests/setup installs");
    let package = dir.path().join("nbcourier.rpm");
    let mut make = Command::new(format!("{tools}/packagers/bin/cargo-generate-rpm"));
    make.current_dir(in_tree("")).arg("generate-rpm");
    make.arg("--target-dir")
        .arg(dir.path())
        .arg("--output")
        .arg(&package);
    let made = run(make.args(["--payload-compress", "none"]));
    assert_eq!(made.code, 0, "{made:?}");
    let asked = |query: &str| run(Command::new("rpm").args(["-qp", query]).arg(&package)).out;
    let (requires, provides) = (asked("--requires"), asked("--provides"));
    let brings = |wanted: &str| {
        provides
            .lines()
            .any(|line| line.split(' ').next() == Some(wanted))
    };
    let unknown = |line: &&str| {
        let known = ["/bin/sh", "glibc >= 2.34", "libgcc", "systemd"];
        !known.contains(line) && !line.starts_with("rpmlib(") && !brings(line)
    };
    assert_eq!(requires.lines().find(unknown), None);
    let files = asked("--list");
    for part in [
        "bin/nbcourier",
        "lib/systemd/system/nbcourier.service",
        "lib/sysusers.d/nbcourier.conf",
        "lib/tmpfiles.d/nbcourier.conf",
        "share/man/man1/nbcourier.1",
    ] {
        let path = format!("/usr/{part}");
        assert!(files.lines().any(|line| line == path), "{path}: {files}");
    }
}

/// A script of tests/systemd in a booted Debian, for which the machine's packages of `--long` are needed.
fn in_debian(script: &str) {
    if !long() {
        return;
    }
    let hub = Hub::start();
    let mut boot = Command::new(in_tree("tests/systemd/boot"));
    boot.arg(env!("CARGO_BIN_EXE_nbcourier")).arg(script);
    boot.env("NBC_TEST_HUB_URL", &hub.url);
    boot.env("NBC_TEST_HUB_TOKEN", &hub.token);
    let told = run(&mut boot);
    eprintln!("{}", told.out);
    assert_eq!(told.code, 0, "{}", told.err);
    let notebook = |file: &PathBuf| file.extension().is_some_and(|kind| kind == "ipynb");
    let delivered = files(&hub.home("alice")).into_iter().filter(notebook);
    assert_eq!(delivered.count(), 4);
}

#[test]
fn the_package_serves_from_its_installation_to_its_purge() {
    in_debian("life");
}

#[test]
fn the_first_minutes_end_with_a_notebook_and_three_mistakes_are_cured_by_what_it_says() {
    in_debian("minutes");
}
