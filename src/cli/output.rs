//! Writing to the terminal. A closed pipe is no error: the reader has seen enough.

use std::borrow::Cow;
use std::io::{IsTerminal as _, Write as _};

use anstream::AutoStream;
use clap::builder::styling::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::Color;

/// Where data and messages go.
pub(super) struct Output {
    pub(super) json: bool,
    choice: anstream::ColorChoice,
}

impl Output {
    pub(super) fn new(json: bool, color: Color) -> Self {
        let choice = match color {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        };
        Self { json, choice }
    }

    /// Whether messages may be coloured.
    pub(super) fn coloured(&self) -> bool {
        AutoStream::new(std::io::stderr(), self.choice).current_choice()
            != anstream::ColorChoice::Never
    }

    /// A line of data.
    pub(super) fn line(&self, line: impl AsRef<str>) {
        let mut stdout = AutoStream::new(std::io::stdout(), self.choice);
        let _ = writeln!(stdout, "{}", harmless(line.as_ref()));
    }

    /// Bytes of data.
    pub(super) fn bytes(&self, bytes: &[u8]) {
        let _ = std::io::stdout().write_all(bytes);
    }

    /// Data as JSON.
    pub(super) fn value(&self, value: &Value) {
        self.line(json(value, true));
    }

    /// A message for the person.
    pub(super) fn note(&self, line: impl AsRef<str>) {
        self.styled(&harmless(line.as_ref()));
    }

    fn styled(&self, line: &str) {
        let mut stderr = AutoStream::new(std::io::stderr(), self.choice);
        let _ = writeln!(stderr, "{line}");
    }

    /// A question, with the answer behind it.
    pub(super) fn question(&self, question: &str) {
        let mut stderr = AutoStream::new(std::io::stderr(), self.choice);
        let _ = write!(stderr, "{question}: ");
        let _ = stderr.flush();
    }

    /// How far long work is, on a terminal; wiped when all is done.
    pub(super) fn progress(&self, word: &str, done: usize, all: usize) {
        let mut stderr = std::io::stderr();
        if all > 10 && stderr.is_terminal() {
            let line = if done + 1 < all {
                format!("{word} {done} of {all}")
            } else {
                String::new()
            };
            let _ = write!(stderr, "\r\x1b[K{line}");
            let _ = stderr.flush();
        }
    }

    /// An error and what to do about it.
    pub(super) fn error(&self, message: &str, hint: Option<&str>) {
        // The configuration's mistakes come with their own layout.
        let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
        let lead = if message.starts_with("error") {
            String::new()
        } else {
            format!("{red}error{red:#}: ")
        };
        self.styled(&format!("{lead}{}", harmless(message.trim_end())));
        if let Some(hint) = hint {
            self.note(format!("hint: {hint}"));
        }
    }
}

/// A table without borders, in lines.
pub(super) fn table(head: &[&str], rows: Vec<Vec<String>>) -> Vec<String> {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    let harmless = |cell: String| harmless(&cell).replace('\n', " ");
    let rows = rows
        .into_iter()
        .map(|row| row.into_iter().map(harmless).collect::<Vec<_>>());
    table.set_header(head.to_vec()).add_rows(rows);
    table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect()
}

/// JSON in which nothing commands a terminal: serde leaves those control characters as they are that
/// JSON allows.
pub(super) fn json(value: &Value, pretty: bool) -> String {
    let text = match pretty {
        true => serde_json::to_string_pretty(value),
        false => serde_json::to_string(value),
    };
    let escaped = |c: char| match commands(c) {
        true => format!("\\u{:04x}", u32::from(c)),
        false => c.to_string(),
    };
    text.unwrap_or_default().chars().map(escaped).collect()
}

/// The text without what would command a terminal in place of being shown.
pub(super) fn harmless(text: &str) -> Cow<'_, str> {
    match text.contains(commands) {
        true => text.replace(commands, "\u{fffd}").into(),
        false => text.into(),
    }
}

/// Control characters but ends of lines, and what turns the direction of writing (Unicode's
/// `Bidi_Control`).
fn commands(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || (c.is_control() && c != '\n' && c != '\t')
}

/// A line in pieces of at most this many columns, broken between words where that is possible; the
/// further ones are indented.
pub(super) fn wrapped(line: &str, width: usize) -> Vec<String> {
    const INDENT: &str = "    ";
    let line = harmless(line).replace(['\n', '\t'], " ");
    let mut pieces = Vec::new();
    let mut piece = String::new();
    for word in line.split_inclusive(' ') {
        let fits = |piece: &str| (piece.width() + word.trim_end().width()) <= width;
        if !fits(&piece) && !piece.trim().is_empty() {
            pieces.push(piece.trim_end().to_owned());
            piece = INDENT.to_owned();
        }
        piece.push_str(word);
        while piece.trim_end().width() > width.max(INDENT.len() + 2) {
            let head = at_most(&piece, width.max(INDENT.len() + 2)).to_owned();
            piece = format!("{INDENT}{}", &piece[head.len()..]);
            pieces.push(head);
        }
    }
    pieces.push(piece.trim_end().to_owned());
    pieces
}

/// A line of at most this many columns; of a longer one it is told that there is more.
pub(super) fn cut(line: &str, width: usize) -> String {
    match line.width() > width {
        true => format!("{}…", at_most(line, width.saturating_sub(1))),
        false => line.to_owned(),
    }
}

/// As much of the beginning as takes at most so many columns.
fn at_most(line: &str, width: usize) -> &str {
    let mut columns = 0;
    let end = line.char_indices().find(|(_, c)| {
        columns += c.width().unwrap_or_default();
        columns > width
    });
    &line[..end.map_or(line.len(), |(at, _)| at)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_shown_commands_the_terminal() {
        let hostile = "a\u{1b}[2Jb\u{9b}31mc\u{202e}d\rx\u{7f}é日";
        assert_eq!(
            harmless(hostile),
            "a\u{fffd}[2Jb\u{fffd}31mc\u{fffd}d\u{fffd}x\u{fffd}é日"
        );
        let value = serde_json::json!({ "name": hostile });
        for pretty in [true, false] {
            let text = json(&value, pretty);
            assert!(!text.contains(commands), "{text:?}");
            let back: Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!(back, value, "and nothing of it is lost");
        }
        let rows = vec![vec![hostile.to_owned(), "two\nlines".to_owned()]];
        let table = table(&["A", "B"], rows);
        assert_eq!(table.len(), 2, "{table:?}");
        assert!(!table.concat().contains(commands));
    }

    #[test]
    fn lines_are_wrapped_between_words_and_cut_by_columns() {
        assert_eq!(
            wrapped("one two three", 9),
            ["one two", "    three".trim_end()]
        );
        assert_eq!(wrapped("short", usize::MAX), ["short"]);
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("run", 3), "run");
        for width in [1, 7, 20] {
            for line in wrapped(
                "a/very/long/path/without/any/blank and words after it 日本語日本語",
                width,
            ) {
                assert!(line.width() <= width.max(6), "{line:?}");
            }
        }
    }
}
