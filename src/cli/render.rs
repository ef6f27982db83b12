//! `nbcourier render`.

mod given;
mod help;

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Context, Stop, exit};
use crate::config::Config;
use crate::deliver::{self, Chosen};
use crate::job::{self, Only, Order};
use crate::ledger::Ledger;
use crate::notebook::{self, NotebookError, Stamp, Template};
pub(super) use given::parameters;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Render what would be delivered for this run directory, without network
    #[arg(long, value_name = "PATH", conflicts_with_all = ["kernel", "language", "help_notebook"])]
    run: Option<PathBuf>,
    /// TEMPLATE (.ipynb, or .py in the py:percent format) and OUT, with `--run` only OUT; `-` is
    /// stdin or stdout. What exists is never overwritten
    #[arg(num_args = 0..=2, value_names = ["TEMPLATE", "OUT"])]
    files: Vec<PathBuf>,
    #[command(flatten)]
    given: given::Arguments,
    /// The notebook's kernel, in place of the template's; it is written into the notebook
    #[arg(short, long, value_name = "KERNEL")]
    kernel: Option<String>,
    /// The language that parameters are written in, in place of the kernel's
    #[arg(short, long, value_name = "LANGUAGE")]
    language: Option<String>,
    /// Show what the template takes: names, types, defaults, help
    #[arg(long, conflicts_with = "diff")]
    help_notebook: bool,
    /// Show what rendering changes in the template; OUT may be left out
    #[arg(long)]
    diff: bool,
}

pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<u8, Stop> {
    let needless = arguments.diff || arguments.help_notebook;
    let (template, out) = match (&arguments.run, arguments.files.as_slice()) {
        (None, [template, out]) => (Some(template), Some(out.as_path())),
        (None, [template]) if needless => (Some(template), None),
        (Some(_), [out]) => (None, Some(out.as_path())),
        (Some(_), []) if needless => (None, None),
        (None, _) => return Err(wrong("a TEMPLATE and an OUT are needed")),
        (Some(_), _) => return Err(wrong("with `--run` only OUT is needed")),
    };
    match (template, &arguments.run) {
        (Some(template), _) => bare(context, arguments, template, out)?,
        (None, Some(run)) => for_run(context, arguments, run, out).await?,
        (None, None) => {}
    }
    Ok(exit::DONE)
}

fn wrong(message: &str) -> Stop {
    Stop::new(exit::ARGUMENTS, message).hint("see nbcourier render --help")
}

fn bare(
    context: &Context,
    arguments: &Arguments,
    path: &Path,
    out: Option<&Path>,
) -> Result<(), Stop> {
    let failed = |error: NotebookError| {
        let error = match path.to_str() {
            Some(name) if name != "-" => error.of_file(name),
            _ => error,
        };
        Stop::new(
            exit::NOT_WELL,
            format!("{}: {}", path.display(), error.what),
        )
        .hint(error.advice)
    };
    let mut template = parse(path, &read(path)?).map_err(failed)?;
    template.ask(arguments.kernel.as_deref(), arguments.language.as_deref());
    if let Some(remark) = template.remark() {
        context
            .output
            .note(format!("warning: {}: {remark}", path.display()));
    }
    if arguments.help_notebook {
        help::show(context, path, &template).map_err(failed)?;
        return Ok(());
    }
    let (typed, raw) = arguments.given.read()?;
    let mut parameters = template.typed(typed);
    parameters.extend(raw);
    if let Some(unknown) = deliver::describe_unknown(&template, &parameters) {
        context
            .output
            .note(format!("warning: {}: {unknown}", path.display()));
    }
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let (input, output) = (text(path), out.map(text));
    let stamp = Stamp {
        input_path: Some(&input),
        output_path: output.as_deref(),
        ..Stamp::default()
    };
    let rendered = notebook::render(&template, &parameters, &stamp).map_err(failed)?;
    finish(context, arguments, (&template, &input), out, &rendered)
}

/// Standard input has no name that would tell what it is; a notebook begins with a brace.
fn parse(path: &Path, bytes: &[u8]) -> Result<Template, NotebookError> {
    let percent = match path.extension() {
        _ if path == Path::new("-") => {
            let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
            matches!(first, Some(b'#' | b'a'..=b'z'))
        }
        extension => extension.is_some_and(|extension| extension == "py"),
    };
    match percent {
        true => Template::parse_percent(bytes),
        false => Template::parse(bytes),
    }
}

