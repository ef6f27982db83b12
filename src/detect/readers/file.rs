//! Opening and reading one metadata file: never a link that leads out of the run, never anything
//! that would block, never more than a few MiB.

use std::fs::{File, Metadata};
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

use crate::run::Parameters;
use crate::text::{Format, object, utf8};

/// Larger metadata files are refused, bytes; of larger JSON Lines both ends are read.
const LARGEST: u64 = 4 << 20;

/// How much of a small one, bytes.
const BEGINNING: u64 = 4 << 10;

/// How much of each end, bytes.
const END: u64 = 1 << 20;

/// A pipe must not block.
const FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC);

/// The file's object; `None` if it is blank, as one that is just being made.
pub(super) fn read(base: &Path, name: &str, format: Format) -> Result<Option<Parameters>, String> {
    let file = open(base, name)?;
    let facts = || file.metadata().map_err(|error| error.to_string());
    let before = facts()?;
    if !before.is_file() {
        return Err("it is no regular file".into());
    }
    let both_ends = before.len() > LARGEST && format == Format::Jsonl;
    let bytes = match both_ends {
        true => ends(&file, before.len())?,
        false => whole(&file, before.len())?,
    };
    let state = |facts: &Metadata| (facts.len(), facts.mtime(), facts.mtime_nsec());
    if state(&before) != state(&facts()?) {
        return Err("it is being written".into());
    }
    parse(&bytes, format).map_err(|why| match both_ends {
        true => format!("{why} (of its first and last MiB)"),
        false => why,
    })
}

/// The beginning of a small file that is named by its whole path.
///
/// # Errors
/// Why it can't be read, in a sentence.
pub(in super::super) fn beginning(path: &Path) -> Result<Vec<u8>, String> {
    let file = File::from(openat(CWD, path, FLAGS, Mode::empty()).map_err(told)?);
    let facts = file.metadata().map_err(|error| error.to_string())?;
    if !facts.is_file() {
        return Err("it is no regular file".into());
    }
    let mut bytes = Vec::new();
    let read = (&file).take(BEGINNING).read_to_end(&mut bytes);
    read.map_err(|error| error.to_string())?;
    Ok(bytes)
}

fn open(base: &Path, name: &str) -> Result<File, String> {
    let opened = match name.starts_with('/') {
        // The configuration names it, so links are its author's business.
        true => openat(CWD, name, FLAGS, Mode::empty()),
        false => beneath(base, name),
    };
    opened.map(File::from).map_err(told)
}

fn told(error: Errno) -> String {
    match error {
        Errno::XDEV => "it is a symbolic link that leads out of the run".into(),
        Errno::LOOP => "it is a symbolic link; a regular file is needed".into(),
        Errno::NXIO => "it is no regular file".into(),
        Errno::AGAIN => "it is being written".into(),
        error => format!("it can't be read: {}", std::io::Error::from(error)),
    }
}

/// Links may lead elsewhere below `base` only. Kernels before 5.6 and some sandboxes have no such
/// call; there no link is followed at all.
fn beneath(base: &Path, name: &str) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let base = openat(CWD, base, flags, Mode::empty())?;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    match openat2(&base, name, FLAGS, Mode::empty(), resolve) {
        Err(Errno::NOSYS | Errno::PERM) => step_by_step(base, name),
        opened => opened,
    }
}

fn step_by_step(base: OwnedFd, name: &str) -> rustix::io::Result<OwnedFd> {
    let mut parts: Vec<&str> = name.split('/').collect();
    let last = parts.pop().unwrap_or_default();
    if last == ".." || parts.contains(&"..") {
        return Err(Errno::XDEV);
    }
    let mut folder = base;
    for part in parts {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::DIRECTORY | OFlags::CLOEXEC;
        folder = openat(&folder, part, flags, Mode::empty())?;
    }
    openat(&folder, last, FLAGS | OFlags::NOFOLLOW, Mode::empty())
}

fn whole(file: &File, length: u64) -> Result<Vec<u8>, String> {
    if length > LARGEST {
        let (has, most) = (length >> 20, LARGEST >> 20);
        return Err(format!("it has {has} MiB; at most {most} MiB are read"));
    }
    let mut bytes = Vec::new();
    let read = file.take(LARGEST + 1).read_to_end(&mut bytes);
    read.map_err(|error| error.to_string())?;
    match bytes.len() as u64 == length {
        true => Ok(bytes),
        false => Err("it is being written".into()),
    }
}

/// Both ends of a long file, cut at line breaks.
fn ends(file: &File, length: u64) -> Result<Vec<u8>, String> {
    let end = |from: u64| -> Result<Vec<u8>, String> {
        let mut bytes = vec![0; END as usize];
        let read = file.read_exact_at(&mut bytes, from);
        read.map_err(|_| "it is being written".to_owned())?;
        Ok(bytes)
    };
    let (mut head, tail) = (end(0)?, end(length - END)?);
    let is_break = |byte: &u8| *byte == b'\n';
    let stop = head.iter().rposition(is_break).map(|at| at + 1);
    let start = tail.iter().position(is_break).map(|at| at + 1);
    match (stop, start.filter(|start| *start < tail.len())) {
        (Some(stop), Some(start)) => {
            head.truncate(stop);
            head.extend_from_slice(&tail[start..]);
            Ok(head)
        }
        _ => Err("its first or last line has more than 1 MiB".into()),
    }
}

