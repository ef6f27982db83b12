//! What is to be delivered for a job: the bytes and the path asked for. No network.

use crate::config::Config;
use crate::config::checked::{self, Kind, Notebook, Unknown};
use crate::failure::{Code, Failure};
use crate::job::Order;
use crate::notebook::{self, NotebookCode, NotebookError, Stamp, Template, Values};
use crate::run::Parameters;
use crate::superfacility;

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
    /// What a person should know of it all the same.
    pub warning: Option<String>,
}

/// The notebook table of a job, if its `when` holds.
///
/// # Errors
/// `notebook-removed`, `not-wanted`, `when-invalid`, `parameter-missing`.
pub(super) fn wanted<'a>(config: &'a Config, job: &Order) -> Result<&'a Notebook, Failure> {
    let table = config.notebook(&job.notebook).ok_or_else(|| {
        let what = format!(
            "[notebook.{}] is no longer in the configuration",
            job.notebook
        );
        Code::NotebookRemoved.failure(what)
    })?;
    let place = format!("`when` of [notebook.{}]", table.name);
    match table
        .when
        .as_deref()
        .map(|when| notebook::holds(when, &job.parameters))
    {
        None | Some(Ok(true)) => Ok(table),
        Some(Ok(false)) => Err(Code::NotWanted.failure(format!("{place} is false for this run"))),
        Some(Err(error)) if error.code == NotebookCode::ParameterMissing => {
            Err(notebook_failure(&place, &error))
        }
        Some(Err(error)) => {
            let what = format!("{place}: {}", error.what);
            let failure = Code::WhenInvalid.failure(what);
            let general = failure.advice().to_owned();
            let particular = Some(error.advice).filter(|advice| !advice.is_empty());
            Err(match particular {
                Some(advice) => failure.advise(format!("{general}: {advice}")),
                None => failure,
            })
        }
    }
}

/// Renders the notebook of a job as it would be delivered now.
///
/// # Errors
/// `destination-removed`, `parameter-missing`, `parameter-invalid`, `parameter-unknown`,
/// `name-unusable`, and what is wrong with the template.
pub fn render(
    config: &Config,
    table: &Notebook,
    template: Template,
    job: &Order,
) -> Result<Rendered, Failure> {
    let Some(destination) = config.destination(&job.destination) else {
        let what = format!(
            "[destination.{}] is no longer in the configuration",
            job.destination
        );
        return Err(Code::DestinationRemoved.failure(what));
    };
    let named =
        |error: NotebookError| notebook_failure(&format!("[notebook.{}]", table.name), &error);
    let (cell, text) = parameters(&template, table, &job.parameters).map_err(named)?;
    let warning = unknown(table, &template, &cell)?;
    let stamp = Stamp {
        job: Some(&job.uid),
        run: Some(&job.run),
        watch: Some(&job.watch),
        ..Stamp::default()
    };
    let values = Values {
        cell: &cell,
        text: &text,
    };
    let template_sha256 = template.sha256().to_owned();
    let rendered = template.render(values, &stamp).map_err(named);
    // The template can be read: what fails is this run's, and must hold no other.
    let bytes = rendered.map_err(|failure| match failure.code {
        Code::TemplateInvalid => Failure {
            code: Code::TemplateUnusable,
            ..failure
        },
        _ => failure,
    })?;
    Ok(Rendered {
        path: fitting(destination, path(destination, table, &job.parameters)?),
        sha256: notebook::sha256(&bytes),
        bytes,
        template_sha256,
        warning,
    })
}

/// The path asked for, below the user's root.
fn path(
    destination: &checked::Destination,
    table: &Notebook,
    parameters: &Parameters,
) -> Result<String, Failure> {
    let named =
        |error: NotebookError| notebook_failure(&format!("[notebook.{}]", table.name), &error);
    let directory = notebook::expand_path(&destination.directory, parameters).map_err(named)?;
    let file = notebook::expand_path(&table.file_name, parameters).map_err(named)?;
    if file.strip_suffix(".ipynb").is_none_or(str::is_empty) {
        let what = format!(
            "`name` of [notebook.{}] gives `{file}`, which is no notebook's name",
            table.name
        );
        return Err(Code::NameUnusable.failure(what));
    }
    Ok(if directory.is_empty() {
        file
    } else {
        format!("{directory}/{file}")
    })
}

/// The path as the destination takes it.
fn fitting(destination: &checked::Destination, path: String) -> String {
    match destination.kind {
        Kind::Superfacility(_) => superfacility::plain(&path),
        _ => path,
    }
}

/// What is to be said of parameters that the template doesn't declare.
fn unknown(
    table: &Notebook,
    template: &Template,
    cell: &Parameters,
) -> Result<Option<String>, Failure> {
    if table.unknown == Unknown::Inject {
        return Ok(None);
    }
    let Some(what) = describe_unknown(template, cell) else {
        return Ok(None);
    };
    let what = format!("[notebook.{}]: {what}", table.name);
    match table.unknown {
        Unknown::Error => Err(Code::ParameterUnknown.failure(what)),
        _ => Ok(Some(what)),
    }
}

/// A sentence on the parameters that a template doesn't declare, if there are any.
#[must_use]
pub fn describe_unknown(template: &Template, cell: &Parameters) -> Option<String> {
    let Some(unknown) = template.unknown(cell) else {
        let what = "the template has no cell tagged `parameters`; the values lead the notebook";
        return (!cell.is_empty()).then(|| what.to_owned());
    };
    let each = unknown.iter().map(|(name, near)| match near {
        Some(near) => format!("`{name}` (did you mean `{near}`?)"),
        None => format!("`{name}`"),
    });
    let each: Vec<String> = each.collect();
    (!each.is_empty()).then(|| format!("the template doesn't declare {}", each.join(", ")))
}

/// What goes into the cell: the run's parameters, built-ins only where declared, then the table's;
/// and what placeholders in markdown see: all of them as they were captured.
fn parameters(
    template: &Template,
    table: &Notebook,
    run: &Parameters,
) -> Result<(Parameters, Parameters), NotebookError> {
    let declared = template.declared().unwrap_or_default();
    let wanted =
        |name: &str| !BUILT_IN.contains(&name) || declared.iter().any(|one| one.name == name);
    let mut all = run.clone();
    for (name, value) in &table.parameters {
        all.insert(name.clone(), notebook::expand_value(value, run)?);
    }
    let of_table = |name: &str| table.parameters.contains_key(name);
    let cell = all
        .iter()
        .filter(|(name, _)| wanted(name) || of_table(name));
    let cell = cell
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    Ok((template.typed(cell), all))
}

pub(super) fn notebook_failure(place: &str, error: &NotebookError) -> Failure {
    let code = match error.code {
        NotebookCode::TemplateInvalid => Code::TemplateInvalid,
        NotebookCode::ParameterInvalid => Code::ParameterInvalid,
        NotebookCode::ParameterMissing => Code::ParameterMissing,
    };
    let failure = code.failure(format!("{place}: {}", error.what));
    match (error.code, error.advice.as_str()) {
        // What to do is the same for all of them, and more than can be known where it is met.
        (_, "") | (NotebookCode::ParameterMissing, _) => failure,
        (NotebookCode::TemplateInvalid, advice) => {
            failure.advise(format!("{advice}; delivery goes on by itself"))
        }
        (NotebookCode::ParameterInvalid, advice) => failure.advise(format!(
            "{advice}; in the configuration, then `nbcourier reload`; what its run says stays: `nbcourier skip` the run"
        )),
    }
}
