//! What a user's space on SWAN takes and refuses, in both interfaces.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::Swan;
use crate::disk::SmallDisk;
use crate::support::{Room, wait_until};

/// Where each destination delivers to in alice's home, with the code that it meets first.
const PLACES: [(&str, &str, &str); 10] = [
    ("project", "SWAN_projects/h4", ""),
    ("below", "SWAN_projects/h4/2026/november", ""),
    ("plain", "SWAN_projects/plain", ""),
    ("mine", "SWAN_projects/mine", ""),
    // Nothing of ours is hidden.
    ("hidden", ".h4", ""),
    ("locked", "SWAN_projects/locked", "not-writable"),
    ("frozen", "SWAN_projects/frozen", "not-writable"),
    ("full", "SWAN_projects/full", "storage-full"),
    ("nested", "SWAN_projects/SWAN_projects", "name-unusable"),
    ("restricted", "runs/SWAN_projects", "name-unusable"),
];

/// A room with all of these, for Lab.
fn room(swan: &Swan) -> Room {
    let destination = |(name, directory, _): &(&str, &str, &str)| {
        format!(
            "[destination.{name}]\nhub = \"{}\"\nprofile = \"swan\"\nca_file = \"{}\"\ndirectory = \"{directory}\"\n\
             auth.kerberos = {{ keytab = \"{}\" }}\n[destination.{name}.spawn_options]\nsoftware_source = \"lcg\"\n\
             lcg = \"LCG_110_swan\"\nplatforms = \"x86_64-el9-gcc13-opt\"\ncores = 2\nmemory = \"8G\"\n",
            swan.url,
            swan.authority().display(),
            swan.keytab("alice").display(),
        )
    };
    let mut room = Room::new(&PLACES.iter().map(destination).collect::<String>());
    let krb5 = swan.path("krb5.conf").display().to_string();
    room.environment = vec![("KRB5_CONFIG", krb5)];
    room
}

fn job(room: &Room, destination: &str, run: &str) -> Value {
    let mut runs = room.runs().into_iter();
    let run = runs.find(|one| one["name"] == run).unwrap_or_default();
    let jobs = run["jobs"].as_array().cloned().unwrap_or_default();
    let mut jobs = jobs.into_iter();
    jobs.find(|job| job["destination"] == destination)
        .unwrap_or_default()
}

fn await_delivered(room: &Room, destination: &str, run: &str) -> Value {
    let mut job = Value::Null;
    wait_until(90, &format!("{run} is at {destination}"), || {
        job = self::job(room, destination, run);
        job["state"] == "delivered"
    });
    job
}

fn allow(directory: &Path, mode: u32) {
    fs::set_permissions(directory, Permissions::from_mode(mode)).expect("chmod");
}

#[test]
fn a_users_space_takes_notebooks_where_it_can_and_says_why_where_it_cannot() {
    let swan = Swan::with(&["alice"], &[]);
    let projects = swan.home("alice").join("SWAN_projects");
    for name in ["plain", "mine", "locked"] {
        fs::create_dir_all(projects.join(name)).expect("a directory");
    }
    fs::write(projects.join("mine/.swanproject"), "stack: mine").expect("a project");
    allow(&projects.join("locked"), 0o555);
    let full = SmallDisk::mount(&projects.join("full"));
    full.fill();
    let frozen = SmallDisk::mount(&projects.join("frozen"));
    frozen.forbid_writes();
    let mut room = room(&swan);
    room.start();
    room.make_run(1);
    each_place_is_told_of(&room);
    assert!(projects.join("h4/.swanproject").exists());
    // A person's own directories stay what they are.
    assert!(projects.join("plain/run_000001.ipynb").exists());
    assert!(!projects.join("plain/.swanproject").exists());
    let own = fs::read_to_string(projects.join("mine/.swanproject"));
    assert_eq!(own.expect("a project"), "stack: mine");

    // Mended, each goes on by itself.
    allow(&projects.join("locked"), 0o755);
    full.grow();
    for place in ["locked", "full"] {
        await_delivered(&room, place, "run_000001");
    }
    // The project is removed under the daemon, which makes it again.
    fs::remove_dir_all(projects.join("h4")).expect("removed");
    room.make_run(2);
    await_delivered(&room, "project", "run_000002");
    assert!(projects.join("h4/.swanproject").exists());
    assert!(projects.join("h4/run_000002.ipynb").exists());

    the_other_interface_is_found(&swan, &room);
    swan.note_secrets();
}

fn each_place_is_told_of(room: &Room) {
    for (place, directory, code) in PLACES {
        if code.is_empty() {
            let job = await_delivered(room, place, "run_000001");
            let url = job["url"].as_str().unwrap_or_default();
            let directory = directory.replace('.', "_");
            let link = format!("/lab/tree/user/a/alice/{directory}/run_000001.ipynb");
            assert!(url.ends_with(&link), "{url}");
            continue;
        }
        let mut failure = Value::Null;
        wait_until(60, &format!("{code} of {place}"), || {
            failure = job(room, place, "run_000001")["failure"].take();
            failure["code"] == code
        });
        assert_eq!(failure["class"], "hold", "{failure}");
        let advice = failure["advice"].as_str().unwrap_or_default();
        let said = match code {
            "name-unusable" => "set another `directory`".to_owned(),
            _ => format!("`{directory}` in the EOS home of alice"),
        };
        assert!(advice.contains(&said), "{place}: {failure}");
    }
}

/// A person stops Lab and starts the classic interface, where paths begin elsewhere.
fn the_other_interface_is_found(swan: &Swan, room: &Room) {
    // What is held tries again and again, and would start Lab itself.
    room.signal(Signal::STOP);
    swan.stop_server("alice");
    let classic = json!({
        "software_source": "lcg", "lcg": "LCG_110_swan", "platforms": "x86_64-el9-gcc13-opt",
        "scriptenv": "", "cores": 2, "memory": "8G", "use-jupyterlab": "unchecked", "gpu": "none",
    });
    let (status, answer) = swan.api(
        "POST",
        "users/alice/server",
        &swan.admin,
        &classic.to_string(),
    );
    assert!(status == 201 || status == 202, "{answer}");
    swan.await_ready("alice");
    room.signal(Signal::CONT);
    room.make_run(3);
    for place in ["project", "plain"] {
        let job = await_delivered(room, place, "run_000003");
        let url = job["url"].as_str().unwrap_or_default();
        assert!(
            url.contains("/notebooks/SWAN_projects/") && !url.contains("lab"),
            "{url}"
        );
    }
    let home = swan.home("alice");
    assert!(home.join("SWAN_projects/h4/run_000003.ipynb").exists());
    assert!(!home.join("user").exists());
    assert!(!swan.path("eos/SWAN_projects").exists());
    assert_eq!(swan.starts("begins", "alice"), 2);
}
