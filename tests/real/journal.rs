//! The log in the journal, which a socket in a namespace of the daemon's own stands for.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use crate::support::{Room, secrets, wait_until};

type Entry = BTreeMap<String, String>;

/// The fields of a datagram (`systemd.io/JOURNAL_NATIVE_PROTOCOL`).
fn parse(mut rest: &[u8]) -> Entry {
    let mut entry = Entry::new();
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n').expect("a line");
        let (line, after) = (&rest[..end], &rest[end + 1..]);
        let (name, value) = match line.iter().position(|byte| *byte == b'=') {
            Some(at) => {
                rest = after;
                (&line[..at], &line[at + 1..])
            }
            None => {
                let length = u64::from_le_bytes(after[..8].try_into().expect("a length"));
                let end = 8 + usize::try_from(length).expect("a short one");
                assert_eq!(after[end], b'\n');
                rest = &after[end + 1..];
                (line, &after[8..end])
            }
        };
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
        entry.insert(text(name), text(value));
    }
    entry
}

/// All that comes until `done`.
fn collect(journal: &UnixDatagram, entries: &mut Vec<Entry>, done: impl Fn(&Entry) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut datagram = vec![0; 1 << 18];
    loop {
        assert!(Instant::now() < deadline, "it does not come: {entries:#?}");
        let Ok(length) = journal.recv(&mut datagram) else {
            continue;
        };
        entries.push(parse(&datagram[..length]));
        if entries.last().is_some_and(&done) {
            return;
        }
    }
}

fn has(entry: &Entry, fields: &[(&str, &str)]) -> bool {
    fields
        .iter()
        .all(|(name, value)| entry.get(*name).is_some_and(|found| found == value))
}

#[test]
fn entries_have_levels_and_fields_and_no_secret() {
    let mut room = Room::new(
        "[destination.share]\npath = \"notebooks\"\ndirectory = \"\"\n\
         [destination.full]\npath = \"full\"\ndirectory = \"\"\n\
         [announce.dead]\nwebhook = { env = \"WEBHOOK\" }\n",
    );
    fs::write(room.path("full"), "no directory").expect("a file");
    let hook = "http://127.0.0.1:9/hooks/a-secret-of-the-journal";
    secrets::note("a-secret-of-the-journal");
    room.environment.push(("WEBHOOK", hook.into()));
    let sockets = room.path("sockets");
    fs::create_dir(&sockets).expect("a directory");
    let journal = UnixDatagram::bind(sockets.join("socket")).expect("a socket");
    let patience = Some(Duration::from_millis(200));
    journal.set_read_timeout(patience).expect("a time-out");
    // Standard error is what systemd says that it is: here the file of the log.
    let log = File::create(room.path("log"))
        .expect("a log")
        .metadata()
        .expect("facts");
    let stream = format!("{}:{}", log.dev(), log.ino());
    room.environment.push(("JOURNAL_STREAM", stream));
    let namespace = "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal && \
        mount --bind \"$0\" /run/systemd/journal && exec \"$@\"";
    let sockets = sockets.display().to_string();
    room.wrap = ["unshare", "-m", "sh", "-c", namespace, &sockets]
        .map(str::to_owned)
        .to_vec();
    room.make_run(1);
    room.launch();
    let mut entries = Vec::new();
    let is_of =
        |event: &'static str| move |entry: &Entry| has(entry, &[("NBCOURIER_EVENT", event)]);
    for event in ["run.detected", "run.ready", "job.queued"] {
        collect(&journal, &mut entries, is_of(event));
    }
    let all = ["notebook.uploaded", "destination.held"];
    while !all.iter().all(|event| entries.iter().any(is_of(event))) {
        collect(&journal, &mut entries, |_| true);
    }
    collect(&journal, &mut entries, |entry| {
        has(entry, &[("NBCOURIER_CODE", "announcement-failed")])
    });
    wait_until(10, "it is known", || !room.jobs().is_empty());
    let jobs = room.jobs();
    for (destination, event, state, priority) in [
        ("share", "notebook.uploaded", "delivered", "6"),
        ("full", "destination.held", "held", "3"),
    ] {
        let job = jobs.iter().find(|job| job["destination"] == destination);
        let job = job.expect("its job")["job"].as_str().expect("an id");
        let entry = entries
            .iter()
            .find(|entry| is_of(event)(entry))
            .expect("its entry");
        let fields = [
            ("SYSLOG_IDENTIFIER", "nbcourier"),
            ("PRIORITY", priority),
            ("NBCOURIER_RUN", "run_000001"),
            ("NBCOURIER_JOB", job),
            ("NBCOURIER_DESTINATION", destination),
            ("NBCOURIER_STATE", state),
            ("NBCOURIER_ATTEMPT", "1"),
        ];
        assert!(has(entry, &fields), "{entry:#?}");
        assert!(
            entry["NBCOURIER_DURATION_MS"].parse::<u64>().is_ok(),
            "{entry:#?}"
        );
        assert!(entry["MESSAGE"].contains("run=run_000001"), "{entry:#?}");
    }
    let held = entries
        .iter()
        .find(|entry| is_of("destination.held")(entry))
        .expect("held");
    let code = jobs.iter().find_map(|job| job["failure"]["code"].as_str());
    assert_eq!(held.get("NBCOURIER_CODE").map(String::as_str), code);
    let told = format!("{entries:?}");
    assert!(
        told.contains("[secret]") && !told.contains("a-secret-of"),
        "{told}"
    );
    assert_eq!(room.log(), "", "all of it is in the journal");
    assert_eq!(room.stop(), 0);
}
