//! The page as programs see it, friendly ones and others; detection and delivery notice neither.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Room, files, token, wait_until};

const DIRECTORY: &str = "[destination.dir]\npath = \"notebooks\"\ndirectory = \"\"\n";

/// Where the room's page is served.
fn address(room: &Room) -> SocketAddr {
    let log = room.log();
    let (_, rest) = log.rsplit_once("page=\"http://").expect("a page");
    let text = rest.split_once('/').expect("an address").0;
    text.replace("0.0.0.0", "127.0.0.1")
        .parse()
        .expect("an address")
}

/// What an answer says.
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let line = |line: &&str| line.to_lowercase().starts_with(&format!("{name}:"));
        let line = self.head.lines().find(line)?;
        Some(line.split_once(':')?.1.trim())
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn connect(room: &Room) -> TcpStream {
    let stream = TcpStream::connect(address(room)).expect("a connection");
    let patience = Some(Duration::from_secs(60));
    stream.set_read_timeout(patience).expect("a timeout");
    stream
}

/// What these exact bytes are answered with.
fn send(room: &Room, request: &str) -> Answer {
    let mut stream = connect(room);
    // A request that is too long may be refused before its end.
    let _ = stream.write_all(request.as_bytes());
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all);
    let end = all.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or(all.len());
    let head = String::from_utf8_lossy(&all[..end]).into_owned();
    let status = head.get(9..12).and_then(|code| code.parse().ok());
    Answer {
        status: status.unwrap_or(0),
        head,
        body: all.split_off((end + 4).min(all.len())),
    }
}

/// A usual request with these further header lines.
fn get(room: &Room, path: &str, lines: &str) -> Answer {
    let host = address(room);
    let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    send(room, &format!("{head}{lines}\r\n"))
}

fn json(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body)
        .unwrap_or_else(|error| panic!("{error}: {}", answer.text()))
}

/// A run that arrives now is found and delivered within seconds.
fn assert_delivers(room: &Room, number: u32) {
    let before = room.count("delivered");
    room.make_run(number);
    room.await_delivered(before + 1, 20);
}

#[test]
fn a_run_is_shown_with_its_story_its_json_and_the_notebook_that_was_delivered() {
    let mut room = Room::new(&format!(
        "{DIRECTORY}open = \"https://hub.example/{{path}}\"\n"
    ));
    room.start();
    room.make_run(1);
    room.await_delivered(1, 20);
    let index = get(&room, "/", "").text();
    for shown in [
        "all well",
        "<bdi>run_000001</bdi>",
        "https://hub.example/run_000001.ipynb",
        "<noscript><meta http-equiv=\"refresh\"",
        "1 run within 24 hours",
    ] {
        assert!(index.contains(shown), "{shown}: {index}");
    }
    let latest = get(&room, "/latest", "");
    assert_eq!(
        (latest.status, latest.header("location")),
        (303, Some("/run/1"))
    );
    let story = get(&room, "/run/1", "").text();
    assert!(
        story.contains("first seen") && story.contains("delivered</strong>"),
        "{story}"
    );

    let run = json(&get(&room, "/api/v1/runs/run_000001", ""));
    assert_eq!(run["jobs"][0]["state"], "delivered");
    assert!(
        run["events"]
            .as_array()
            .is_some_and(|events| events.len() == 2)
    );
    assert_eq!(
        json(&get(&room, "/api/v1/runs", ""))[0]["name"],
        "run_000001"
    );
    assert_eq!(
        json(&get(&room, "/api/v1/status", ""))["jobs"]["delivered"],
        1
    );
    assert_eq!(get(&room, "/healthz", "").text(), "ok\n");
    assert_eq!(get(&room, "/readyz", "").text(), "ready\n");

    let delivered = fs::read(room.path("notebooks/run_000001.ipynb")).expect("a notebook");
    let uid = run["jobs"][0]["job"].as_str().expect("a job");
    for name in ["run_000001", "h4:run_000001", "000001", uid] {
        let file = get(&room, &format!("/runs/{name}.ipynb"), "");
        assert_eq!(file.body, delivered, "{name}");
        let kind = file.header("content-type");
        assert_eq!(kind, Some("application/x-ipynb+json"));
    }
    let preview = get(&room, "/runs/run_000001.html", "").text();
    assert!(preview.contains("to the byte") && preview.contains("parameters of this run"));
    assert_eq!(get(&room, "/runs/run_000009.ipynb", "").status, 404);
    assert_eq!(get(&room, "/api/v1/runs/run_000009", "").status, 404);
}

