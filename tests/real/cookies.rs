//! `auth.command` whose program logs in to a real hub and prints, or names, a cookie file.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::hub::Hub;
use crate::mint::made;
use crate::support::{Room, files};

/// A room that delivers to the user of a cookie file.
fn room(hub: &Hub, user: &str, way: &str) -> Room {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/cookies.py");
    let mut room = Room::new(&format!(
        "[destination.hub]\nhub = \"{}\"\ndirectory = \"runs\"\n\
         auth.command = [\"./login\", \"{user}\", \"{way}\"]\n",
        hub.url
    ));
    // A login takes longer than the other commands of tests.
    room.pace = "0.3";
    let login = format!(
        "#!/bin/sh\necho $$ >> {here}/logins\nexec python3 {script} {} $1 {here}/cookies $2\n",
        hub.url,
        here = room.dir.path().display()
    );
    fs::write(room.path("login"), login).expect("a script");
    fs::set_permissions(room.path("login"), fs::Permissions::from_mode(0o755)).expect("chmod");
    room
}

fn logins(room: &Room) -> usize {
    let text = fs::read_to_string(room.path("logins")).unwrap_or_default();
    text.lines().count()
}

/// The values in the cookie file, which are secrets.
fn secrets(room: &Room) -> Vec<String> {
    let text = fs::read_to_string(room.path("cookies")).expect("cookies");
    let value = |line: &str| line.rsplit_once('\t').map(|(_, value)| value.to_owned());
    text.lines()
        .filter_map(value)
        .filter(|value| value.len() > 8)
        .collect()
}

/// Revokes the tokens that nbcourier has of a user.
pub fn revoke(hub: &Hub, user: &str) {
    for token in made(hub, user) {
        let path = format!(
            "users/{user}/tokens/{}",
            token["id"].as_str().expect("an id")
        );
        assert_eq!(hub.api("DELETE", &path, &hub.admin, "").0, 204);
    }
}

#[test]
fn cookies_that_a_program_had_by_a_login_start_the_users_server_and_deliver_to_it() {
    // Users may not stop their servers here.
    let role = "c.JupyterHub.load_roles.append({'name': 'user', 'scopes': ['read:users!user', \
                'read:tokens!user', 'tokens!user', 'access:servers!user', 'read:servers!user', \
                'start:servers!user']})";
    let hub = Hub::with(&["alice", "bob"], |_| role.to_owned());
    for way in ["name", "print"] {
        let checked = room(&hub, "alice", way).run(&["check"]);
        assert_eq!(checked.code, 0, "{checked:?}");
        assert!(checked.out.contains("user alice"), "{checked:?}");
        assert!(checked.out.contains("may stop no server"), "{checked:?}");
    }
    let mut room = room(&hub, "alice", "print");
    room.start();
    room.make_run(1);
    room.await_delivered(1, 60);
    assert!(hub.home("alice").join("runs/run_000001.ipynb").exists());
    assert!(logins(&room) <= 2, "{} logins", logins(&room));
    // Its token is revoked: one login, and then another token.
    let before = logins(&room);
    revoke(&hub, "alice");
    hub.stop_server("alice");
    room.make_run(2);
    room.await_delivered(2, 60);
    assert_eq!(logins(&room), before + 1);
    room.kill();
    for file in files(room.dir.path()) {
        let bytes = fs::read(&file).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let leaks = secrets(&room).iter().any(|secret| text.contains(secret));
        assert_eq!(leaks, file == room.path("cookies"), "{}", file.display());
    }
    let stranger = self::room(&hub, "mallory", "print").run(&["check"]);
    assert_eq!(stranger.code, 77, "{stranger:?}");
    assert!(
        stranger.out.contains("credential-command-failed"),
        "{stranger:?}"
    );
}
