//! What systemd hears: that the service is ready, how it is in one sentence, and, for its watchdog,
//! that its loops turn. Without systemd nobody is told.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sd_notify::NotifyState;
use tokio::sync::watch;

use crate::health::Notice;
use crate::ledger::{Hold, Ledger, LedgerError};
use crate::pulse;

/// Where systemd listens.
const SOCKET: &str = "NOTIFY_SOCKET";

/// Looking at the ledger for the sentence takes at most this share of the time.
const SHARE: u32 = 100;

/// The longest sentence, characters: what a hub says may be long.
const LONGEST: usize = 400;

/// Tells systemd.
pub fn tell(state: &[NotifyState<'_>]) {
    let Some(address) = std::env::var_os(SOCKET) else {
        return;
    };
    let lines: Vec<String> = state.iter().map(ToString::to_string).collect();
    if let Err(error) = send(&address, &lines.join("\n")) {
        tracing::debug!(%error, "systemd was not told");
    }
}

/// To a file or, after an `@`, an abstract address, which the library doesn't know.
fn send(address: &OsStr, text: &str) -> std::io::Result<()> {
    let address = match address.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(address)?,
    };
    let socket = UnixDatagram::unbound()?;
    // Who doesn't listen must not be waited for.
    socket.set_nonblocking(true)?;
    socket.send_to_addr(text.as_bytes(), &address).map(drop)
}

