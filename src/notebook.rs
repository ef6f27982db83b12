//! Rendering: template + parameters → notebook, as papermill places parameters.
//!
//! Works on the JSON as it is, never on a typed model, so that whatever a template holds survives
//! to the byte but for the injected cell and the metadata. The same template, parameters and stamp
//! give the same bytes. Pure: no IO, no clock, no randomness.

mod cell;
mod declared;
mod document;
mod expression;
mod language;
mod literals;
mod names;
mod percent;
mod place;
mod style;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::run::Parameters;
pub use declared::{Declared, Kind};
pub use expression::{check_expression, holds};
use language::Language;
pub use names::{
    expand, expand_glob, expand_path, expand_value, expand_values, number, placeholders,
};
use style::Style;

/// What is wrong with a template or a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotebookCode {
    /// The template can't be rendered by anybody.
    TemplateInvalid,
    /// A parameter's name or value can't stand in the template's language.
    ParameterInvalid,
    /// A placeholder names a parameter that the run doesn't have.
    ParameterMissing,
}

/// A failed rendering: what is wrong, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotebookError {
    /// Which kind.
    pub code: NotebookCode,
    /// What is wrong.
    pub what: String,
    /// What to do; may be empty.
    pub advice: String,
}

impl NotebookError {
    fn new(code: NotebookCode, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            code,
            what: what.into(),
            advice: advice.into(),
        }
    }

    /// The same with the template's name in the command that it advises, as a shell wants it.
    #[must_use]
    pub fn of_file(mut self, path: &str) -> Self {
        if let Ok(quoted) = literals::texts::bash(path) {
            self.advice = self.advice.replace(document::FILE, &quoted);
        }
        self
    }

    fn template(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(NotebookCode::TemplateInvalid, what, advice)
    }
}

impl std::fmt::Display for NotebookError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for NotebookError {}

/// A template that was read and found to be an nbformat 4 notebook.
#[derive(Clone, Debug)]
pub struct Template {
    document: Value,
    minor: u64,
    style: Style,
    sha256: String,
    /// Whether a byte order mark was left out.
    marked: bool,
    /// The language that parameters are written in, if it is known.
    language: Option<&'static Language>,
    /// A language that was asked for in place of the one that the notebook names.
    asked: Option<String>,
    /// What its `parameters` cell declares.
    declared: Option<Vec<Declared>>,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// `TemplateInvalid`: no JSON, no notebook, or an older format (with the command that converts
    /// it).
    pub fn parse(bytes: &[u8]) -> Result<Self, NotebookError> {
        let (text, marked) = document::text(bytes)?;
        let document = document::parse(text)?;
        Self::of(document, Style::of(text), sha256(bytes), marked)
    }

    /// Reads a template that is Python text in the py:percent format.
    ///
    /// # Errors
    /// `TemplateInvalid`, with the line.
    pub fn parse_percent(bytes: &[u8]) -> Result<Self, NotebookError> {
        let (text, marked) = document::text(bytes)?;
        document::fits_as_text(text)?;
        Self::of(
            percent::read(text)?,
            Style::jupyter(),
            sha256(bytes),
            marked,
        )
    }

    fn of(
        document: Value,
        style: Style,
        sha256: String,
        marked: bool,
    ) -> Result<Self, NotebookError> {
        let mut template = Self {
            minor: document::check(&document)?,
            document,
            style,
            sha256,
            marked,
            language: None,
            asked: None,
            declared: None,
        };
        place::check_placeholders(&template.document)?;
        template.look();
        Ok(template)
    }

    /// Finds the language, and what the cell declares in it.
    fn look(&mut self) {
        let (kernel, language) = language::named(&self.document);
        self.language = Language::find(kernel, self.asked.as_deref().or(language));
        let source = place::declaring(&self.document);
        let read = |(source, language): (String, _)| declared::declared(&source, language);
        self.declared = source.zip(self.language).map(read);
    }

