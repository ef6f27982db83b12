//! The log as entries of systemd's journal, each with fields that can be searched for.
//!
//! What systemd calls the native protocol (`systemd.io/JOURNAL_NATIVE_PROTOCOL`): a datagram an entry.
//! `tracing-journald` speaks it too, but gives nobody a look at the values, and a secret must not be
//! among them.

use std::fmt::{Debug, Write as _};
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use rustix::fs::fstat;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::{Lines, Sink};
use crate::redact::cleaned;

/// Where the journal listens.
const SOCKET: &str = "/run/systemd/journal/socket";

/// Longer values are cut, so that an entry fits into a datagram; bytes.
const LONGEST: usize = 8 << 10;

/// The journal's socket.
pub(super) struct Socket(UnixDatagram);

impl Socket {
    /// The journal, if standard error leads there (systemd.exec(5), `JOURNAL_STREAM`) and it listens.
    pub(super) fn of_stderr() -> Option<Self> {
        let told = std::env::var("JOURNAL_STREAM").ok()?;
        let facts = fstat(io::stderr()).ok()?;
        let is_stderr = told == format!("{}:{}", facts.st_dev, facts.st_ino);
        let socket = UnixDatagram::unbound().ok()?;
        (is_stderr && Path::new(SOCKET).exists()).then_some(Self(socket))
    }
}

impl Sink for Socket {
    /// By its path each time: the journal may be restarted.
    fn put(&mut self, entry: &[u8]) {
        // Nobody can be told that an entry could not be sent.
        let _ = self.0.send_to(entry, SOCKET);
    }

    fn lost(count: u64) -> Vec<u8> {
        let mut entry = head(&Level::WARN);
        add(
            &mut entry,
            "MESSAGE",
            &format!("{count} lines were lost here"),
        );
        entry
    }
}

/// Sends events to the journal.
pub(super) struct Journal(pub(super) Lines);

impl<S: Subscriber> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.0.put(fields.entry(event.metadata().level()));
    }
}

/// What an event says.
#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, String)>,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.take(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field.name(), value.to_owned());
    }
}

impl Fields {
    fn take(&mut self, name: &'static str, value: String) {
        match name {
            "message" => self.message = value,
            _ => self.others.push((name, value)),
        }
    }

    /// `MESSAGE` has all that a person reads, who sees no other field.
    fn entry(&self, level: &Level) -> Vec<u8> {
        let mut message = self.message.clone();
        for (name, value) in self.others.iter().filter(|(name, _)| *name != "event") {
            // A text takes everything.
            let _ = write!(message, " {name}={value}");
        }
        let mut entry = head(level);
        add(&mut entry, "MESSAGE", &message);
        for (name, value) in &self.others {
            add(&mut entry, &journal_name(name), value);
        }
        entry
    }
}

fn head(level: &Level) -> Vec<u8> {
    // syslog(3)
    let priority = match *level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        _ => "7",
    };
    let mut entry = Vec::new();
    add(&mut entry, "PRIORITY", priority);
    add(&mut entry, "SYSLOG_IDENTIFIER", "nbcourier");
    entry
}

/// Capital letters, digits and `_` are all that a name may have.
fn journal_name(name: &str) -> String {
    let letter = |c: char| match c {
        c if c.is_ascii_alphanumeric() => c.to_ascii_uppercase(),
        _ => '_',
    };
    let name: String = name.chars().take(50).map(letter).collect();
    format!("NBCOURIER_{name}")
}

/// Adds a field, without any secret; one of several lines tells its length before.
fn add(entry: &mut Vec<u8>, name: &str, value: &str) {
    let clean = cleaned(value);
    let value = &clean[..clean.floor_char_boundary(LONGEST)];
    entry.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        entry.push(b'\n');
        entry.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        entry.push(b'=');
    }
    entry.extend_from_slice(value.as_bytes());
    entry.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::Held;

    #[test]
    fn an_entry_has_its_fields_and_no_secret() {
        let _secret = Held::new(zeroize::Zeroizing::new("once-a-secret".to_owned()));
        let fields = Fields {
            message: "two\nlines of once-a-secret".into(),
            others: vec![
                ("event", "attempt.failed".into()),
                ("run", "run_000001".into()),
                ("duration_ms", "20".into()),
                ("log.target", "x".into()),
            ],
        };
        let entry = fields.entry(&Level::WARN);
        let message = b"two\nlines of [secret] run=run_000001 duration_ms=20 log.target=x";
        let mut wanted = b"PRIORITY=4\nSYSLOG_IDENTIFIER=nbcourier\nMESSAGE\n".to_vec();
        wanted.extend_from_slice(&(message.len() as u64).to_le_bytes());
        wanted.extend_from_slice(message);
        wanted.extend_from_slice(b"\nNBCOURIER_EVENT=attempt.failed\nNBCOURIER_RUN=run_000001\n");
        wanted.extend_from_slice(b"NBCOURIER_DURATION_MS=20\nNBCOURIER_LOG_TARGET=x\n");
        assert_eq!(entry, wanted, "{}", String::from_utf8_lossy(&entry));
    }

    #[test]
    fn a_long_value_is_cut_between_letters() {
        let mut entry = Vec::new();
        add(&mut entry, "X", &"é".repeat(LONGEST));
        assert_eq!(entry.len(), "X=".len() + LONGEST + 1);
        assert!(String::from_utf8(entry).is_ok());
    }
}
