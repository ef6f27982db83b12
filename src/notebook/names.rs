//! `{name}` placeholders in paths and parameters.

use serde_json::Value;

use super::{NotebookCode, NotebookError};
use crate::run::{Parameters, plain};

/// A piece of a pattern.
enum Piece<'a> {
    Text(String),
    Placeholder { name: &'a str, width: usize },
}

/// Replaces every placeholder by its parameter's text. `{name:06}` pads whole numbers and text of
/// digits with zeros; `{{` and `}}` are braces.
///
/// # Errors
/// `ParameterMissing`, naming what there is; `TemplateInvalid` for a malformed pattern.
pub fn expand(pattern: &str, parameters: &Parameters) -> Result<String, NotebookError> {
    let mut text = String::new();
    for piece in pieces(pattern)? {
        match piece {
            Piece::Text(piece) => text.push_str(&piece),
            Piece::Placeholder { name, width } => {
                text.push_str(&padded(lookup(name, parameters)?, width))
            }
        }
    }
    Ok(text)
}

/// As [`expand`], for a path whose pattern is trusted: only what comes from values is cleaned, so
/// that none leads to another directory.
///
/// # Errors
/// As [`expand`].
pub fn expand_values(pattern: &str, parameters: &Parameters) -> Result<String, NotebookError> {
    let mut path = String::new();
    for piece in pieces(pattern)? {
        match piece {
            Piece::Text(piece) => path.push_str(&piece),
            Piece::Placeholder { name, width } => {
                let value = padded(lookup(name, parameters)?, width).replace('/', "_");
                path.push_str(&clean(&value));
            }
        }
    }
    Ok(path)
}

/// As [`expand`], for a relative path: `/` of the pattern separates, a value never does. No segment
/// is empty, begins with a dot or holds a control character.
///
/// # Errors
/// As [`expand`].
pub fn expand_path(pattern: &str, parameters: &Parameters) -> Result<String, NotebookError> {
    let mut path = String::new();
    for piece in pieces(pattern)? {
        match piece {
            Piece::Text(piece) => path.push_str(&piece),
            Piece::Placeholder { name, width } => {
                path.push_str(&padded(lookup(name, parameters)?, width).replace('/', "_"));
            }
        }
    }
    let segments = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .map(clean);
    Ok(segments.collect::<Vec<_>>().join("/"))
}

/// As [`expand_values`], for a glob: `{name}` and `{name:06}` are placeholders, `{a,b}` stays as it
/// is. A value matches itself only.
///
/// # Errors
/// As [`expand`].
pub fn expand_glob(glob: &str, parameters: &Parameters) -> Result<String, NotebookError> {
    let mut text = String::new();
    let mut rest = glob;
    while let Some((from, to)) = glob_placeholder(rest) {
        text.push_str(&rest[..from]);
        for c in expand_values(&rest[from..to], parameters)?.chars() {
            match c {
                '*' | '?' | '[' | ']' | '{' | '}' | '\\' => text.extend(['[', c, ']']),
                c => text.push(c),
            }
        }
        rest = &rest[to..];
    }
    text.push_str(rest);
    Ok(text)
}

/// Where the first placeholder of a glob stands.
fn glob_placeholder(glob: &str) -> Option<(usize, usize)> {
    let opened = glob.match_indices('{');
    opened.into_iter().find_map(|(from, _)| {
        let length = glob[from..].find('}')?;
        let inner = &glob[from + 1..from + length];
        let (name, width) = inner.split_once(':').unwrap_or((inner, "0"));
        let mut letters = name.chars();
        let named = letters
            .next()
            .is_some_and(|c| c.is_alphabetic() || c == '_')
            && letters.all(|c| c.is_alphanumeric() || c == '_');
        let width = !width.is_empty() && width.chars().all(|c| c.is_ascii_digit());
        (named && width).then_some((from, from + length + 1))
    })
}

/// Jupyter refuses names that begin with a dot, and `..` must never lead out.
fn clean(segment: &str) -> String {
    let segment: String = segment
        .chars()
        .map(|c| if c.is_control() { '_' } else { c })
        .collect();
    match segment.strip_prefix('.') {
        Some(rest) => format!("_{rest}"),
        None => segment,
    }
}

