//! What a run is: one acquisition, known by its watch, its name and its incarnation.
//!
//! Pure: no IO, no clock.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The parameters of a run: JSON values in a fixed order, numbers kept exactly as written.
pub type Parameters = serde_json::Map<String, Value>;

/// What JSON has no form for stands in parameters as an object with one key: `{"$float": "nan"}`
/// (`inf`, `-inf`), and `{"$datetime": "2026-11-21T05:27:45Z"}` (RFC 3339) for an instant. The key
/// and its text, if `value` is one.
#[must_use]
pub fn special(value: &Value) -> Option<(&'static str, &str)> {
    let entries = value.as_object().filter(|entries| entries.len() == 1)?;
    let (key, text) = entries.iter().next()?;
    let text = text.as_str()?;
    match key.as_str() {
        "$float" if matches!(text, "nan" | "inf" | "-inf") => Some(("$float", text)),
        "$datetime" if text.parse::<jiff::Timestamp>().is_ok() => Some(("$datetime", text)),
        _ => None,
    }
}

/// The value with the text of each [`special`] one in its place, as other readers of JSON want it.
#[must_use]
pub fn plain(value: &Value) -> Value {
    match (special(value), value) {
        (Some((_, text)), _) => Value::from(text),
        (None, Value::Array(items)) => items.iter().map(plain).collect(),
        (None, Value::Object(entries)) => Value::Object(plain_entries(entries)),
        (None, other) => other.clone(),
    }
}

/// [`plain`] of each parameter.
#[must_use]
pub fn plain_entries(entries: &Parameters) -> Parameters {
    let entry = |(name, value): (&String, &Value)| (name.clone(), plain(value));
    entries.iter().map(entry).collect()
}

/// The watch name of runs that were announced by a trigger file and lie below no watch.
pub const SPOOL: &str = "spool";

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// Seen, not complete yet.
    Acquiring,
    /// Complete; its jobs exist.
    Ready,
    /// Never delivered; the reason is stored with it.
    Ignored,
}

impl RunState {
    /// The word used in the ledger and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Acquiring => "acquiring",
            Self::Ready => "ready",
            Self::Ignored => "ignored",
        }
    }
}

/// The name of a run from the bytes of its path below the watch directory.
///
/// Bytes that are no UTF-8, control characters and `%` are percent-encoded, so that every name
/// can be printed on one line, typed, and turned back into the same path by [`path_bytes`].
#[must_use]
pub fn encode_name(raw: &[u8]) -> String {
    let mut name = String::with_capacity(raw.len());
    for chunk in raw.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c == '%' || c.is_control() {
                let mut buffer = [0; 4];
                percent(&mut name, c.encode_utf8(&mut buffer).as_bytes());
            } else {
                name.push(c);
            }
        }
        percent(&mut name, chunk.invalid());
    }
    name
}

fn percent(name: &mut String, bytes: &[u8]) {
    use std::fmt::Write as _;
    for byte in bytes {
        let _ = write!(name, "%{byte:02X}");
    }
}

/// The path below the watch directory that [`encode_name`] made `name` from.
#[must_use]
pub fn path_bytes(name: &str) -> Vec<u8> {
    percent_encoding::percent_decode_str(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_can_be_printed_and_turned_back() {
        let cases: [(&[u8], &str); 6] = [
            (b"run_000123", "run_000123"),
            (b"-rf", "-rf"),
            (b"a\nb", "a%0Ab"),
            (b"50%", "50%25"),
            (b"r\xff\xfe1", "r%FF%FE1"),
            ("é日".as_bytes(), "é日"),
        ];
        for (raw, name) in cases {
            assert_eq!(encode_name(raw), name);
            assert_eq!(path_bytes(name), raw);
        }
    }
}
