//! How a notebook's file is laid out: found in the template, kept in the result, so that the two
//! differ only in what rendering changes.
//!
//! Writes what Python's `json.dumps` writes with the same options; other layouts come out as the
//! nearest of those.

use std::io::{Result, Write};

use serde::Serialize as _;
use serde_json::Value;
use serde_json::ser::{Formatter, Serializer};

/// The widest indent that is kept; more would let a small template make a huge notebook.
const WIDEST: usize = 16;

/// A file's layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Style {
    /// White space of one level; `None` is all on one line.
    indent: Option<String>,
    /// What ends a line.
    newline: &'static str,
    /// Whether a space follows `:`, and on one line `,`.
    spaced: bool,
    /// Whether the file ends with a line break.
    final_newline: bool,
    /// Whether non-ASCII characters are escaped.
    ascii: bool,
}

impl Style {
    pub(super) fn of(text: &str) -> Self {
        let second = text.trim().split_once('\n').map(|(_, rest)| rest);
        let blank = |c: &char| matches!(c, ' ' | '\t');
        Self {
            indent: second.map(|line| line.chars().take_while(blank).take(WIDEST).collect()),
            newline: if text.contains("\r\n") { "\r\n" } else { "\n" },
            spaced: text
                .split_once("\":")
                .is_none_or(|(_, value)| value.starts_with(char::is_whitespace)),
            final_newline: text.ends_with('\n'),
            ascii: text.is_ascii() && escapes(text),
        }
    }

    /// Jupyter's own.
    pub(super) fn jupyter() -> Self {
        Self::of("{\n \"a\": 1\n}\n")
    }

    pub(super) fn write(&self, value: &Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        let layout = Layout {
            style: self,
            depth: 0,
            filled: false,
        };
        // Writing a value into memory can't fail.
        let _ = value.serialize(&mut Serializer::with_formatter(&mut bytes, layout));
        if self.final_newline {
            bytes.extend_from_slice(self.newline.as_bytes());
        }
        bytes
    }
}

/// Whether a `\uXXXX` stands for a non-ASCII character; Python escapes ESC and the like always.
fn escapes(text: &str) -> bool {
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let escape = &rest[at + 1..];
        let code = escape.strip_prefix('u').and_then(|code| code.get(..4));
        if code.is_some_and(|code| u32::from_str_radix(code, 16).is_ok_and(|code| code >= 0x7f)) {
            return true;
        }
        // Steps over the second of two backslashes.
        rest = escape.get(1..).unwrap_or_default();
    }
    false
}

/// Writes one value in a style.
struct Layout<'a> {
    style: &'a Style,
    depth: usize,
    filled: bool,
}

impl Layout<'_> {
    fn line<W: ?Sized + Write>(&self, w: &mut W) -> Result<()> {
        let Some(indent) = &self.style.indent else {
            return Ok(());
        };
        w.write_all(self.style.newline.as_bytes())?;
        (0..self.depth).try_for_each(|_| w.write_all(indent.as_bytes()))
    }

    fn open<W: ?Sized + Write>(&mut self, w: &mut W, bracket: &[u8]) -> Result<()> {
        self.depth += 1;
        self.filled = false;
        w.write_all(bracket)
    }

    fn next<W: ?Sized + Write>(&mut self, w: &mut W, first: bool) -> Result<()> {
        let on_one_line = self.style.indent.is_none();
        w.write_all(match first {
            true => b"",
            false if on_one_line && self.style.spaced => b", ",
            false => b",",
        })?;
        self.line(w)
    }

    fn close<W: ?Sized + Write>(&mut self, w: &mut W, bracket: &[u8]) -> Result<()> {
        self.depth = self.depth.saturating_sub(1);
        if self.filled {
            self.line(w)?;
        }
        w.write_all(bracket)
    }
}

impl Formatter for Layout<'_> {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, w: &mut W, text: &str) -> Result<()> {
        if !self.style.ascii {
            return w.write_all(text.as_bytes());
        }
        for c in text.chars() {
            if (' '..='~').contains(&c) {
                w.write_all(&[c as u8])?;
                continue;
            }
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(w, "\\u{unit:04x}")?;
            }
        }
        Ok(())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, w: &mut W) -> Result<()> {
        self.open(w, b"[")
    }
    fn begin_array_value<W: ?Sized + Write>(&mut self, w: &mut W, first: bool) -> Result<()> {
        self.next(w, first)
    }
    fn end_array_value<W: ?Sized + Write>(&mut self, _: &mut W) -> Result<()> {
        self.filled = true;
        Ok(())
    }
    fn end_array<W: ?Sized + Write>(&mut self, w: &mut W) -> Result<()> {
        self.close(w, b"]")
    }
    fn begin_object<W: ?Sized + Write>(&mut self, w: &mut W) -> Result<()> {
        self.open(w, b"{")
    }
    fn begin_object_key<W: ?Sized + Write>(&mut self, w: &mut W, first: bool) -> Result<()> {
        self.next(w, first)
    }
    fn begin_object_value<W: ?Sized + Write>(&mut self, w: &mut W) -> Result<()> {
        w.write_all(if self.style.spaced { b": " } else { b":" })
    }
    fn end_object_value<W: ?Sized + Write>(&mut self, _: &mut W) -> Result<()> {
        self.filled = true;
        Ok(())
    }
    fn end_object<W: ?Sized + Write>(&mut self, w: &mut W) -> Result<()> {
        self.close(w, b"}")
    }
}
