//! A daemon in a mount namespace of its own, which only root can make.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::support::{Process, Room, make, wait_until};

/// A room whose daemon lives in a mount namespace of its own.
pub struct World {
    pub room: Room,
    holder: Process,
}

impl World {
    /// The room's directory `base` is a file system in memory.
    pub fn new(mut room: Room) -> Self {
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
    pub fn script(&self, script: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--mount", "--target", &self.holder.0.id().to_string()]);
        let directory = self.room.dir.path().display();
        command.args(["sh", "-ec", &format!("cd {directory}\n{script}")]);
        command
    }

    pub fn sh(&self, script: &str) {
        let done = self.script(script).status();
        assert!(done.expect("sh").success(), "{script}");
    }

    /// A path of the room as it is inside, for use from outside.
    pub fn path(&self, below: &str) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.0.id()));
        let path = self.room.path(below);
        root.join(path.strip_prefix("/").expect("an absolute path"))
    }

    pub fn make(&self, place: &str, number: u32) {
        make(&self.path(place), &format!("run_{number:06}"), "{}");
    }

    /// A listing at that moment keeps the file system busy.
    pub fn unmount(&self, place: &str) {
        wait_until(20, "it can be unmounted", || {
            let done = self.script(&format!("umount {place}")).status();
            done.expect("umount").success()
        });
    }

    pub fn backend(&self) -> String {
        let status = self.room.run(&["status", "--json"]).json();
        let backend = status["watches"][0]["backend"].as_str();
        backend.unwrap_or_default().to_owned()
    }
}
