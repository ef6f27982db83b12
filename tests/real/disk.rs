//! A disk that is full, on a real small one of its own (which only root can mount).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Room, assert_ledger_is_sound, wait_until};

struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Self {
        fs::create_dir(at).expect("a directory");
        run(
            "mount",
            &["-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs"],
            at,
        );
        Self(at.to_owned())
    }

    fn grow(&self) {
        run("mount", &["-o", "remount,size=64m"], &self.0);
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
    // It ends when the disk is full.
    let _ = fs::write(disk.0.join("ballast"), vec![0_u8; 2 << 20]);
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
