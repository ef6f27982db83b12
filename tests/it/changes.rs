//! Runs that are renamed, made again, changed or removed: each still comes exactly once.

use std::fs;

use crate::support::{Room, TEMPLATE, begin, finish, lines, wait_until};

#[test]
fn a_run_that_is_renamed_stays_the_same_run() {
    for down in [false, true] {
        let mut room = Room::watching("pattern = 'run_(?<run>\\d+).*'");
        room.start();
        let data = room.path("data");
        room.make_run(1);
        begin(&data, "run_000002");
        room.await_ledger(&["run_000001 ready delivered", "run_000002 acquiring"]);
        if down {
            room.kill();
        }
        let names = [
            ("run_000001", "run_000001_good"),
            ("run_000002", "run_000007"),
        ];
        for (old, new) in names {
            fs::rename(data.join(old), data.join(new)).expect("renamed");
        }
        if down {
            room.start();
        }
        let mut wanted = vec![
            "run_000001 ready delivered",
            "run_000001_good ignored renamed-from run_000001",
            "run_000002 ignored renamed-to run_000007",
            "run_000007 acquiring",
        ];
        room.await_ledger(&wanted);
        finish(&data.join("run_000007"));
        wanted[3] = "run_000007 ready delivered";
        room.await_ledger(&wanted);
        fs::rename(data.join("run_000001_good"), data.join("run_000001")).expect("renamed back");
        room.restart();
        room.stays(&wanted);
    }
}

#[test]
fn a_number_that_is_used_again_is_another_run_with_a_notebook_of_its_own() {
    for down in [false, true] {
        let mut room = Room::watching("");
        room.start();
        room.make_run(1);
        let mut wanted = lines([1], "ready delivered");
        room.await_ledger(&wanted);
        for again in 2..=3 {
            if down {
                room.kill();
            }
            // Usually the new directory gets the inode of the old one.
            fs::remove_dir_all(room.path("data/run_000001")).expect("removed");
            room.make_run_with(1, &format!("{{\"energy\": {again}.25}}"));
            if down {
                room.start();
            }
            wanted.push(format!("run_000001#{again} ready delivered"));
            room.await_ledger(&wanted);
            let file = room.path(&format!("notebooks/run_000001-{again}.ipynb"));
            let notebook = fs::read_to_string(file).expect("a notebook");
            assert!(notebook.contains(&format!("energy = {again}.25")));
        }
        room.restart();
        room.stays(&wanted);
    }
}

#[test]
fn what_happens_to_a_run_after_its_end_makes_no_second_one() {
    let mut room = Room::watching("");
    room.start();
    let runs: Vec<_> = (1..=4).map(|number| room.make_run(number)).collect();
    room.await_ledger(&lines(1..=4, "ready delivered"));
    room.make_run_with(1, "{\"energy\": 77}");
    fs::write(runs[1].join("late.dat"), "late").expect("a late file");
    fs::create_dir(runs[1].join("late")).expect("a late directory");
    fs::remove_file(runs[2].join("DONE")).expect("removed");
    fs::rename(runs[3].join("run.json"), runs[3].join("old.json")).expect("renamed");
    room.stays(&lines(1..=4, "ready delivered"));
    finish(&runs[2]);
    room.restart();
    room.stays(&lines(1..=4, "ready delivered"));
}

#[test]
fn a_run_that_is_removed_while_it_is_waited_for_is_gone_until_it_is_back() {
    for (notify, restart) in [(true, true), (false, false)] {
        let mut room = Room::watching("max_wait = \"1s\"");
        // Without notifications the full scan finds it, every two seconds here.
        room.pace = "0.003";
        if !notify {
            room.environment
                .push(("NBCOURIER_TEST_NO_NOTIFY", "1".into()));
        }
        room.start();
        let data = room.path("data");
        for name in ["run_000001", "run_000002", "run_000003"] {
            begin(&data, name);
        }
        room.await_ledger(&lines(1..=3, "acquiring"));
        fs::remove_dir_all(data.join("run_000001")).expect("removed");
        fs::rename(data.join("run_000002"), room.path("away")).expect("moved away");
        let left = lines([3], "acquiring");
        room.await_ledger(&[lines([1, 2], "ignored gone"), left.clone()].concat());
        if restart {
            room.restart();
        }
        fs::rename(room.path("away"), data.join("run_000002")).expect("moved back");
        let back = lines([2], "acquiring");
        room.await_ledger(&[lines([1], "ignored gone"), back, left].concat());
        finish(&data.join("run_000002"));
        finish(&data.join("run_000003"));
        room.make_run(1);
        room.await_delivered(3, 20);
        room.restart();
        room.await_delivered(3, 20);
    }
}

#[test]
fn an_accepted_run_is_delivered_even_if_its_directory_goes() {
    let mut room = Room::watching("");
    fs::remove_file(room.path("quick.ipynb")).expect("removed");
    room.start();
    let run = room.make_run(1);
    room.await_ledger(&lines([1], "ready held:template-invalid"));
    fs::remove_dir_all(run).expect("removed");
    fs::write(room.path("quick.ipynb"), TEMPLATE).expect("mended");
    room.await_ledger(&lines([1], "ready delivered"));
    room.restart();
    room.stays(&lines([1], "ready delivered"));
}

#[test]
fn a_run_that_is_renamed_again_and_again_before_its_end_comes_once_at_its_end() {
    let mut room = Room::watching("pattern = 'run_(?<run>\\d+).*'\nmax_wait = \"1s\"");
    room.start();
    let data = room.path("data");
    begin(&data, "run_000001");
    for step in 1..4 {
        let to = |old: u32| format!("run_{old:06} ignored renamed-to run_{:06}", old + 1);
        let mut wanted: Vec<_> = (1..step).map(to).collect();
        wanted.extend(lines([step], "acquiring"));
        room.await_ledger(&wanted);
        let name = |number| data.join(format!("run_{number:06}"));
        fs::rename(name(step), name(step + 1)).expect("renamed");
    }
    finish(&data.join("run_000004"));
    room.await_delivered(1, 20);
    // One that was given up comes back under another name.
    begin(&data, "run_000005");
    wait_until(20, "it is known", || room.runs().len() == 5);
    fs::rename(data.join("run_000005"), room.path("away")).expect("moved away");
    wait_until(20, "it is gone", || room.reason("run_000005") == "gone");
    finish(&room.path("away"));
    fs::rename(room.path("away"), data.join("run_000006")).expect("moved back");
    room.await_delivered(2, 20);
    room.restart();
    room.await_delivered(2, 20);
}

#[test]
fn a_run_that_is_replaced_before_its_end_is_delivered_as_what_is_there_now() {
    for notify in [true, false] {
        let mut room = Room::watching("");
        if !notify {
            room.environment
                .push(("NBCOURIER_TEST_NO_NOTIFY", "1".into()));
        }
        room.start();
        let data = room.path("data");
        for number in 1..=9 {
            begin(&data, &format!("run_{number:06}"));
        }
        room.await_ledger(&lines(1..=9, "acquiring"));
        room.signal(rustix::process::Signal::STOP);
        for number in 1..=9 {
            fs::remove_dir_all(data.join(format!("run_{number:06}"))).expect("removed");
            room.make_run(number);
        }
        room.signal(rustix::process::Signal::CONT);
        room.await_delivered(9, 20);
        room.restart();
        std::thread::sleep(std::time::Duration::from_secs(1));
        room.await_delivered(9, 20);
    }
}
