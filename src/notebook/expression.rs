//! Expressions over a run's parameters: `when`, and placeholders in markdown cells.
//!
//! The grammar is Jinja's, by minijinja, without statements: an undefined name is an error, text
//! is never compared with a number (minijinja would call every text the greater), and neither time
//! nor memory is unbounded.

mod operands;

use std::collections::BTreeMap;

use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value as Jinja, filters};
use serde_json::Value;

use super::names::missing;
use super::{NotebookCode, NotebookError};
use crate::run::{Parameters, plain, special};

/// Steps of one expression.
const FUEL: u64 = 1000;

/// The longest expression, bytes.
const LONGEST: usize = 2000;

/// The largest parameter that an expression sees, bytes of JSON; with the fuel it bounds what can
/// be put together.
const LARGEST: usize = 1 << 16;

/// Whether a run's parameters fulfil an expression.
///
/// # Errors
/// `ParameterMissing` for a name that the run doesn't have; `TemplateInvalid` for what can't be
/// read or computed, or is neither true nor false.
pub fn holds(expression: &str, parameters: &Parameters) -> Result<bool, NotebookError> {
    let value = Scope::of(parameters).evaluate(expression)?;
    match value.kind() {
        minijinja::value::ValueKind::Bool => Ok(value.is_true()),
        _ => Err(wrong(
            expression,
            &format!("it gives `{value}`, which is neither true nor false"),
            "write a comparison, such as `events > 1000`",
        )),
    }
}

/// Whether an expression can be read at all.
///
/// # Errors
/// `TemplateInvalid`.
pub fn check_expression(expression: &str) -> Result<(), NotebookError> {
    Scope::of(&Parameters::new())
        .compiled(expression)
        .map(|_| ())
}

/// Replaces every `{{ expression }}` of a markdown text by its value, so that it reads as that
/// value and nothing in it becomes markup. All values together take at most `room` bytes.
pub(super) fn fill(
    text: &str,
    scope: &Scope<'_>,
    room: &mut usize,
) -> Result<String, NotebookError> {
    replaced(text, |expression| {
        let written = escaped(&scope.evaluate(expression)?.to_string());
        *room = room.checked_sub(written.len()).ok_or_else(|| {
            let why = "the values are too long for a notebook";
            wrong(expression, why, "use smaller parameters")
        })?;
        Ok(written)
    })
}

/// Whether every placeholder of a markdown text can be read, whatever the run.
pub(super) fn check_text(text: &str) -> Result<(), NotebookError> {
    let none = Parameters::new();
    let scope = Scope::of(&none);
    replaced(text, |expression| {
        scope.compiled(expression).map(|_| String::new())
    })
    .map(|_| ())
}

fn replaced(
    text: &str,
    mut value: impl FnMut(&str) -> Result<String, NotebookError>,
) -> Result<String, NotebookError> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("{{") {
        filled.push_str(&rest[..at]);
        let inside = &rest[at + 2..];
        let end = closing(inside).ok_or_else(|| {
            let start: String = inside.chars().take(40).collect();
            let advice = "close it, or take the tag `nbcourier` off the cell";
            wrong(&start, "the `}}` behind it is missing", advice)
        })?;
        filled.push_str(&value(inside[..end].trim())?);
        rest = &inside[end + 2..];
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Where the `}}` stands that isn't inside a text.
fn closing(inside: &str) -> Option<usize> {
    let mut quote = None;
    let mut after_backslash = false;
    for (at, c) in inside.char_indices() {
        match quote {
            Some(_) if after_backslash => after_backslash = false,
            Some(_) if c == '\\' => after_backslash = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '\'') => quote = Some(c),
            None if inside[at..].starts_with("}}") => return Some(at),
            None => {}
        }
    }
    None
}

/// All punctuation behind a backslash, which markdown reads as that character (`CommonMark` 0.31,
/// "Backslash escapes"); a line break would begin a new block.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            c if c.is_ascii_punctuation() => out.extend(['\\', c]),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

fn wrong(expression: &str, why: &str, advice: &str) -> NotebookError {
    NotebookError::template(format!("the expression `{expression}`: {why}"), advice)
}

/// What expressions see: made once for all of a notebook.
pub(super) struct Scope<'a> {
    parameters: &'a Parameters,
    environment: Environment<'static>,
    context: Jinja,
}

impl<'a> Scope<'a> {
    pub(super) fn of(parameters: &'a Parameters) -> Self {
        Self {
            parameters,
            environment: environment(),
            context: context(parameters),
        }
    }

