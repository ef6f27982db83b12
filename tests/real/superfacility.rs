//! NERSC's Superfacility API, by a server of our own that answers as the official client expects it
//! to; that client is run beside nbcourier, so that the server is more than our own opinion.

mod faults;
mod limits;
mod witness;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::hub::{environment, request};
use crate::support::{Process, Room, wait_until};

/// The directory on the machine.
const DIRECTORY: &str = "/global/cfs/cdirs/m1234/runs";

/// A running API with the file system of its machine.
pub struct Stand {
    dir: tempfile::TempDir,
    url: String,
    _process: Process,
}

impl Stand {
    pub fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir_all(dir.path().join(format!("root{DIRECTORY}"))).expect("a directory");
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/superfacility");
        let told = dir.path().join("port");
        let mut command = Command::new(environment().join("clients/bin/python"));
        command.arg(here.join("stand.py")).arg(dir.path());
        let process = Process::start(command.stdout(File::create(&told).expect("a file")));
        let read = || fs::read_to_string(&told).unwrap_or_default();
        wait_until(20, "the stand listens", || read().ends_with('\n'));
        Self {
            url: format!("http://127.0.0.1:{}", read().trim()),
            dir,
            _process: process,
        }
    }

    /// Sets what a test may set, or orders a fault.
    pub fn order(&self, wish: &Value) -> usize {
        let url = format!("{}/order", self.url);
        let (status, answer) = request("POST", &url, "", &wish.to_string());
        assert_eq!(status, 200, "{answer}");
        usize::try_from(answer["left"].as_u64().expect("a number")).expect("small")
    }

    /// The next call of this method whose path contains all these parts fails so.
    pub fn fault(&self, method: &str, parts: &[&str], fault: &Value) {
        let mut fault = fault.clone();
        fault["method"] = method.into();
        fault["parts"] = parts.into();
        self.order(&json!({ "fault": fault }));
    }

    /// What was asked for until now.
    pub fn seen(&self) -> Vec<Value> {
        let (_, seen) = request("GET", &format!("{}/seen", self.url), "", "");
        seen.as_array().cloned().expect("a list")
    }

    /// How many calls of this method had this in their path.
    pub fn count(&self, method: &str, part: &str) -> usize {
        let fits = |call: &&Value| {
            call["method"] == method && call["path"].as_str().is_some_and(|p| p.contains(part))
        };
        self.seen().iter().filter(fits).count()
    }

    /// A file on the machine.
    pub fn path(&self, path: &str) -> PathBuf {
        self.dir
            .path()
            .join("root")
            .join(path.trim_start_matches('/'))
    }

    /// The notebooks' directory on the machine.
    pub fn runs(&self) -> PathBuf {
        self.path(DIRECTORY)
    }

    /// The table of a destination there, with these further keys.
    pub fn table(&self, keys: &str) -> String {
        let url = &self.url;
        let directory = match keys.contains("directory") {
            true => String::new(),
            false => format!("directory = \"{DIRECTORY}\"\n"),
        };
        format!(
            "[destination.nersc]\nsuperfacility = \"{url}/api/v1.2\"\nmachine = \"perlmutter\"\n{directory}{keys}\n\
             auth.oauth = {{ token_url = \"{url}/c2id/token\", key = {{ file = \"key\" }} }}\n"
        )
    }

    /// Puts a client's key file into the room, in the place of any other.
    pub fn give_key(&self, room: &Room, file: &str) {
        let fresh = room.path("key.new");
        fs::copy(self.dir.path().join(file), &fresh).expect("a copy");
        fs::rename(fresh, room.path("key")).expect("renamed");
    }

    /// A room whose notebooks go there.
    pub fn room(&self, keys: &str) -> Room {
        let mut room = Room::new(&self.table(keys));
        room.pace = "0.02";
        self.give_key(&room, "key");
        room
    }
}
