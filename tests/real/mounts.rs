//! File systems that come, go, lie on top of each other or say nothing of changes behind them.
//! Each test has a mount namespace of its own, which only root can make.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;

use crate::support::{DELIVERY, Process, Room, begin, finish, lines, make, wait_until, watch};

/// A room whose daemon lives in a mount namespace of its own.
struct World {
    room: Room,
    holder: Process,
}

impl World {
    /// The room's directory `base` is a file system in memory.
    fn new(mut room: Room) -> Self {
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "--propagation", "private", "sleep", "infinity"]);
        let holder = Process::start(&mut unshare);
        let pid = holder.0.id();
        let name = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/mnt")).expect("a namespace");
        wait_until(10, "the namespace is made", || {
            name(&pid.to_string()) != name("self")
        });
        let wrap = ["nsenter", "--mount", "--target", &pid.to_string()];
        room.wrap = wrap.map(String::from).to_vec();
        let world = Self { room, holder };
        world.sh("mkdir base && mount -t tmpfs tmpfs base && mkdir base/data");
        world
    }

    /// A shell script that runs inside, in the room's directory.
    fn script(&self, script: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--mount", "--target", &self.holder.0.id().to_string()]);
        let directory = self.room.dir.path().display();
        command.args(["sh", "-ec", &format!("cd {directory}\n{script}")]);
        command
    }

    fn sh(&self, script: &str) {
        let done = self.script(script).status();
        assert!(done.expect("sh").success(), "{script}");
    }

    /// A path of the room as it is inside, for use from outside.
    fn path(&self, below: &str) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.0.id()));
        let path = self.room.path(below);
        root.join(path.strip_prefix("/").expect("an absolute path"))
    }

    fn make(&self, place: &str, number: u32) {
        make(&self.path(place), &format!("run_{number:06}"), "{}");
    }

    /// A listing at that moment keeps the file system busy.
    fn unmount(&self, place: &str) {
        wait_until(20, "it can be unmounted", || {
            let done = self.script(&format!("umount {place}")).status();
            done.expect("umount").success()
        });
    }

    fn backend(&self) -> String {
        let status = self.room.run(&["status", "--json"]).json();
        let backend = status["watches"][0]["backend"].as_str();
        backend.unwrap_or_default().to_owned()
    }
}

#[test]
fn an_unmounted_disk_is_not_an_empty_one_and_comes_back_as_it_was() {
    let mut world = World::new(Room::watching("max_wait = \"1s\""));
    world.sh(
        "truncate -s 16M base/image && mkfs.ext4 -q base/image && mount -o loop base/image data",
    );
    world.room.start();
    assert_eq!(world.backend(), "notify");
    (1..=3).for_each(|number| world.make("data", number));
    let open = begin(&world.path("data"), "run_000004");
    begin(&world.path("data"), "run_000005");
    let before = [lines(1..=3, "ready delivered"), lines(4..=5, "acquiring")].concat();
    world.room.await_ledger(&before);
    world.unmount("data");
    world.room.stays(&before);
    // Somebody writes into the mount point.
    world.make("data", 9);
    let mut wanted = [before, lines([9], "ready delivered")].concat();
    world.room.await_ledger(&wanted);
    world.room.restart();
    world.room.stays(&wanted);
    world.sh("mount -o loop base/image data");
    world.room.stays(&wanted);
    finish(&open);
    world.make("data", 6);
    wanted.retain(|line| !line.starts_with("run_000004"));
    wanted.extend(lines([4, 6], "ready delivered"));
    world.room.await_ledger(&wanted);
    fs::remove_dir_all(world.path("data/run_000005")).expect("removed");
    wanted.retain(|line| !line.starts_with("run_000005"));
    wanted.extend(lines([5], "ignored gone"));
    world.room.await_ledger(&wanted);
    world.room.restart();
    world.room.stays(&wanted);
}