    fn evaluate(&self, expression: &str) -> Result<Jinja, NotebookError> {
        let compiled = self.compiled(expression)?;
        let result = compiled.eval(self.context.clone());
        let defined = result.and_then(|value| match value.is_undefined() {
            true => Err(ErrorKind::UndefinedError.into()),
            false => Ok(value),
        });
        defined.map_err(|error| match error.kind() {
            ErrorKind::UndefinedError => self.undefined(expression, &compiled),
            ErrorKind::OutOfFuel => wrong(expression, "it takes too many steps", "make it simpler"),
            _ => wrong(expression, &said(&error), "correct it"),
        })
    }

    /// The expression, its operands looked at first: compiling computes what is constant, however
    /// large it gets.
    fn compiled<'b>(
        &'b self,
        expression: &'b str,
    ) -> Result<minijinja::Expression<'b, 'b>, NotebookError> {
        if expression.len() > LONGEST {
            let start: String = expression.chars().take(40).collect();
            let why = format!("it has more than {LONGEST} bytes");
            return Err(wrong(&start, &why, "make it shorter"));
        }
        let value = |part: &str| {
            let part = self.environment.compile_expression(part).ok()?;
            part.eval(self.context.clone()).ok()
        };
        operands::check(expression, &value).map_err(|why| {
            let advice = "write `run|int > 1000` to compare digits as a number";
            wrong(expression, &why, advice)
        })?;
        let compiled = self.environment.compile_expression(expression);
        compiled.map_err(|error| wrong(expression, &said(&error), "correct it"))
    }

    /// Which name or part has no value.
    fn undefined(
        &self,
        expression: &str,
        compiled: &minijinja::Expression<'_, '_>,
    ) -> NotebookError {
        let mut names: Vec<String> = compiled.undeclared_variables(false).into_iter().collect();
        names.sort();
        let value = |name: &String| self.parameters.get(name);
        if let Some(name) = names.iter().find(|name| value(name).is_none()) {
            return missing(&format!("`{name}` in `{expression}`"), self.parameters);
        }
        if let Some(name) = names.iter().find(|name| value(name).is_some_and(too_large)) {
            let why = format!("`{name}` is too large to be used here");
            return wrong(expression, &why, "use a smaller parameter");
        }
        let what = format!(
            "the expression `{expression}` asks for a part that its parameter doesn't have"
        );
        let advice = "correct the expression, or let the run give it";
        NotebookError::new(NotebookCode::ParameterMissing, what, advice)
    }
}

fn said(error: &minijinja::Error) -> String {
    error
        .detail()
        .map_or_else(|| error.kind().to_string(), str::to_owned)
}

/// Only filters and tests that can't make much of little.
fn environment() -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(50);
    environment.add_filter("int", filters::int);
    environment.add_filter("float", filters::float);
    environment.add_filter("string", filters::string);
    environment.add_filter("lower", filters::lower);
    environment.add_filter("upper", filters::upper);
    environment.add_filter("trim", filters::trim);
    environment.add_filter("length", filters::length);
    environment.add_filter("round", filters::round);
    environment.add_filter("abs", filters::abs);
    environment.add_filter("default", filters::default);
    environment.add_test("defined", minijinja::tests::is_defined);
    environment.add_test("none", minijinja::tests::is_none);
    environment.add_test("number", minijinja::tests::is_number);
    environment.add_test("string", minijinja::tests::is_string);
    environment
}

fn too_large(value: &Value) -> bool {
    value.to_string().len() > LARGEST
}

fn context(parameters: &Parameters) -> Jinja {
    let small = parameters.iter().filter(|(_, value)| !too_large(value));
    map(small)
}

fn map<'a>(entries: impl Iterator<Item = (&'a String, &'a Value)>) -> Jinja {
    let entries = entries.map(|(key, value)| (key.clone(), jinja(value)));
    Jinja::from(entries.collect::<BTreeMap<String, Jinja>>())
}

