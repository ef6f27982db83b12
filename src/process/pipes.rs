//! The ends of a program's streams, never waited for.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags};
use rustix::io::ioctl_fionbio;

/// What a program reads.
pub(super) struct Feed<'a> {
    file: Option<File>,
    rest: &'a [u8],
}

impl<'a> Feed<'a> {
    pub(super) fn new(end: Option<OwnedFd>, input: &'a [u8]) -> Self {
        Self {
            file: open(end),
            rest: input,
        }
    }

    pub(super) fn poll(&self) -> Option<PollFd<'_>> {
        let file = self.file.as_ref()?;
        Some(PollFd::new(file, PollFlags::OUT))
    }

    /// Gives as much as it takes now, and closes after the last byte.
    pub(super) fn write(&mut self) {
        let Some(file) = &mut self.file else {
            return;
        };
        match file.write(self.rest) {
            Ok(length) => self.rest = &self.rest[length..],
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            // It doesn't want to read it all; its exit status tells whether that is well.
            Err(_) => self.rest = &[],
        }
        if self.rest.is_empty() {
            self.file = None;
        }
    }
}

/// One of a program's outputs.
pub(super) struct Pipe {
    file: Option<File>,
    /// The last of what came.
    pub(super) bytes: Vec<u8>,
    most: usize,
    /// Whether there was more than that.
    pub(super) full: bool,
}

impl Pipe {
    pub(super) fn new(end: Option<OwnedFd>, most: usize) -> Self {
        Self {
            file: open(end),
            bytes: Vec::new(),
            most,
            full: false,
        }
    }

    pub(super) fn poll(&self) -> Option<PollFd<'_>> {
        let file = self.file.as_ref()?;
        Some(PollFd::new(file, PollFlags::IN))
    }

    /// Takes a piece and keeps the last of all; whether there was one.
    pub(super) fn read(&mut self) -> bool {
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

    /// The last line that isn't empty, in at most 200 plain characters.
    pub(super) fn last_line(&self) -> String {
        let said = String::from_utf8_lossy(&self.bytes);
        let last = said.lines().rfind(|line| !line.trim().is_empty());
        let last = last.unwrap_or_default().trim();
        let words: Vec<&str> = last.split(' ').map(without_query).collect();
        let plain = words.join(" ");
        plain
            .chars()
            .filter(|c| !c.is_control())
            .take(200)
            .collect()
    }
}

/// A word up to the query of the URL that it is, which may hold codes and hides what follows.
fn without_query(word: &str) -> &str {
    match word.split_once('?') {
        Some((url, query)) if query.contains('=') => url,
        _ => word,
    }
}

fn open(end: Option<OwnedFd>) -> Option<File> {
    let end = end.filter(|end| ioctl_fionbio(end, true).is_ok());
    end.map(File::from)
}
