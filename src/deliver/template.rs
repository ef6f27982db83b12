//! The template of a job: where it lies, and its newest version that can be rendered.

use std::path::{Path, PathBuf};

use super::render::{notebook_failure, wanted};
use crate::config::Config;
use crate::config::checked::{Notebook, Source};
use crate::failure::{Code, Failure};
use crate::health::Health;
use crate::job::Order;
use crate::ledger::{Ledger, now};
use crate::notebook::{NotebookError, Template, expand_values};
use crate::run::Parameters;

/// Where the template of a run lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// In a file on this machine, the same for all runs or `by_parameter`.
    File {
        /// The file.
        path: PathBuf,
        /// Whether a parameter has chosen it.
        by_parameter: bool,
    },
    /// On the server of the notebook's user, below their root.
    Contents(String),
}

impl Chosen {
    /// The template that a table asks for, with these parameters.
    ///
    /// # Errors
    /// `ParameterMissing`, `TemplateInvalid`.
    pub fn of(table: &Notebook, parameters: &Parameters) -> Result<Self, NotebookError> {
        Ok(match &table.template {
            Source::File(path) => {
                let pattern = path.to_string_lossy();
                let chosen = expand_values(&pattern, parameters)?;
                Self::File {
                    by_parameter: chosen != pattern,
                    path: PathBuf::from(chosen),
                }
            }
            Source::Contents(path) => Self::Contents(expand_values(path, parameters)?),
        })
    }

    /// The template file that a table asks for whatever the run.
    #[must_use]
    pub fn fixed(table: &Notebook) -> Option<Self> {
        match &table.template {
            Source::File(path) if !path.to_string_lossy().contains('{') => Some(Self::File {
                path: path.clone(),
                by_parameter: false,
            }),
            _ => None,
        }
    }

    /// Reads a template file as it is now; its language must be known, since a run has parameters.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(&self) -> Result<Template, Failure> {
        self.parse(&read_file(Path::new(self.path())), self.path())
    }

    /// The template of an order, and the table that asks for it.
    ///
    /// # Errors
    /// `notebook-removed`, `not-wanted`, `when-invalid`, and those of [`Self::of`].
    pub fn for_order<'a>(
        config: &'a Config,
        order: &Order,
    ) -> Result<(Self, &'a Notebook), Failure> {
        let table = wanted(config, order)?;
        let place = format!("`template` of [notebook.{}]", table.name);
        let chosen = Self::of(table, &order.parameters);
        Ok((
            chosen.map_err(|error| notebook_failure(&place, &error))?,
            table,
        ))
    }

    /// The name under which its last good version is kept.
    #[must_use]
    pub fn source(&self, destination: &str, user: &str) -> String {
        match self {
            Self::File { path, .. } => path.display().to_string(),
            Self::Contents(path) => format!("contents:{path} ({destination}, {user})"),
        }
    }

    /// What it is called where something is wrong with it.
    fn code(&self) -> Code {
        match self {
            Self::File {
                by_parameter: false,
                ..
            } => Code::TemplateInvalid,
            Self::File { .. } => Code::TemplateUnusable,
            Self::Contents(_) => Code::TemplateNotThere,
        }
    }

    /// Its path, as text.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Self::File { path, .. } => path.to_str().unwrap_or_default(),
            Self::Contents(path) => path,
        }
    }

    /// What the bytes, if they could be read, say.
    fn parse(&self, read: &Result<Vec<u8>, String>, shown: &str) -> Result<Template, Failure> {
        let failed = |what: String| self.code().failure(format!("the template {shown} {what}"));
        let bytes = read
            .as_ref()
            .map_err(|error| failed(format!("can't be read: {error}")))?;
        let text = Path::new(self.path())
            .extension()
            .is_some_and(|kind| kind == "py");
        let parsed = match text {
            true => Template::parse_percent(bytes),
            false => Template::parse(bytes),
        };
        let known = parsed.and_then(|template| {
            template.language()?;
            Ok(template)
        });
        known.map_err(|error| Failure {
            code: self.code(),
            ..notebook_failure(
                &format!("the template {shown}"),
                &error.of_file(self.path()),
            )
        })
    }
}

