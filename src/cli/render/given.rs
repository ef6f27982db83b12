//! Parameters on the command line, with papermill's options and precedence.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Number, Value};

use super::super::{Stop, exit};
use crate::run::Parameters;
use crate::text::{Format, Unreadable, utf8};

/// Where parameters come from, weakest first: `-b`, `-f`, `-y`, `-p`, `-r`; of the same, the last.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(in crate::cli) struct Arguments {
    /// A parameter; True, False, None and numbers become such, but text with leading zeros, `_`,
    /// blanks, nan and inf stays text unless the template's default is a number
    #[arg(short, long = "parameter", alias = "parameters", num_args = 2, value_names = ["NAME", "VALUE"], action = clap::ArgAction::Append, allow_hyphen_values = true)]
    parameters: Vec<String>,
    /// A parameter that stays text
    #[arg(short = 'r', long = "raw", alias = "parameters_raw", num_args = 2, value_names = ["NAME", "RAW"], action = clap::ArgAction::Append, allow_hyphen_values = true)]
    raw: Vec<String>,
    /// A file of parameters: JSON, YAML 1.2 or TOML by its extension; `-` is stdin, JSON or YAML
    #[arg(short, long = "file", alias = "parameters_file", value_name = "FILE")]
    file: Vec<PathBuf>,
    /// Parameters in YAML 1.2
    #[arg(short, long = "yaml", alias = "parameters_yaml", value_name = "YAML")]
    yaml: Vec<String>,
    /// Parameters in YAML 1.2, in Base64
    #[arg(
        short,
        long = "base64",
        alias = "parameters_base64",
        value_name = "BASE64"
    )]
    base64: Vec<String>,
}

impl Arguments {
    /// What may still take the template's types, and what is to stay text.
    pub(super) fn read(&self) -> Result<(Parameters, Parameters), Stop> {
        let mut all = Parameters::new();
        for text in &self.base64 {
            let bytes = STANDARD.decode(text.trim()).map_err(|error| {
                Stop::new(exit::ARGUMENTS, format!("`-b` holds no Base64: {error}"))
            })?;
            all.extend(object("`-b`", &bytes, Format::Yaml)?);
        }
        for file in &self.file {
            let extension = file.extension().and_then(|extension| extension.to_str());
            // JSON is YAML too; whatever else comes is taken for that, as papermill does.
            let format = extension
                .and_then(Format::of_extension)
                .filter(|format| matches!(format, Format::Json | Format::Toml))
                .unwrap_or(Format::Yaml);
            all.extend(object(
                &file.display().to_string(),
                &super::read(file)?,
                format,
            )?);
        }
        for text in &self.yaml {
            all.extend(object("`-y`", text.as_bytes(), Format::Yaml)?);
        }
        all.extend(parameters(&self.parameters));
        let raw = |pair: &[String]| (pair[0].clone(), Value::from(pair[1].as_str()));
        let raw: Parameters = self.raw.chunks_exact(2).map(raw).collect();
        all.retain(|name, _| !raw.contains_key(name));
        Ok((all, raw))
    }
}

/// The parameters that a text holds.
fn object(place: &str, bytes: &[u8], format: Format) -> Result<Parameters, Stop> {
    let unreadable = |error: Unreadable| {
        Stop::new(exit::ARGUMENTS, format!("{place}: {}", error.what)).hint(error.advice)
    };
    let (text, _) = utf8(bytes).map_err(unreadable)?;
    match format.read(text).map_err(unreadable)? {
        Value::Object(entries) => Ok(entries),
        // An empty file holds no parameters.
        Value::Null => Ok(Parameters::new()),
        _ => {
            let message = format!("{place}: names and values are needed, such as `run: 7`");
            Err(Stop::new(exit::ARGUMENTS, message))
        }
    }
}

/// NAME VALUE pairs, typed as papermill types `-p`, but text that only looks like a number stays
/// text: `0123` is a zero-padded run number.
pub(in crate::cli) fn parameters(pairs: &[String]) -> Parameters {
    pairs
        .chunks_exact(2)
        .map(|pair| (pair[0].clone(), typed(&pair[1])))
        .collect()
}

fn typed(text: &str) -> Value {
    match text {
        "True" => return Value::Bool(true),
        "False" => return Value::Bool(false),
        "None" => return Value::Null,
        _ => {}
    }
    let digits = text.trim_start_matches(['-', '+']);
    let padded = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    let plain = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'));
    if padded || !plain {
        return Value::from(text);
    }
    // JSON wants digits around the point and no plus sign.
    let json = text.trim_start_matches('+');
    let number = serde_json::from_str::<Number>(json).ok();
    let float = || text.parse::<f64>().ok().and_then(Number::from_f64);
    number
        .or_else(float)
        .map_or_else(|| Value::from(text), Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_typed_as_papermill_does_but_padded_text_stays_text() {
        let cases = [
            ("12", json!(12)),
            ("-3", json!(-3)),
            ("1.5", json!(1.5)),
            ("0.5", json!(0.5)),
            ("True", json!(true)),
            ("None", json!(null)),
            ("true", json!("true")),
            ("0123", json!("0123")),
            ("1_000", json!("1_000")),
            (" 7", json!(" 7")),
            ("nan", json!("nan")),
            ("infinity", json!("infinity")),
            ("2026-11-21", json!("2026-11-21")),
        ];
        for (text, value) in cases {
            assert_eq!(typed(text).to_string(), value.to_string(), "{text}");
        }
    }
}
