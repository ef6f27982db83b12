//! Single values: durations, paths, patterns, URLs, secrets by reference, JSON.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use toml::de::DeValue;
use url::Url;

use super::item::{Item, clean, nearest, sorted};
use super::secret::SecretRef;
use crate::text::from_toml;

/// Durations above this would overflow the clock's arithmetic sooner or later.
const LONGEST: f64 = 100.0 * 365.0 * 86400.0;

/// A duration, zero included.
pub(super) fn duration(item: &Item<'_>) -> Option<Duration> {
    let hint = "write \"500ms\", \"30s\", \"10min\", \"24h\", \"14d\", \"1y\" or \"2h 30min\"";
    let bare = match item.value {
        DeValue::Integer(_) | DeValue::Float(_) => true,
        DeValue::String(text) => text.trim().parse::<f64>().is_ok(),
        _ => return item.wrong("a duration, such as \"30s\""),
    };
    if bare {
        return item.no(&format!("`{}` needs a unit", item.key), hint);
    }
    match seconds(item.text()?) {
        None => item.no(&format!("`{}` is no duration", item.key), hint),
        Some(seconds) if seconds > LONGEST => item.no(
            &format!("`{}` is too long", item.key),
            "100 years are the most",
        ),
        Some(seconds) => Duration::try_from_secs_f64(seconds).ok(),
    }
}

/// A duration longer than zero.
pub(super) fn some_time(item: &Item<'_>) -> Option<Duration> {
    let time = duration(item)?;
    if time.is_zero() {
        return item.no(&format!("`{}` must be longer than zero", item.key), "");
    }
    Some(time)
}

fn seconds(text: &str) -> Option<f64> {
    let mut rest = text.trim();
    let mut sum = (!rest.is_empty()).then_some(0.0)?;
    while !rest.is_empty() {
        let (number, tail) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit() && c != '.')?);
        let tail = tail.trim_start();
        let end = tail.find(|c: char| !c.is_ascii_alphabetic());
        let (unit, tail) = tail.split_at(end.unwrap_or(tail.len()));
        sum += number.parse::<f64>().ok()? * unit_seconds(unit)?;
        rest = tail.trim_start();
    }
    Some(sum)
}

fn unit_seconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "ms" => 0.001,
        "s" | "sec" | "second" | "seconds" => 1.0,
        "min" | "minute" | "minutes" => 60.0,
        "h" | "hour" | "hours" => 3600.0,
        "d" | "day" | "days" => 86400.0,
        "w" | "week" | "weeks" => 7.0 * 86400.0,
        "y" | "year" | "years" => 365.0 * 86400.0,
        _ => return None,
    })
}

/// A path, relative to the file that names it.
pub(super) fn path(item: &Item<'_>) -> Option<PathBuf> {
    let text = item.text()?;
    if text.is_empty() || text.starts_with('~') || text.contains('\0') {
        let hint = "write the whole path; `~` isn't expanded";
        return item.no(&format!("`{}` is no path", item.key), hint);
    }
    let base = item.sheet.file.parent().unwrap_or(Path::new(""));
    std::path::absolute(base.join(text)).ok()
}

/// A text or a list of texts, as `read` understands each.
pub(super) fn one_or_more<'a, T>(
    item: &Item<'a>,
    read: impl Fn(&Item<'a>) -> Option<T>,
) -> Option<Vec<T>> {
    match item.value {
        DeValue::String(_) => Some(vec![read(item)?]),
        DeValue::Array(values) if !values.is_empty() => item.list(read),
        _ => item.wrong("a text or a list of texts"),
    }
}

/// Names of tables that exist.
pub(super) fn names(item: &Item<'_>, table: &str, known: &[&str]) -> Option<Vec<String>> {
    let name = |item: &Item<'_>| {
        let name = item.text()?;
        if known.contains(&name) {
            return Some(name.to_owned());
        }
        let near = nearest(name, known).map(|near| format!("did you mean `{near}`? "));
        let hint = format!(
            "{}known here: {}",
            near.unwrap_or_default(),
            known.join(", ")
        );
        item.no(&format!("there is no [{table}.{}]", clean(name)), &hint)
    };
    one_or_more(item, name)
}

/// A text with placeholders in braces; what they may hold is seen at `check`.
pub(super) fn pattern_text(item: &Item<'_>) -> Option<String> {
    let text = item.text()?;
    let mut open = false;
    let balanced = text.chars().all(|c| match c {
        '{' => !std::mem::replace(&mut open, true),
        '}' => std::mem::replace(&mut open, false),
        _ => true,
    });
    if !balanced || open || text.contains("{}") {
        let hint = "a placeholder is a name in braces, such as {run}";
        return item.no(&format!("the braces in `{}` don't match", item.key), hint);
    }
    Some(text.to_owned())
}

/// Whether a text holds a placeholder.
pub(super) fn has_placeholder(text: &str) -> bool {
    text.contains('{')
}

/// A link that is shown, with placeholders.
pub(super) fn link(item: &Item<'_>) -> Option<String> {
    let text = pattern_text(item)?;
    if !text.starts_with("https://") && !text.starts_with("http://") {
        return item.no(
            "`open` is no link",
            "write it like \"https://files.example/{path}\"",
        );
    }
    Some(text)
}