#[test]
fn rows_are_found_by_state_and_text_and_only_what_is_new_is_sent_again() {
    let mut room = Room::new(DIRECTORY);
    room.start();
    (1..=3).for_each(|number| drop(room.make_run(number)));
    fs::create_dir(room.path("data/run_000004")).expect("a run");
    room.await_delivered(3, 20);
    wait_until(10, "the run in progress is seen", || room.runs().len() == 4);
    let shown = |query: &str| {
        let runs = json(&get(&room, &format!("/api/v1/runs?{query}"), ""));
        let names = runs.as_array().expect("runs").iter();
        names
            .map(|run| {
                run["name"]
                    .as_str()
                    .expect("a name")
                    .replace("run_00000", "")
            })
            .collect::<String>()
    };
    assert_eq!(shown(""), "4321");
    assert_eq!(shown("state=acquiring"), "4");
    assert_eq!(shown("state=delivered"), "321");
    assert_eq!(shown("state=delivered&before=3"), "21");
    assert_eq!(shown("state=held"), "");
    assert_eq!(shown("q=000003"), "3");
    assert_eq!(shown("q=2.50"), "2", "parameters are searched too");
    assert_eq!(shown("q=%25"), "", "no text is special but * and ?");
    assert_eq!(shown("q=RUN_0*0002"), "2");
    assert_eq!(shown("q='+OR+1=1--"), "");

    let index = get(&room, "/", "");
    let (_, rest) = index
        .text()
        .split_once("data-seen=\"")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .expect("a pulse");
    let seen = rest.split_once('"').expect("a pulse").0.to_owned();
    let again = |seen: &str| get(&room, "/", &format!("Nbcourier-Seen: {seen}\r\n"));
    let same = again(&seen);
    // A pulse lasts half a minute at most, and may end just now.
    assert!(same.status == 204 && same.body.is_empty() || again(&seen).status == 200);
    room.make_run(5);
    room.await_delivered(4, 20);
    assert!(again(&seen).text().contains("run_000005"));
}

#[test]
fn the_notebook_is_had_while_its_hub_is_dead_and_its_template_broken() {
    let hub =
        "[destination.hub]\nhub = \"http://127.0.0.1:9\"\nauth.token = { file = \"token\" }\n";
    let mut room = Room::new(hub);
    let secret = token();
    fs::write(room.path("token"), &secret).expect("a token");
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(room.path("token"), private).expect("chmod");
    room.start();
    room.make_run(1);
    room.await_failure("hub-unreachable", 20);
    fs::write(room.path("quick.ipynb"), "{").expect("a broken template");
    let index = get(&room, "/", "").text();
    assert!(index.contains("no need to call at night"), "{index}");
    let preview = get(&room, "/runs/run_000001.html", "").text();
    assert!(preview.contains("Not delivered yet (waiting)"), "{preview}");
    assert!(preview.contains("its last good version"), "{preview}");
    let notebook = json(&get(&room, "/runs/run_000001.ipynb", ""));
    assert_eq!(notebook["metadata"]["nbcourier"]["run"], "run_000001");
}

#[test]
fn no_other_site_reads_or_acts_by_the_hand_of_a_browser() {
    let mut room = Room::new(DIRECTORY);
    room.start();
    let host = address(&room);
    for name in [
        "evil.example",
        "evil.example:8750",
        "127.0.0.1.evil.example",
        "",
        "192.0.2.1",
    ] {
        let answer = send(
            &room,
            &format!("GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n"),
        );
        assert_eq!(answer.status, 403, "DNS rebinding to {name}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"] {
        for path in ["/", "/retry", "/run/1", "/api/v1/runs"] {
            let head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
            let answer = send(&room, &format!("{head}Content-Length: 0\r\n\r\n"));
            assert_eq!(answer.status, 405, "{method} {path}");
        }
    }
    let foreign = |site: &str, mode: &str, dest: &str| {
        let lines = [("Site", site), ("Mode", mode), ("Dest", dest)];
        let lines = lines.map(|(name, value)| format!("Sec-Fetch-{name}: {value}\r\n"));
        get(&room, "/api/v1/runs", &lines.concat()).status
    };
    assert_eq!(foreign("cross-site", "no-cors", "image"), 403);
    assert_eq!(foreign("same-site", "cors", "empty"), 403);
    assert_eq!(foreign("cross-site", "navigate", "iframe"), 403);
    assert_eq!(foreign("cross-site", "navigate", "document"), 200);
    assert_eq!(foreign("same-origin", "cors", "empty"), 200);
    for path in ["/", "/api/v1/status", "/metrics", "/page.js", "/nowhere"] {
        let answer = get(&room, path, "");
        assert_eq!(
            answer.header("x-content-type-options"),
            Some("nosniff"),
            "{path}"
        );
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.header("access-control-allow-origin"), None);
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"));
    }
    let page = get(&room, "/", "").text();
    assert!(!page.contains("<style") && !page.contains(" style=") && !page.contains("<script>"));
    assert_delivers(&room, 1);
}

