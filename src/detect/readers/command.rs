//! Asking a command for a run's metadata: no shell, a time limit, nothing of its process group left
//! behind. What leaves that group lives on, but is not waited for.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::ioctl_fionbio;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::notebook::expand;
use crate::run::Parameters;
use crate::text::{Format, object, utf8};

/// How often it is seen whether it has ended while something it started holds its pipes.
const PACE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 20_000_000,
};

/// The most that it may print, bytes.
const LARGEST: usize = 4 << 20;

/// How much is kept of its complaints, bytes.
const COMPLAINT: usize = 4096;

/// The object that a command prints. The placeholders of its arguments are filled with the
/// parameters so far, as they are.
pub(super) fn ask(
    words: &[String],
    parameters: &Parameters,
    limit: Duration,
) -> Result<Parameters, String> {
    let (program, arguments) = words.split_first().ok_or("it is empty")?;
    let filled = arguments.iter().map(|word| expand(word, parameters));
    let arguments: Vec<String> = filled
        .collect::<Result<_, _>>()
        .map_err(|error| error.what)?;
    let printed = run(program, &arguments, limit)?;
    let read = utf8(&printed).and_then(|(text, _)| object(Format::Json.read(text)?));
    read.map_err(|error| format!("what it printed: {}", error.what))
}

/// What a program prints.
fn run(program: &str, arguments: &[String], limit: Duration) -> Result<Vec<u8>, String> {
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| format!("it can't be started: {error}"))?;
    let mut out = Pipe::new(child.stdout.take().map(OwnedFd::from), LARGEST);
    let mut err = Pipe::new(child.stderr.take().map(OwnedFd::from), COMPLAINT);
    let ended = listen(&child, &mut out, &mut err, Instant::now() + limit);
    // It is not reaped yet, so the number is still its own. What it started goes with it.
    let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
    if !ended {
        // One that hangs in the kernel may stay a while.
        std::thread::spawn(move || child.wait());
        return Err(match out.full {
            true => format!("it printed more than {} MiB", LARGEST >> 20),
            false => err.complaint(&format!("it did not end within {} s", limit.as_secs_f64())),
        });
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    match status.success() {
        true => Ok(out.bytes),
        false => Err(err.complaint(&format!("it ended with {status}"))),
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
    fn complaint(&self, what: &str) -> String {
        let said = String::from_utf8_lossy(&self.bytes);
        let last = said.lines().rfind(|line| !line.trim().is_empty());
        let last = last.unwrap_or_default().trim();
        let last: String = last.chars().filter(|c| !c.is_control()).take(200).collect();
        match last.as_str() {
            "" => what.to_owned(),
            last => format!("{what}: {last}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    fn shell(script: &str, limit: Duration) -> Result<Vec<u8>, String> {
        run("sh", &["-c".into(), script.into()], limit)
    }

    fn asked(script: &str) -> Result<Parameters, String> {
        let script = script.replace('{', "{{").replace('}', "}}");
        let words = ["sh", "-c", &script, "sh", "{run}", "{run_name}"].map(String::from);
        let mut parameters = Parameters::new();
        parameters.insert("run".into(), 7.into());
        parameters.insert("run_name".into(), "$(x) 'é/..".into());
        ask(&words, &parameters, LIMIT)
    }

    #[test]
    fn arguments_come_as_they_are_and_the_object_is_taken() {
        let found = asked(
            "printf '{\"run\": %s, \"name\": \"%s\", \"at\": \"%s\"}' \"$1\" \"$2\" \"$PWD\"",
        );
        let found = found.expect("an object");
        assert_eq!(
            serde_json::to_string(&found).expect("JSON"),
            "{\"run\":7,\"name\":\"$(x) 'é/..\",\"at\":\"/\"}"
        );
        let large =
            asked("printf '{\"a\": \"'; head -c 3000000 /dev/zero | tr '\\0' x; printf '\"}'");
        assert_eq!(
            large.expect("an object")["a"].as_str().map(str::len),
            Some(3_000_000)
        );
    }

    #[test]
    fn garbage_and_failures_are_told() {
        let table = [
            ("echo garbage", "it is no JSON"),
            ("echo '[1]'", "no object"),
            (":", "no JSON"),
            ("printf '\\377'", "not UTF-8"),
            (
                "echo '{}'; echo first >&2; echo 'no such run' >&2; echo >&2; exit 3",
                "exit status: 3: no such run",
            ),
            ("echo '{}'; kill -9 $$", "signal: 9"),
            ("yes", "it printed more than 4 MiB"),
            ("yes >&2 & sleep 0.1; exit 1", "exit status: 1: y"),
        ];
        for (script, expected) in table {
            let why = asked(script).expect_err(script);
            assert!(why.contains(expected), "{script}: {why}");
        }
        let why = run("/nowhere/program", &[], LIMIT).expect_err("nothing there");
        assert!(why.starts_with("it can't be started"), "{why}");
        let missing = ask(
            &["echo".into(), "{other}".into()],
            &Parameters::new(),
            LIMIT,
        );
        assert!(missing.expect_err("no parameter").contains("other"));
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
