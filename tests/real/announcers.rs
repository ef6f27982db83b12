//! The announcers of `config/examples`, through the whole program.
//!
//! Debian 12 has no ELOG; the stand-in answers as elogd 3.1.4 was seen to answer.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{Process, Room, lasting_port, wait_until};

/// An elogd with the logbook `beam`, which asks for an author; prints each entry as JSON.
const ELOGD: &str = r#"
import email, email.policy, http.server, json, sys
entries = 0
class Elogd(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        global entries
        body = self.rfile.read(int(self.headers["Content-Length"]))
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        form = email.message_from_bytes(head + body, policy=email.policy.HTTP)
        fields = {part.get_param("name", header="content-disposition"): part.get_payload(decode=True).decode() for part in form.iter_parts()}
        port = self.server.server_port
        if self.path != "/beam/" or fields.get("exp") != "beam" or fields.get("cmd") != "Submit":
            return self.page(404, 'Error: logbook "<b>none</b>" not defined in elogd.cfg')
        if not fields.get("Author"):
            return self.page(404, "<i>Error: Attribute <b>Author</b> not supplied.</i><p>\nPlease go back and enter the <b>Author</b> field.")
        entries += 1
        print(json.dumps(fields), flush=True)
        self.send_response(302, "Found")
        self.send_header("Location", f"http://127.0.0.1:{port}/beam/{entries}")
        self.end_headers()
        self.wfile.write(b"\r\n<html>redir</html>\r\n")
    def page(self, status, words):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(f'<html><table><tr><td class="errormsg">{words}</td></tr></table></html>'.encode())
    def log_message(self, *words):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Elogd).serve_forever()
"#;

fn example(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("config/examples").join(name)
}

fn lines(file: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let each = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    each.collect()
}

#[test]
fn a_logbook_gets_one_entry_for_each_run_with_its_link() {
    let mut room = Room::new(
        "[destination.share]\npath = \"notebooks\"\ndirectory = \"\"\nopen = \"https://files.example/{path}\"\n",
    );
    let (port, told) = (lasting_port(), room.path("entries"));
    let elogd = fs::File::create(&told).expect("a file");
    let mut program = Command::new("python3");
    program.args(["-c", ELOGD, &port.to_string()]);
    let _elogd = Process::start(program.stdout(elogd).stderr(Stdio::null()));
    let (program, url) = (
        example("elog-entry"),
        format!("http://127.0.0.1:{port}/beam"),
    );
    room.add(&format!(
        "[announce.logbook]\ncommand = [{program:?}, {url:?}, \"Author=nbcourier\", \"Run={{run}}\"]\non = [\"delivered\", \"failed\"]\n\
         [announce.nobody]\ncommand = [{program:?}, {url:?}]\non = \"delivered\"\n"
    ));
    room.start();
    std::thread::sleep(std::time::Duration::from_secs(1));
    (1..=3).for_each(|number| drop(room.make_run(number)));
    room.await_delivered(3, 20);
    wait_until(20, "three entries", || lines(&told).len() == 3);
    let entries = lines(&told);
    for number in 1..=3 {
        let name = format!("run_{number:06}");
        let entry = entries.iter().find(|entry| entry["Run"] == *name);
        let entry = entry.unwrap_or_else(|| panic!("{name}: {entries:?}"));
        let link = format!("https://files.example/{name}.ipynb");
        assert_eq!(entry["Author"], "nbcourier");
        assert_eq!(entry["encoding"], "plain");
        assert!(
            entry["Text"].as_str().expect("a text").contains(&link),
            "{entry}"
        );
    }
    let health = || room.run(&["status", "--json"]).json()["health"].to_string();
    let refused = "answered 404: Error: Attribute Author not supplied.";
    wait_until(20, "the refusal is told", || health().contains(refused));
}

#[test]
fn a_mail_goes_out_by_sendmail() {
    let mut room = Room::new("[destination.share]\npath = \"notebooks\"\ndirectory = \"\"\n");
    let (bin, box_) = (room.path("bin"), room.path("box"));
    fs::create_dir(&bin).expect("a directory");
    let sendmail = bin.join("sendmail");
    let text = format!("#!/bin/sh\necho \"$@\" >> {box_:?}\ncat >> {box_:?}\n");
    fs::write(&sendmail, text).expect("a program");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&sendmail, mode).expect("chmod");
    let path = std::env::var("PATH").unwrap_or_default();
    room.environment
        .push(("PATH", format!("{}:{path}", bin.display())));
    let program = example("announce-mail");
    room.add(&format!(
        "[announce.mail]\ncommand = [{program:?}, \"nbcourier@daq.example\", \"shift@lab.example\", \"expert@lab.example\"]\n"
    ));
    fs::write(room.path("quick.ipynb"), "{ no notebook").expect("written");
    (1..=5).for_each(|number| drop(room.make_run(number)));
    room.start();
    let mail = || fs::read_to_string(&box_).unwrap_or_default();
    wait_until(20, "a mail", || mail().contains("what to do"));
    std::thread::sleep(std::time::Duration::from_secs(1));
    let mail = mail();
    assert!(
        mail.starts_with("-i -t -f nbcourier@daq.example\nFrom: nbcourier@daq.example\n"),
        "{mail}"
    );
    assert!(
        mail.contains("\nTo: shift@lab.example, expert@lab.example\n"),
        "{mail}"
    );
    assert!(
        mail.contains("Subject: [nbcourier] needs a person: [notebook.quick]: "),
        "{mail}"
    );
    assert!(mail.contains("Auto-Submitted: auto-generated\n"), "{mail}");
    assert_eq!(mail.matches("Subject: ").count(), 1, "{mail}");
}