/// Shows the difference if that was asked, and writes the notebook where it was asked.
fn finish(
    context: &Context,
    arguments: &Arguments,
    (template, name): (&Template, &str),
    out: Option<&Path>,
    rendered: &[u8],
) -> Result<(), Stop> {
    if arguments.diff {
        let before = template.source();
        let (before, after) = (
            String::from_utf8_lossy(&before),
            String::from_utf8_lossy(rendered),
        );
        let shown = out.map_or_else(|| "rendered".into(), Path::to_string_lossy);
        let diff = similar::TextDiff::configure()
            // Beyond that a coarser difference will do.
            .timeout(Duration::from_secs(5))
            .diff_lines(before.as_ref(), after.as_ref());
        let diff = diff.unified_diff().header(name, &shown).to_string();
        context.output.bytes(diff.as_bytes());
    }
    match out {
        Some(out) => write(context, out, rendered),
        None => Ok(()),
    }
}

async fn for_run(
    context: &Context,
    arguments: &Arguments,
    run: &Path,
    out: Option<&Path>,
) -> Result<(), Stop> {
    let config = context.load()?;
    let path = std::path::absolute(run)?;
    let found = crate::detect::parameters_of(&config, &path)
        .map_err(|why| Stop::new(exit::NOT_WELL, format!("{}: {why}", path.display())))?;
    let mut parameters = found.parameters;
    let (typed, raw) = arguments.given.read()?;
    parameters.extend(typed);
    parameters.extend(raw);
    let mut jobs = job::plan(&config, &found.watch, &parameters, &Only::default());
    jobs.dedup_by(|a, b| a.notebook == b.notebook);
    let several = jobs.len() > 1;
    if jobs.is_empty() {
        return Err(Stop::new(
            exit::NOT_WELL,
            "no notebook table is for this run",
        ));
    }
    if several && out.is_some_and(|out| !out.is_dir()) {
        let message = format!(
            "{} notebooks are for this run: OUT must be a directory",
            jobs.len()
        );
        return Err(Stop::new(exit::ARGUMENTS, message));
    }
    let ledger = context.ledger(&config).await.ok();
    for job in &jobs {
        let order = job.dry_order(&found.watch, &found.name, &parameters);
        let one = one(context, &config, ledger.as_ref(), &order, &job.user).await?;
        let name = one
            .notebook
            .path
            .rsplit('/')
            .next()
            .unwrap_or("notebook.ipynb");
        let inside = out.map(|out| {
            if several {
                out.join(name)
            } else {
                out.to_owned()
            }
        });
        let template = (&one.template, one.source.as_str());
        finish(
            context,
            arguments,
            template,
            inside.as_deref(),
            &one.notebook.bytes,
        )?;
    }
    Ok(())
}

/// A notebook as it would be delivered, with the template it is made of.
struct One {
    template: Template,
    source: String,
    notebook: deliver::Rendered,
}

async fn one(
    context: &Context,
    config: &Config,
    ledger: Option<&Ledger>,
    order: &Order,
    user: &str,
) -> Result<One, Stop> {
    let failed = |failure: crate::failure::Failure| {
        Stop::new(exit::NOT_WELL, failure.to_string()).hint(failure.advice())
    };
    let (chosen, table) = Chosen::for_order(config, order).map_err(failed)?;
    let source = chosen.source(&order.destination, user);
    let at_hand = deliver::at_hand(ledger, &chosen, &source).await;
    let (template, remark) = at_hand.map_err(failed)?;
    let notebook = deliver::render(config, table, template.clone(), order).map_err(failed)?;
    for warning in remark.iter().chain(&notebook.warning) {
        context.output.note(format!("warning: {warning}"));
    }
    Ok(One {
        template,
        source,
        notebook,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, Stop> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().read_to_end(&mut bytes).map(|_| ())
    } else {
        std::fs::read(path).map(|read| bytes = read)
    };
    read.map_err(|error| Stop::new(exit::NOT_WELL, format!("{}: {error}", path.display())))?;
    Ok(bytes)
}

/// Never over something that exists.
fn write(context: &Context, path: &Path, bytes: &[u8]) -> Result<(), Stop> {
    if path == Path::new("-") {
        context.output.bytes(bytes);
        return Ok(());
    }
    let written = std::fs::File::create_new(path).and_then(|mut file| file.write_all(bytes));
    written.map_err(|error| Stop::new(exit::NOT_WELL, format!("{}: {error}", path.display())))?;
    context.output.note(format!("wrote {}", path.display()));
    Ok(())
}
