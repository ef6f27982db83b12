//! Running a program: no shell, a time limit, nothing of its process group left behind. What leaves
//! that group lives on, but is not waited for.

mod pipes;

use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{Timespec, poll};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use pipes::{Feed, Pipe};

/// How often it is seen whether it has ended while something it started holds its pipes.
const PACE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 20_000_000,
};

/// How much is kept of its complaints, bytes.
const COMPLAINT: usize = 4096;

/// The variables that a program gets which is given no others: enough to find programs and to print.
const CLEAN: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];

/// The variables that no program gets.
static HIDDEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Keeps an environment variable, which holds a secret, from every program that is run.
pub fn hide(variable: &str) {
    let mut hidden = HIDDEN.lock().unwrap_or_else(PoisonError::into_inner);
    if !hidden.iter().any(|name| name == variable) {
        hidden.push(variable.to_owned());
    }
}

/// A program to run, in `/`.
#[derive(Clone, Debug)]
pub struct Call {
    /// The program: a path, or a name in `PATH`.
    pub program: String,
    /// Its arguments, as they are.
    pub arguments: Vec<String>,
    /// Variables for a clean environment of PATH, HOME, LANG and TZ; `None` hands on its own.
    pub environment: Option<Vec<(&'static str, String)>>,
    /// What it reads from its standard input.
    pub input: Vec<u8>,
    /// How long it may take.
    pub limit: Duration,
    /// The most that it may print, bytes.
    pub most: usize,
}

/// A program that has ended.
#[derive(Debug)]
pub struct Ended {
    /// How.
    pub status: ExitStatus,
    /// What it printed.
    pub out: Vec<u8>,
    /// The last line that it said on its standard error, in at most 200 plain characters.
    pub complaint: String,
}

/// Why a program came to no end of its own.
#[derive(Debug)]
pub enum Trouble {
    /// It can't be started.
    Absent(std::io::Error),
    /// It was killed.
    Killed {
        /// Since it printed too much or took too long.
        why: String,
        /// As of [`Ended`].
        complaint: String,
    },
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Absent(error) => write!(f, "it can't be started: {error}"),
            Self::Killed { why, complaint } => f.write_str(&with_words(why, complaint)),
        }
    }
}

/// `what` with the last words of a program, if it had any.
#[must_use]
pub fn with_words(what: &str, words: &str) -> String {
    match words {
        "" => what.to_owned(),
        words => format!("{what}: {words}"),
    }
}

/// Says that nobody waits any more, once it is dropped.
struct Leaving(Arc<AtomicBool>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Call {
    /// Runs it to its end; dropped before, kills it and all that it started.
    ///
    /// # Errors
    /// When it comes to no end of its own.
    pub async fn run(self) -> Result<Ended, Trouble> {
        let left = Arc::new(AtomicBool::new(false));
        let _leaving = Leaving(left.clone());
        let ended = tokio::task::spawn_blocking(move || self.run_here(&left)).await;
        ended.unwrap_or_else(|error| Err(Trouble::Absent(error.into())))
    }

    /// Runs it to its end on this thread; kills it and all that it started once `left` is true.
    ///
    /// # Errors
    /// When it comes to no end of its own.
    pub fn run_here(&self, left: &AtomicBool) -> Result<Ended, Trouble> {
        let mut child = self.command().spawn().map_err(Trouble::Absent)?;
        let mut streams = Streams::of(&mut child, &self.input, self.most);
        let end = streams.serve(&child, Instant::now() + self.limit, left);
        // It is not reaped yet, so the number is still its own. What it started goes with it.
        let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
        let complaint = streams.err.last_line();
        if !end {
            // One that hangs in the kernel may stay a while.
            std::thread::spawn(move || child.wait());
            let why = match streams.out.full {
                true => format!("it printed more than {}", size(self.most)),
                false => format!("it did not end within {} s", self.limit.as_secs_f64()),
            };
            return Err(Trouble::Killed { why, complaint });
        }
        let status = child.wait().map_err(Trouble::Absent)?;
        Ok(Ended {
            status,
            out: streams.out.bytes,
            complaint,
        })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        if !self.input.is_empty() {
            command.stdin(Stdio::piped());
        }
        for name in HIDDEN.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            command.env_remove(name);
        }
        if let Some(variables) = &self.environment {
            let kept = CLEAN.map(|name| (name, std::env::var_os(name)));
            let kept = kept
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?)));
            command.env_clear().envs(kept);
            command.envs(variables.iter().map(|(name, value)| (name, value)));
        }
        command
    }
}

fn size(bytes: usize) -> String {
    match bytes >> 20 {
        0 => format!("{} KiB", bytes >> 10),
        mebibytes => format!("{mebibytes} MiB"),
    }
}

/// Its three streams.
struct Streams<'a> {
    feed: Feed<'a>,
    out: Pipe,
    err: Pipe,
}

impl<'a> Streams<'a> {
    fn of(child: &mut Child, input: &'a [u8], most: usize) -> Self {
        Self {
            feed: Feed::new(child.stdin.take().map(OwnedFd::from), input),
            out: Pipe::new(child.stdout.take().map(OwnedFd::from), most),
            err: Pipe::new(child.stderr.take().map(OwnedFd::from), COMPLAINT),
        }
    }

    /// Gives and takes until it ends; whether it did, in time and without printing too much.
    fn serve(&mut self, child: &Child, deadline: Instant, left: &AtomicBool) -> bool {
        let goes_on = || Instant::now() < deadline && !left.load(Ordering::Relaxed);
        while goes_on() && !self.out.full {
            let polled = [self.feed.poll(), self.out.poll(), self.err.poll()];
            let mut polled: Vec<_> = polled.into_iter().flatten().collect();
            // An error is as good as a time-out: what there is to do is tried anyway.
            let _ = poll(&mut polled, Some(&PACE));
            let ended = has_ended(child);
            self.feed.write();
            let mut more = true;
            while more && goes_on() && !self.out.full {
                more = self.out.read() | self.err.read();
                more &= ended;
            }
            if ended {
                return !self.out.full;
            }
        }
        false
    }
}

fn has_ended(child: &Child) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    waitid(WaitId::Pid(Pid::from_child(child)), options).is_ok_and(|status| status.is_some())
}

#[cfg(test)]
mod tests;
