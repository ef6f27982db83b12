//! Reading what people and programs wrote as parameters, JSON to CSV, with a sentence and a place for
//! what can't be read. Pure.

mod csv;
mod jsonl;
mod lines;
mod lookup;
mod xml;
mod yaml;

use serde_json::{Number, Value, json};

use crate::run::Parameters;
pub use lookup::at;

/// A format of parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON, numbers exact.
    Json,
    /// YAML 1.2: `yes` and `on` are texts, `012` and `12:30` are no octal or sexagesimal numbers.
    Yaml,
    /// TOML.
    Toml,
    /// One JSON value per line: the keys of the first, then of the last over them; documents of
    /// bluesky (`["start", {…}]`, `{"name": "stop", "doc": {…}}`) by their names.
    Jsonl,
    /// `key = value` or `key: value` in sections, each of which becomes an object.
    Ini,
    /// `key: value`, `key = value` or `key value`, one per line.
    KeyValue,
    /// XML without a DTD: attributes and children of the root.
    Xml,
    /// A header, and the last row; separated by commas, semicolons or tabs.
    Csv,
}

/// Every format by its name in a configuration.
const FORMATS: [(&str, Format); 8] = [
    ("json", Format::Json),
    ("jsonl", Format::Jsonl),
    ("yaml", Format::Yaml),
    ("toml", Format::Toml),
    ("ini", Format::Ini),
    ("keyvalue", Format::KeyValue),
    ("xml", Format::Xml),
    ("csv", Format::Csv),
];

/// Why a text can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// What is wrong, with its place.
    pub what: String,
    /// What to do.
    pub advice: &'static str,
    /// The line from 1; 0 if it isn't known.
    pub line: usize,
    /// The column from 1; 0 if it isn't known.
    pub column: usize,
}

impl Format {
    /// The format that a file's extension says.
    #[must_use]
    pub fn of_extension(extension: &str) -> Option<Self> {
        match extension.to_ascii_lowercase().as_str() {
            "json" => Some(Self::Json),
            "yaml" | "yml" => Some(Self::Yaml),
            "toml" => Some(Self::Toml),
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            // SerialEM's .mdoc has sections as well.
            "ini" | "conf" | "cfg" | "mdoc" => Some(Self::Ini),
            "txt" => Some(Self::KeyValue),
            "xml" | "dm" => Some(Self::Xml),
            "csv" | "tsv" => Some(Self::Csv),
            _ => None,
        }
    }

    /// The format of that name in a configuration.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let mut known = FORMATS.iter();
        known
            .find(|(known, _)| *known == name)
            .map(|(_, format)| *format)
    }

    /// The names that [`Format::of_name`] knows.
    #[must_use]
    pub fn names() -> [&'static str; FORMATS.len()] {
        FORMATS.map(|(name, _)| name)
    }

    /// Reads a text of parameters, at most 4 MiB. What JSON has no form for comes as [`crate::run::special`] says.
    ///
    /// # Errors
    /// What is wrong, where, and what to do.
    pub fn read(self, text: &str) -> Result<Value, Unreadable> {
        fits(text, LARGEST)?;
        if matches!(self, Self::Json | Self::Yaml | Self::Toml) {
            // In YAML and TOML a quote may be anything; there every sign counts.
            few(values(text, self == Self::Json), MOST_PARAMETERS)?;
        }
        match self {
            Self::Json => json(text),
            Self::Yaml => yaml::read(text),
            Self::Toml => toml(text),
            Self::Jsonl => jsonl::read(text),
            Self::Ini => lines::ini(text),
            Self::KeyValue => lines::key_value(text),
            Self::Xml => xml::read(text),
            Self::Csv => csv::read(text),
        }
    }
}

impl Unreadable {
    fn at(line: usize, column: usize, what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            advice: "correct it there",
            line,
            column,
        }
    }
}

/// The most levels of a run's metadata.
const DEEPEST: usize = 64;

/// The object that a value is, of at most 64 levels.
///
/// # Errors
/// It is something else, or deeper.
pub fn object(value: Value) -> Result<Parameters, Unreadable> {
    if is_deeper(&value, DEEPEST) {
        let what = format!("it is nested too deep; {DEEPEST} levels can be read");
        return Err(Unreadable::at(0, 0, what));
    }
    match value {
        Value::Object(object) => Ok(object),
        _ => Err(Unreadable::at(
            0,
            0,
            "it holds no object of names and values",
        )),
    }
}

