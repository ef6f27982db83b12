//! Times on the command line.

use jiff::{Span, Timestamp, Zoned};

use super::{Stop, exit};

/// The start of a span of time that ends now, or a date.
pub(super) fn since(text: &str) -> Result<i64, Stop> {
    let now = Zoned::now();
    let past = text
        .parse::<Span>()
        .ok()
        .and_then(|span| now.checked_sub(span.abs()).ok());
    let date = || {
        let date = text.parse::<jiff::civil::Date>().ok()?;
        date.to_zoned(now.time_zone().clone()).ok()
    };
    let start = past.or_else(date).map(|start| start.timestamp());
    start
        .or_else(|| text.parse().ok())
        .map(Timestamp::as_millisecond)
        .ok_or_else(|| {
            Stop::new(
                exit::ARGUMENTS,
                format!("`{text}` is no time: write 8h, 2d, or a date such as 2026-11-01"),
            )
        })
}
