//! What can be seen from outside: the JSON of runs and health, the page, the control socket, and
//! what systemd is told.
//!
//! Reads the ledger and the board of troubles; the only writes are a person's acts.

pub mod announce;
pub mod ask;
pub mod control;
pub mod json;
mod metrics;
pub mod page;
pub mod service;

/// A time of the ledger (milliseconds since 1970, UTC) as RFC 3339.
#[must_use]
pub fn time(milliseconds: i64) -> String {
    jiff::Timestamp::from_millisecond(milliseconds)
        .map(|time| time.to_string())
        .unwrap_or_default()
}