/// Keeps systemd informed until the daemon stops: of the ledger and of present troubles, for which it
/// looks at this pace.
pub async fn run(
    (ledger, notices): (Ledger, impl Fn() -> Vec<Notice>),
    pace: Duration,
    mut stop: watch::Receiver<bool>,
) {
    if std::env::var_os(SOCKET).is_none() {
        return;
    }
    tokio::select! {
        () = feed() => {}
        () = describe(&ledger, notices, pace) => {}
        // An error means that the daemon is gone already.
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

/// Feeds the watchdog as long as every loop has turned lately.
async fn feed() {
    let Some(limit) = sd_notify::watchdog_enabled() else {
        return std::future::pending().await;
    };
    loop {
        let still = pulse::still(limit / 2);
        if still.is_empty() {
            tell(&[NotifyState::Watchdog]);
        }
        for name in still {
            tracing::error!(
                "the loop `{name}` hangs: without a sign of life systemd starts nbcourier again"
            );
        }
        tokio::time::sleep(limit / 4).await;
    }
}

/// Tells how it is whenever that has changed.
async fn describe(ledger: &Ledger, notices: impl Fn() -> Vec<Notice>, pace: Duration) {
    let mut told = None;
    loop {
        let begun = Instant::now();
        let seen = (ledger.last_event().await.ok(), notices());
        if seen.0.is_none() || told.as_ref() != Some(&seen) {
            let news = News::of(ledger, seen.1.clone()).await;
            tell(&[NotifyState::Status(&news.sentence(&TimeZone::system()))]);
            told = Some(seen);
        }
        tokio::time::sleep(pace.max(begun.elapsed() * SHARE)).await;
    }
}

/// What the sentence is about.
#[derive(Debug, Default)]
struct News {
    holds: Vec<Hold>,
    notices: Vec<Notice>,
    /// So many jobs in each state.
    jobs: Vec<(String, i64)>,
    last: Option<(String, i64)>,
}

impl News {
    async fn of(ledger: &Ledger, notices: Vec<Notice>) -> Self {
        match Self::read(ledger).await {
            Ok(news) => Self { notices, ..news },
            Err(error) => Self {
                notices: [notices, vec![unreadable(ledger, &error)]].concat(),
                ..Self::default()
            },
        }
    }

    async fn read(ledger: &Ledger) -> Result<Self, LedgerError> {
        Ok(Self {
            holds: ledger.holds().await?,
            notices: Vec::new(),
            jobs: ledger.job_counts().await?,
            last: ledger.last_delivered().await?,
        })
    }

    /// One line, whatever a hub has said.
    fn sentence(&self, zone: &TimeZone) -> String {
        let text = match (self.holds.first(), self.notices.first()) {
            (Some(hold), _) => {
                let since = clock(hold.since, zone);
                format!("a person is needed since {since}: {}", hold.what)
            }
            (None, Some(notice)) => format!("not well: {}", notice.what),
            (None, None) => format!("all well: {}", self.counts(zone)),
        };
        let clean: String = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(LONGEST)
            .collect();
        match self.holds.is_empty() && self.notices.is_empty() {
            true => clean,
            false => format!("{clean} (what to do: nbcourier status)"),
        }
    }

    fn counts(&self, zone: &TimeZone) -> String {
        let count = |states: &[&str]| -> i64 {
            let these = self
                .jobs
                .iter()
                .filter(|(state, _)| states.contains(&state.as_str()));
            these.map(|(_, count)| count).sum()
        };
        let of = |count: i64, word: &str| (count > 0).then(|| format!("{count} {word}"));
        let last = self.last.as_ref();
        let parts = [
            of(count(&["waiting", "delivering"]), "waiting"),
            of(count(&["failed"]), "failed"),
            Some(format!("{} delivered", count(&["delivered"]))),
            last.map(|(name, at)| format!("last {name} at {}", clock(*at, zone))),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

fn unreadable(ledger: &Ledger, error: &LedgerError) -> Notice {
    Notice {
        code: "ledger-unwritable".into(),
        what: error.to_string(),
        advice: ledger.advice().into(),
    }
}

/// The minute of a time of the ledger.
fn clock(at: i64, zone: &TimeZone) -> String {
    let at = Timestamp::from_millisecond(at).unwrap_or_default();
    let at = at.to_zoned(zone.clone());
    at.strftime("%Y-%m-%d %H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-20 11:32:05 UTC.
    const AT: i64 = 1_795_174_325_000;

    fn hold(what: &str) -> Hold {
        Hold {
            id: 1,
            job: None,
            destination: None,
            user: None,
            notebook: None,
            code: "token-refused".into(),
            what: what.into(),
            advice: "make one".into(),
            since: AT,
            next_probe_at: 0,
        }
    }

    fn said(news: &News) -> String {
        news.sentence(&TimeZone::UTC)
    }

    #[test]
    fn the_sentence_says_whether_one_can_go_home() {
        let jobs = [("delivered", 1234), ("waiting", 2), ("delivering", 1)];
        let jobs: Vec<_> = jobs.map(|(state, n)| (state.to_owned(), n)).into();
        let mut news = News::default();
        assert_eq!(said(&news), "all well: 0 delivered");
        news.jobs = jobs;
        news.last = Some(("run_001234".into(), AT));
        assert_eq!(
            said(&news),
            "all well: 3 waiting, 1234 delivered, last run_001234 at 2026-11-20 11:32"
        );
        news.notices = vec![Notice {
            code: "watch-missing".into(),
            what: "[watch.h4] can't list /data/h4".into(),
            advice: "mount it".into(),
        }];
        assert_eq!(
            said(&news),
            "not well: [watch.h4] can't list /data/h4 (what to do: nbcourier status)"
        );
        news.holds = vec![hold("the hub refuses the token")];
        assert_eq!(
            said(&news),
            "a person is needed since 2026-11-20 11:32: the hub refuses the token \
             (what to do: nbcourier status)"
        );
    }

    #[test]
    fn what_a_hub_says_can_tell_systemd_nothing_else() {
        let news = News {
            holds: vec![hold(&format!("it said\nMAINPID=1\r{}", "ü".repeat(9999)))],
            ..News::default()
        };
        let said = said(&news);
        assert!(!said.contains(char::is_control) && said.contains("it said MAINPID=1 ü"));
        assert!(said.chars().count() < LONGEST + 50);
    }
}
