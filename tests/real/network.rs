//! Networks that lie, stall and break: each trouble is its own destination's alone.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::delivery::write_token;
use crate::hub::Server;
use crate::line::{self, Line, Wound};
use crate::support::{Room, assert_one_whole_notebook_each, wait_until};

/// A trouble, the code that its job shows, and the longest it takes to show.
type Trouble = (&'static str, Wound, &'static str);

const TROUBLES: [Trouble; 11] = [
    ("refused", Wound::Refused, "server-unreachable"),
    ("full", Wound::Full, "server-unreachable"),
    (
        "silent",
        Wound::Answers(line::silence),
        "server-unreachable",
    ),
    (
        "half-open",
        Wound::Answers(line::half_open),
        "server-unreachable",
    ),
    (
        "slow-head",
        Wound::Answers(line::slow_head),
        "server-unreachable",
    ),
    (
        "slow-body",
        Wound::Answers(line::slow_body),
        "server-unreachable",
    ),
    (
        "truncated",
        Wound::Answers(line::truncated),
        "server-unreachable",
    ),
    (
        "wrong-length",
        Wound::Answers(line::wrong_length),
        "server-unreachable",
    ),
    (
        "compressed",
        Wound::Answers(line::compressed),
        "server-unreachable",
    ),
    (
        "endless",
        Wound::Answers(line::endless),
        "server-unreachable",
    ),
    ("reset", Wound::Answers(line::reset), "server-unreachable"),
];

fn table(name: &str, url: &str) -> String {
    format!(
        "[destination.{name}]\nserver = \"{url}\"\ndirectory = \"{name}\"\n\
         auth.token = {{ file = \"token\" }}\n"
    )
}

/// Makes a run every half a second until `done`; the longest that one took to be in `directory`.
fn keep_delivering(
    room: &Room,
    directory: &std::path::Path,
    mut done: impl FnMut() -> bool,
) -> (u32, Duration) {
    let (mut number, mut longest) = (0, Duration::ZERO);
    let end = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < end, "not within a minute");
        number += 1;
        let begun = Instant::now();
        room.make_run(number);
        let notebook = directory.join(format!("run_{number:06}.ipynb"));
        wait_until(10, "the well one delivers", || notebook.exists());
        longest = longest.max(begun.elapsed());
        std::thread::sleep(Duration::from_millis(500));
    }
    (number, longest)
}

/// The failures by destination.
fn failures(room: &Room) -> Vec<(String, String)> {
    let jobs = room.jobs();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let pairs = jobs
        .iter()
        .map(|job| (text(&job["destination"]), text(&job["failure"]["code"])));
    pairs.collect()
}

#[test]
fn whatever_is_wrong_on_the_way_to_one_server_the_others_are_served_at_once() {
    let server = Server::start();
    let mut lines: Vec<_> = TROUBLES
        .map(|(_, wound, _)| Line::new(&server.url, wound))
        .into();
    let tables = TROUBLES
        .iter()
        .zip(&lines)
        .map(|((name, ..), line)| table(name, &line.url()));
    let tables: String = tables.collect();
    let mut room = Room::new(&(tables + &table("well", &server.url)));
    write_token(&room, &server.token);
    room.start();
    let well = server.root().join("well");
    let (made, longest) = keep_delivering(&room, &well, || {
        let seen = failures(&room);
        let told = |(name, _, code): &Trouble| seen.contains(&((*name).into(), (*code).into()));
        TROUBLES.iter().all(told)
    });
    eprintln!("{made} runs, the longest way to the well one {longest:?}");
    assert!(longest < Duration::from_secs(3), "{longest:?}");
    // The same trouble is not met again and again.
    for (line, (name, ..)) in lines.iter().zip(TROUBLES) {
        assert!(line.taken() < 150, "{name}: {} connections", line.taken());
    }
    let memory = room.most_memory();
    assert!(memory < 400, "{memory} MB");
    lines.iter_mut().for_each(Line::heal);
    let jobs = made as usize * (TROUBLES.len() + 1);
    room.await_delivered(jobs, 60);
    let runs: Vec<_> = (1..=made)
        .map(|number| format!("run_{number:06}"))
        .collect();
    for (name, ..) in TROUBLES {
        assert_one_whole_notebook_each(&server.root().join(name), &runs);
    }
    let outcomes = room.jobs();
    let numbered = outcomes.iter().filter(|job| job["outcome"] == "numbered");
    assert_eq!(numbered.count(), 0, "nobody else has written there");
    let most = outcomes
        .iter()
        .filter_map(|job| job["attempts"].as_u64())
        .max();
    assert!(most < Some(40), "{most:?} attempts");
    assert!(!room.log().contains("panicked"));
}

/// A name server that knows no name in `.invalid`, and says nothing of any other.
fn name_server(address: SocketAddr) {
    let socket = UdpSocket::bind(address).expect("a port of a name server");
    std::thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((length, peer)) = socket.recv_from(&mut question) {
            let mut answer = question[..length].to_vec();
            if answer.windows(7).any(|part| part == b"invalid") {
                // An answer, no such name.
                (answer[2], answer[3]) = (0x81, 0x83);
                let _ = socket.send_to(&answer, peer);
            }
        }
    });
}

#[test]
fn a_name_that_nobody_knows_and_a_name_server_that_is_silent_delay_nobody_else() {
    let server = Server::start();
    let tables = ["unknown", "unasked", "well"].map(|name| match name {
        "unknown" => table(name, "https://jupyter.invalid"),
        "unasked" => table(name, "https://jupyter.nobody-answers.test"),
        _ => table(name, &server.url),
    });
    let mut room = Room::new(&tables.concat());
    write_token(&room, &server.token);
    // An address of this machine that nothing else uses.
    let own = std::process::id().to_be_bytes();
    let address = SocketAddr::from(([127, 200 + own[1] % 50, own[2], own[3].max(1)], 53));
    name_server(address);
    fs::write(
        room.path("resolv.conf"),
        format!("nameserver {}\n", address.ip()),
    )
    .expect("written");
    let script = format!(
        "mount --bind '{}' \"$(readlink -f /etc/resolv.conf)\" && exec \"$@\"",
        room.path("resolv.conf").display()
    );
    let wrap = ["unshare", "--mount", "sh", "-ec", &script, "sh"];
    room.wrap = wrap.map(String::from).to_vec();
    room.start();
    let (made, longest) = keep_delivering(&room, &server.root().join("well"), || {
        let seen = failures(&room);
        let told = |name: &str| seen.contains(&(name.into(), "server-unreachable".into()));
        told("unknown") && told("unasked")
    });
    eprintln!("{made} runs, the longest way to the well one {longest:?}");
    assert!(longest < Duration::from_secs(3), "{longest:?}");
    let failure = |destination: &str| {
        let jobs = room.jobs();
        let job = jobs.iter().find(|job| job["destination"] == destination);
        job.map(|job| job["failure"]["what"].to_string())
            .unwrap_or_default()
    };
    let unknown = failure("unknown");
    assert!(
        unknown.contains("jupyter.invalid") && unknown.contains("lookup"),
        "{unknown}"
    );
    assert!(
        failure("unasked").contains("timed out"),
        "{}",
        failure("unasked")
    );
    assert_eq!(room.stop(), 0);
}
