//! When to try again: backoff and `Retry-After` arithmetic, and every fixed pace of the program.
//!
//! Pure: randomness is an argument.

use std::time::Duration;

/// `[retry]` of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Wait after the first failure.
    pub first: Duration,
    /// Longest wait between two attempts.
    pub longest: Duration,
    /// Age at which a job is given up; held and outage time don't count.
    pub give_up_after: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(5),
            longest: Duration::from_secs(600),
            give_up_after: Duration::from_secs(14 * 86400),
        }
    }
}

/// Every fixed pace of the program. Tests scale all of them at once, never the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paces {
    /// First and longest wait at [`crate::failure::Pace::Soon`].
    pub soon: (Duration, Duration),
    /// First and longest wait between failing spawns.
    pub spawn: (Duration, Duration),
    /// First and longest wait where a hub throttles without `Retry-After`.
    pub throttled: (Duration, Duration),
    /// Between two probes of a hold, and after how long a changed file is noticed at the latest.
    pub probe: Duration,
    /// Between two looks at a run that is not complete yet.
    pub look: Duration,
    /// Between two looks at a stalled run.
    pub look_stalled: Duration,
    /// Between two scans of everything that also ask whether known runs are still the same.
    pub full_scan: Duration,
    /// How long a usual answer may take. A spawn's POST blocks up to 10 s at least, an upload is
    /// slow on a busy server; so it is never scaled below 10 s.
    pub answer: Duration,
    /// How long a command that is asked for metadata may take.
    pub command: Duration,
    /// How long the program of a `command` destination may take.
    pub handover: Duration,
    /// How long a claim lasts that is not renewed, where several machines share a ledger; it is
    /// renewed four times as often.
    pub lease: Duration,
    /// After how long twice as many jobs may go to a destination that is back.
    pub ramp: Duration,
    /// Between two looks at the ledger, where nothing hints at something new.
    pub poll: Duration,
    /// Between two signs of life of a user whose token is to stay good; sites forget users that were
    /// not seen for hours.
    pub heartbeat: Duration,
    /// Between two looks for runs whose history is too old.
    pub prune: Duration,
    /// How long a request for the page may take to arrive; never scaled below 2 s, since who asks
    /// may be slow too.
    pub page: Duration,
    /// How long a trigger file must be unchanged.
    pub spool_settle: Duration,
    /// How long a trigger file that can't be parsed may still be in the writing.
    pub spool_patience: Duration,
}

/// How many jobs may be on their way to a destination so long after it came back (milliseconds):
/// one, and twice as many after each step, until there is no bound.
#[must_use]
pub fn ramp(since: i64, step: i64) -> i64 {
    match since.max(0) / step.max(1) {
        doublings @ 0..=9 => 1 << doublings,
        _ => i64::MAX,
    }
}

impl Default for Paces {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            soon: (seconds(1), seconds(60)),
            spawn: (seconds(30), seconds(600)),
            throttled: (seconds(120), seconds(600)),
            probe: seconds(60),
            look: seconds(1),
            look_stalled: seconds(300),
            full_scan: seconds(600),
            answer: seconds(60),
            command: seconds(30),
            handover: seconds(600),
            lease: seconds(60),
            ramp: seconds(5),
            poll: seconds(5),
            heartbeat: seconds(2400),
            prune: seconds(3600),
            page: seconds(10),
            spool_settle: seconds(2),
            spool_patience: seconds(30),
        }
    }
}

impl Paces {
    /// All paces multiplied by `factor` (> 0).
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        let one = |d: Duration| d.mul_f64(factor);
        let two = |(a, b): (Duration, Duration)| (one(a), one(b));
        Self {
            soon: two(self.soon),
            spawn: two(self.spawn),
            throttled: two(self.throttled),
            probe: one(self.probe),
            look: one(self.look),
            look_stalled: one(self.look_stalled),
            full_scan: one(self.full_scan),
            answer: one(self.answer).max(Duration::from_secs(10)),
            command: one(self.command),
            handover: one(self.handover),
            lease: one(self.lease),
            ramp: one(self.ramp),
            poll: one(self.poll),
            heartbeat: one(self.heartbeat),
            prune: one(self.prune),
            page: one(self.page).max(Duration::from_secs(2)),
            spool_settle: one(self.spool_settle),
            spool_patience: one(self.spool_patience),
        }
    }
}

/// A `Retry-After` beyond it is a mistake, and would freeze what waits.
const LONGEST_ASKED: Duration = Duration::from_secs(86400);

/// The wait before the next attempt after `failures` (≥ 1) in a row.
///
/// Doubles from the first wait up to the longest; `unit_random` in `0.0..1.0` takes up to half of
/// it away, so that clients don't return together after a hub's restart. A server's `Retry-After`
/// is a lower bound (a day at most), with a little jitter on top.
#[must_use]
pub fn backoff(
    (first, longest): (Duration, Duration),
    failures: u32,
    retry_after: Option<Duration>,
    unit_random: f64,
) -> Duration {
    let doublings = failures.saturating_sub(1).min(30);
    let full = first.saturating_mul(1 << doublings).min(longest);
    let jittered = full.mul_f64(1.0 - unit_random / 2.0);
    let asked = retry_after.map_or(Duration::ZERO, |wait| {
        let wait = wait.min(LONGEST_ASKED);
        wait + wait
            .mul_f64(0.1)
            .min(Duration::from_secs(5))
            .mul_f64(unit_random)
    });
    jittered.max(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_the_longest_and_never_undercuts_retry_after() {
        let span = (Duration::from_secs(5), Duration::from_secs(600));
        let cases = [
            (1, None, 0.0, 5.0),
            (2, None, 0.0, 10.0),
            (3, None, 0.5, 15.0),
            (50, None, 0.0, 600.0),
            (1, Some(30), 0.0, 30.0),
            (1, Some(30), 1.0, 33.0),
            (50, Some(30), 0.0, 600.0),
            (1, Some(u64::MAX), 1.0, 86405.0),
        ];
        for (failures, after, random, seconds) in cases {
            let after = after.map(Duration::from_secs);
            assert_eq!(
                backoff(span, failures, after, random),
                Duration::from_secs_f64(seconds)
            );
        }
    }
}
