//! File systems that come, go, or lie on top of each other.

use std::fs;

use crate::support::{Room, begin, finish, lines, make, wait_until};
use crate::world::World;

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
    world.room.stays(&wanted);
    world.room.restart();
    world.room.stays(&wanted);
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
