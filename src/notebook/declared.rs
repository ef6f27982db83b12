//! What a template takes: the assignments of its `parameters` cell, read by a tokenizer that knows
//! each language's strings, comments and brackets.
//!
//! Only the simple form counts: a name (or several) at the beginning of a line that isn't indented,
//! and a value. Whatever else stands in the cell is passed over.

mod statements;

use serde::Serialize;
use serde_json::{Number, Value, json};

use super::language::{Language, Syntax};
use super::literals::numbers::float;
use statements::{Statement, Token, statements};

/// What a parameter's default or type says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A whole number.
    Int,
    /// A number.
    Float,
    /// True or false.
    Bool,
    /// Text.
    Str,
    /// A date and time.
    Datetime,
    /// Something else, or it can't be told.
    Other,
}

/// A parameter that a template takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Declared {
    /// Its name.
    pub name: String,
    /// Its type as the template writes it.
    #[serde(rename = "type")]
    pub annotation: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// Its default as the template writes it.
    pub default: String,
    /// The comment behind it; may be empty.
    pub help: String,
}

/// The parameters that a cell's source declares, in order; a later default replaces an earlier one.
pub(super) fn declared(source: &str, language: &Language) -> Vec<Declared> {
    let mut all: Vec<Declared> = Vec::new();
    for statement in statements(source, &language.syntax) {
        for one in assigned(&statement, language) {
            all.retain(|known| known.name != one.name);
            all.push(one);
        }
    }
    all
}

/// What one statement assigns: `a = 1`, `a = b = 1`, `a, b = 1, 2`, `int a = 1, b = 2`.
fn assigned(statement: &Statement<'_>, language: &Language) -> Vec<Declared> {
    let (comment_type, help) = help(statement.comment);
    let pieces = match language.syntax.typed {
        true => split(&statement.tokens),
        false => vec![statement.tokens.as_slice()],
    };
    let declare = |(target, default): (Target, String)| {
        let annotation = target.annotation.or_else(|| comment_type.clone());
        (!default.is_empty()).then(|| Declared {
            kind: kind(annotation.as_deref(), &default, language),
            name: target.name,
            annotation,
            default,
            help: help.clone(),
        })
    };
    let pairs = pieces
        .into_iter()
        .flat_map(|tokens| pairs(tokens, language));
    pairs.filter_map(declare).collect()
}

/// A name that is assigned to, and its type.
struct Target {
    name: String,
    annotation: Option<String>,
}

/// The names that are assigned to, each with its value's text.
fn pairs(tokens: &[Token<'_>], language: &Language) -> Vec<(Target, String)> {
    let is_assign =
        |token: &Token<'_>| token.depth == 0 && language.syntax.assigns.contains(&token.text);
    let mut rest = tokens;
    let mut chain = Vec::new();
    while let Some(at) = rest.iter().position(is_assign)
        && let Some(targets) = targets(&rest[..at], language, chain.is_empty())
    {
        chain.push(targets);
        rest = &rest[at + 1..];
    }
    let values = split(rest);
    let mut pairs = Vec::new();
    for targets in chain {
        let each = targets.len() > 1 && targets.len() == values.len();
        for (target, n) in targets.into_iter().zip(0..) {
            let value: &[Token<'_>] = if each { values[n] } else { rest };
            pairs.push((target, joined(value)));
        }
    }
    pairs
}

/// The names on the left of an assignment; `None` where it isn't a simple one. Only the `first` of
/// a chain may have a type.
fn targets(tokens: &[Token<'_>], language: &Language, first: bool) -> Option<Vec<Target>> {
    let typed = language.syntax.typed;
    if !first && tokens.len() > 1 && (typed || !tokens.iter().any(|token| token.text == ",")) {
        return None;
    }
    let parts = if typed { vec![tokens] } else { split(tokens) };
    parts
        .into_iter()
        .map(|tokens| target(tokens, language))
        .collect()
}

fn target(tokens: &[Token<'_>], language: &Language) -> Option<Target> {
    let syntax = &language.syntax;
    let is_word = |token: &&Token<'_>| syntax.words.contains(&token.text);
    let words = tokens.iter().take_while(is_word).count();
    let tokens = &tokens[words.min(tokens.len().saturating_sub(1))..];
    let colon = |token: &Token<'_>| token.depth == 0 && token.text == syntax.annotation;
    let (name, annotation) = match tokens.iter().position(colon) {
        Some(at) => (tokens.get(..at)?, Some(joined(&tokens[at + 1..]))),
        None if syntax.typed => typed_target(tokens, syntax)?,
        None => (tokens, None),
    };
    let [name] = name else { return None };
    let plain = annotation.map(|text| text.trim_matches(['"', '\'']).to_owned());
    language.is_name(name.text).then(|| Target {
        name: name.text.to_owned(),
        annotation: plain.filter(|text| text != "auto" && text != "var"),
    })
}

/// `const double x`, `[int]$x`: the last token and what stands before it.
fn typed_target<'a, 'b>(
    tokens: &'b [Token<'a>],
    syntax: &Syntax,
) -> Option<(&'b [Token<'a>], Option<String>)> {
    let (before, name) = tokens.split_at(tokens.len().checked_sub(1)?);
    let no_sigil = |token: &&Token<'_>| token.text != syntax.sigil;
    let before: Vec<Token<'_>> = before.iter().filter(no_sigil).copied().collect();
    let type_begins = |c: char| c.is_alphabetic() || c == '[' || c == '_';
    match (before.first(), before.last()) {
        (None, _) => Some((name, None)),
        (Some(first), Some(last))
            if first.text.starts_with(type_begins) && !matches!(last.text, "->" | "::" | ".") =>
        {
            Some((name, Some(joined(&before))))
        }
        _ => None,
    }
}

/// Parts between commas outside of brackets.
fn split<'a, 'b>(tokens: &'b [Token<'a>]) -> Vec<&'b [Token<'a>]> {
    tokens
        .split(|token| token.depth == 0 && token.text == ",")
        .collect()
}

