//! Many runs at once.

use std::fs;

use crate::support::{Room, long, wait_until};

fn burst(notify: bool) {
    let count: u32 = if long() { 100_000 } else { 20_000 };
    let mut room = Room::bare(
        "[watch.h4]\ndirectory = \"data\"\nready = { marker = \"DONE\" }\nsettle = \"0s\"\nparameters = [\"run.json\"]\npoll_every = \"1s\"\nmax_new_per_hour = 0\n\
         [notebook.quick]\ntemplate = \"missing.ipynb\"\n[destination.dir]\npath = \"notebooks\"\n",
    );
    if !notify {
        room.environment
            .push(("NBCOURIER_TEST_NO_NOTIFY", "1".into()));
    }
    room.start();
    for number in 0..count {
        room.make_run(number);
    }
    let counts = || room.run(&["status", "--json"]).json();
    let mut status = counts();
    wait_until(300, "all are recorded", || {
        status = counts();
        let jobs = status["jobs"].as_object().expect("counts");
        jobs.values()
            .filter_map(serde_json::Value::as_u64)
            .sum::<u64>()
            == u64::from(count)
    });
    assert_eq!(status["watches"][0]["runs"], count, "{status}");
    // One broken template is one trouble, not thousands; once mended, all go on.
    let held = status["health"].as_array().expect("health").len();
    assert_eq!(held, 1, "{status}");
    assert_eq!(room.run(&["status", "--json"]).code, 1);
}

#[test]
fn twenty_thousand_runs_in_one_burst_are_all_found() {
    burst(true);
}

#[test]
fn twenty_thousand_runs_in_one_burst_are_all_found_without_notifications() {
    burst(false);
}

#[test]
fn a_hundred_thousand_existing_runs_are_remembered_at_once_and_the_next_one_is_delivered() {
    let count: u32 = if long() { 1_000_000 } else { 100_000 };
    let mut room = Room::bare(
        "[watch.h4]\ndirectory = \"data\"\nready = { marker = \"DONE\" }\nsettle = \"0s\"\nparameters = []\npoll_every = \"1s\"\n\
         [notebook.quick]\ntemplate = \"quick.ipynb\"\n[destination.dir]\npath = \"notebooks\"\ndirectory = \"\"\n",
    );
    for number in 0..count {
        fs::create_dir(room.path("data").join(format!("run_{number:07}"))).expect("a run");
    }
    // Only the greatest names are looked into, whether they are in the taking still.
    for number in count - 10_000..count {
        fs::write(room.path("data").join(format!("run_{number:07}/DONE")), "").expect("a marker");
    }
    room.start();
    for restart in [false, true] {
        if restart {
            room.kill();
            room.start();
        }
        wait_until(120, "all are remembered", || {
            let status = room.run(&["status", "--json"]).json();
            status["watches"][0]["runs"] == count + u32::from(restart)
        });
        if !restart {
            room.make_run(9_999_999);
        }
        room.await_sum("delivered", 1, 30);
    }
    assert_eq!(
        fs::read_dir(room.path("notebooks"))
            .expect("notebooks")
            .count(),
        1
    );
}