fn is_deeper(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(_) | Value::Object(_) if levels == 0 => true,
        Value::Array(items) => items.iter().any(|item| is_deeper(item, levels - 1)),
        Value::Object(entries) => entries.values().any(|item| is_deeper(item, levels - 1)),
        _ => false,
    }
}

/// A word of a format without types: a number as JSON writes them, `true`, `false`, or the text.
fn scalar(text: &str) -> Value {
    match text {
        "true" => return true.into(),
        "false" => return false.into(),
        _ if !text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => return text.into(),
        _ => {}
    }
    match serde_json::from_str(text) {
        Ok(number) => Value::Number(number),
        Err(_) => text.into(),
    }
}

/// The text of a file's bytes, without a byte order mark, and whether there was one.
///
/// # Errors
/// No UTF-8, or more than one mark.
pub fn utf8(bytes: &[u8]) -> Result<(&str, bool), Unreadable> {
    const MARK: &[u8] = b"\xef\xbb\xbf";
    let wrong = |what: String| Unreadable {
        what,
        advice: "save it again as UTF-8",
        line: 0,
        column: 0,
    };
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        let what = "it is UTF-16 (it begins with that byte order mark); UTF-8 is needed";
        return Err(wrong(what.into()));
    }
    let unmarked = bytes.strip_prefix(MARK);
    let text = std::str::from_utf8(unmarked.unwrap_or(bytes))
        .map_err(|error| wrong(format!("it is not UTF-8 (byte {})", error.valid_up_to())))?;
    if text.as_bytes().starts_with(MARK) {
        return Err(wrong("it begins with two byte order marks".into()));
    }
    Ok((text, unmarked.is_some()))
}

/// The largest text of parameters, bytes: a value takes up to thirty times its text in memory.
const LARGEST: usize = 4 << 20;

/// The largest JSON text, bytes.
const LARGEST_JSON: usize = 32 << 20;

/// The most values of a text of parameters, which are copied and written in another language too.
const MOST_PARAMETERS: usize = 200_000;

/// The most values of a JSON text.
const MOST_VALUES: usize = 1_000_000;

/// Whether a text has at most so many bytes.
///
/// # Errors
/// Its size, and the most that is read.
pub fn fits(text: &str, largest: usize) -> Result<(), Unreadable> {
    if text.len() <= largest {
        return Ok(());
    }
    let (has, most) = (text.len() >> 20, largest >> 20);
    Err(Unreadable {
        what: format!("it has {has} MiB; at most {most} MiB are read"),
        advice: "make it smaller; in a notebook, clear the outputs",
        line: 0,
        column: 0,
    })
}

fn few(values: usize, most: usize) -> Result<(), Unreadable> {
    if values <= most {
        return Ok(());
    }
    Err(Unreadable {
        what: format!("it has more than {most} values"),
        advice: "make it smaller; in a notebook, clear the outputs",
        line: 0,
        column: 0,
    })
}

/// Commas, colons, brackets and lines, outside of texts where it is `quoted` as JSON is: as many
/// values as there can be.
fn values(text: &str, quoted: bool) -> usize {
    let sign = |byte: &u8| matches!(byte, b',' | b':' | b'[' | b'{' | b'\n');
    let signs = text.as_bytes().iter().filter(|byte| sign(byte)).count();
    // Telling texts apart takes longer than reading the JSON.
    if !quoted || signs <= MOST_PARAMETERS {
        return signs;
    }
    let (mut inside, mut escaped, mut count) = (false, false, 0);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            byte if !inside && sign(&byte) => count += 1,
            _ => {}
        }
    }
    count
}

/// Reads JSON of up to 32 MiB, numbers exact.
///
/// # Errors
/// As [`Format::read`].
pub fn json(text: &str) -> Result<Value, Unreadable> {
    fits(text, LARGEST_JSON)?;
    // What is small enough can't have too many.
    if text.len() > LARGEST {
        few(values(text, true), MOST_VALUES)?;
    }
    serde_json::from_str(text).map_err(|error| {
        let (what, advice) = no_json(text, &error);
        let (line, column) = (error.line(), error.column());
        Unreadable {
            what,
            advice,
            line,
            column,
        }
    })
}