/// Tokens as they stood, line breaks and comments between them left out.
fn joined(tokens: &[Token<'_>]) -> String {
    let mut text = String::new();
    for (at, token) in tokens.iter().enumerate() {
        if at > 0 && token.spaced {
            text.push(' ');
        }
        text.push_str(token.text);
    }
    text
}

/// The type and the words of a comment: `type: int the run's number`.
fn help(comment: &str) -> (Option<String>, String) {
    match comment.strip_prefix("type:").map(str::trim_start) {
        Some(rest) => {
            let (kind, help) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            (Some(kind.to_owned()), help.trim().to_owned())
        }
        None => (None, comment.to_owned()),
    }
}

/// What a written type says, whatever the language.
const TYPES: &[(Kind, &[&str])] = &[
    (
        Kind::Int,
        &[
            "int",
            "integer",
            "int64",
            "int32",
            "int16",
            "int8",
            "long",
            "long long",
            "short",
            "unsigned",
            "unsigned int",
            "unsigned long",
            "size_t",
            "std::size_t",
            "uint64_t",
            "uint32_t",
            "int64_t",
            "int32_t",
            "uint64",
            "uint32",
            "bigint",
        ],
    ),
    (
        Kind::Float,
        &["float", "double", "float64", "float32", "real", "number"],
    ),
    (Kind::Bool, &["bool", "boolean"]),
    (
        Kind::Str,
        &["str", "string", "std::string", "abstractstring", "char *"],
    ),
    (
        Kind::Datetime,
        &[
            "datetime",
            "datetime.datetime",
            "dt.datetime",
            "datetimeoffset",
        ],
    ),
];

/// A whole number as most languages write it: `0`, `-1_000`, `0x1F`, `7L`.
fn is_int(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return !hex.is_empty() && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    }
    let digits = text.trim_end_matches(['l', 'L', 'u', 'U']);
    text.len() - digits.len() <= 3
        && digits.starts_with(|c: char| c.is_ascii_digit())
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'_')
}

/// A number with a point or an exponent, as most languages write it: `1.`, `.5`, `1e-3`.
fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let number = |byte: u8| byte.is_ascii_digit() || b".eE+-".contains(&byte);
    unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && unsigned.bytes().all(number)
        && text.parse::<f64>().is_ok()
}

/// What a default is; a written type says it better.
fn kind(annotation: Option<&str>, default: &str, language: &Language) -> Kind {
    let written = annotation.map(|text| {
        let text = text.to_lowercase();
        let text = text.trim_start_matches("const ").trim_matches(['[', ']']);
        let inner = text
            .strip_prefix("optional[")
            .map_or(text, |inner| inner.trim_end_matches(']'));
        inner
            .split('|')
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned()
    });
    let known = written.and_then(|name| {
        TYPES
            .iter()
            .find(|(_, names)| names.contains(&name.as_str()))
            .map(|(kind, _)| *kind)
    });
    match default {
        _ if known.is_some() => known.unwrap_or(Kind::Other),
        text if is_int(text) => Kind::Int,
        text if is_float(text.trim_end_matches(['f', 'F', 'd', 'D']))
            || language.non_finite.contains(&text) =>
        {
            Kind::Float
        }
        text if language.bools.contains(&text) => Kind::Bool,
        text if text.starts_with(['"', '\'']) && annotation.is_none() => Kind::Str,
        _ => Kind::Other,
    }
}

/// A text as what the template declares; whatever doesn't read as that stays text.
pub(super) fn typed(text: &str, kind: Kind) -> Option<Value> {
    match kind {
        Kind::Int => {
            let digits = text
                .strip_prefix('-')
                .unwrap_or(text.strip_prefix('+').unwrap_or(text));
            let whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            let digits = digits.trim_start_matches('0');
            let digits = if digits.is_empty() { "0" } else { digits };
            let sign = if text.starts_with('-') && digits != "0" {
                "-"
            } else {
                ""
            };
            let number: Option<Number> = serde_json::from_str(&format!("{sign}{digits}")).ok();
            number.filter(|_| whole).map(Value::Number)
        }
        Kind::Float => match text.to_ascii_lowercase().as_str() {
            "nan" => Some(json!({ "$float": "nan" })),
            "inf" | "+inf" | "infinity" => Some(json!({ "$float": "inf" })),
            "-inf" | "-infinity" => Some(json!({ "$float": "-inf" })),
            number if is_float(number) => serde_json::from_str(&float(number).ok()?).ok(),
            _ => None,
        },
        Kind::Bool => match text.to_ascii_lowercase().as_str() {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => None,
        },
        Kind::Datetime => {
            let instant: Option<jiff::Timestamp> = text.parse().ok();
            instant.map(|_| json!({ "$datetime": text }))
        }
        Kind::Str | Kind::Other => None,
    }
}

#[cfg(test)]
mod tests;
