//! Finding a value in what was read.

use serde_json::Value;

use crate::run::Parameters;

/// The value of the key that is exactly `key`; else `key` is a path with dots, in which a number
/// also counts into a list. Where nothing has that name, upper and lower case are the same if one
/// key only is meant.
#[must_use]
pub fn at<'v>(object: &'v Parameters, key: &str) -> Option<&'v Value> {
    [false, true].into_iter().find_map(|folded| {
        let whole = || entry(object, key, folded);
        whole().or_else(|| {
            dots(key, |first, rest| {
                below(entry(object, first, folded)?, rest, folded)
            })
        })
    })
}

/// What `find` makes of the first of all ways to part a key at one dot.
fn dots<'v>(key: &str, find: impl Fn(&str, &str) -> Option<&'v Value>) -> Option<&'v Value> {
    key.match_indices('.')
        .find_map(|(dot, _)| find(&key[..dot], &key[dot + 1..]))
}

fn below<'v>(value: &'v Value, key: &str, folded: bool) -> Option<&'v Value> {
    let step = |key: &str| match value {
        Value::Object(object) => entry(object, key, folded),
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        _ => None,
    };
    step(key).or_else(|| dots(key, |first, rest| below(step(first)?, rest, folded)))
}

fn entry<'v>(object: &'v Parameters, key: &str, folded: bool) -> Option<&'v Value> {
    let exact = object.get(key);
    if exact.is_some() || !folded {
        return exact;
    }
    let mut alike = object
        .iter()
        .filter(|(name, _)| name.to_lowercase() == key.to_lowercase());
    match (alike.next(), alike.next()) {
        (Some((_, value)), None) => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_key_is_itself_or_a_path_in_any_case_that_is_clear() {
        let object = json!({
            "a.b": 1, "a": {"b": 2, "c.d": 3, "list": [4, {"x": 5}]},
            "Run": {"Id": 6, "ID": 7, "Number": 8}, "b": null
        });
        let object = object.as_object().expect("an object");
        let table = [
            ("a.b", Some("1")),
            ("a.c.d", Some("3")),
            ("a.list.0", Some("4")),
            ("a.list.1.x", Some("5")),
            ("a.list.2", None),
            ("run.number", Some("8")),
            ("Run.Id", Some("6")),
            ("run.id", None),
            ("b", Some("null")),
            ("a.", None),
            ("", None),
        ];
        for (key, expected) in table {
            let found = at(object, key).map(Value::to_string);
            assert_eq!(found.as_deref(), expected, "{key}");
        }
    }
}