/// The bytes of a file, or what is wrong with it.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| error.to_string())
}

/// Looks at a template file while no job needs it: keeps it if it is good, puts a notice up if not.
pub async fn survey(ledger: &Ledger, health: &Health, chosen: &Chosen) {
    let source = chosen.path();
    let read = read_file(Path::new(source));
    if let Err(failure) = newest((ledger, health), chosen, source, read).await {
        let code = failure.code.as_str();
        health.raise(&notice(source), code, &failure.what, failure.advice());
    }
}

/// The key of a template's notice on the board.
fn notice(source: &str) -> String {
    format!("template {source}")
}

/// The newest version that can be rendered: the one just read, which is kept; else the last good
/// one, with a notice on the board.
///
/// # Errors
/// What is wrong with the newest, where there was never a good one.
pub(super) async fn newest(
    (ledger, health): (&Ledger, &Health),
    chosen: &Chosen,
    source: &str,
    read: Result<Vec<u8>, String>,
) -> Result<Template, Failure> {
    let key = notice(source);
    let parsed = super::at_length(|| chosen.parse(&read, source));
    let failure = match (parsed, read) {
        (Ok(template), Ok(bytes)) => {
            let kept = ledger.keep_template(source, template.sha256(), &bytes, now());
            if let Err(error) = kept.await {
                tracing::warn!(%error, "this version of the template is not kept: {source}");
            }
            health.clear(&key);
            return Ok(template);
        }
        (Ok(_), Err(what)) => return Err(Code::Internal.failure(what)),
        (Err(failure), _) => failure,
    };
    match last_good(ledger, chosen, source).await {
        Some((template, since)) => {
            let since = crate::status::time(since);
            let what = format!(
                "{}; its last good version, of {since}, is used",
                failure.what
            );
            health.raise(&key, "template-broken", what, failure.advice());
            Ok(template)
        }
        None => Err(failure),
    }
}

/// The template as far as it is known without network, and a remark where that is an older version.
///
/// # Errors
/// What is wrong with it, or that it was never read.
pub async fn at_hand(
    ledger: Option<&Ledger>,
    chosen: &Chosen,
    source: &str,
) -> Result<(Template, Option<String>), Failure> {
    let kept = match ledger {
        Some(ledger) => last_good(ledger, chosen, source).await,
        None => None,
    };
    let failure = match chosen {
        Chosen::File { path, .. } => match chosen.parse(&read_file(path), source) {
            Ok(template) => return Ok((template, None)),
            Err(failure) => failure,
        },
        Chosen::Contents(_) => {
            let what = format!("the template {source} lies on a server and was never read");
            let advice = "deliver a run with it once; then it is known here too";
            chosen.code().failure(what).advise(advice)
        }
    };
    let (template, since) = kept.ok_or_else(|| failure.clone())?;
    let since = crate::status::time(since);
    let remark = match chosen {
        Chosen::File { .. } => format!(
            "{}; its last good version, of {since}, is used",
            failure.what
        ),
        Chosen::Contents(_) => format!("the template {source} as it was at {since}"),
    };
    Ok((template, Some(remark)))
}

/// The last good version of a template, and when it was first read.
async fn last_good(ledger: &Ledger, chosen: &Chosen, source: &str) -> Option<(Template, i64)> {
    let (bytes, since) = ledger.kept_template(source).await.ok().flatten()?;
    Some((chosen.parse(&Ok(bytes), source).ok()?, since))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::assert_told;

    #[test]
    fn a_template_is_told_by_where_it_lies() {
        let read = Err("there is no such file, or it isn't text".to_owned());
        let path = PathBuf::from("/etc/nbcourier/templates/quick.ipynb");
        let by_parameter = [false, true].map(|by_parameter| Chosen::File {
            path: path.clone(),
            by_parameter,
        });
        let there = Chosen::Contents("templates/quick.ipynb".into());
        let told = by_parameter.into_iter().chain([there]).map(|chosen| {
            let source = chosen.source("swan", "alice");
            let failure = chosen.parse(&read, &source).expect_err("unreadable");
            (format!("{chosen:?}"), failure)
        });
        assert_told("templates", told);
    }
}