fn parse(bytes: &[u8], format: Format) -> Result<Option<Parameters>, String> {
    let (text, _) = utf8(bytes).map_err(|error| error.what)?;
    if text.trim().is_empty() {
        return Ok(None);
    }
    let read = format.read(text).and_then(object);
    read.map(Some).map_err(|error| error.what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{FileType, mkdirat, mknodat, symlinkat};

    fn room() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary directory")
    }

    fn told(base: &Path, name: &str, expected: &str) {
        let format = name.rsplit('.').next().and_then(Format::of_extension);
        let why = read(base, name, format.expect("a format")).expect_err(expected);
        assert!(why.contains(expected), "{name}: {why}");
    }

    #[test]
    fn what_is_no_whole_object_is_told_until_it_is_completed() {
        let dir = room();
        let level = |n: u32| {
            let list = vec![format!("*a{}", n - 1); 8].join(", ");
            format!(
                "a{n}: &a{n} [{list}]
"
            )
        };
        let bomb = format!(
            "a0: &a0 x
{}",
            (1..30).map(level).collect::<String>()
        );
        let table: &[(&str, &[u8], &str)] = &[
            ("a.json", b"{\"x\":", "line 1 column 5"),
            ("a.json", b"[]", "no object"),
            ("a.json", &b"[".repeat(100_000), "nested too deep"),
            (
                "a.json",
                &[b"{\"a\":".repeat(70), b"1".to_vec(), b"}".repeat(70)].concat(),
                "64 levels",
            ),
            ("a.ini", b"name = caf\xe9\n", "it is not UTF-8 (byte 10)"),
            ("a.yaml", bomb.as_bytes(), "no YAML"),
            (
                "a.xml",
                b"<!DOCTYPE a [<!ENTITY b 'b'><!ENTITY c '&b;&b;'>]><a>&c;</a>",
                "DOCTYPE",
            ),
            ("a.csv", b"a,b\n1", "no CSV"),
            ("a.jsonl", b"{\"a\": 1}\n{\"a", "being written"),
        ];
        for (name, bytes, expected) in table {
            std::fs::write(dir.path().join(name), bytes).expect("write");
            told(dir.path(), name, expected);
        }
        std::fs::write(dir.path().join("a.json"), "\u{feff}{\"x\":\r\n 1}\r\n").expect("write");
        let read = read(dir.path(), "a.json", Format::Json).expect("read");
        assert_eq!(read.expect("there")["x"], 1);
    }

    #[test]
    fn what_is_large_or_no_file_never_blocks() {
        let dir = room();
        let large = File::create(dir.path().join("large.yaml")).expect("a file");
        large.set_len(64 << 20).expect("large");
        told(
            dir.path(),
            "large.yaml",
            "it has 64 MiB; at most 4 MiB are read",
        );
        let fifo = dir.path().join("fifo.json");
        mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR, 0).expect("a FIFO");
        std::os::unix::net::UnixListener::bind(dir.path().join("socket.json")).expect("a socket");
        mkdirat(CWD, dir.path().join("directory.json"), Mode::RWXU).expect("a directory");
        for name in ["fifo.json", "socket.json", "directory.json"] {
            told(dir.path(), name, "no regular file");
        }
        let zero = read(dir.path(), "/dev/zero", Format::Json).expect_err("a device");
        assert_eq!(zero, "it is no regular file");
    }

    #[test]
    fn links_may_stay_inside_and_never_lead_out() {
        let dir = room();
        let run = dir.path().join("run");
        std::fs::create_dir_all(run.join("sub")).expect("directories");
        for file in ["out.json", "run/in.json", "run/sub/in.json"] {
            std::fs::write(dir.path().join(file), "{}").expect("write");
        }
        let link = |to: &str, name: &str| symlinkat(to, CWD, run.join(name)).expect("a link");
        link("sub/in.json", "inner.json");
        link("../out.json", "outer.json");
        link("/etc", "etc");
        link("sub", "alias");
        for name in ["in.json", "inner.json", "alias/in.json"] {
            assert!(read(&run, name, Format::Json).is_ok(), "{name}");
        }
        for name in ["outer.json", "etc/hostname", "../out.json"] {
            let why = read(&run, name, Format::Json).expect_err(name);
            assert!(why.contains("leads out of the run"), "{name}: {why}");
        }
        let slow = |name: &str| {
            let flags = OFlags::PATH | OFlags::CLOEXEC;
            let base = openat(CWD, &run, flags, Mode::empty()).expect("a directory");
            step_by_step(base, name).err()
        };
        assert_eq!(slow("sub/in.json"), None);
        assert_eq!(slow("inner.json"), Some(Errno::LOOP));
        assert_eq!(slow("../out.json"), Some(Errno::XDEV));
        assert!(slow("etc/hostname").is_some() && slow("alias/in.json").is_some());
    }

    #[test]
    fn long_json_lines_are_read_at_both_ends() {
        let dir = room();
        let path = dir.path().join("log.jsonl");
        let middle = "{\"middle\": true}\n".repeat(400_000);
        std::fs::write(&path, format!("{{\"a\": 1}}\n{middle}{{\"b\": 2}}\n")).expect("write");
        let read_it = || read(dir.path(), "log.jsonl", Format::Jsonl);
        let found = read_it().expect("read").expect("there");
        assert_eq!((&found["a"], &found["b"]), (&1.into(), &2.into()));
        std::fs::write(&path, vec![b' '; 5 << 20]).expect("write");
        assert!(read_it().expect_err("one line").contains("more than 1 MiB"));
    }
}
