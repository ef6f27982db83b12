//! One file of the configuration: its text, its tree, and the mistakes found in it.

use std::cell::RefCell;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::DeTable;

use super::mask;
use super::mistakes::{MOST, Mistake};

/// In bytes; longer ones are not shown.
const LONGEST_LINE: usize = 4096;

/// One file and the mistakes found in it.
pub(super) struct Sheet {
    /// As it was named.
    pub(super) file: PathBuf,
    text: String,
    mistakes: RefCell<Vec<Mistake>>,
    /// Lines that can't be parsed; nothing further is said about them.
    broken: RefCell<Vec<usize>>,
}

impl Sheet {
    pub(super) fn new(file: &Path, text: String) -> Self {
        let (mistakes, broken) = (RefCell::default(), RefCell::default());
        Self {
            file: file.to_owned(),
            text,
            mistakes,
            broken,
        }
    }

    /// The tree, as far as the text can be parsed; the rest is noted.
    pub(super) fn tree(&self) -> Spanned<DeTable<'_>> {
        let (tree, errors) = DeTable::parse_recoverable(&self.text);
        for error in errors.iter().take(MOST) {
            let end = self.text.len();
            // What the parser takes for a number is mostly a text without quotes.
            let hint = error.message().starts_with("invalid float");
            let hint = hint.then(|| "a text stands in quotes".to_owned());
            self.note(error.span().unwrap_or(end..end), error.message(), hint);
        }
        let lines = self
            .mistakes
            .borrow()
            .iter()
            .filter_map(|m| m.line)
            .collect();
        self.broken.replace(lines);
        tree
    }

    /// Takes what was noted, in the order of the text.
    pub(super) fn take_mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = self.mistakes.take();
        mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
        mistakes
    }

    pub(super) fn line(&self, at: usize) -> usize {
        self.text[..at].matches('\n').count() + 1
    }

    /// Notes a mistake; what the line may not show is hidden from here on.
    pub(super) fn note(&self, span: Range<usize>, message: &str, hint: Option<String>) {
        let start = self.text.floor_char_boundary(span.start);
        let line = self.line(start);
        if self.mistakes.borrow().len() >= MOST || self.broken.borrow().contains(&line) {
            return;
        }
        let from = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let to = self.text[start..]
            .find('\n')
            .map_or(self.text.len(), |at| start + at);
        let text = self.text[from..to].trim_end_matches('\r');
        self.mistakes.borrow_mut().push(Mistake {
            file: self.file.display().to_string(),
            line: Some(line),
            column: Some(self.text[from..start].chars().count() + 1),
            message: message.to_owned(),
            hint,
            excerpt: (text.len() <= LONGEST_LINE).then(|| self.excerpt(from, text, span)),
        });
    }

    /// The line `text`, which begins at `from`, as it may be shown, and where `span` is in it.
    fn excerpt(&self, from: usize, text: &str, span: Range<usize>) -> (String, Range<usize>) {
        let hidden = mask::hidden(&self.text, from..from + text.len());
        let shown = |at: usize| {
            let at = text.floor_char_boundary(at.saturating_sub(from).min(text.len()));
            mask::shown(text, &hidden, at)
        };
        let mark = shown(span.start).len()..shown(span.end.max(span.start)).len();
        (shown(from + text.len()), mark)
    }

    /// Whether some of it can't be parsed, so that nothing can be said to be missing.
    pub(super) fn is_broken(&self) -> bool {
        !self.broken.borrow().is_empty()
    }

    /// Whether anything has been noted.
    pub(super) fn is_mistaken(&self) -> bool {
        !self.mistakes.borrow().is_empty()
    }

    /// Notes a mistake that has no place.
    pub(super) fn note_whole(&self, message: &str, hint: &str) {
        let mistake = Mistake::whole(&self.file.display().to_string(), message, hint);
        self.mistakes.borrow_mut().push(mistake);
    }
}
