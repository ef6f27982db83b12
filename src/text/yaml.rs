//! YAML 1.2, core schema. The library reads some numbers of version 1.1 too (`1_000`, `0b11`); what
//! the core schema calls a text becomes one here.

use std::sync::LazyLock;

use regex::Regex;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use serde_saphyr::Spanned;
use serde_saphyr::options::NonFiniteFloatPolicy;

use super::{Unreadable, float};

/// Numbers of the core schema (YAML 1.2.2, §10.3.2).
static NUMBER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let int = r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+";
    let float = r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?";
    let special = r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)";
    Regex::new(&format!(r"\A(?:{int}|{float}|{special})\z")).ok()
});

pub(super) fn read(text: &str) -> Result<Value, Unreadable> {
    let options = serde_saphyr::options! {
        strict_booleans: true,
        with_snippet: false,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
    };
    let read: Result<Spanned<Node>, _> = serde_saphyr::from_str_with_options(text, options);
    match read {
        Ok(node) => Ok(value(node, text)),
        Err(error) => {
            let place = error.location();
            let (line, column) =
                place.map_or((0, 0), |at| (at.line() as usize, at.column() as usize));
            let what = format!("it is no YAML: {error}");
            Err(Unreadable {
                what,
                advice: "correct it there",
                line,
                column,
            })
        }
    }
}

/// A value that knows where it stood.
enum Node {
    One(Value),
    List(Vec<Spanned<Node>>),
    Map(Vec<(Spanned<Node>, Spanned<Node>)>),
}

fn value(node: Spanned<Node>, text: &str) -> Value {
    let span = node.defined.span();
    match node.value {
        Node::One(Value::String(text)) => text.into(),
        Node::One(one) => {
            let place = span.byte_offset().zip(span.byte_len());
            let place = place.map(|(at, length)| at as usize..(at + length) as usize);
            let written = place.and_then(|place| text.get(place)).unwrap_or_default();
            let number = NUMBER
                .as_ref()
                .is_some_and(|number| number.is_match(written));
            // A quoted or tagged one is what its tag says.
            let bare = written.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
            match whole(written) {
                Some(whole) => whole,
                None if bare && !number => written.into(),
                None => one,
            }
        }
        Node::List(items) => items.into_iter().map(|item| value(item, text)).collect(),
        Node::Map(entries) => {
            let entry = |(key, item)| (key_text(value(key, text)), value(item, text));
            Value::Object(entries.into_iter().map(entry).collect())
        }
    }
}

/// A decimal integer, of any size and exact.
fn whole(written: &str) -> Option<Value> {
    let unsigned = written.strip_prefix(['-', '+']).unwrap_or(written);
    if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = unsigned.trim_start_matches('0');
    let digits = if digits.is_empty() { "0" } else { digits };
    let sign = if written.starts_with('-') { "-" } else { "" };
    let number: Option<Number> = format!("{sign}{digits}").parse().ok();
    number.map(Value::Number)
}

/// A key as it is written: `1: x` has the key "1".
fn key_text(key: Value) -> String {
    match key {
        Value::String(key) => key,
        scalar => scalar.to_string(),
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("null, a truth value, a number, text, a list or a map")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::One(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::One(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::One(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::One(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::One(value.into()))
    }

    fn visit_i128<E: serde::de::Error>(self, value: i128) -> Result<Node, E> {
        let number: Number = value.to_string().parse().map_err(E::custom)?;
        Ok(Node::One(Value::Number(number)))
    }

    fn visit_u128<E: serde::de::Error>(self, value: u128) -> Result<Node, E> {
        let number: Number = value.to_string().parse().map_err(E::custom)?;
        Ok(Node::One(Value::Number(number)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::One(float(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::One(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element()? {
            all.push(item);
        }
        Ok(Node::List(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut all: Vec<(Spanned<Node>, Spanned<Node>)> = Vec::new();
        while let Some((key, item)) = entries.next_entry::<Spanned<Node>, Spanned<Node>>()? {
            if !matches!(key.value, Node::One(_)) {
                return Err(A::Error::custom("a key is a list or a map"));
            }
            all.push((key, item));
        }
        Ok(Node::Map(all))
    }
}
