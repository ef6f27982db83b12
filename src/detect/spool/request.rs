//! What a trigger file or `submit` may say. Pure.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::run::Parameters;
use crate::text::Format;

/// The keys of a request.
const KEYS: [&str; 8] = [
    "run",
    "path",
    "watch",
    "parameters",
    "user",
    "to",
    "notebook",
    "id",
];

/// A run that is announced.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Its name or number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Value>,
    /// Its directory, absolute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Its watch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<String>,
    /// Parameters over those of its metadata.
    #[serde(default)]
    pub parameters: Parameters,
    /// This user instead of the configured one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Only these destinations.
    #[serde(default)]
    pub to: Vec<String>,
    /// Only these notebook tables.
    #[serde(default)]
    pub notebook: Vec<String>,
    /// The same id twice is one request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// Why a request is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// A stable name.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// Where in the file.
    pub position: Option<Position>,
}

/// A place in a file, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Rejection {
    /// A rejection about no particular place.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            position: None,
        }
    }

    fn at(mut self, line: usize, column: usize) -> Self {
        self.position = (line > 0).then_some(Position { line, column });
        self
    }
}

impl Request {
    /// `run` as text.
    pub(super) fn run_text(&self) -> Option<String> {
        match self.run.as_ref()? {
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    /// `run` as a parameter.
    pub(super) fn run_value(&self) -> Option<Value> {
        self.run.clone()
    }
}

/// Reads a trigger file by its extension.
pub(super) fn parse(text: &str, extension: &str) -> Result<Request, Rejection> {
    // The spool takes no other extensions than these.
    let format = Format::of_extension(extension).unwrap_or(Format::Yaml);
    let code = match format {
        Format::Json => "no-json",
        Format::Toml => "no-toml",
        _ => "no-yaml",
    };
    let value = format
        .read(text)
        .map_err(|error| Rejection::new(code, error.what).at(error.line, error.column))?;
    let Value::Object(mut entries) = value else {
        return Err(Rejection::new(
            "no-table",
            "a table of keys is needed, such as {\"path\": \"/data/run_1\"}",
        ));
    };
    if let Some(unknown) = entries.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(unknown_key(unknown));
    }
    for key in ["to", "notebook"] {
        if let Some(Value::String(one)) = entries.get(key) {
            let list = Value::from(vec![one.clone()]);
            entries.insert(key.into(), list);
        }
    }
    let request: Request = serde_json::from_value(Value::Object(entries))
        .map_err(|error| Rejection::new("wrong-type", error.to_string()))?;
    match &request.run {
        None | Some(Value::String(_) | Value::Number(_)) => Ok(request),
        Some(_) => Err(Rejection::new(
            "wrong-type",
            "`run` must be text or a number",
        )),
    }
}

fn unknown_key(key: &str) -> Rejection {
    let near = KEYS
        .iter()
        .find(|known| strsim::damerau_levenshtein(known, key) <= 2);
    let meant = near
        .map(|near| format!("; did you mean `{near}`?"))
        .unwrap_or_default();
    Rejection::new(
        "unknown-key",
        format!(
            "unknown key `{}`{meant} Valid here: {}",
            key.escape_debug(),
            KEYS.join(", ")
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_formats_say_the_same() {
        let json = parse(
            r#"{"run": 7, "to": "swan", "parameters": {"x": 1.50}}"#,
            "json",
        )
        .expect("JSON");
        assert_eq!(json.to, ["swan"]);
        assert_eq!(json.parameters["x"].to_string(), "1.50");
        let toml =
            parse("run = 7\nto = [\"swan\"]\nparameters = { x = 1.5 }", "toml").expect("TOML");
        let yaml = parse("run: 7\nto: swan\nparameters:\n  x: 1.5\n", "yaml").expect("YAML");
        assert_eq!(toml.run_text().as_deref(), Some("7"));
        assert_eq!(yaml.run_text(), toml.run_text());
        assert_eq!(yaml.parameters["x"].as_f64(), Some(1.5));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let table = [
            ("{\"run\": }", "json", "no-json", Some((1, 9))),
            ("a = \n", "toml", "no-toml", Some((1, 5))),
            ("[1]", "json", "no-table", None),
            ("{\"runn\": 1}", "json", "unknown-key", None),
            ("{\"user\": 1}", "json", "wrong-type", None),
            ("{\"run\": []}", "json", "wrong-type", None),
            ("", "json", "no-json", None),
        ];
        for (text, extension, code, place) in table {
            let rejection = parse(text, extension).expect_err(text);
            assert_eq!(rejection.code, code, "{text}: {rejection:?}");
            if let Some(place) = place {
                assert_eq!(
                    rejection.position.map(|at| (at.line, at.column)),
                    Some(place),
                    "{text}"
                );
            }
        }
        assert!(
            parse("{\"runn\": 1}", "json")
                .expect_err("unknown")
                .message
                .contains("did you mean `run`?")
        );
    }
}
