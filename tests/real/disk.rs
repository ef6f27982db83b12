//! A disk that is full or breaks, on a real small one of its own (which only root can mount).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{DELIVERY, Room, assert_ledger_is_sound, lines, wait_until};

pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// With 1 MiB.
    pub fn mount(at: &Path) -> Self {
        fs::create_dir(at).expect("a directory");
        run(
            "mount",
            &["-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs"],
            at,
        );
        Self(at.to_owned())
    }

    pub fn fill(&self) {
        // It ends when the disk is full.
        let _ = fs::write(self.0.join("ballast"), vec![0_u8; 2 << 20]);
    }

    pub fn forbid_writes(&self) {
        run("mount", &["-o", "remount,ro"], &self.0);
    }

    pub fn grow(&self) {
        run("mount", &["-o", "remount,size=64m"], &self.0);
    }

    /// A disk with an ext4 that takes no more writes once it has met an error.
    fn image(at: &Path) -> Self {
        let _ = fs::create_dir(at);
        let image = at.with_extension("image");
        if !image.exists() {
            run("truncate", &["-s", "32M"], &image);
            run("mkfs.ext4", &["-q"], &image);
        }
        let image = image.to_str().expect("a path");
        run("mount", &["-o", "loop,errors=remount-ro", image], at);
        Self(at.to_owned())
    }

    /// Lets the kernel meet an error on it.
    fn break_it(&self) {
        let mounts = fs::read_to_string("/proc/self/mounts").expect("mounts");
        let at = format!(" {} ", self.0.display());
        let mount = mounts.lines().find(|line| line.contains(&at));
        let device = mount.and_then(|line| line.split(' ').next()?.strip_prefix("/dev/"));
        let trigger = format!("/sys/fs/ext4/{}/trigger_fs_error", device.expect("a disk"));
        fs::write(trigger, "1").expect("triggered");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        run("umount", &["-l"], &self.0);
    }
}

fn run(program: &str, arguments: &[&str], at: &Path) {
    let done = Command::new(program)
        .args(arguments)
        .arg(at)
        .status()
        .expect("it runs");
    assert!(done.success(), "{program}");
}

#[test]
fn a_full_disk_under_the_ledger_is_told_and_cured_without_a_restart() {
    let mut room = Room::new("[destination.dir]\npath = \"notebooks\"\ndirectory = \"\"\n");
    let disk = SmallDisk::mount(&room.path("state"));
    room.start();
    room.make_run(1);
    room.await_delivered(1, 20);
    disk.fill();
    for number in 2..=40 {
        room.make_run(number);
    }
    wait_until(30, "the full disk is told", || {
        room.log().contains("ledger-unwritable")
    });
    assert!(room.alive());
    disk.grow();
    room.await_delivered(40, 60);
    assert_eq!(room.run(&["status"]).code, 0, "the trouble is over");
    assert_eq!(room.stop(), 0);
    assert_ledger_is_sound(&room);
}

#[test]
fn a_run_that_is_announced_while_the_disk_is_full_needs_no_restart() {
    let mut room = Room::bare(&format!("[spool]\ndirectory = \"spool\"\n{DELIVERY}"));
    let disk = SmallDisk::mount(&room.path("state"));
    room.start();
    wait_until(10, "the spool is made", || room.path("spool/tmp").is_dir());
    disk.fill();
    for number in 1..=40 {
        let file = room.path(&format!("spool/{number}.json"));
        fs::write(file, format!("{{\"run\": {number}}}")).expect("announced");
    }
    wait_until(30, "the full disk is told", || {
        room.log().contains("ledger-unwritable")
    });
    disk.grow();
    room.await_delivered(40, 30);
    assert_eq!(
        fs::read_dir(room.path("spool/work")).expect("work").count(),
        0
    );
}

#[test]
fn a_disk_that_turns_read_only_is_told_and_loses_nothing() {
    let mut room = Room::watching("");
    let disk = SmallDisk::image(&room.path("state"));
    room.start();
    room.make_run(1);
    room.await_ledger(&lines([1], "ready delivered"));
    disk.break_it();
    (2..=5).for_each(|number| drop(room.make_run(number)));
    wait_until(30, "it is told", || {
        room.log().contains("ledger-unwritable")
    });
    assert!(room.alive());
    room.kill();
    assert_eq!(room.run(&["daemon"]).code, 74, "the ledger is not writable");
    drop(disk);
    // 1: errors were corrected.
    let image = room.path("state.image");
    let checked = Command::new("fsck.ext4").args(["-fy"]).arg(image).output();
    let code = checked.expect("fsck.ext4").status.code();
    assert!(matches!(code, Some(0 | 1)), "{code:?}");
    let _disk = SmallDisk::image(&room.path("state"));
    room.start();
    room.await_ledger(&lines(1..=5, "ready delivered"));
    room.stays(&lines(1..=5, "ready delivered"));
    assert_eq!(room.stop(), 0);
    assert_ledger_is_sound(&room);
}