    /// The sha256 of the template's file, in hex.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// What a person should know of it though it can be rendered.
    #[must_use]
    pub fn remark(&self) -> Option<&'static str> {
        let what = "it begins with a byte order mark, which the notebook won't have";
        self.marked.then_some(what)
    }

    /// Takes another kernel, which is written into the notebook too, or another language.
    pub fn ask(&mut self, kernel: Option<&str>, language: Option<&str>) {
        if let Some(kernel) = kernel {
            let known = Language::find(Some(kernel), None).map(|row| row.name);
            let foreign = known.is_some_and(|name| self.language().ok() != Some(name));
            place::kernel(&mut self.document, kernel, foreign);
        }
        self.asked = language.map(str::to_owned).or(self.asked.take());
        self.look();
    }

    /// The template as a notebook's file, before anything is rendered.
    #[must_use]
    pub fn source(&self) -> Vec<u8> {
        self.style.write(&self.document)
    }

    /// The name of the language that parameters are written in.
    ///
    /// # Errors
    /// `TemplateInvalid`: the notebook names none, or one that isn't known.
    pub fn language(&self) -> Result<&'static str, NotebookError> {
        Ok(self.row()?.name)
    }

    fn row(&self) -> Result<&'static Language, NotebookError> {
        self.language.ok_or_else(|| {
            let (kernel, language) = language::named(&self.document);
            let known: Vec<&str> = language::ALL.iter().map(|row| row.name).collect();
            let what = match (self.asked.as_deref().or(language), kernel) {
                (Some(language), _) => format!("its language `{language}` is not known"),
                (None, Some(kernel)) => format!("its kernel `{kernel}` says no language"),
                (None, None) => "it names no kernel".to_owned(),
            };
            let advice = format!(
                "open it in Jupyter, choose a kernel and save it; known are {}",
                known.join(", ")
            );
            NotebookError::template(what, advice)
        })
    }

    /// What its `parameters` cell declares, in order; `None` where it has no such cell or its
    /// language isn't known.
    #[must_use]
    pub fn declared(&self) -> Option<&[Declared]> {
        self.declared.as_deref()
    }

    /// Renders a notebook out of the template itself; the bytes of its file.
    ///
    /// # Errors
    /// `ParameterInvalid` for a name or value that the language can't hold; `ParameterMissing` for a
    /// placeholder without a value; `TemplateInvalid` where the language isn't known, a placeholder
    /// can't be read or the template's metadata leave no place for ours.
    pub fn render<'a>(
        mut self,
        values: impl Into<Values<'a>>,
        stamp: &Stamp<'_>,
    ) -> Result<Vec<u8>, NotebookError> {
        let values = values.into();
        let source = cell(&self, values.cell)?;
        place::fill(&mut self.document, values.text)?;
        // The run's values count too: two bare renderings name neither job nor run.
        let identity = [stamp.job, stamp.run].map(Option::unwrap_or_default);
        let seed = format!(
            "{}\n{}\n{}",
            self.sha256,
            identity.join("\n"),
            source.concat()
        );
        let empty = values.cell.is_empty();
        place::inject(&mut self.document, source, empty, self.minor, &seed);
        place::describe(&mut self.document, values.cell, &self.sha256, stamp)?;
        Ok(self.style.write(&self.document))
    }

    /// The names among `parameters` that its `parameters` cell doesn't declare, each with the nearest
    /// one that it does; `None` where it has no such cell.
    #[must_use]
    pub fn unknown(&self, parameters: &Parameters) -> Option<Vec<(String, Option<String>)>> {
        let declared = self.declared()?;
        let near = |name: &str| {
            let distance = |one: &Declared| strsim::damerau_levenshtein(&one.name, name);
            let nearest = declared.iter().min_by_key(|one| distance(one));
            // A third of the letters may be wrong, as in most spelling correctors.
            nearest.filter(|one| distance(one) * 3 <= name.chars().count().max(3))
        };
        let unknown = parameters
            .keys()
            .filter(|name| declared.iter().all(|one| one.name != **name));
        let pair = |name: &String| (name.clone(), near(name).map(|one| one.name.clone()));
        Some(unknown.map(pair).collect())
    }

    /// The parameters with text made what the template declares: a captured `001234` becomes an
    /// integer where the default is one. Whatever doesn't read as that stays text.
    #[must_use]
    pub fn typed(&self, parameters: Parameters) -> Parameters {
        let declared = self.declared().unwrap_or_default();
        let typed = |(name, value): (String, Value)| {
            let known = declared.iter().find(|one| one.name == name);
            let typed = known
                .zip(value.as_str())
                .and_then(|(one, text)| declared::typed(text, one.kind));
            (name, typed.unwrap_or(value))
        };
        parameters.into_iter().map(typed).collect()
    }
}

/// What is written into `metadata.nbcourier` beside the template's hash and the version.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stamp<'a> {
    /// The job's public id.
    pub job: Option<&'a str>,
    /// The run's name.
    pub run: Option<&'a str>,
    /// The run's watch.
    pub watch: Option<&'a str>,
    /// Where the template lies, for `metadata.papermill`.
    pub input_path: Option<&'a str>,
    /// Where the notebook is written to, for `metadata.papermill`.
    pub output_path: Option<&'a str>,
}

/// The values that a notebook is rendered with.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    /// What goes into the cell.
    pub cell: &'a Parameters,
    /// What placeholders in markdown see: the run's parameters as they were captured.
    pub text: &'a Parameters,
}

impl<'a> From<&'a Parameters> for Values<'a> {
    fn from(all: &'a Parameters) -> Self {
        Self {
            cell: all,
            text: all,
        }
    }
}

/// Renders a notebook; the bytes of its file.
///
/// # Errors
/// As [`Template::render`].
pub fn render<'a>(
    template: &Template,
    values: impl Into<Values<'a>>,
    stamp: &Stamp<'_>,
) -> Result<Vec<u8>, NotebookError> {
    template.clone().render(values, stamp)
}

/// The injected cell's lines. Nothing has to be written in a language that isn't known where there
/// is nothing to write.
fn cell(template: &Template, parameters: &Parameters) -> Result<Vec<String>, NotebookError> {
    let language = match template.row() {
        Ok(language) => language,
        Err(_) if parameters.is_empty() => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    cell::cell(
        language,
        parameters,
        template.declared().unwrap_or_default(),
    )
}

/// The sha256 of some bytes, in hex.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
    let digest = Sha256::digest(bytes);
    digest
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

#[cfg(test)]
mod tests;
