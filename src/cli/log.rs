//! Log lines on stderr, whoever reads them there, or in the journal: a pipe that nobody empties or that
//! is closed, or a full disk below a redirected log, costs lines and never a delivery.

mod journal;

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use super::{Context, Stop, exit};
use crate::config::Config;
use crate::redact::cleaned;

/// Lines that wait for a slow reader; what comes beyond is lost.
const WAITING: usize = 4096;

/// How long the end of the program waits for the last lines to be taken.
const LAST: Duration = Duration::from_secs(1);

/// The running log; dropped, it waits a moment for the last lines to be taken.
pub(super) struct Log(Arc<Count>);

#[derive(Default)]
struct Count {
    waiting: AtomicUsize,
    lost: AtomicU64,
}

/// Log lines on stderr, as `log` in the configuration says; `-v` and `-q` win.
pub(super) fn start(context: &Context, config: &Config) -> Result<Log, Stop> {
    let wanted = match context.verbosity {
        0 => config.log.as_str(),
        1 => "nbcourier=debug,info",
        2.. => "trace",
        -1 => "warn",
        _ => "error",
    };
    let filter = EnvFilter::try_new(wanted)
        .map_err(|error| Stop::new(exit::CONFIGURATION, format!("`log`: {error}")))?;
    if let Some(socket) = journal::Socket::of_stderr() {
        let (log, lines) = Log::to(socket);
        let journal = journal::Journal(lines).with_filter(filter);
        let started = tracing_subscriber::registry().with(journal).try_init();
        started.map_err(|error| Stop::new(exit::CONFIGURATION, error.to_string()))?;
        return Ok(log);
    }
    let (log, lines) = Log::to(Text(io::stderr()));
    let line = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_writer(move || lines.clone())
        .with_ansi(context.output.coloured());
    // What keeps the lines stamps them itself.
    let started = match std::env::var_os("JOURNAL_STREAM") {
        Some(_) => line.without_time().try_init(),
        None => line.try_init(),
    };
    started.map_err(|error| Stop::new(exit::CONFIGURATION, error.to_string()))?;
    Ok(log)
}

/// Where lines end up; may wait for its reader as long as it likes.
trait Sink: Send + 'static {
    /// Takes a line.
    fn put(&mut self, line: &[u8]);

    /// The line that tells how many were lost.
    fn lost(count: u64) -> Vec<u8>;
}

/// A stream of text.
struct Text<W>(W);

impl<W: Write + Send + 'static> Sink for Text<W> {
    fn put(&mut self, line: &[u8]) {
        // Nobody can be told that a line could not be written.
        let _ = self.0.write_all(line);
    }

    fn lost(count: u64) -> Vec<u8> {
        format!("{count} lines were lost here: the log was not read\n").into_bytes()
    }
}

impl Log {
    /// Hands lines to a thread of their own.
    fn to<S: Sink>(sink: S) -> (Self, Lines) {
        let count = Arc::new(Count::default());
        let (queue, lines) = sync_channel(WAITING);
        let counted = count.clone();
        std::thread::spawn(move || write_out(sink, &lines, &counted));
        let lines = Lines {
            queue,
            count: count.clone(),
        };
        (Self(count), lines)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let deadline = Instant::now() + LAST;
        while self.0.waiting.load(SeqCst) > 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Where the program writes its lines; never waits, never fails.
#[derive(Clone)]
struct Lines {
    queue: SyncSender<Vec<u8>>,
    count: Arc<Count>,
}

impl Lines {
    /// Has a line written that holds no secret.
    fn put(&self, clean: Vec<u8>) {
        self.count.waiting.fetch_add(1, SeqCst);
        if self.queue.try_send(clean).is_err() {
            self.count.waiting.fetch_sub(1, SeqCst);
            self.count.lost.fetch_add(1, SeqCst);
        }
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // Here, and not by the thread that writes: by then a secret may have been forgotten.
        let clean = cleaned(&String::from_utf8_lossy(line)).into_owned();
        self.put(clean.into_bytes());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Ends with the last [`Lines`].
fn write_out<S: Sink>(mut sink: S, lines: &Receiver<Vec<u8>>, count: &Count) {
    while let Ok(line) = lines.recv() {
        sink.put(&line);
        let lost = count.lost.swap(0, SeqCst);
        if lost > 0 {
            sink.put(&S::lost(lost));
        }
        count.waiting.fetch_sub(1, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that takes a line whenever it is told to.
    struct Reader(Receiver<()>, std::sync::mpsc::Sender<String>);

    impl Write for Reader {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            let _ = self.1.send(String::from_utf8_lossy(line).into_owned());
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_beyond_what_a_slow_reader_leaves_room_for_are_counted() {
        let (take, taken) = std::sync::mpsc::channel();
        let (give, given) = std::sync::mpsc::channel();
        let (log, mut lines) = Log::to(Text(Reader(taken, give)));
        // One is with the reader, or still waits as well.
        for number in 0..WAITING + 11 {
            let line = format!("{number}\n");
            lines.write_all(line.as_bytes()).expect("never fails");
        }
        drop(take);
        drop(log);
        let mut told: Vec<String> = given.try_iter().collect();
        told.retain(|line| line.contains("lost"));
        let lost: u64 = told
            .iter()
            .filter_map(|line| line.split(' ').next()?.parse::<u64>().ok())
            .sum();
        assert!((10..=11).contains(&lost), "{told:?}");
    }
}
