//! Writing to the terminal. A closed pipe is no error: the reader has seen enough.

use std::io::{IsTerminal as _, Write as _};

use anstream::AutoStream;
use clap::builder::styling::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;

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
        let _ = writeln!(stdout, "{}", line.as_ref());
    }

    /// Bytes of data.
    pub(super) fn bytes(&self, bytes: &[u8]) {
        let _ = std::io::stdout().write_all(bytes);
    }

    /// Data as JSON.
    pub(super) fn value(&self, value: &Value) {
        self.line(serde_json::to_string_pretty(value).unwrap_or_default());
    }

    /// A message for the person.
    pub(super) fn note(&self, line: impl AsRef<str>) {
        let mut stderr = AutoStream::new(std::io::stderr(), self.choice);
        let _ = writeln!(stderr, "{}", line.as_ref());
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
        self.note(format!("{lead}{}", message.trim_end()));
        if let Some(hint) = hint {
            self.note(format!("hint: {hint}"));
        }
    }

    /// A table without borders, as wide as the terminal allows.
    pub(super) fn table(&self, head: &[&str], rows: Vec<Vec<String>>) {
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(head.to_vec()).add_rows(rows);
        for line in table.lines() {
            self.line(line.trim_end());
        }
    }
}