#[test]
fn no_path_leads_out_of_the_page_and_no_name_out_of_its_header() {
    let mut room = Room::new(&DIRECTORY.replace(
        "directory = \"\"",
        "directory = \"\"\nopen = \"https://hub.example/{path}\"",
    ));
    let config = fs::read_to_string(room.path("nbcourier.toml")).expect("a configuration");
    let config = config.replace(
        "directory = \"data\"\n",
        "directory = \"data\"\npattern = '(?s)(?<run>.+)'\n",
    );
    fs::write(room.path("nbcourier.toml"), config).expect("a configuration");
    room.start();
    let long = "a".repeat(20_000);
    let huge = "a".repeat(200_000);
    for path in [
        "/../../../../etc/passwd",
        "/page.css/../../Cargo.toml",
        "/runs/../../../etc/passwd",
        "/runs/..%2f..%2f..%2fetc%2fpasswd.html",
        "/runs/%2e%2e/%2e%2e/etc/passwd.ipynb",
        "/runs//etc/passwd.ipynb",
        "/runs/%00.ipynb",
        "/runs/%ff%fe.ipynb",
        "/runs/.ipynb",
        "/run/-1",
        "/run/9223372036854775808",
        "/run/1%20OR%201=1",
        &format!("/runs/{long}.ipynb"),
        &format!("/{huge}"),
        "*",
    ] {
        let answer = get(&room, path, "");
        let refused = (400..500).contains(&answer.status);
        assert!(
            refused && !answer.text().contains("root:"),
            "{path:.40}: {}",
            answer.head
        );
    }
    let hostile = "x\r\nSet-Cookie: a=b\r\n\r\n<script>\";filename=\"y";
    let run = room.path("data").join(hostile);
    fs::create_dir(&run).expect("a run");
    fs::write(run.join("run.json"), "{}").expect("metadata");
    fs::write(run.join("DONE"), "").expect("a marker");
    room.await_delivered(1, 20);
    let uid = room.jobs()[0]["job"].as_str().expect("a job").to_owned();
    let file = get(&room, &format!("/runs/{uid}.ipynb"), "");
    assert_eq!(file.status, 200, "{}", file.text());
    assert_eq!(file.header("set-cookie"), None);
    let name = file.header("content-disposition").expect("a name");
    assert_eq!(name.matches('"').count(), 2, "{name}");
    for path in ["/", "/run/1", &format!("/runs/{uid}.html")] {
        let shown = get(&room, path, "").text();
        assert!(
            !shown.contains("<script>") && shown.contains("&lt;script&gt;"),
            "{shown}"
        );
    }
    assert_eq!(files(&room.path("notebooks")).len(), 1);
}

