//! The injected cell: names and values as text of a language.
//!
//! A literal evaluates to the value it was given and can never become code: texts are escaped,
//! names are checked against the grammar, and what a language can't hold is refused.

use serde_json::{Number, Value};

use super::declared::Declared;
use super::language::Language;
use super::literals::{Instant, Part, Shape, joined, numbers};
use super::{NotebookCode, NotebookError};
use crate::run::{Parameters, special};

/// The deepest nesting that is written. Python's own limit is 200, but the value also goes into
/// the notebook's metadata, and JSON readers stop at 128.
const DEPTH: usize = 100;

/// The lines of the injected cell. Names that the template has `declared` are assigned rather than
/// declared again, where the language makes a difference.
pub(super) fn cell(
    language: &Language,
    parameters: &Parameters,
    declared: &[Declared],
) -> Result<Vec<String>, NotebookError> {
    check_names(language, parameters)?;
    let mut lines = Vec::new();
    for (name, value) in parameters {
        let literal = literal(language, value).map_err(|why| {
            let what = format!("the parameter `{name}`: {why}");
            invalid(what, "correct it where it comes from, or give it as text")
        })?;
        let known = declared.iter().any(|known| known.name == *name);
        let assigns = language.assigns.filter(|_| known);
        let [before, between, after] = assigns.unwrap_or(language.declares);
        lines.push(format!("{before}{name}{between}{literal}{after}\n"));
    }
    let written = lines.concat();
    let needed = language
        .needs
        .iter()
        .filter(|(sign, _)| written.contains(sign));
    let (open, close) = language.comment;
    let mut cell = vec![format!("{open}Parameters{close}\n")];
    cell.extend(needed.map(|(_, line)| format!("{line}\n")));
    cell.extend(lines);
    Ok(cell)
}

fn invalid(what: String, advice: &str) -> NotebookError {
    NotebookError::new(NotebookCode::ParameterInvalid, what, advice)
}

fn check_names(language: &Language, parameters: &Parameters) -> Result<(), NotebookError> {
    let mut folded = std::collections::HashSet::new();
    for name in parameters.keys() {
        let shown = name.escape_debug();
        if !language.is_name(name) {
            let what = format!(
                "the parameter `{shown}` has a name that {} can't have",
                language.name
            );
            let advice =
                "rename it where it comes from: letters, digits and `_`, no word of the language";
            return Err(invalid(what, advice));
        }
        if language.folds_case && !folded.insert(name.to_lowercase()) {
            let what = format!(
                "{} has one variable for all spellings of `{shown}`",
                language.name
            );
            return Err(invalid(what, "rename one of the parameters"));
        }
    }
    Ok(())
}

/// One value, or why the language can't hold it.
fn literal(language: &Language, value: &Value) -> Result<String, String> {
    match language.whole {
        _ if depth(value) > DEPTH => Err(format!("it is nested more than {DEPTH} levels deep")),
        Some(whole) => whole(&|one| scalar(language, one), value),
        None => Ok(part(language, value)?.text),
    }
}

/// Levels of lists and maps; the recursion ends where reading JSON would have ended.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(_) if special(value).is_some() => 0,
        Value::Object(entries) => 1 + entries.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// One value by its parts.
fn part(language: &Language, value: &Value) -> Result<Part, String> {
    match value {
        Value::Array(items) => {
            let parts: Vec<Part> = items
                .iter()
                .map(|item| part(language, item))
                .collect::<Result<_, _>>()?;
            let text = (language.list)(&parts)?;
            Ok(Part {
                text,
                shape: Shape::List(Box::new(joined(&parts))),
            })
        }
        Value::Object(entries) if special(value).is_none() => {
            let entry = |(key, item): (&'_ String, _)| Ok((key.clone(), part(language, item)?));
            let parts: Vec<(String, Part)> =
                entries.iter().map(entry).collect::<Result<_, String>>()?;
            let parts: Vec<(&str, Part)> = parts
                .iter()
                .map(|(key, part)| (key.as_str(), part.clone()))
                .collect();
            Ok(Part {
                text: (language.map)(&parts)?,
                shape: Shape::Map,
            })
        }
        scalar => self::scalar(language, scalar),
    }
}

/// Null, bool, number, text, or what JSON writes as a special object.
fn scalar(language: &Language, value: &Value) -> Result<Part, String> {
    let part = |text: String, shape| Ok(Part { text, shape });
    match value {
        Value::Bool(value) => part(language.bools[usize::from(*value)].into(), Shape::Bool),
        Value::Number(number) => self::number(language, number),
        Value::String(text) => part((language.text)(text)?, Shape::Text),
        _ => match special(value) {
            Some(("$float", name)) => {
                let at = ["nan", "inf", "-inf"]
                    .iter()
                    .position(|known| *known == name);
                part(language.non_finite[at.unwrap_or(0)].into(), Shape::Float)
            }
            Some((_, text)) => {
                let instant = Instant::parse(text).ok_or("it is no date and time")?;
                part((language.instant)(&instant)?, Shape::Instant)
            }
            None => part(language.null.into(), Shape::Null),
        },
    }
}

/// Integers as they are, not rounded; floats as Python's `repr`.
fn number(language: &Language, number: &Number) -> Result<Part, String> {
    let text = number.to_string();
    if text.contains(['.', 'e', 'E']) {
        let text = numbers::float(&text)?;
        return Ok(Part {
            text,
            shape: Shape::Float,
        });
    }
    // JSON knows `-0`, which is an integer there.
    (language.int)(if text == "-0" { "0" } else { &text })
}

#[cfg(test)]
mod tests;
