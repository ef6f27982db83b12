//! Certificates that must not be trusted: told once, waited for, and well as soon as they are.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::delivery::write_token;
use crate::hub::{Server, environment};
use crate::support::{Process, Room, assert_one_whole_notebook_each, wait_until};

/// A certificate, and a part of the sentence that tells what is wrong with it.
const KINDS: [(&str, &str); 3] = [
    ("expired", "expired"),
    ("other-host", "not valid for name"),
    ("unknown-ca", "UnknownIssuer"),
];

/// Starts a listener for each kind of certificate; their ports.
pub fn listen(server: &str, directory: &Path, kinds: &[&str]) -> (Process, Vec<String>) {
    fs::create_dir(directory).expect("a directory");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/tls.py");
    let port = server.rsplit(':').next().expect("a port");
    let told = directory.join("ports");
    let mut command = Command::new(environment().join("python/bin/python"));
    command.arg(script).arg(port).arg(directory).args(kinds);
    let process = Process::start(command.stdout(fs::File::create(&told).expect("a file")));
    let read = || fs::read_to_string(&told).unwrap_or_default();
    wait_until(20, "the certificates are made", || read().ends_with('\n'));
    let ports = read().split_whitespace().map(str::to_owned).collect();
    (process, ports)
}

#[test]
fn a_certificate_that_cannot_be_trusted_holds_its_destination_until_it_can() {
    let server = Server::start();
    let mut room = Room::bare("");
    let tls = room.path("tls");
    let (_process, ports) = listen(&server.url, &tls, &KINDS.map(|(kind, _)| kind));
    let table = |(kind, port): (&str, &String)| {
        format!(
            "[destination.{kind}]\nserver = \"https://127.0.0.1:{port}\"\ndirectory = \"{kind}\"\n\
             ca_file = \"tls/lab.pem\"\nauth.token = {{ file = \"token\" }}\n"
        )
    };
    let tables: String = KINDS
        .iter()
        .map(|(kind, _)| *kind)
        .zip(&ports)
        .map(table)
        .collect();
    let usual = fs::read_to_string(Room::new(&tables).path("nbcourier.toml")).expect("a room");
    let well = "[destination.dir]\npath = \"notebooks\"\ndirectory = \"\"\n";
    fs::write(room.path("nbcourier.toml"), usual + well).expect("written");
    write_token(&room, &server.token);
    room.start();
    (1..=5).for_each(|number| drop(room.make_run(number)));
    wait_until(20, "all but the directory's are held", || {
        (room.count("held"), room.count("delivered")) == (15, 5)
    });
    let jobs = room.jobs();
    for (kind, part) in KINDS {
        let job = jobs
            .iter()
            .find(|job| job["destination"] == kind)
            .expect("a job");
        let failure = &job["failure"];
        assert_eq!(failure["code"], "tls-untrusted", "{failure}");
        let what = failure["what"].as_str().unwrap_or_default();
        assert!(
            what.contains("is not trusted") && what.contains(part),
            "{what}"
        );
        eprintln!("{kind}: {what}");
    }
    // A probe each three seconds, whatever waits.
    let taken =
        |kind: &str| fs::read(tls.join(format!("{kind}.taken"))).map_or(0, |taken| taken.len());
    let before = KINDS.map(|(kind, _)| taken(kind));
    std::thread::sleep(Duration::from_secs(6));
    for ((kind, _), before) in KINDS.into_iter().zip(before) {
        let tries = taken(kind) - before;
        assert!(tries <= 8, "{kind}: {tries} connections in 6 s");
    }
    for (kind, _) in KINDS {
        fs::write(tls.join(kind), "good").expect("mended");
    }
    room.await_delivered(20, 30);
    let runs: Vec<_> = (1..=5).map(|number| format!("run_{number:06}")).collect();
    for (kind, _) in KINDS {
        assert_one_whole_notebook_each(&server.root().join(kind), &runs);
    }
}

/// What `check` says of one destination: its words, then its advice.
fn checked(room: &Room, name: &str) -> (String, String) {
    let checks = room.run(&["check", "--json"]).json()["checks"].clone();
    let mut checks = checks.as_array().cloned().unwrap_or_default();
    checks.retain(|check| check["name"] == format!("destination {name}"));
    let text = |key: &str| checks[0][key].as_str().unwrap_or_default().to_owned();
    (text("what"), text("advice"))
}

#[test]
fn a_self_signed_hub_is_trusted_by_the_line_that_the_advice_says_and_no_other_is() {
    let server = Server::start();
    let mut room = Room::bare("");
    let tls = room.path("tls");
    let (_process, ports) = listen(&server.url, &tls, &["self-signed", "good"]);
    let table = |name: &str, port: usize, lines: &str| {
        format!(
            "[destination.{name}]\nserver = \"https://127.0.0.1:{}\"\ndirectory = \"{name}\"\n{lines}\n\
             auth.token = {{ file = \"token\" }}\n",
            ports[port]
        )
    };
    let configure = |room: &Room, lines: &str| {
        let tables = table("own", 0, lines)
            + &table("other", 1, &format!("pin_sha256 = \"{}\"", "ab".repeat(32)))
            + &table("lab", 1, "ca_file = \"tls/lab.pem\"");
        let text = fs::read_to_string(Room::new(&tables).path("nbcourier.toml"));
        fs::write(room.path("nbcourier.toml"), text.expect("a room")).expect("written");
    };
    write_token(&room, &server.token);
    configure(&room, "ca_file = \"tls/lab.pem\"");
    let (what, advice) = checked(&room, "own");
    assert!(
        what.contains("is not trusted: it is self-signed") && what.contains("CaUsedAsEndEntity")
    );
    let sha256 = fs::read_to_string(tls.join("self-signed.sha256")).expect("a fingerprint");
    let line = format!("pin_sha256 = \"{sha256}\"");
    assert!(advice.contains(&format!("set {line}")), "{advice}");
    let (what, advice) = checked(&room, "other");
    assert!(what.contains("another one than `pin_sha256` says") && what.contains("is not trusted"));
    assert!(advice.contains("somebody stands in between"), "{advice}");
    assert!(checked(&room, "lab").0.starts_with("Jupyter Server"));
    // A file of something else.
    fs::write(room.path("empty.pem"), "nothing\n").expect("written");
    configure(&room, "ca_file = \"empty.pem\"");
    let (what, _) = checked(&room, "own");
    assert!(
        what.contains("empty.pem: there is no certificate in it"),
        "{what}"
    );
    // A machine without authorities.
    configure(&room, "");
    let empty = room.path("empty.pem").display().to_string();
    let nothing = room.path("notebooks").display().to_string();
    room.environment = vec![("SSL_CERT_FILE", empty), ("SSL_CERT_DIR", nothing)];
    let (what, advice) = checked(&room, "own");
    assert!(
        what.contains("no authority is known: the system has none"),
        "{what}"
    );
    assert!(advice.contains("ca-certificates"), "{advice}");
    assert!(checked(&room, "lab").0.starts_with("Jupyter Server"));
    // As the advice said.
    configure(&room, &line);
    room.start();
    room.make_run(1);
    wait_until(30, "all but the wrong pin's are delivered", || {
        (room.count("held"), room.count("delivered")) == (1, 2)
    });
    let failure = room.await_failure("tls-untrusted", 5);
    assert!(
        failure["what"]
            .as_str()
            .is_some_and(|what| what.contains("pin_sha256"))
    );
}
