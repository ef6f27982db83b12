//! Squirro: the real `SquirroClient` as a witness of nbcourier's requests, and the example that uses it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::hub::environment;
use crate::support::{Process, Room, files, token, wait_until};

/// A stand-in for a cluster.
struct Cluster {
    dir: tempfile::TempDir,
    url: String,
    refresh_token: String,
    _process: Process,
}

/// A request as the cluster got it.
struct Heard {
    what: String,
    headers: BTreeMap<String, String>,
    fields: Vec<(String, String)>,
}

impl Cluster {
    fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let refresh_token = token();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/squirro.py");
        let mut command = Command::new("python3");
        let process = Process::start(command.arg(script).arg(dir.path()).arg(&refresh_token));
        wait_until(20, "the cluster answers", || {
            dir.path().join("port").exists()
        });
        let port = fs::read_to_string(dir.path().join("port")).expect("a port");
        Self {
            url: format!("http://127.0.0.1:{port}"),
            dir,
            refresh_token,
            _process: process,
        }
    }

    fn fault(&self, text: &str) {
        fs::write(self.dir.path().join("fault"), text).expect("a fault");
    }

    /// What it was asked since the last call of this.
    fn heard(&self) -> Vec<Heard> {
        let path = self.dir.path().join("requests");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let _ = fs::remove_file(path);
        let heard = |line: &str| {
            let request: Value = serde_json::from_str(line).expect("a request");
            let word = |name: &str| request[name].as_str().expect("a text").to_owned();
            let body = word("body");
            let pairs = url::form_urlencoded::parse(body.as_bytes()).into_owned();
            Heard {
                what: format!("{} {}", word("method"), word("path")),
                headers: serde_json::from_value(request["headers"].clone()).expect("headers"),
                fields: pairs.collect(),
            }
        };
        text.lines().map(heard).collect()
    }

    fn oauth(&self) -> String {
        format!(
            "auth.oauth = {{ token_url = \"{}/api/user/oauth2/token\", refresh_token = {{ file = \"refresh\" }} }}\n",
            self.url
        )
    }
}

/// Adds the refresh token to a room.
fn trusted(room: Room, cluster: &Cluster) -> Room {
    use std::os::unix::fs::PermissionsExt as _;
    fs::write(room.path("refresh"), &cluster.refresh_token).expect("a token");
    fs::set_permissions(room.path("refresh"), fs::Permissions::from_mode(0o600)).expect("chmod");
    room
}

fn find<'a>(heard: &'a [Heard], what: &str) -> &'a Heard {
    let found = heard.iter().find(|one| one.what.starts_with(what));
    found.unwrap_or_else(|| {
        panic!(
            "no {what} among {:?}",
            heard.iter().map(|one| &one.what).collect::<Vec<_>>()
        )
    })
}

/// Headers without those that only say who asks and how it would like its answer.
fn telling(heard: &Heard) -> BTreeMap<&str, &str> {
    let manner = [
        "user-agent",
        "accept",
        "accept-encoding",
        "connection",
        "host",
    ];
    let headers = heard
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    headers.filter(|(name, _)| !manner.contains(name)).collect()
}

/// The scheme of its Authorization, without the token.
fn scheme(heard: &Heard) -> &str {
    heard.headers["authorization"]
        .split(' ')
        .next()
        .unwrap_or_default()
}