#[test]
fn a_file_system_that_is_mounted_on_top_is_seen_and_what_lies_beneath_is_not_forgotten() {
    let mut world = World::new(Room::watching("max_wait = \"1s\""));
    world.sh("mount --bind base/data data");
    world.room.start();
    world.make("data", 1);
    let open = begin(&world.path("data"), "run_000002");
    let mut wanted = lines([1], "ready delivered");
    world
        .room
        .await_ledger(&[wanted.clone(), lines([2], "acquiring")].concat());
    world.sh("mount -t tmpfs tmpfs data");
    world.make("data", 3);
    wanted.extend(lines([3], "ready delivered"));
    let covered = [wanted.clone(), lines([2], "acquiring")].concat();
    world.room.await_ledger(&covered);
    world.room.stays(&covered);
    world.unmount("data");
    finish(&open);
    world.make("data", 4);
    wanted.extend(lines([2, 4], "ready delivered"));
    world.room.await_ledger(&wanted);
    world.room.restart();
    world.room.stays(&wanted);
}

#[test]
fn changes_behind_a_bind_mount_an_overlay_and_fuse_are_found() {
    let overlay = "mkdir base/lower base/work && \
        mount -t overlay -o lowerdir=base/lower,upperdir=base/data,workdir=base/work overlay data";
    let cases = [
        ("mount --bind base/data data", "notify"),
        (overlay, "notify+poll"),
        ("bindfs base/data data", "notify+poll"),
    ];
    for (mount, backend) in cases {
        let mut world = World::new(Room::watching(""));
        world.make("base/data", 1);
        world.sh(mount);
        world.room.start();
        assert_eq!(world.backend(), backend, "{mount}");
        world.make("base/data", 2);
        let open = begin(&world.path("base/data"), "run_000003");
        let mut wanted = lines(1..=2, "ready delivered");
        world
            .room
            .await_ledger(&[wanted.clone(), lines([3], "acquiring")].concat());
        finish(&open);
        world.make("base/data", 4);
        world.make("data", 5);
        wanted.extend(lines(3..=5, "ready delivered"));
        world.room.await_ledger(&wanted);
        // After a mount of the same, its inode numbers may be others.
        world.room.kill();
        world.unmount("data");
        world.sh(&mount.replace("mkdir base/lower base/work && ", ""));
        world.room.start();
        world.room.stays(&wanted);
        world.unmount("data");
        world.sh(&mount.replace("mkdir base/lower base/work && ", ""));
        world.make("base/data", 6);
        wanted.extend(lines([6], "ready delivered"));
        world.room.await_ledger(&wanted);
        world.room.stays(&wanted);
        assert_eq!(world.room.stop(), 0);
    }
}

#[test]
fn where_births_are_unknown_a_number_that_is_used_again_is_told_by_its_metadata() {
    for restart in [false, true] {
        let mut world = World::new(Room::watching(""));
        world.sh("bindfs base/data data");
        world.room.start();
        let data = world.path("base/data");
        let runs = ["run_000001", "run_000002"];
        for run in runs {
            make(&data, run, "{\"energy\": 1}");
        }
        let mut wanted = lines(1..=2, "ready delivered");
        world.room.await_ledger(&wanted);
        for run in runs {
            fs::remove_dir_all(data.join(run)).expect("removed");
        }
        if restart {
            world.room.restart();
        }
        // Some scans without them.
        world.room.stays(&wanted);
        make(&data, runs[0], "{\"energy\": 1}");
        make(&data, runs[1], "{\"energy\": 22}");
        wanted.push("run_000002#2 ready delivered".into());
        world.room.await_ledger(&wanted);
        world.room.restart();
        world.room.stays(&wanted);
    }
}

