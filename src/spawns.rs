//! When a user's server may be started: one rule over the starts of the last hours on its hub; and
//! which server is nbcourier's own and unused.
//!
//! One start at a time for each server, so many an hour on a hub, and slowly where starts fail: a
//! hub may shut itself down after a few failures in a row (`JupyterHub.consecutive_failure_limit`
//! of its configuration). Pure: the starts and the time are arguments. All times are milliseconds
//! since 1970, UTC.

#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::job::millis;
use crate::retry::backoff;

/// Starts of one server in an hour, of those that fail.
const FAILURES_AN_HOUR: usize = 5;

/// Failures in a row on a hub after which its servers are started one after the other.
const FAILURES_OF_THE_HUB: usize = 2;

/// The pace at which servers may be started on a hub.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Starts in an hour (≥ 1).
    pub an_hour: u32,
    /// First and longest pause after failures of one server in a row; the hour is 120 times the
    /// first one, so that it scales with it.
    pub pause: (Duration, Duration),
    /// How long a start may take.
    pub timeout: Duration,
}

/// A start of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// Whose server.
    pub server: String,
    /// When it was asked for.
    pub begun_at: i64,
    /// When it is over at the latest: one that nobody saw ending counts as running until then, and
    /// as neither success nor failure from then on.
    pub ends_by: i64,
    /// When it was over, and whether the server ran then.
    pub ended: Option<(i64, bool)>,
}

/// A server that nbcourier started, and that may still run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// Whose server.
    pub server: String,
    /// When the hub says that it was started, which tells it from a later one.
    pub started_at: i64,
    /// When nbcourier used it last.
    pub used_at: i64,
}

impl Start {
    /// Whether it made the server of which the hub says that it was started then; `slack` is by how
    /// much two clocks may differ.
    #[must_use]
    pub fn made(&self, started_at: i64, slack: Duration) -> bool {
        let slack = millis(slack);
        let Some((ended_at, true)) = self.ended else {
            return false;
        };
        let span = self.begun_at.saturating_sub(slack)..=ended_at.saturating_add(slack);
        span.contains(&started_at)
    }
}

impl Started {
    /// Whether it is the server that runs now (started then, used last then, as the hub says), and
    /// nobody has used it since nbcourier did, or within `slack` afterwards.
    #[must_use]
    pub fn is_unused(&self, started_at: i64, active_at: i64, slack: Duration) -> bool {
        self.started_at == started_at && active_at <= self.used_at.saturating_add(millis(slack))
    }
}

/// Why a server may not be started now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is being started already.
    Starting,
    /// It failed to start, so many times within an hour.
    Failing(usize),
    /// The last starts on the hub failed, and another server is being started there.
    HubFailing,
    /// So many servers were started on the hub within an hour.
    HubFull(u32),
}

/// A start that is not allowed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotNow {
    /// Why.
    pub why: Why,
    /// When to ask again; later than the time of asking.
    pub until: i64,
}

/// Whether this server may be started now, after these starts on its hub.
///
/// # Errors
/// The reason that lasts longest.
pub fn may_start(starts: &[Start], server: &str, now: i64, limits: &Limits) -> Result<(), NotNow> {
    let reasons = [
        starting(starts, server, now, limits),
        failing(starts, server, now, limits),
        hub_failing(starts, now, limits),
        hub_full(starts, limits),
    ];
    let standing = reasons.into_iter().flatten();
    match standing
        .filter(|reason| reason.until > now)
        .max_by_key(|reason| reason.until)
    {
        Some(reason) => Err(reason),
        None => Ok(()),
    }
}

/// Who asks has just seen that the hub starts this server no more: one whose end nobody recorded
/// keeps the next waiting only while its request, or the record, may still be under way.
fn starting(starts: &[Start], server: &str, now: i64, limits: &Limits) -> Option<NotNow> {
    let mine = starts.iter().filter(|start| start.server == server);
    let open = mine.filter(|start| start.ended.is_none() && start.ends_by > now);
    let under_way = millis(limits.pause.0);
    let until = open.map(|start| start.ends_by.min(start.begun_at.saturating_add(under_way)));
    let until = until.max()?;
    Some(NotNow {
        why: Why::Starting,
        until,
    })
}

/// A pause that grows with each failure in a row; with five in an hour it lasts until the first of
/// them is an hour old.
fn failing(starts: &[Start], server: &str, now: i64, limits: &Limits) -> Option<NotNow> {
    let ended = ended(starts.iter().filter(|start| start.server == server));
    let hour = millis(limits.hour());
    let recent: Vec<i64> = ended
        .iter()
        .filter(|(at, succeeded)| !succeeded && at.saturating_add(hour) > now)
        .map(|(at, _)| *at)
        .collect();
    let row = failures_in_a_row(&ended);
    let paused = match ended.last() {
        Some((at, false)) => {
            let row = u32::try_from(row).unwrap_or(u32::MAX);
            at.saturating_add(millis(backoff(limits.pause, row, None, 0.0)))
        }
        _ => i64::MIN,
    };
    let often = match recent.len().checked_sub(FAILURES_AN_HOUR) {
        Some(first) => recent[first].saturating_add(hour),
        None => i64::MIN,
    };
    Some(NotNow {
        why: Why::Failing(recent.len()),
        until: paused.max(often),
    })
}

fn hub_failing(starts: &[Start], now: i64, limits: &Limits) -> Option<NotNow> {
    if failures_in_a_row(&ended(starts.iter())) < FAILURES_OF_THE_HUB {
        return None;
    }
    let until = soonest_end(starts.iter(), now, limits)?;
    Some(NotNow {
        why: Why::HubFailing,
        until,
    })
}

fn hub_full(starts: &[Start], limits: &Limits) -> Option<NotNow> {
    let hour = millis(limits.hour());
    let mut begun: Vec<i64> = starts.iter().map(|start| start.begun_at).collect();
    begun.sort_unstable();
    let most = usize::try_from(limits.an_hour).unwrap_or(usize::MAX);
    let first = begun.len().checked_sub(most)?;
    let until = begun.get(first)?.saturating_add(hour);
    Some(NotNow {
        why: Why::HubFull(limits.an_hour),
        until,
    })
}

/// When the first of these starts that still run may be over. That is not known before, so it is
/// looked at again after a while.
fn soonest_end<'a>(
    starts: impl Iterator<Item = &'a Start>,
    now: i64,
    limits: &Limits,
) -> Option<i64> {
    let running = starts.filter(|start| start.ended.is_none() && start.ends_by > now);
    let again = now.saturating_add(millis(limits.pause.0).max(1));
    running.map(|start| start.ends_by.min(again)).min()
}

/// When these starts ended, and whether well, in the order of their ends.
fn ended<'a>(starts: impl Iterator<Item = &'a Start>) -> Vec<(i64, bool)> {
    let mut ended: Vec<(i64, bool)> = starts.filter_map(|start| start.ended).collect();
    ended.sort_by_key(|(at, _)| *at);
    ended
}

fn failures_in_a_row(ended: &[(i64, bool)]) -> usize {
    ended
        .iter()
        .rev()
        .take_while(|(_, succeeded)| !succeeded)
        .count()
}

impl Limits {
    fn hour(&self) -> Duration {
        self.pause.0 * 120
    }
}
