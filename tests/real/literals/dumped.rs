//! What an interpreter says of a value, and what it should say.

use nbcourier::run::special;
use serde_json::Value;

use super::languages::Spoken;

/// A value with its type.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Dumped {
    Null,
    Bool(bool),
    /// Digits.
    Int(String),
    Float(f64),
    Text(Vec<u8>),
    /// Nanoseconds since 1970.
    Instant(i128),
    List(Vec<Dumped>),
    Map(Vec<(Vec<u8>, Dumped)>),
}

impl Dumped {
    /// What should be said of a value.
    pub(super) fn of(value: &Value) -> Self {
        match (special(value), value) {
            (Some(("$float", name)), _) => Self::Float(name.parse().expect("a float")),
            (Some((_, text)), _) => {
                let instant: jiff::Timestamp = text.parse().expect("an instant");
                Self::Instant(instant.as_nanosecond())
            }
            (_, Value::Null) => Self::Null,
            (_, Value::Bool(value)) => Self::Bool(*value),
            (_, Value::Number(number)) => match number.to_string() {
                text if text.contains(['.', 'e', 'E']) => {
                    Self::Float(text.parse().expect("a float"))
                }
                text => Self::Int(text),
            },
            (_, Value::String(text)) => Self::Text(text.clone().into_bytes()),
            (_, Value::Array(items)) => Self::List(items.iter().map(Self::of).collect()),
            (_, Value::Object(entries)) => Self::Map(
                entries
                    .iter()
                    .map(|(key, item)| (key.clone().into_bytes(), Self::of(item)))
                    .collect(),
            ),
        }
    }

    /// Reads what a `dump.*` has printed.
    pub(super) fn read(line: &str) -> Option<Self> {
        let (value, rest) = read(line)?;
        rest.is_empty().then_some(value)
    }

    /// Whether the other one is the same value. In a `loose` language integers and floats are one,
    /// and so are an empty list and an empty map.
    pub(super) fn is(&self, other: &Self, spoken: &Spoken) -> bool {
        let alike = |one: &Self, other: &Self| one.is(other, spoken);
        match (self, other) {
            (Self::Float(one), Self::Float(other)) => close(*one, *other, spoken.ulps),
            // A list's integers may have become floats beside floats, exactly.
            (Self::Int(digits), Self::Float(float)) => format!("{float:.0}") == *digits,
            (Self::Map(one), Self::List(other)) => {
                spoken.loose && one.is_empty() && other.is_empty()
            }
            // R counts seconds in a float, exact to a quarter of a microsecond.
            (Self::Instant(one), Self::Instant(other)) => {
                one.abs_diff(*other) <= if spoken.loose { 500 } else { 0 }
            }
            (Self::List(one), Self::List(other)) => {
                one.len() == other.len() && one.iter().zip(other).all(|(a, b)| alike(a, b))
            }
            (Self::Map(one), Self::Map(other)) => {
                let found = |(key, value): &(Vec<u8>, Self)| {
                    other
                        .iter()
                        .any(|(other, found)| other == key && alike(value, found))
                };
                one.len() == other.len() && one.iter().all(found)
            }
            (one, other) => one == other,
        }
    }
}

/// Whether two floats are the same, or next to each other where that is allowed; such a reader loses
/// the sign of a zero in a list too.
fn close(one: f64, other: f64, ulps: u64) -> bool {
    let same = one == other && (ulps > 0 || one.is_sign_negative() == other.is_sign_negative());
    let near = ulps > 0 && one.to_bits().abs_diff(other.to_bits()) <= ulps;
    same || near || (one.is_nan() && other.is_nan())
}

fn read(text: &str) -> Option<(Dumped, &str)> {
    let kind = text.chars().next()?;
    let rest = &text[kind.len_utf8()..];
    let end = rest.find([',', ':', ']', '}']).unwrap_or(rest.len());
    let (word, after) = rest.split_at(end);
    Some(match kind {
        'n' => (Dumped::Null, rest),
        't' => (Dumped::Bool(true), rest),
        'f' => (Dumped::Bool(false), rest),
        'i' => (Dumped::Int(word.to_owned()), after),
        'd' => (Dumped::Float(word.parse().ok()?), after),
        's' => (Dumped::Text(unhex(word)?), after),
        'T' => (Dumped::Instant(word.parse().ok()?), after),
        '[' => {
            let (items, rest) = entries(rest, ']', |text| read(text))?;
            (Dumped::List(items), rest)
        }
        '{' => {
            let entry = |text: &'_ str| {
                let (key, rest) = text.split_once(':')?;
                let key = unhex(key)?;
                // The borrow of the key ends here; the rest is part of `text`.
                let offset = text.len() - rest.len();
                let (value, rest) = read(&text[offset..])?;
                Some(((key, value), text.len() - rest.len()))
            };
            let mut rest = rest;
            let mut all = Vec::new();
            while !rest.starts_with('}') {
                let (one, length) = entry(rest)?;
                all.push(one);
                rest = rest[length..].strip_prefix(',')?;
            }
            (Dumped::Map(all), &rest[1..])
        }
        _ => return None,
    })
}

fn entries<'a, T>(
    mut rest: &'a str,
    close: char,
    one: impl Fn(&'a str) -> Option<(T, &'a str)>,
) -> Option<(Vec<T>, &'a str)> {
    let mut all = Vec::new();
    while !rest.starts_with(close) {
        let (value, after) = one(rest)?;
        all.push(value);
        rest = after.strip_prefix(',')?;
    }
    Some((all, &rest[close.len_utf8()..]))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let byte = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map(byte).collect()
}
