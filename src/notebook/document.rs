//! A notebook file as JSON: reading, the checks that rendering needs, writing in the file's own
//! style.

use serde::Serialize as _;
use serde_json::Value;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};

use super::NotebookError;

/// The file's text, without a byte order mark.
pub(super) fn text(bytes: &[u8]) -> Result<&str, NotebookError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let what = format!("it is not UTF-8 (byte {})", error.valid_up_to());
        NotebookError::template(what, "save it again from Jupyter")
    })
}

pub(super) fn parse(text: &str) -> Result<Value, NotebookError> {
    serde_json::from_str(text).map_err(|error| {
        NotebookError::template(
            format!("it is no JSON: {error}"),
            "save it again from Jupyter",
        )
    })
}

/// The minor version of a notebook that can be rendered.
pub(super) fn check(document: &Value) -> Result<u64, NotebookError> {
    const CONVERT: &str = "convert it: jupyter nbconvert --to notebook --nbformat 4 --output converted.ipynb TEMPLATE";
    let no_notebook = |why: &str| {
        let what = format!("it is JSON but no notebook: {why}");
        NotebookError::template(what, "save it again from Jupyter")
    };
    let major = document.get("nbformat").and_then(Value::as_u64);
    match major.ok_or_else(|| no_notebook("`nbformat` is missing"))? {
        4 => {}
        old @ 0..=3 => {
            let what = format!("it has the notebook format {old}; format 4 is needed");
            return Err(NotebookError::template(what, CONVERT));
        }
        new => {
            let what =
                format!("it has the notebook format {new}, which this version does not know");
            return Err(NotebookError::template(what, CONVERT));
        }
    }
    let minor = document.get("nbformat_minor").and_then(Value::as_u64);
    let minor = minor.ok_or_else(|| no_notebook("`nbformat_minor` is missing"))?;
    let cells = document.get("cells").and_then(Value::as_array);
    let cells = cells.ok_or_else(|| no_notebook("`cells` is missing"))?;
    if cells.iter().any(|cell| !cell.is_object()) {
        return Err(no_notebook("a cell is no object"));
    }
    check_language(document)?;
    Ok(minor)
}

fn check_language(document: &Value) -> Result<(), NotebookError> {
    let metadata = document.get("metadata").unwrap_or(&Value::Null);
    let kernel = &metadata["kernelspec"];
    let named = |value: &Value| value.as_str().map(str::to_lowercase);
    let language = named(&metadata["language_info"]["name"]).or_else(|| named(&kernel["language"]));
    match language.or_else(|| named(&kernel["name"])).as_deref() {
        Some(language) if language.starts_with("python") => Ok(()),
        Some(other) => Err(NotebookError::template(
            format!("its language is {other}; this version renders Python templates"),
            "use a Python template",
        )),
        None => Err(NotebookError::template(
            "it names no kernel",
            "open it in Jupyter, choose a kernel and save it",
        )),
    }
}

/// How a file is laid out, so that the result differs from the template only where it must.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Style {
    /// White space of one level; `None` is all on one line.
    indent: Option<String>,
    /// Whether the file ends with a line break.
    final_newline: bool,
    /// Whether non-ASCII characters are escaped.
    ascii: bool,
}

impl Style {
    pub(super) fn of(text: &str) -> Self {
        let second = text.trim_end().split_once('\n').map(|(_, rest)| rest);
        let blank = |c: char| c == ' ' || c == '\t';
        Self {
            indent: second.map(|line| line.chars().take_while(|c| blank(*c)).collect()),
            final_newline: text.ends_with('\n'),
            ascii: text.is_ascii() && text.contains("\\u"),
        }
    }

    pub(super) fn write(&self, value: &Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        // Writing a value into memory can't fail.
        let _ = match &self.indent {
            Some(indent) => self.with(
                &mut bytes,
                PrettyFormatter::with_indent(indent.as_bytes()),
                value,
            ),
            None => self.with(&mut bytes, CompactFormatter, value),
        };
        if self.final_newline {
            bytes.push(b'\n');
        }
        bytes
    }

    fn with<F: Formatter>(
        &self,
        bytes: &mut Vec<u8>,
        layout: F,
        value: &Value,
    ) -> serde_json::Result<()> {
        let formatter = Escaping {
            layout,
            ascii: self.ascii,
        };
        value.serialize(&mut serde_json::Serializer::with_formatter(
            bytes, formatter,
        ))
    }
}

/// Another formatter's layout, with non-ASCII characters escaped if wanted.
struct Escaping<F> {
    layout: F,
    ascii: bool,
}

impl<F: Formatter> Formatter for Escaping<F> {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> std::io::Result<()>
    where
        W: ?Sized + std::io::Write,
    {
        if !self.ascii {
            return self.layout.write_string_fragment(writer, fragment);
        }
        for c in fragment.chars() {
            match c {
                c if c.is_ascii() => writer.write_all(&[c as u8])?,
                c => {
                    let mut units = [0; 2];
                    for unit in c.encode_utf16(&mut units) {
                        write!(writer, "\\u{unit:04x}")?;
                    }
                }
            }
        }
        Ok(())
    }

    fn begin_array<W: ?Sized + std::io::Write>(&mut self, w: &mut W) -> std::io::Result<()> {
        self.layout.begin_array(w)
    }
    fn end_array<W: ?Sized + std::io::Write>(&mut self, w: &mut W) -> std::io::Result<()> {
        self.layout.end_array(w)
    }
    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        w: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        self.layout.begin_array_value(w, first)
    }
    fn end_array_value<W: ?Sized + std::io::Write>(&mut self, w: &mut W) -> std::io::Result<()> {
        self.layout.end_array_value(w)
    }
    fn begin_object<W: ?Sized + std::io::Write>(&mut self, w: &mut W) -> std::io::Result<()> {
        self.layout.begin_object(w)
    }
    fn end_object<W: ?Sized + std::io::Write>(&mut self, w: &mut W) -> std::io::Result<()> {
        self.layout.end_object(w)
    }
    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        w: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        self.layout.begin_object_key(w, first)
    }
    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, w: &mut W) -> std::io::Result<()> {
        self.layout.begin_object_value(w)
    }
    fn end_object_value<W: ?Sized + std::io::Write>(&mut self, w: &mut W) -> std::io::Result<()> {
        self.layout.end_object_value(w)
    }
}
