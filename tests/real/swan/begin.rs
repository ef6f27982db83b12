//! From nothing to a notebook in SWAN, as who installs it does it.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use super::Swan;
use crate::support::Room;

#[test]
fn three_answers_on_a_terminal_are_a_configuration_that_delivers_to_swan() {
    let swan = Swan::with(&["alice"], &[]);
    let mut room = Room::bare("");
    let config = room.path("nbcourier.toml");
    fs::remove_file(&config).expect("removed");
    let text = |path: std::path::PathBuf| path.display().to_string();
    room.environment = vec![
        ("KRB5_CONFIG", text(swan.path("krb5.conf"))),
        ("SSL_CERT_FILE", text(swan.authority())),
    ];
    let command = format!(
        "{} -c {} init --swan={} --state {}",
        env!("CARGO_BIN_EXE_nbcourier"),
        config.display(),
        swan.url,
        room.path("state").display()
    );
    let mut terminal = Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .envs(room.environment.clone())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let answers = format!(
        "{}\n{}\nLCG_110_swan/x86_64-el9-gcc13-opt\n",
        room.path("data").display(),
        swan.keytab("alice").display()
    );
    let mut typing = terminal.stdin.take().expect("its end");
    typing.write_all(answers.as_bytes()).expect("typed");
    let done = terminal.wait_with_output().expect("it ends");
    drop(typing);
    let shown = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{shown}");
    assert_eq!(shown.matches("? ").count(), 3, "{shown}");
    for words in ["user alice", "next: start it by"] {
        assert!(shown.contains(words), "{shown}");
    }

    let written = fs::read_to_string(&config).expect("a configuration");
    fs::write(
        &config,
        format!("status.listen = \"127.0.0.1:0\"\n{written}"),
    )
    .expect("taken over");
    assert_eq!(room.run(&["check"]).code, 0);
    room.start();
    room.make_run(7);
    room.await_delivered(1, 120);
    let project = swan.home("alice").join("SWAN_projects/data");
    assert!(project.join("run_000007.ipynb").exists());
    assert!(project.join(".swanproject").exists());
    swan.note_secrets();
}