fn jinja(value: &Value) -> Jinja {
    match value {
        Value::Null => Jinja::from(()),
        Value::Bool(value) => Jinja::from(*value),
        Value::Number(number) => {
            let text = number.to_string();
            let float = || {
                text.parse::<f64>()
                    .map_or_else(|_| text.clone().into(), Jinja::from)
            };
            text.parse::<i128>().map_or_else(|_| float(), Jinja::from)
        }
        Value::String(text) => Jinja::from(text.as_str()),
        Value::Array(items) => items.iter().map(jinja).collect(),
        Value::Object(entries) => match special(value) {
            Some(("$float", name)) => name.parse::<f64>().map_or(Jinja::UNDEFINED, Jinja::from),
            Some(_) => jinja(&plain(value)),
            None => map(entries.iter()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parameters() -> Parameters {
        let all = json!({
            "run": "001234", "events": 5000, "beam": "electron", "energy": 12.5, "on": true, "none": null,
            "evil": "a*b_[x](y)<b>`c`\n# $1 |", "list": [1, 2], "map": { "k": "v" }, "bad": { "$float": "nan" },
            "big": "x".repeat(70_000),
        });
        all.as_object().expect("a map").clone()
    }

    #[test]
    fn conditions_hold_or_not() {
        let table = [
            ("beam == 'electron' and events > 1000", true),
            ("events > 10000 or not on", false),
            ("run == '001234'", true),
            ("run|int > 1000", true),
            ("run|int == 1234", true),
            ("beam in ['muon', 'electron']", true),
            ("'x' in beam", false),
            ("nope is defined and nope > 1", false),
            ("nope|default(3) > 2", true),
            ("energy * 2 == 25", true),
            ("map.k == 'v' and list[1] == 2", true),
            ("none is none", true),
            ("1 < events < 6000", true),
            ("on", true),
        ];
        for (expression, expected) in table {
            assert_eq!(
                holds(expression, &parameters()),
                Ok(expected),
                "{expression}"
            );
        }
    }

    #[test]
    fn what_cannot_be_told_is_an_error() {
        let table = [
            ("run > 1000", "compares text with a number"),
            ("bad > 1", "not a number"),
            ("run == 1234", "compares text with a number"),
            ("(run ~ '') >= 5 ", "compares text with a number"),
            (
                "on and not (events == '5000')",
                "compares text with a number",
            ),
            ("1 < run < 6000", "compares text with a number"),
            (
                "nope > 1",
                "`nope` in `nope > 1` has no value; the run has run, events",
            ),
            ("map.x == 1", "asks for a part"),
            ("big == 'x'", "too large"),
            ("events", "neither true nor false"),
            ("events >", "unexpected end of input"),
            ("'x' * 99999999 == 1", "multiplies what is no number"),
            ("run * 1000000 == ''", "multiplies what is no number"),
            ("[run] * 1000000 == []", "multiplies what is no number"),
            ("events|nope", "nope"),
        ];
        for (expression, expected) in table {
            let refused = holds(expression, &parameters()).expect_err(expression);
            assert!(refused.what.contains(expected), "{expression}: {refused}");
            assert!(!refused.advice.is_empty());
        }
        assert!(check_expression("a >").is_err() && check_expression("a > 1").is_ok());
        assert!(check_expression(&"a".repeat(3000)).is_err());
        let long = vec!["run"; 600].join(" ~ ");
        assert!(holds(&format!("({long}) == ''"), &parameters()).is_err());
    }

    #[test]
    fn placeholders_read_as_their_values() {
        let table = [
            (
                "# Run {{ run }}: {{events}} events",
                "# Run 001234: 5000 events",
            ),
            (
                "{{ evil }}",
                "a\\*b\\_\\[x\\]\\(y\\)\\<b\\>\\`c\\` \\# \\$1 \\|",
            ),
            ("{{ '}}' }}{{ \"a\\\"}}\" }}", "\\}\\}a\\\"\\}\\}"),
            ("{{ energy|round|int }} {{ nope|default('-') }}", "12 \\-"),
            ("no {braces} {% here %}", "no {braces} {% here %}"),
        ];
        for (text, expected) in table {
            assert_eq!(
                fill(text, &Scope::of(&parameters()), &mut 1000).as_deref(),
                Ok(expected),
                "{text}"
            );
        }
        for (text, expected) in [
            ("{{ run", "`}}`"),
            ("{{ nope }}", "nope"),
            ("{{}}", "unexpected"),
            ("{{ evil }}".repeat(40).as_str(), "too long"),
        ] {
            let refused = fill(text, &Scope::of(&parameters()), &mut 1000).expect_err(text);
            assert!(refused.what.contains(expected), "{text}: {refused}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String, pieces in "[a-z0-9 ()<>=!~*|.,'\"\\[\\]{}+-]{0,40}") {
            for text in [&text, &pieces] {
                let _ = holds(text, &parameters());
                let _ = fill(&format!("{{{{{text}}}}}"), &Scope::of(&parameters()), &mut 1000);
                let _ = fill(text, &Scope::of(&parameters()), &mut 1000);
            }
        }
    }
}
