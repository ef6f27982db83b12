//! What is wrong with a configuration: every mistake with its place, its line and what to do.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// More than these help nobody.
pub(super) const MOST: usize = 100;

/// One mistake. It never holds a secret: see `mask.rs`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Mistake {
    /// The file, as it was named.
    pub file: String,
    /// Line from 1; `None` when it is about the whole file.
    pub line: Option<usize>,
    /// Column from 1, in characters.
    pub column: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do, or what is valid.
    pub hint: Option<String>,
    /// The line as it may be shown, and the bytes of it that are meant. Very long ones are not.
    #[serde(skip)]
    pub(super) excerpt: Option<(String, Range<usize>)>,
}

impl Mistake {
    /// A mistake that is about a whole file.
    pub(super) fn whole(file: &str, message: impl Into<String>, hint: &str) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            column: None,
            message: message.into(),
            hint: Some(hint.to_owned()),
            excerpt: None,
        }
    }
}

impl Mistake {
    /// File, line and column, as far as they are known.
    fn place(&self) -> String {
        match (self.line, self.column) {
            (Some(line), Some(column)) => format!("{}:{line}:{column}", self.file),
            _ => self.file.clone(),
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line.unwrap_or_default();
        let indent = " ".repeat(line.to_string().len());
        let mut group = Group::with_title(Level::ERROR.primary_title(&self.message));
        if let Some((text, span)) = &self.excerpt {
            let mark = AnnotationKind::Primary.span(span.clone());
            let snippet = Snippet::source(text).line_start(line);
            group = group.element(snippet.annotation(mark.label(self.hint.as_deref())));
        }
        let report = Renderer::plain().render(&[group]);
        // The place is told here: columns of the excerpt differ where something is hidden.
        let (title, rest) = report.split_once('\n').unwrap_or((&report, ""));
        write!(f, "{title}\n{indent}--> {}", self.place())?;
        match &self.hint {
            _ if self.excerpt.is_some() => write!(f, "\n{rest}"),
            Some(hint) => write!(f, "\n{indent} = {hint}"),
            None => Ok(()),
        }
    }
}

/// Every mistake of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes(pub(super) Vec<Mistake>);

impl Mistakes {
    /// How many there are.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Each of them, in the order of the files and lines.
    #[must_use]
    pub fn list(&self) -> &[Mistake] {
        &self.0
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for mistake in self.0.iter().take(MOST) {
            writeln!(f, "{mistake}\n")?;
        }
        match self.len() {
            1 => f.write_str("1 problem in the configuration"),
            many if many >= MOST => write!(f, "{MOST} or more problems in the configuration"),
            many => write!(f, "{many} problems in the configuration"),
        }
    }
}

impl std::error::Error for Mistakes {}