/// What a text that JSON's reader refused is, and what to do. The reader has no codes for most of
/// it; its own text and the file's are all there is to tell by.
fn no_json(text: &str, error: &serde_json::Error) -> (String, &'static str) {
    let (line, column) = (error.line(), error.column());
    let place = format!("line {line} column {column}");
    let said = error.to_string();
    if said.starts_with("recursion limit") {
        let what = format!("it is nested too deep ({place}); 128 levels can be read");
        return (what, "make it flatter; in a notebook, clear the outputs");
    }
    if said.contains("surrogate") || said.contains("end of hex escape") {
        let what = format!("it has half of a UTF-16 pair (`\\ud800` to `\\udfff`) at {place}");
        return (what, "remove that character, which no text can hold");
    }
    if let Some(token) = non_finite(text, line, column) {
        let what = format!("it is no JSON: `{token}` at {place} is no number in JSON");
        return (
            what,
            "give it as text; in a notebook, clear the outputs or metadata holding it",
        );
    }
    (
        format!("it is no JSON: {said}"),
        "correct it there; a notebook is best saved again from Jupyter",
    )
}

/// The `NaN` or `Infinity` at a position, which Python writes though JSON has neither.
fn non_finite(text: &str, line: usize, column: usize) -> Option<&'static str> {
    let line = text.lines().nth(line.checked_sub(1)?)?;
    let tail = line.get(column.saturating_sub(2)..)?;
    ["NaN", "-Infinity", "Infinity"]
        .into_iter()
        .find(|token| (0..=1).any(|at| tail.get(at..).is_some_and(|t| t.starts_with(token))))
}

/// A float as a parameter.
fn float(value: f64) -> Value {
    match Number::from_f64(value) {
        Some(number) => Value::Number(number),
        None if value.is_nan() => json!({ "$float": "nan" }),
        None if value > 0.0 => json!({ "$float": "inf" }),
        None => json!({ "$float": "-inf" }),
    }
}

fn toml(text: &str) -> Result<Value, Unreadable> {
    let table: toml::Table = toml::from_str(text).map_err(|error| {
        let before = &text[..error.span().map_or(0, |span| span.start.min(text.len()))];
        let line = before.matches('\n').count() + 1;
        let last = before.rsplit('\n').next().unwrap_or_default();
        let column = last.chars().count() + 1;
        let what = format!(
            "it is no TOML: {} at line {line} column {column}",
            error.message()
        );
        Unreadable {
            what,
            advice: "correct it there",
            line,
            column,
        }
    })?;
    Ok(from_toml(toml::Value::Table(table)))
}