/// Expands the strings inside a value; one that is exactly `{name}` keeps the parameter's type.
///
/// # Errors
/// As [`expand`].
pub fn expand_value(pattern: &Value, parameters: &Parameters) -> Result<Value, NotebookError> {
    Ok(match pattern {
        Value::String(text) => match pieces(text)?.as_slice() {
            [Piece::Placeholder { name, width: 0 }] => lookup(name, parameters)?.clone(),
            _ => Value::String(expand(text, parameters)?),
        },
        Value::Array(items) => Value::Array(
            items
                .iter()
                .map(|item| expand_value(item, parameters))
                .collect::<Result<_, _>>()?,
        ),
        Value::Object(entries) => {
            let entry =
                |(key, item): (&String, &Value)| Ok((key.clone(), expand_value(item, parameters)?));
            Value::Object(
                entries
                    .iter()
                    .map(entry)
                    .collect::<Result<_, NotebookError>>()?,
            )
        }
        other => other.clone(),
    })
}

/// The names that a pattern uses.
///
/// # Errors
/// `TemplateInvalid` for a malformed pattern.
pub fn placeholders(pattern: &str) -> Result<Vec<String>, NotebookError> {
    let name = |piece| match piece {
        Piece::Placeholder { name, .. } => Some(str::to_owned(name)),
        Piece::Text(_) => None,
    };
    Ok(pieces(pattern)?.into_iter().filter_map(name).collect())
}

/// The `n`th name for a taken one: `a.ipynb` → `a-2.ipynb`.
#[must_use]
pub fn number(path: &str, n: u32) -> String {
    let file = path.rfind('/').map_or(0, |at| at + 1);
    match path[file..].rfind('.') {
        Some(dot) if dot > 0 => {
            let (stem, extension) = path.split_at(file + dot);
            format!("{stem}-{n}{extension}")
        }
        _ => format!("{path}-{n}"),
    }
}

fn lookup<'a>(name: &str, parameters: &'a Parameters) -> Result<&'a Value, NotebookError> {
    parameters
        .get(name)
        .ok_or_else(|| missing(&format!("`{{{name}}}`"), parameters))
}

/// What is said where a run lacks a parameter.
pub(super) fn missing(asked: &str, parameters: &Parameters) -> NotebookError {
    let known: Vec<&str> = parameters.keys().map(String::as_str).collect();
    let there_is = match known.as_slice() {
        [] => "the run has no parameters".to_owned(),
        known => format!("the run has {}", known.join(", ")),
    };
    NotebookError::new(
        NotebookCode::ParameterMissing,
        format!("{asked} has no value; {there_is}"),
        "correct the placeholder, or let the run give this parameter",
    )
}

fn padded(value: &Value, width: usize) -> String {
    let text = match plain(value) {
        Value::String(text) => text,
        other => other.to_string(),
    };
    match text.strip_prefix('-') {
        _ if text.is_empty() => text,
        Some(digits) if all_digits(digits) => {
            format!("-{digits:0>width$}", width = width.saturating_sub(1))
        }
        _ if all_digits(&text) => format!("{text:0>width$}"),
        _ => text,
    }
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn pieces(pattern: &str) -> Result<Vec<Piece<'_>>, NotebookError> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut rest = pattern;
    while let Some(at) = rest.find(['{', '}']) {
        text.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            text.push_str(brace);
            rest = after;
            continue;
        }
        let Some((inside, after)) = rest.split_once('}').filter(|_| brace == "{") else {
            return Err(malformed(pattern, "a brace is alone"));
        };
        if !text.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut text)));
        }
        pieces.push(placeholder(pattern, inside)?);
        rest = after;
    }
    text.push_str(rest);
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    Ok(pieces)
}

fn placeholder<'a>(pattern: &str, inside: &'a str) -> Result<Piece<'a>, NotebookError> {
    let (name, format) = inside.split_once(':').unwrap_or((inside, ""));
    if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
        return Err(malformed(pattern, &format!("`{{{inside}}}` is no name")));
    }
    let width = match format {
        "" => 0,
        format => {
            let digits = format
                .strip_prefix('0')
                .filter(|digits| digits.len() <= 2 && all_digits(digits));
            let width = digits.and_then(|digits| digits.parse().ok());
            width.ok_or_else(|| {
                malformed(pattern, &format!("`:{format}` is no format such as `:06`"))
            })?
        }
    };
    Ok(Piece::Placeholder { name, width })
}

fn malformed(pattern: &str, why: &str) -> NotebookError {
    let what = format!("the pattern `{pattern}`: {why}");
    NotebookError::template(what, "write {name}, {name:06}, or {{ }} for braces")
}
