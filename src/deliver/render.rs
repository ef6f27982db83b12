//! What is to be delivered for a job: the bytes and the path asked for. No network.

use std::path::Path;

use crate::config::Config;
use crate::config::checked;
use crate::failure::{Code, Failure};
use crate::job::Order;
use crate::notebook::{self, NotebookCode, NotebookError, Stamp, Template};
use crate::run::Parameters;

/// Built-in parameters, injected only where the template declares them.
const BUILT_IN: [&str; 4] = ["run_name", "run_dir", "watch", "date"];

/// A notebook ready to be created.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The path asked for, below the user's root.
    pub path: String,
    /// The exact bytes.
    pub bytes: Vec<u8>,
    /// Their sha256.
    pub sha256: String,
    /// The template's sha256.
    pub template_sha256: String,
}

/// Renders the notebook of a job as it would be delivered now.
///
/// # Errors
/// `notebook-removed`, `template-invalid`, `parameter-missing`, `parameter-invalid`.
pub fn render(config: &Config, job: &Order) -> Result<Rendered, Failure> {
    let Some(table) = config.notebook(&job.notebook) else {
        let what = format!(
            "[notebook.{}] is no longer in the configuration",
            job.notebook
        );
        return Err(Code::NotebookRemoved.failure(what));
    };
    let Some(destination) = config.destination(&job.destination) else {
        let what = format!(
            "[destination.{}] is no longer in the configuration",
            job.destination
        );
        return Err(Code::DestinationRemoved.failure(what));
    };
    let template = read_template(&table.template)?;
    let named =
        |error: NotebookError| notebook_failure(&format!("[notebook.{}]", table.name), &error);
    let parameters = parameters(&template, table, &job.parameters).map_err(named)?;
    let stamp = Stamp {
        job: Some(&job.uid),
        run: Some(&job.run),
        watch: Some(&job.watch),
        ..Stamp::default()
    };
    let bytes = notebook::render(&template, &parameters, &stamp).map_err(named)?;
    let directory =
        notebook::expand_path(&destination.directory, &job.parameters).map_err(named)?;
    let file = notebook::expand_path(&table.file_name, &job.parameters).map_err(named)?;
    if file.strip_suffix(".ipynb").is_none_or(str::is_empty) {
        let what = format!(
            "`name` of [notebook.{}] gives `{file}`, which is no notebook's name",
            table.name
        );
        return Err(Code::NameUnusable.failure(what));
    }
    Ok(Rendered {
        path: if directory.is_empty() {
            file
        } else {
            format!("{directory}/{file}")
        },
        sha256: notebook::sha256(&bytes),
        bytes,
        template_sha256: template.sha256().to_owned(),
    })
}

/// Reads a template from disk; its language must be known, since a run has parameters.
///
/// # Errors
/// `template-invalid`, naming the file.
pub fn read_template(path: &Path) -> Result<Template, Failure> {
    let bytes = std::fs::read(path).map_err(|error| {
        Code::TemplateInvalid.failure(format!(
            "the template {} can't be read: {error}",
            path.display()
        ))
    })?;
    let parsed = Template::parse(&bytes).and_then(|template| {
        template.language()?;
        Ok(template)
    });
    parsed.map_err(|error| notebook_failure(&format!("the template {}", path.display()), &error))
}

/// What goes into the cell: the run's parameters, built-ins only where declared, then the table's.
fn parameters(
    template: &Template,
    table: &checked::Notebook,
    run: &Parameters,
) -> Result<Parameters, NotebookError> {
    let declared = template.declared().unwrap_or_default();
    let wanted =
        |name: &str| !BUILT_IN.contains(&name) || declared.iter().any(|one| one.name == name);
    let mut all: Parameters = run
        .iter()
        .filter(|(name, _)| wanted(name))
        .map(|(n, v)| (n.clone(), v.clone()))
        .collect();
    for (name, value) in &table.parameters {
        all.insert(name.clone(), notebook::expand_value(value, run)?);
    }
    Ok(template.typed(all))
}

pub(super) fn notebook_failure(place: &str, error: &NotebookError) -> Failure {
    let code = match error.code {
        NotebookCode::TemplateInvalid => Code::TemplateInvalid,
        NotebookCode::ParameterInvalid => Code::ParameterInvalid,
        NotebookCode::ParameterMissing => Code::ParameterMissing,
    };
    let failure = code.failure(format!("{place}: {}", error.what));
    if error.advice.is_empty() {
        failure
    } else {
        failure.advise(error.advice.clone())
    }
}
