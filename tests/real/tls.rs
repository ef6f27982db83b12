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

/// Starts a listener for each certificate; their ports.
fn listen(server: &Server, directory: &Path) -> (Process, Vec<String>) {
    fs::create_dir(directory).expect("a directory");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/tls.py");
    let port = server.url.rsplit(':').next().expect("a port");
    let told = directory.join("ports");
    let mut command = Command::new(environment().join("python/bin/python"));
    command
        .arg(script)
        .arg(port)
        .arg(directory)
        .args(KINDS.map(|(kind, _)| kind));
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
    let (_process, ports) = listen(&server, &tls);
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
