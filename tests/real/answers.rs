//! Answers that ask for patience or say that there is no room.

use std::time::{Duration, Instant};

use crate::delivery::write_token;
use crate::hub::Server;
use crate::proxy::{Fault, Proxy};
use crate::support::{Room, assert_one_whole_notebook_each, files, wait_until};

/// A room whose runs go to a server through a proxy, and into a directory.
fn room(server: &Server, proxy: &Proxy) -> Room {
    let room = Room::new(&format!(
        "[destination.server]\nserver = \"{}\"\ndirectory = \"runs\"\nauth.token = {{ file = \"token\" }}\n\
         [destination.dir]\npath = \"notebooks\"\ndirectory = \"\"\n",
        proxy.url
    ));
    write_token(&room, &server.token);
    room
}

/// Two seconds from now to three, as HTTP writes it.
fn soon() -> String {
    let at = jiff::Timestamp::now() + Duration::from_secs(3);
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[test]
fn a_server_that_wants_to_be_left_alone_is_left_alone_to_the_second() {
    let server = Server::start();
    let proxy = Proxy::start(&server.url);
    let mut room = room(&server, &proxy);
    room.start();
    room.make_run(1);
    room.await_delivered(2, 30);
    let mut number = 1;
    let second = Duration::from_secs(1);
    for (status, wait) in [
        (429, Some("3".into())),
        (503, Some("3".into())),
        (429, Some(soon())),
        (503, Some(soon())),
        (429, None),
    ] {
        // Without a word a throttling hub is given two minutes, six seconds here.
        let (least, most) = match &wait {
            None => (3 * second, 7 * second),
            Some(wait) if wait == "3" => (3 * second, 4 * second),
            Some(_) => (2 * second, 4 * second),
        };
        // A date is told when it is asked for.
        let wait = wait.map(|wait| if wait == "3" { wait } else { soon() });
        number += 1;
        proxy.next("PUT", ".part", Fault::Instead(status, wait.clone()));
        let begun = Instant::now();
        room.make_run(number);
        let copy = room
            .path("notebooks")
            .join(format!("run_{number:06}.ipynb"));
        wait_until(3, "the directory is served meanwhile", || copy.exists());
        room.await_delivered(2 * number as usize, 20);
        let seen = proxy.seen();
        let put = seen.iter().position(|(at, method, path)| {
            *at > begun && method == "PUT" && path.contains(".part")
        });
        let put = put.expect("the upload that was refused");
        // What the refused attempt still does: it removes what it may have written.
        let mut later = seen[put + 1..]
            .iter()
            .filter(|(_, method, _)| method != "DELETE");
        let next = later.next().expect("another attempt").0 - seen[put].0;
        eprintln!("{status} {wait:?}: asked again after {next:?}");
        assert!(
            next >= least && next < most + second / 2,
            "{status} {wait:?}: {next:?}"
        );
    }
    let runs: Vec<_> = (1..=number)
        .map(|number| format!("run_{number:06}"))
        .collect();
    assert_one_whole_notebook_each(&server.root().join("runs"), &runs);
}

#[test]
fn what_is_too_large_is_given_up_and_where_no_room_is_left_it_waits() {
    let server = Server::start();
    let proxy = Proxy::start(&server.url);
    let mut room = room(&server, &proxy);
    room.start();
    proxy.next("PUT", ".part", Fault::Instead(413, None));
    room.make_run(1);
    let failure = room.await_failure("notebook-rejected", 20);
    assert_eq!(failure["class"], "give-up", "{failure}");
    wait_until(10, "it is given up", || room.count("failed") == 1);
    // Again and again until somebody makes room.
    (0..3).for_each(|_| proxy.next("PUT", ".part", Fault::Instead(507, None)));
    room.make_run(2);
    let failure = room.await_failure("storage-full", 20);
    assert_eq!(failure["class"], "hold", "{failure}");
    wait_until(30, "there is room again, and it goes on by itself", || {
        (room.count("delivered"), room.count("failed")) == (3, 1)
    });
    assert_eq!(proxy.left(), 0);
    assert_eq!(files(&room.path("notebooks")).len(), 2);
    assert_one_whole_notebook_each(&server.root().join("runs"), &["run_000002".to_owned()]);
    assert_eq!(room.run(&["retry", "--failed"]).code, 0);
    room.await_delivered(4, 20);
}
