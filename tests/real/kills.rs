//! kill -9 while notebooks are on their way to a real hub and a real server.

use std::time::Duration;

use crate::delivery::{room_for_two, write_token};
use crate::hub::{Hub, Server};
use crate::proxy::{Fault, Proxy};
use crate::support::{
    Room, assert_ledger_is_sound, assert_one_whole_notebook_each, long, random, wait_until,
};

fn names(count: u32) -> Vec<String> {
    (1..=count)
        .map(|number| format!("run_{number:06}"))
        .collect()
}

#[test]
fn killed_at_random_in_a_storm_it_delivers_every_run_exactly_once_to_a_real_hub() {
    let (kills, runs) = if long() { (1000, 1900) } else { (60, 180) };
    let seed = random(u64::MAX) | 1;
    eprintln!("seed {seed}");
    let hub = Hub::start();
    let proxy = Proxy::start(&hub.url);
    let mut room = room_for_two(&proxy.url, &hub.token);
    room.start();
    room.make_run(1);
    room.await_delivered(2, 60);
    proxy.storm(seed, 12);
    let mut made = 1;
    for kill in 0..kills {
        while made < runs * (kill + 1) / kills {
            made += 1;
            room.make_run(made);
        }
        std::thread::sleep(Duration::from_millis(100 + random(600)));
        room.kill();
        room.launch();
    }
    let requests = proxy.seen().len();
    proxy.calm();
    room.await_delivered(2 * runs as usize, 240);
    eprintln!("{kills} kills, {requests} requests, one in 12 hurt");
    // An upload that was late may have left its temporary name: it is swept at the next start.
    room.restart();
    room.make_run(runs + 1);
    room.await_delivered(2 * (runs as usize + 1), 60);
    for user in ["alice", "bob"] {
        assert_one_whole_notebook_each(&hub.home(user).join("runs/h4"), &names(runs + 1));
    }
    let numbered = room
        .jobs()
        .iter()
        .filter(|job| job["outcome"] == "numbered")
        .count();
    assert_eq!(numbered, 0, "nobody else has written there");
    assert!(!room.log().contains("panicked"));
    assert_eq!(room.stop(), 0);
    assert_ledger_is_sound(&room);
}

#[test]
fn killed_at_each_step_of_an_upload_it_leaves_one_whole_notebook() {
    let server = Server::start();
    let proxy = Proxy::start(&server.url);
    let mut room = Room::new(&format!(
        "[destination.server]\nserver = \"{}\"\ndirectory = \"runs\"\nauth.token = {{ file = \"token\" }}\n",
        proxy.url
    ));
    write_token(&room, &server.token);
    room.start();
    room.make_run(1);
    room.await_delivered(1, 30);
    let moment = Duration::from_millis(1000);
    // Before and after: the look, the upload, its verification, the rename.
    let steps = [
        ("GET", "ipynb?content=0"),
        ("PUT", ".part"),
        ("GET", ".part?"),
        ("PATCH", ".part"),
    ];
    let mut number = 1;
    for (method, word) in steps {
        for fault in [Fault::Delay(moment), Fault::DelayAnswer(moment)] {
            number += 1;
            proxy.next(method, word, fault);
            room.make_run(number);
            wait_until(20, "the step is reached", || proxy.left() == 0);
            std::thread::sleep(Duration::from_millis(300));
            room.kill();
            room.start();
            room.await_delivered(number as usize, 30);
        }
    }
    // What was late has come by now, and is swept at the next start.
    std::thread::sleep(moment);
    room.restart();
    room.make_run(number + 1);
    room.await_delivered(number as usize + 1, 30);
    assert_one_whole_notebook_each(&server.root().join("runs"), &names(number + 1));
}
