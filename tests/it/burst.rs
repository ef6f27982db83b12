//! Many runs at once.

use std::fs;

use crate::support::{Room, wait_until};

fn ten_thousand(notify: bool) {
    let mut room = Room::bare(
        "[watch.h4]\ndirectory = \"data\"\nready = { marker = \"DONE\" }\nsettle = \"0s\"\nparameters = [\"run.json\"]\npoll_every = \"1s\"\nmax_new_per_hour = 0\n\
         [notebook.quick]\ntemplate = \"missing.ipynb\"\n[destination.dir]\npath = \"notebooks\"\n",
    );
    if !notify {
        room.environment
            .push(("NBCOURIER_TEST_NO_NOTIFY", "1".into()));
    }
    room.start();
    for number in 0..10_000 {
        room.make_run(number);
    }
    let counts = || room.run(&["status", "--json"]).json();
    let mut status = counts();
    wait_until(90, "all are recorded", || {
        status = counts();
        let jobs = status["jobs"].as_object().expect("counts");
        jobs.values()
            .filter_map(serde_json::Value::as_u64)
            .sum::<u64>()
            == 10_000
    });
    assert_eq!(status["watches"][0]["runs"], 10_000, "{status}");
    assert_eq!(
        fs::read_dir(room.path("data")).expect("data").count(),
        10_000
    );
    // One broken template is one trouble, not ten thousand; once mended, all go on.
    let held = status["health"].as_array().expect("health").len();
    assert_eq!(held, 1, "{status}");
    assert_eq!(room.run(&["status", "--json"]).code, 1);
}

#[test]
fn ten_thousand_runs_in_one_burst_are_all_found() {
    ten_thousand(true);
}

#[test]
fn ten_thousand_runs_in_one_burst_are_all_found_without_notifications() {
    ten_thousand(false);
}