/// As NFS does, for three seconds where that takes a minute.
#[test]
fn a_file_system_that_remembers_old_answers_only_makes_it_later() {
    let mut world = World::new(Room::watching("ready = { any = [{ marker = \"DONE\" }] }"));
    world.sh("bindfs -o attr_timeout=3,entry_timeout=3,negative_timeout=3 base/data data");
    world.room.start();
    world.make("base/data", 1);
    let open = begin(&world.path("base/data"), "run_000002");
    let mut wanted = lines([1], "ready delivered");
    world
        .room
        .await_ledger(&[wanted.clone(), lines([2], "acquiring")].concat());
    // Both answers are remembered now: that there is metadata, and that there is no marker.
    assert!(world.path("data/run_000002/run.json").exists());
    assert!(!world.path("data/run_000002/DONE").exists());
    fs::remove_file(open.join("run.json")).expect("removed");
    finish(&open);
    fs::write(open.join("run.json"), "{\"energy\": 7}").expect("written");
    wanted.extend(lines([2], "ready delivered"));
    world.room.await_ledger(&wanted);
    assert_eq!(
        world.room.run_named("run_000002")["parameters"]["energy"],
        7
    );
    world.room.stays(&wanted);
}

#[test]
fn a_file_system_that_hangs_holds_up_its_own_watches_only() {
    // More of them hang than there are threads for tasks.
    let hanging = ["c", "d", "e", "f", "g", "h"];
    let below = |name: &&str| watch(name, &format!("directory = \"data/{name}\""));
    let tables: String = hanging.iter().map(below).collect();
    let other = watch("h4", "directory = \"other\"");
    let mut world = World::new(Room::bare(&format!("{tables}{other}{DELIVERY}")));
    fs::create_dir(world.room.path("other")).expect("made");
    for name in hanging {
        fs::create_dir(world.path(&format!("base/data/{name}"))).expect("made");
    }
    let bindfs = Process::start(&mut world.script("exec bindfs -f base/data data"));
    wait_until(10, "it is mounted", || world.path("data/c").is_dir());
    world.room.start();
    make(&world.path("base/data/c"), "run_1", "{}");
    let mut wanted = vec!["c:run_1 ready delivered".to_owned()];
    world.room.await_ledger(&wanted);
    bindfs.signal(Signal::STOP);
    make(&world.path("base/data/c"), "run_2", "{}");
    for number in 1..=5 {
        make(&world.path("other"), &format!("run_{number}"), "{}");
        wanted.push(format!("run_{number} ready delivered"));
        world.room.await_ledger(&wanted);
    }
    assert_eq!(world.room.stop(), 0, "it stops all the same");
    bindfs.signal(Signal::CONT);
    world.room.start();
    wanted.push("c:run_2 ready delivered".to_owned());
    world.room.await_ledger(&wanted);
}

#[test]
fn runs_that_are_moved_in_from_another_file_system_are_whole() {
    let mut world = World::new(Room::watching(""));
    world.sh("mkdir base/away && mount -t tmpfs tmpfs base/away && mount --bind base/data data");
    world.room.start();
    for number in 1..=5 {
        let metadata = format!("{{\"energy\": {number}}}");
        let run = make(
            &world.path("base/away"),
            &format!("run_{number:06}"),
            &metadata,
        );
        // Between marker and metadata, in the order of names and of their making.
        fs::write(run.join("a.bin"), vec![7; 8 << 20]).expect("data");
    }
    world.sh("mv base/away/run_* data/");
    world.room.await_ledger(&lines(1..=5, "ready delivered"));
    for run in world.room.runs() {
        let number = run["name"].as_str().and_then(|name| name.chars().last());
        let energy = run["parameters"]["energy"].to_string();
        assert_eq!(number.map(String::from), Some(energy));
    }
}

#[test]
fn a_device_in_place_of_metadata_is_never_read() {
    let mut world = World::new(Room::watching(""));
    world.sh("mount --bind base/data data");
    let run = begin(&world.path("data"), "run_000001");
    finish(&run);
    world.sh("rm data/run_000001/run.json && mknod data/run_000001/run.json c 1 5");
    world.room.start();
    world.make("data", 2);
    wait_until(20, "it is told", || {
        world.room.reason("run_000001").contains("no regular file")
    });
    world.sh("rm data/run_000001/run.json");
    fs::write(run.join("run.json"), "{}").expect("written");
    world.room.await_ledger(&lines(1..=2, "ready delivered"));
}