/// A value of TOML as a parameter; dates and times without an offset are no instants, so texts.
#[must_use]
pub fn from_toml(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(value) => value.into(),
        toml::Value::Float(value) => float(value),
        toml::Value::Boolean(value) => value.into(),
        toml::Value::Datetime(time) if time.offset.is_some() => {
            json!({ "$datetime": time.to_string() })
        }
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(items) => items.into_iter().map(from_toml).collect(),
        toml::Value::Table(entries) => {
            let entry = |(key, value)| (key, from_toml(value));
            Value::Object(entries.into_iter().map(entry).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_is_read_as_version_1_2_says() {
        let table = [
            ("yes", "\"yes\""),
            ("on", "\"on\""),
            ("true", "true"),
            ("~", "null"),
            ("12:30:45", "\"12:30:45\""),
            ("1e3", "1000.0"),
            ("0x10", "16"),
            ("0o17", "15"),
            ("1_000", "\"1_000\""),
            ("0b11", "\"0b11\""),
            ("[&a 1_0, *a]", "[\"1_0\",\"1_0\"]"),
            ("é: 1_0\nb: +5\nc: .5", "{\"é\":\"1_0\",\"b\":5,\"c\":0.5}"),
            (".nan", "{\"$float\":\"nan\"}"),
            ("-.inf", "{\"$float\":\"-inf\"}"),
            ("2026-11-21", "\"2026-11-21\""),
            ("2026-11-21T05:27:45Z", "\"2026-11-21T05:27:45Z\""),
            ("'012'", "\"012\""),
            ("012", "12"),
            ("18446744073709551616", "18446744073709551616"),
            (
                "123456789012345678901234567890",
                "123456789012345678901234567890",
            ),
            ("1.50", "1.5"),
            ("[a, {b: 1}]", "[\"a\",{\"b\":1}]"),
            ("{1: x}", "{\"1\":\"x\"}"),
        ];
        for (text, expected) in table {
            let read = Format::Yaml.read(text).map(|value| value.to_string());
            assert_eq!(read.as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn toml_and_json_keep_what_they_say() {
        let toml = Format::Toml
            .read("a = nan\nb = 2026-11-21T05:27:45+01:00\nc = 2026-11-21\nd = 1.5")
            .expect("TOML");
        let expected = "{\"a\":{\"$float\":\"nan\"},\"b\":{\"$datetime\":\"2026-11-21T05:27:45+01:00\"},\"c\":\"2026-11-21\",\"d\":1.5}";
        assert_eq!(toml.to_string(), expected);
        let json = Format::Json
            .read("{\"a\": 1.50, \"b\": 123456789012345678901}")
            .expect("JSON");
        assert_eq!(json.to_string(), "{\"a\":1.50,\"b\":123456789012345678901}");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let deep = |open: &str| open.repeat(129);
        let table = [
            (
                Format::Json,
                "{\"a\": NaN}".to_owned(),
                "`NaN` at line 1 column",
                1,
            ),
            (
                Format::Json,
                "\"\\ud800\"".to_owned(),
                "half of a UTF-16 pair",
                1,
            ),
            (Format::Json, deep("["), "nested too deep", 1),
            (Format::Json, "{\n\"a\" 1}".to_owned(), "no JSON", 2),
            (Format::Yaml, "a: [1\nb: 2".to_owned(), "no YAML", 2),
            (Format::Yaml, deep("["), "no YAML", 1),
            (Format::Toml, "a = \n".to_owned(), "no TOML", 1),
            (Format::Toml, format!("a = {}", deep("[")), "no TOML", 1),
        ];
        for (format, text, what, line) in table {
            let refused = format.read(&text).expect_err(&text);
            assert!(refused.what.contains(what), "{text}: {refused:?}");
            assert_eq!(refused.line, line, "{text}: {refused:?}");
        }
        assert!(
            utf8(b"\xff\xfe{")
                .expect_err("UTF-16")
                .what
                .contains("UTF-16")
        );
        assert!(utf8(b"a\xff").expect_err("Latin-1").what.contains("byte 1"));
        assert_eq!(utf8(b"\xef\xbb\xbfx"), Ok(("x", true)));
    }

    #[test]
    fn only_what_json_would_write_is_a_number() {
        for number in ["0", "-1", "1.50", "120", "123456789012345678901"] {
            assert_eq!(scalar(number).to_string(), number);
        }
        for text in [
            "007", "1_000", "+5", "nan", ".5", "5.", "0x1f", "True", "-", "1 2", "",
        ] {
            assert_eq!(scalar(text), Value::from(text));
        }
        assert_eq!(scalar("true"), Value::Bool(true));
    }

    #[test]
    fn every_format_has_its_name_and_only_shallow_objects_are_metadata() {
        for (name, format) in FORMATS {
            assert_eq!(Format::of_name(name), Some(format));
        }
        assert_eq!(Format::of_name("yml"), None);
        assert_eq!(Format::of_extension("MDOC"), Some(Format::Ini));
        let nested = |levels: usize| {
            let text = format!("{}{}", "{\"a\":".repeat(levels - 1), "{}");
            json(&format!("{text}{}", "}".repeat(levels - 1))).expect("JSON")
        };
        assert!(object(nested(64)).is_ok());
        assert!(object(nested(65)).expect_err("deep").what.contains("deep"));
        assert!(object(json!([])).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String, pieces in "[-a-z0-9:\\[\\]{}&*!'\"|>#,.\n ]{0,40}") {
            for (_, format) in FORMATS {
                let _ = format.read(&text);
                let _ = format.read(&pieces);
            }
        }
    }
}
