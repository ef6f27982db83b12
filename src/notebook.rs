//! Rendering: template + parameters → notebook, as papermill places parameters.
//!
//! Works on the JSON as it is, never on a typed model, so that whatever a template holds survives
//! to the byte but for the injected cell and the metadata. The same template, parameters and stamp
//! give the same bytes. Pure: no IO, no clock, no randomness.

mod document;
mod literals;
mod names;
mod place;
mod style;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::run::Parameters;
pub use names::{expand, expand_path, expand_value, number, placeholders};
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

/// A template that was read and found to be an nbformat 4 notebook in Python.
#[derive(Clone, Debug)]
pub struct Template {
    document: Value,
    minor: u64,
    style: Style,
    sha256: String,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// `TemplateInvalid`: no JSON, no notebook, an older format (with the command that converts
    /// it), or a language other than Python.
    pub fn parse(bytes: &[u8]) -> Result<Self, NotebookError> {
        let text = document::text(bytes)?;
        let document = document::parse(text)?;
        let minor = document::check(&document)?;
        Ok(Self {
            minor,
            style: Style::of(text),
            sha256: sha256(bytes),
            document,
        })
    }

    /// The sha256 of the template's file, in hex.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Whether its `parameters` cell assigns this name.
    #[must_use]
    pub fn declares(&self, name: &str) -> bool {
        self.declared().iter().any(|declared| declared == name)
    }

    /// The names that its `parameters` cell assigns, in order.
    #[must_use]
    pub fn declared(&self) -> Vec<String> {
        place::declared(&self.document)
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
}

/// Renders a notebook; the bytes of its file.
///
/// # Errors
/// `ParameterInvalid` for a name or value that Python can't hold; `TemplateInvalid` where the
/// template's metadata leave no place for ours.
pub fn render(
    template: &Template,
    parameters: &Parameters,
    stamp: &Stamp<'_>,
) -> Result<Vec<u8>, NotebookError> {
    let mut notebook = template.document.clone();
    let source = literals::cell(parameters)?;
    // The run's values count too: two bare renderings name neither job nor run.
    let identity = [stamp.job, stamp.run].map(Option::unwrap_or_default);
    let seed = format!(
        "{}\n{}\n{}",
        template.sha256,
        identity.join("\n"),
        source.concat()
    );
    place::inject(
        &mut notebook,
        source,
        parameters.is_empty(),
        template.minor,
        &seed,
    );
    place::describe(&mut notebook, parameters, template, stamp)?;
    Ok(template.style.write(&notebook))
}

/// The sha256 of some bytes, in hex.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests;