/// The base URL of a hub or server, with a final `/`.
pub(super) fn base_url(item: &Item<'_>) -> Option<Url> {
    let hint = "write it like \"https://hub.example/\"";
    let mut url = match Url::parse(item.text()?.trim()) {
        Ok(url) => url,
        Err(error) => return item.no(&format!("`{}` is no URL: {error}", item.key), hint),
    };
    if !matches!(url.scheme(), "http" | "https") {
        return item.no(&format!("`{}` is no http or https URL", item.key), hint);
    }
    if !url.username().is_empty() || url.password().is_some() {
        let hint = "remove what stands before the `@`; the token belongs into `auth.token`";
        return item.no(&format!("`{}` holds a login", item.key), hint);
    }
    if url.query().is_some() || url.fragment().is_some() {
        let hint = "remove everything from the `?` or `#` on; the token belongs into `auth.token`";
        return item.no(&format!("`{}` is more than a base URL", item.key), hint);
    }
    if url.scheme() == "http" && !is_loopback(&url) {
        let hint = "use https; plain http is for this machine only (localhost, 127.0.0.1, [::1])";
        return item.no("a token would travel in the clear", hint);
    }
    let path = url.path().trim_end_matches('/');
    // What people copy from the browser ends in `/hub/`.
    let path = if item.key == "hub" {
        path.strip_suffix("/hub").unwrap_or(path)
    } else {
        path
    };
    let path = format!("{path}/");
    url.set_path(&path);
    Some(url)
}

/// Whether a URL is of this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Where a secret is kept; `title` is how its table is called.
pub(super) fn secret(item: &Item<'_>, title: String) -> Option<SecretRef> {
    let table = item.table(title)?;
    let found = table.one_of(&["file", "credential", "env", "command"]);
    table.finish();
    let found = found?;
    match found.key {
        "file" => path(&found).map(SecretRef::File),
        "command" => command(&found).map(SecretRef::Command),
        "env" => word(&found).map(SecretRef::env),
        _ => word(&found).map(SecretRef::Credential),
    }
}

/// A program and its arguments; a path of the program is relative to the file that names it.
pub(super) fn command(item: &Item<'_>) -> Option<Vec<String>> {
    let hint = "write [\"program\", \"argument\"]; there is no shell that would take a text apart";
    if item.value.is_str() {
        return item.no(&format!("`{}` must be a list", item.key), hint);
    }
    let mut words = item.list(|word| word.text().map(str::to_owned))?;
    let Some(program) = words.first_mut().filter(|program| !program.is_empty()) else {
        return item.no("the command is empty", hint);
    };
    if program.contains('/') {
        let base = item.sheet.file.parent().unwrap_or(Path::new(""));
        let whole = std::path::absolute(base.join(&program)).ok()?;
        *program = whole.to_string_lossy().into_owned();
    }
    Some(words)
}

/// A name of a credential or variable.
fn word(item: &Item<'_>) -> Option<String> {
    let text = item.text()?;
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if text.starts_with('.') || text.is_empty() || !text.chars().all(letters) {
        let hint = "a name is made of letters, digits, `_`, `-` and `.`";
        return item.no(&format!("`{}` is no name", item.key), hint);
    }
    Some(text.to_owned())
}

/// A table as a JSON object, with its types, its order and its numbers as written.
pub(super) fn object(item: &Item<'_>) -> Option<serde_json::Map<String, Value>> {
    match json(item.value) {
        Some(Value::Object(object)) => Some(object),
        Some(_) => item.wrong("a table"),
        None => {
            let message = format!("`{}` holds a number that JSON can't", item.key);
            item.no(&message, "write very large numbers as texts")
        }
    }
}

fn json(value: &DeValue<'_>) -> Option<Value> {
    Some(match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Datetime(time) => from_toml(toml::Value::Datetime(*time)),
        DeValue::Integer(number) if number.radix() == 10 => literal(number.as_str())?,
        DeValue::Integer(number) => {
            let value = i128::from_str_radix(number.as_str(), number.radix()).ok()?;
            literal(&value.to_string())?
        }
        DeValue::Float(number) if number.as_str().contains(['n', 'i']) => {
            from_toml(toml::Value::Float(number.as_str().parse().ok()?))
        }
        DeValue::Float(number) => literal(number.as_str())?,
        DeValue::Array(values) => {
            let values = values.iter().map(|value| json(value.get_ref()));
            Value::Array(values.collect::<Option<_>>()?)
        }
        DeValue::Table(entries) => {
            let entry = |(key, value): (&toml::Spanned<_>, &toml::Spanned<_>)| {
                let key: &std::borrow::Cow<'_, str> = key.get_ref();
                Some((key.to_string(), json(value.get_ref())?))
            };
            Value::Object(
                sorted(entries)
                    .into_iter()
                    .map(entry)
                    .collect::<Option<_>>()?,
            )
        }
    })
}

fn literal(number: &str) -> Option<Value> {
    serde_json::from_str(number.trim_start_matches('+')).ok()
}