#[test]
fn beyond_this_machine_only_those_with_the_token_read() {
    let mut room = Room::new(DIRECTORY);
    let secret = token();
    fs::write(room.path("page.token"), &secret).expect("a token");
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(room.path("page.token"), private).expect("chmod");
    let config = fs::read_to_string(room.path("nbcourier.toml")).expect("a configuration");
    let config = config.replace(
        "127.0.0.1:0\"",
        "0.0.0.0:0\"\nread_token = { file = \"page.token\" }",
    );
    fs::write(room.path("nbcourier.toml"), config).expect("a configuration");
    room.start();
    for path in [
        "/",
        "/run/1",
        "/latest",
        "/metrics",
        "/api/v1/runs",
        "/page.js",
        "/nowhere",
    ] {
        let answer = get(&room, path, "");
        assert_eq!(answer.status, 401, "{path}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    for (line, status) in [
        (format!("Authorization: Bearer {secret}\r\n"), 200),
        (format!("Authorization: bearer {secret}\r\n"), 200),
        (format!("Authorization: Bearer {secret}x\r\n"), 401),
        ("Authorization: Bearer \r\n".to_owned(), 401),
        (format!("Authorization: Basic {secret}\r\n"), 401),
        (format!("Cookie: nbcourier={secret}\r\n"), 401),
        ("Cookie: nbcourier=\r\n".to_owned(), 401),
    ] {
        assert_eq!(
            get(&room, "/api/v1/runs", &line).status,
            status,
            "{line:.30}"
        );
    }
    assert_eq!(get(&room, "/?token=wrong", "").status, 401);
    let given = get(&room, &format!("/run/1?token={secret}"), "");
    assert_eq!(
        (given.status, given.header("location")),
        (303, Some("/run/1"))
    );
    let cookie = given.header("set-cookie").expect("a cookie").to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"));
    assert!(!given.head.contains(&secret), "the browser keeps no token");
    let kept = cookie.split(';').next().expect("a value");
    let line = format!("Cookie: other=1; {kept}\r\n");
    assert_eq!(get(&room, "/", &line).status, 200);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(get(&room, path, "").status, 200, "{path}");
    }
    let machine = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    for (host, status) in [
        (machine.as_str(), 401),
        ("192.0.2.1:80", 401),
        ("evil.example", 403),
    ] {
        let answer = send(
            &room,
            &format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"),
        );
        assert_eq!(answer.status, status, "{host}");
    }
    // A link of a chat comes without the cookie; the page that asks for the token loads itself again.
    let linked =
        "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
    assert!(
        get(&room, "/", linked)
            .text()
            .contains("http-equiv=\"refresh\"")
    );

    let renewed = token();
    fs::write(room.path("page.token"), &renewed).expect("another token");
    wait_until(20, "a replaced token counts", || {
        get(&room, "/", &format!("Authorization: Bearer {renewed}\r\n")).status == 200
    });
    assert_eq!(get(&room, "/", &line).status, 401, "the old one doesn't");
    assert_delivers(&room, 1);
    let check = room.run(&["check", "--json"]).json();
    let named = |line: &&Value| line["name"] == "page";
    let line = check["checks"]
        .as_array()
        .expect("checks")
        .iter()
        .find(named);
    assert_eq!(line.expect("the page's")["state"], "ok");
    fs::remove_file(room.path("page.token")).expect("removed");
    assert_eq!(room.run(&["check"]).code, 77);
}

#[test]
fn slow_clients_and_too_many_of_them_are_bounded_and_delay_nothing() {
    let mut room = Room::new(DIRECTORY);
    room.start();
    let fds = |room: &Room| {
        fs::read_dir(format!("/proc/{}/fd", room.pid()))
            .expect("proc")
            .count()
    };
    let before = fds(&room);
    let mut clients = Vec::new();
    for number in 0..300 {
        let mut stream = connect(&room);
        let host = address(&room);
        let request = match number % 3 {
            // Silent, in the middle of its head, or asking for all and reading nothing.
            0 => String::new(),
            1 => format!("GET / HTTP/1.1\r\nHost: {host}\r\nX-Slow: "),
            _ => format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").repeat(200),
        };
        stream.write_all(request.as_bytes()).expect("sent");
        clients.push(stream);
    }
    assert_delivers(&room, 1);
    assert!(fds(&room) < before + 80, "{} descriptors", fds(&room));
    assert_eq!(
        room.run(&["status", "--json"]).code,
        0,
        "the socket answers"
    );
    // Each of 300 waits its turn of 64 places, and none keeps one.
    let began = Instant::now();
    assert_eq!(get(&room, "/healthz", "").status, 200);
    assert!(
        began.elapsed() < Duration::from_secs(59),
        "{:?}",
        began.elapsed()
    );
    assert_delivers(&room, 2);
    drop(clients);
    wait_until(30, "all places are free", || fds(&room) < before + 10);
}

#[test]
fn the_page_costs_little_with_ten_thousand_runs() {
    let mut room = Room::new(DIRECTORY);
    room.start();
    assert_eq!(room.stop(), 0);
    room.fill(10_000);
    room.arguments = vec!["--only", "detect"];
    room.start();
    for path in [
        "/",
        "/?state=held",
        "/?state=delivered&before=5000",
        "/?q=run_000017",
        "/?q=nothing",
        "/run/77",
    ] {
        let began = Instant::now();
        let answer = get(&room, path, "");
        assert_eq!(answer.status, 200);
        assert!(
            began.elapsed() < Duration::from_secs(1),
            "{path}: {:?}",
            began.elapsed()
        );
        assert!(answer.body.len() < 500_000, "{path}: {}", answer.body.len());
    }
}
