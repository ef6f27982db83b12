//! A database that ends, that isn't there, that lets nobody in.

use std::fs;
use std::time::{Duration, Instant};

use super::{Site, write_secret};
use crate::link::Way;
use crate::postgres::Stop;
use crate::support::{Room, assert_one_whole_notebook_each, make, wait_until};

#[test]
fn a_database_that_stops_while_runs_come_in_costs_time_only() {
    let mut site = Site::new();
    let mut machines = [
        site.machine("detect", &site.detecting("h1")),
        site.machine("deliver", &site.detecting("h1")),
        site.machine("", &site.detecting("h2")),
    ];
    machines.iter_mut().for_each(|it| it.room.start());
    let pids = machines.each_ref().map(|it| it.room.pid());
    let mut names = Vec::new();
    for how in [Stop::Immediate, Stop::Fast] {
        for part in 0..4 {
            for _ in 0..40 {
                let name = format!("run_{:06}", names.len());
                let parent = machines[names.len() % 2 * 2].room.path("data");
                make(&parent, &name, "{\"energy\": 1}");
                names.push(name);
                std::thread::sleep(Duration::from_millis(5));
            }
            if part == 1 {
                site.postgres.stop(how);
            }
        }
        for machine in &machines {
            let what = machine.await_trouble("ledger-unwritable");
            assert!(!what.contains(&site.postgres.password), "{what}");
        }
        site.postgres.up();
        site.await_delivered(names.len() as u64, 60);
        machines.iter().for_each(|it| it.await_no_trouble());
    }
    assert_eq!(machines.each_ref().map(|it| it.room.pid()), pids);
    assert_one_whole_notebook_each(&site.path("notebooks"), &names);
    site.assert_delivered_once();
    for machine in &mut machines {
        assert_eq!(machine.room.stop(), 0);
    }
}

/// The exit code of a daemon that can't start, and what it says.
fn refused(room: &mut Room) -> (i32, String) {
    let before = room.log().len();
    room.launch();
    let mut code = None;
    wait_until(20, "it ends", || {
        code = room.ended();
        code.is_some()
    });
    (code.expect("a code"), room.log().split_off(before))
}

#[test]
fn a_daemon_that_finds_no_database_says_where_it_looked_and_is_to_be_started_again() {
    let mut site = Site::new();
    let mut machine = site.machine("", &site.detecting("h1"));
    for way in [Way::Refused, Way::Reset, Way::BlackHole] {
        machine.link.cut(way);
        let begin = Instant::now();
        let (code, said) = refused(&mut machine.room);
        assert_eq!(code, 74, "{way:?}: {said}");
        assert!(begin.elapsed() < Duration::from_secs(15), "{way:?}");
        let place = format!("127.0.0.1:{}", machine.link.port);
        assert!(said.contains(&place), "{said}");
        assert!(!said.contains(&site.postgres.password), "{said}");
    }
    machine.link.heal();
    site.postgres.stop(Stop::Fast);
    assert_eq!(refused(&mut machine.room).0, 74);
    site.postgres.up();
    machine.room.start();
    assert_eq!(machine.room.stop(), 0);
}

#[test]
fn a_wrong_password_is_told_by_its_place_and_never_shown() {
    let site = Site::new();
    let mut machine = site.machine("", &site.detecting("h1"));
    let file = machine.room.path("password");
    let shown = |said: &str, secret: &str| said.contains(secret);
    for secret in ["not-the-password", ""] {
        write_secret(&file, secret);
        let (code, said) = refused(&mut machine.room);
        assert_eq!(code, 77, "{said}");
        assert!(shown(&said, &file.display().to_string()), "{said}");
        assert!(secret.is_empty() || !shown(&said, secret), "{said}");
    }
    fs::remove_file(&file).expect("removed");
    let (code, said) = refused(&mut machine.room);
    assert_eq!(code, 77, "{said}");
    assert!(shown(&said, &file.display().to_string()), "{said}");
    write_secret(&file, &site.postgres.password);
    machine.room.start();
    for command in ["status", "runs", "check"] {
        let ended = machine.room.run(&["-v", command]);
        let all = ended.out + &ended.err;
        assert!(!shown(&all, &site.postgres.password), "{all}");
    }
    let arguments = fs::read(format!("/proc/{}/cmdline", machine.room.pid())).expect("a process");
    let arguments = String::from_utf8_lossy(&arguments);
    assert!(!shown(&arguments, &site.postgres.password));
    assert!(!shown(&machine.room.log(), &site.postgres.password));
}

#[test]
fn a_lock_that_somebody_holds_for_longer_than_a_statement_may_take_stops_nobody_for_good() {
    let site = Site::new();
    let mut machine = site.machine("", &site.detecting("h1"));
    machine.room.start();
    std::thread::scope(|scope| {
        // A statement may take 30 s.
        scope.spawn(|| {
            let hold = "SELECT pg_advisory_lock(1852990316), pg_sleep(33)";
            site.postgres.sql(hold);
        });
        for number in 0..33 {
            let data = machine.room.path("data");
            make(&data, &format!("run_{number:06}"), "{\"energy\": 1}");
            std::thread::sleep(Duration::from_secs(1));
        }
    });
    site.await_delivered(33, 20);
    site.assert_delivered_once();
    assert_eq!(machine.room.stop(), 0);
}
