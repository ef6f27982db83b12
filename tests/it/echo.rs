//! A hub that sends back what it was sent: the token, in every form, in every error.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use crate::support::{Process, Room, files, lasting_port, token, wait_until};

const HUB: &str = r#"
import base64, http.server, json, sys, urllib.parse
class Hub(http.server.BaseHTTPRequestHandler):
    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        sent = self.headers.get("Authorization")
        if sent is None:
            status, body = 200, {"version": "6.1.1"}
        else:
            word = sent.split(" ")[1]
            basic = base64.b64encode(f"user:{word}".encode()).decode()
            status, body = 500, {"message": f"you sent {sent}, {basic}, {urllib.parse.quote(word)}, " + "x" * 85 + word}
            print(word, flush=True)
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-JupyterHub-Version", "6.1.1")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    do_GET = do_POST = do_PUT = answer
    def log_message(self, *words):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Hub).serve_forever()
"#;

#[test]
fn a_token_that_a_server_sends_back_reaches_nobody() {
    let port = lasting_port();
    let mut room = Room::new(&format!(
        "[destination.hub]\nhub = \"http://127.0.0.1:{port}\"\nuser = \"alice\"\nauth.token = {{ file = \"token\" }}\n"
    ));
    let secret = format!("{}+/%=", token());
    fs::write(room.path("token"), &secret).expect("a token");
    fs::set_permissions(room.path("token"), fs::Permissions::from_mode(0o600)).expect("chmod");
    let hubs = tempfile::tempdir().expect("a temporary directory");
    let seen = hubs.path().join("seen");
    let mut hub = Command::new("python3");
    hub.args(["-c", HUB, &port.to_string()]);
    hub.stdout(fs::File::create(&seen).expect("a file"));
    let _hub = Process::start(hub.stderr(Stdio::null()));
    let config = fs::read_to_string(room.path("nbcourier.toml")).expect("a configuration");
    fs::write(
        room.path("nbcourier.toml"),
        format!("log = \"trace\"\n{config}"),
    )
    .expect("written");
    room.start();
    room.make_run(1);
    let failure = room.await_failure("hub-error", 20);
    let what = failure["what"].as_str().unwrap_or_default();
    assert!(what.contains("you sent token [secret], "), "{what}");
    let mut told = vec![what.to_owned()];
    for arguments in [
        &["check"][..],
        &["check", "--json"],
        &["status", "--json"],
        &["runs", "--json", "--all"],
        &["show", "run_000001"],
    ] {
        let ended = room.run(arguments);
        told.extend([ended.out, ended.err]);
    }
    room.stop();
    told.push(room.log());
    wait_until(5, "it was sent", || {
        fs::read_to_string(&seen).is_ok_and(|seen| seen.contains(&secret))
    });
    let mut state = files(&room.path("state"));
    state.retain(|file| file.is_file());
    told.extend(
        state
            .iter()
            .map(|file| String::from_utf8_lossy(&fs::read(file).expect("a file")).into_owned()),
    );
    // A part of it is as good as the whole.
    for text in told {
        for part in [&secret[..16], &secret[16..32]] {
            assert!(!text.contains(part), "{text}");
        }
        assert!(!text.contains("%2B/%25"), "{text}");
    }
}