#[test]
fn a_refresh_and_a_signed_call_are_those_of_the_real_client() {
    let cluster = Cluster::start();
    let program = "import sys\nfrom squirro_client import SquirroClient\n\
        client = SquirroClient(None, None, cluster=sys.argv[1])\n\
        client.authenticate(refresh_token=sys.stdin.read())\nprint(client.get_project('p1')['id'])";
    let mut witness = Command::new(environment().join("clients/bin/python"));
    let token = fs::File::open(
        trusted(
            Room::new("[destination.x]\npath = \"notebooks\"\n"),
            &cluster,
        )
        .path("refresh"),
    );
    let said = witness
        .args(["-c", program, &cluster.url])
        .stdin(token.expect("a file"))
        .output();
    assert_eq!(
        String::from_utf8_lossy(&said.expect("the client").stdout),
        "p1\n"
    );
    let theirs = cluster.heard();

    let table = format!(
        "[destination.cluster]\nserver = \"{}\"\n{}",
        cluster.url,
        cluster.oauth()
    );
    let room = trusted(Room::new(&table), &cluster);
    let checked = room.run(&["check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    let ours = cluster.heard();

    let asked = "POST /api/user/oauth2/token";
    let (they, we) = (find(&theirs, asked), find(&ours, asked));
    assert_eq!(they.what, we.what);
    assert_eq!(they.fields, we.fields);
    assert_eq!(telling(they), telling(we));
    let (they, we) = (
        find(&theirs, "GET /api/topic/"),
        find(&ours, "GET /api/contents/"),
    );
    assert_eq!((scheme(they), scheme(we)), ("Bearer", "Bearer"));
    assert_eq!(
        telling(they).into_keys().collect::<Vec<_>>(),
        telling(we).into_keys().collect::<Vec<_>>()
    );
    let count = |heard: &[Heard]| {
        heard
            .iter()
            .filter(|one| one.what.starts_with(asked))
            .count()
    };
    assert_eq!((count(&theirs), count(&ours)), (1, 1));
}

#[test]
fn each_run_is_one_item_whatever_the_cluster_answers_in_between() {
    let cluster = Cluster::start();
    let python = environment().join("clients/bin/python");
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/config/examples/squirro-item");
    let mut room = trusted(
        Room::new(&format!(
            "[destination.squirro]\ncommand = [{python:?}, \"{example}\", \"{}\", \"lab\", \"p1\", \"s1\"]\n\
             directory = \"h4\"\nopen = \"https://hub.example/hub/user-redirect/lab/tree/{{path}}\"\n{}",
            cluster.url,
            cluster.oauth()
        )),
        &cluster,
    );
    cluster.fault("503");
    room.start();
    room.make_run(1);
    let failure = room.await_failure("command-unavailable", 40);
    assert!(
        failure["what"]
            .as_str()
            .is_some_and(|what| what.contains("Squirro: ")),
        "{failure}"
    );
    // Its tokens end before their time: the example says so, and gets another one.
    cluster.fault("revoke");
    room.await_delivered(1, 40);
    for run in 2..=4 {
        room.make_run(run);
    }
    room.await_delivered(4, 40);
    let items = files(&cluster.dir.path().join("items"));
    assert_eq!(items.len(), 4, "{items:?}");
    for job in room.jobs() {
        let id = job["job"].as_str().expect("an id");
        assert_item(&room, &cluster.dir.path().join("items").join(id));
    }
    assert!(!room.log().contains(&cluster.refresh_token));
}

/// An item holds its run, its link and the notebook.
fn assert_item(room: &Room, path: &Path) {
    let item: Value =
        serde_json::from_str(&fs::read_to_string(path).expect("an item")).expect("JSON");
    let run = item["keywords"]["run"][0].as_str().expect("a run");
    assert!(room.path("data").join(run).is_dir());
    let link = format!("https://hub.example/hub/user-redirect/lab/tree/h4/{run}.ipynb");
    assert_eq!(item["link"], link);
    assert_eq!(item["keywords"]["beam"][0], "e-\"");
    let program = "import base64, json, sys; print(json.loads(base64.b64decode(sys.argv[1]))['metadata']['nbcourier']['run'])";
    let content = item["files"][0]["content"].as_str().expect("a file");
    let said = Command::new("python3")
        .args(["-c", program, content])
        .output()
        .expect("python3");
    assert_eq!(String::from_utf8_lossy(&said.stdout).trim(), run);
}
