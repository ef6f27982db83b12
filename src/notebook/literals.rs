//! Python literals, to the byte as papermill writes them (papermill 2.7, `translators.py`).
//!
//! A literal evaluates to the value it was given and can never become code: strings are escaped,
//! names are checked against the grammar.

use std::fmt::Write as _;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Number, Value};

use super::{NotebookCode, NotebookError};
use crate::run::Parameters;

/// Python's grammar of names; `char::is_alphanumeric` would let `x²` pass, which Python refuses.
static IDENTIFIER: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\A[\p{XID_Start}_]\p{XID_Continue}*\z").ok());

/// The most digits that Python 3.11 reads in an integer (`sys.set_int_max_str_digits`).
const DIGITS: usize = 4300;

/// The deepest nesting that is written. Python's own limit is 200, but the value also goes into
/// the notebook's metadata, and JSON readers stop at 128.
const DEPTH: usize = 100;

/// Python's keywords (3.11, `keyword.kwlist`) and the one name that can't be assigned to.
const KEYWORDS: &[&str] = &[
    "False",
    "None",
    "True",
    "and",
    "as",
    "assert",
    "async",
    "await",
    "break",
    "class",
    "continue",
    "def",
    "del",
    "elif",
    "else",
    "except",
    "finally",
    "for",
    "from",
    "global",
    "if",
    "import",
    "in",
    "is",
    "lambda",
    "nonlocal",
    "not",
    "or",
    "pass",
    "raise",
    "return",
    "try",
    "while",
    "with",
    "yield",
    "__debug__",
];

/// The lines of the injected cell.
pub(super) fn cell(parameters: &Parameters) -> Result<Vec<String>, NotebookError> {
    let mut lines = vec!["# Parameters\n".to_owned()];
    for (name, value) in parameters {
        check_name(name)?;
        let mut line = format!("{name} = ");
        literal(&mut line, value, 0).map_err(|why| {
            let what = format!("the parameter `{name}`: {why}");
            NotebookError::new(
                NotebookCode::ParameterInvalid,
                what,
                "correct it where it comes from, or give it as text",
            )
        })?;
        line.push('\n');
        lines.push(line);
    }
    Ok(lines)
}

fn check_name(name: &str) -> Result<(), NotebookError> {
    if is_name(name) {
        return Ok(());
    }
    let what = format!(
        "the parameter `{}` has a name that Python can't have",
        name.escape_debug()
    );
    Err(NotebookError::new(
        NotebookCode::ParameterInvalid,
        what,
        "rename it where it comes from: letters, digits and `_`, no keyword",
    ))
}

/// Whether Python can assign to this name.
pub(super) fn is_name(name: &str) -> bool {
    let grammatical = IDENTIFIER.as_ref().is_some_and(|it| it.is_match(name));
    grammatical && !KEYWORDS.contains(&name)
}

fn literal(out: &mut String, value: &Value, depth: usize) -> Result<(), String> {
    if depth > DEPTH {
        return Err(format!("it is nested more than {DEPTH} levels deep"));
    }
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Number(number) => out.push_str(&self::number(number)?),
        Value::String(text) => string(out, text),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                literal(out, item, depth + 1)?;
            }
            out.push(']');
        }
        Value::Object(entries) => {
            out.push('{');
            for (at, (key, item)) in entries.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                string(out, key);
                out.push_str(": ");
                literal(out, item, depth + 1)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

/// Integers as they are, not rounded; floats as Python's `repr`.
fn number(number: &Number) -> Result<String, String> {
    let text = number.to_string();
    if !text.contains(['.', 'e', 'E']) {
        return match text.trim_start_matches('-').len() {
            ..=DIGITS => Ok(text),
            digits => Err(format!("Python reads no integer of {digits} digits")),
        };
    }
    match text.parse::<f64>() {
        Ok(float) if float.is_finite() => Ok(repr(float)),
        _ => Err(format!("{text} is out of the range of a float")),
    }
}

/// Python's `repr` of a float: the shortest digits that read back the same, an exponent below
/// 1e-4 and from 1e16.
fn repr(float: f64) -> String {
    let size = float.abs();
    if size != 0.0 && !(1e-4..1e16).contains(&size) {
        let text = format!("{float:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = match exponent.strip_prefix('-') {
            Some(exponent) => ('-', exponent),
            None => ('+', exponent),
        };
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    let text = float.to_string();
    if text.contains('.') {
        text
    } else {
        format!("{text}.0")
    }
}

/// As Python's `unicode_escape` codec, which papermill uses, plus the quote.
fn string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        let code = u32::from(c);
        let _ = match c {
            '"' => write!(out, "\\\""),
            '\\' => write!(out, "\\\\"),
            '\n' => write!(out, "\\n"),
            '\r' => write!(out, "\\r"),
            '\t' => write!(out, "\\t"),
            ' '..='~' => write!(out, "{c}"),
            _ if code <= 0xff => write!(out, "\\x{code:02x}"),
            _ if code <= 0xffff => write!(out, "\\u{code:04x}"),
            _ => write!(out, "\\U{code:08x}"),
        };
    }
    out.push('"');
}
