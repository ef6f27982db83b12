//! Asking a program: no shell, a time limit, nothing of its process group left behind. What leaves
//! that group lives on, but is not waited for.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::ioctl_fionbio;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::redact::cleaned;

/// How often it is seen whether it has ended while something it started holds its pipes.
const PACE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 20_000_000,
};

/// How much is kept of its complaints, bytes.
const COMPLAINT: usize = 4096;

/// What a program prints, which may be `most` bytes, within the time `limit`. It runs in `/`,
/// without input.
///
/// # Errors
/// Why there is nothing to be had from it, and the last line of its complaint.
pub(crate) fn run(command: &mut Command, limit: Duration, most: usize) -> Result<Vec<u8>, Failed> {
    let mut child = command
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| Failed::new(format!("it can't be started: {error}")))?;
    let mut out = Pipe::new(child.stdout.take().map(OwnedFd::from), most);
    let mut err = Pipe::new(child.stderr.take().map(OwnedFd::from), COMPLAINT);
    let ended = listen(&child, &mut out, &mut err, Instant::now() + limit);
    // It is not reaped yet, so the number is still its own. What it started goes with it.
    let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
    if !ended {
        // One that hangs in the kernel may stay a while.
        std::thread::spawn(move || child.wait());
        return Err(match out.full {
            true => Failed::new(format!("it printed more than {}", size(most))),
            false => err.complaint(format!("it did not end within {} s", limit.as_secs_f64())),
        });
    }
    let status = child
        .wait()
        .map_err(|error| Failed::new(error.to_string()))?;
    match status.success() {
        true => Ok(out.bytes),
        false => Err(err.complaint(format!("it ended with {status}"))),
    }
}

fn size(bytes: usize) -> String {
    match bytes >> 20 {
        0 => format!("{} KiB", bytes >> 10),
        mebibytes => format!("{mebibytes} MiB"),
    }
}

/// Why a program gave nothing.
pub(crate) struct Failed {
    /// What became of it.
    pub(crate) what: String,
    /// The last line that it said on its standard error; empty if it said nothing.
    pub(crate) said: String,
}

impl Failed {
    fn new(what: String) -> Self {
        Self {
            what,
            said: String::new(),
        }
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.said.as_str() {
            "" => f.write_str(&self.what),
            said => write!(f, "{}: {said}", self.what),
        }
    }
}

/// Takes what it prints until it ends; whether it did, in time and without printing too much.
fn listen(child: &Child, out: &mut Pipe, err: &mut Pipe, deadline: Instant) -> bool {
    while Instant::now() < deadline && !out.full {
        let mut open: Vec<PollFd<'_>> = [&*out, &*err]
            .into_iter()
            .filter_map(|pipe| pipe.file.as_ref())
            .map(|file| PollFd::new(file, PollFlags::IN))
            .collect();
        // An error is as good as a time-out: what there is to read is tried anyway.
        let _ = poll(&mut open, Some(&PACE));
        let ended = has_ended(child);
        let mut more = true;
        while more && Instant::now() < deadline && !out.full {
            more = out.read() | err.read();
            more &= ended;
        }
        if ended {
            return !out.full;
        }
    }
    false
}

fn has_ended(child: &Child) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    waitid(WaitId::Pid(Pid::from_child(child)), options).is_ok_and(|status| status.is_some())
}

/// One of its outputs, never waited for.
struct Pipe {
    file: Option<File>,
    bytes: Vec<u8>,
    most: usize,
    /// Whether there was more than that.
    full: bool,
}

impl Pipe {
    fn new(end: Option<OwnedFd>, most: usize) -> Self {
        let end = end.filter(|end| ioctl_fionbio(end, true).is_ok());
        Self {
            file: end.map(File::from),
            bytes: Vec::new(),
            most,
            full: false,
        }
    }

    /// Takes a piece and keeps the last of all; whether there was one.
    fn read(&mut self) -> bool {
        let Some(file) = &mut self.file else {
            return false;
        };
        let mut piece = [0; 1 << 14];
        match file.read(&mut piece) {
            Ok(0) => self.file = None,
            Ok(length) => {
                self.bytes.extend_from_slice(&piece[..length]);
                let excess = self.bytes.len().saturating_sub(self.most);
                self.full |= excess > 0;
                self.bytes.drain(..excess);
                return true;
            }
            Err(_) => {}
        }
        false
    }

    /// What happened, with the last line that it said.
    fn complaint(&self, what: String) -> Failed {
        let said = String::from_utf8_lossy(&self.bytes);
        let last = said.lines().rfind(|line| !line.trim().is_empty());
        let last = last.unwrap_or_default().trim();
        let last = cleaned(last);
        let said = last.chars().filter(|c| !c.is_control()).take(200).collect();
        Failed { what, said }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    fn shell(script: &str, limit: Duration) -> Result<Vec<u8>, String> {
        let printed = run(Command::new("sh").args(["-c", script]), limit, 1 << 20);
        printed.map_err(|failed| failed.to_string())
    }

    #[test]
    fn what_hangs_is_killed_with_all_that_it_started() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let file = dir.path().join("pid");
        let script = format!(
            "sleep 300 & echo $! > {}; echo waiting >&2; wait",
            file.display()
        );
        let why = shell(&script, Duration::from_millis(500)).expect_err("it hangs");
        assert_eq!(why, "it did not end within 0.5 s: waiting");
        let pid = std::fs::read_to_string(file).expect("a number");
        let gone = || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
            stat.map_or(true, |stat| stat.contains(") Z "))
        };
        let deadline = Instant::now() + Duration::from_secs(10);
        while !gone() {
            assert!(Instant::now() < deadline, "{pid} lives");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    #[test]
    fn a_grandchild_that_keeps_the_output_open_is_not_waited_for() {
        for keeper in ["sleep 300 &", "setsid sleep 5 &"] {
            let begun = Instant::now();
            let printed = shell(&format!("{keeper} echo '{{}}'"), LIMIT).expect("it ends");
            assert_eq!(printed, b"{}\n");
            assert!(begun.elapsed() < Duration::from_secs(4), "{keeper}");
        }
    }
}
