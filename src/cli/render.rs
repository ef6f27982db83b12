//! `nbcourier render`.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Number, Value};

use super::{Context, Stop, exit};
use crate::config::Config;
use crate::deliver;
use crate::job::{self, Only, Order};
use crate::notebook::{self, Stamp, Template};
use crate::run::Parameters;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Render what would be delivered for this run directory
    #[arg(long, value_name = "PATH")]
    run: Option<PathBuf>,
    /// TEMPLATE OUT, or with `--run` only OUT; `-` is stdin or stdout
    #[arg(required = true, num_args = 1..=2, value_names = ["TEMPLATE", "OUT"])]
    files: Vec<PathBuf>,
    /// A parameter, typed as papermill does; text with leading zeros, `_`, blanks, nan, inf stays text
    #[arg(short, long = "parameter", num_args = 2, value_names = ["NAME", "VALUE"], action = clap::ArgAction::Append, allow_hyphen_values = true)]
    parameters: Vec<String>,
    /// A parameter that is text
    #[arg(short = 'r', long = "raw", num_args = 2, value_names = ["NAME", "RAW"], action = clap::ArgAction::Append, allow_hyphen_values = true)]
    raw: Vec<String>,
    /// A JSON file of parameters
    #[arg(short, long = "file", value_name = "FILE")]
    file: Vec<PathBuf>,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<u8, Stop> {
    match (&arguments.run, arguments.files.as_slice()) {
        (None, [template, out]) => bare(context, arguments, template, out)?,
        (Some(run), [out]) => for_run(context, arguments, run, out)?,
        (None, _) => {
            return Err(Stop::new(
                exit::ARGUMENTS,
                "a TEMPLATE and an OUT are needed",
            ));
        }
        (Some(_), _) => {
            return Err(Stop::new(
                exit::ARGUMENTS,
                "with `--run` only OUT is needed",
            ));
        }
    }
    Ok(exit::DONE)
}

fn bare(context: &Context, arguments: &Arguments, template: &Path, out: &Path) -> Result<(), Stop> {
    let bytes = read(template)?;
    let failed = |error: notebook::NotebookError| {
        Stop::new(
            exit::NOT_WELL,
            format!("{}: {}", template.display(), error.what),
        )
        .hint(error.advice)
    };
    let template = Template::parse(&bytes).map_err(failed)?;
    let stamp = Stamp { ..Stamp::default() };
    let rendered = notebook::render(&template, &given(arguments)?, &stamp).map_err(failed)?;
    write(context, out, &rendered)
}

/// Later ones win: files, then `-p`, then `-r`, as papermill has it.
fn given(arguments: &Arguments) -> Result<Parameters, Stop> {
    let mut all = Parameters::new();
    for file in &arguments.file {
        let text = read(file)?;
        let object: Parameters = serde_json::from_slice(&text).map_err(|error| {
            Stop::new(
                exit::ARGUMENTS,
                format!("{}: no JSON object: {error}", file.display()),
            )
        })?;
        all.extend(object);
    }
    all.extend(parameters(&arguments.parameters));
    let raw = arguments
        .raw
        .chunks_exact(2)
        .map(|pair| (pair[0].clone(), Value::from(pair[1].as_str())));
    all.extend(raw);
    Ok(all)
}

/// NAME VALUE pairs, typed as papermill types `-p`, but text that only looks like a number stays
/// text: `0123` is a zero-padded run number.
pub(super) fn parameters(pairs: &[String]) -> Parameters {
    pairs
        .chunks_exact(2)
        .map(|pair| (pair[0].clone(), typed(&pair[1])))
        .collect()
}

fn typed(text: &str) -> Value {
    match text {
        "True" => return Value::Bool(true),
        "False" => return Value::Bool(false),
        "None" => return Value::Null,
        _ => {}
    }
    let digits = text.trim_start_matches(['-', '+']);
    let padded = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    let plain = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'));
    if padded || !plain {
        return Value::from(text);
    }
    // JSON wants digits around the point and no plus sign.
    let json = text.trim_start_matches('+');
    let number = serde_json::from_str::<Number>(json).ok();
    let float = || text.parse::<f64>().ok().and_then(Number::from_f64);
    number
        .or_else(float)
        .map_or_else(|| Value::from(text), Value::Number)
}

fn for_run(context: &Context, arguments: &Arguments, run: &Path, out: &Path) -> Result<(), Stop> {
    let config = context.load()?;
    let path = std::path::absolute(run)?;
    let found = crate::detect::parameters_of(&config, &path)
        .map_err(|why| Stop::new(exit::NOT_WELL, format!("{}: {why}", path.display())))?;
    let mut parameters = found.parameters;
    parameters.extend(given(arguments)?);
    let jobs = job::plan(&config, &found.watch, &parameters, &Only::default());
    let order = |job: &job::PlannedJob| Order {
        uid: uuid::Uuid::nil().to_string(),
        notebook: job.notebook.clone(),
        destination: job.destination.clone(),
        watch: found.watch.clone(),
        run: found.name.clone(),
        parameters: parameters.clone(),
    };
    let mut orders: Vec<Order> = jobs.iter().map(order).collect();
    orders.dedup_by(|a, b| a.notebook == b.notebook);
    match orders.as_slice() {
        [] => Err(Stop::new(
            exit::NOT_WELL,
            "no notebook table is for this run",
        )),
        [one] => write(context, out, &rendered(&config, one)?.bytes),
        several if out.is_dir() => several.iter().try_for_each(|one| {
            let notebook = rendered(&config, one)?;
            let name = notebook.path.rsplit('/').next().unwrap_or("notebook.ipynb");
            write(context, &out.join(name), &notebook.bytes)
        }),
        several => {
            let message = format!(
                "{} notebooks are for this run: OUT must be a directory",
                several.len()
            );
            Err(Stop::new(exit::ARGUMENTS, message))
        }
    }
}

fn rendered(config: &Config, order: &Order) -> Result<deliver::Rendered, Stop> {
    deliver::render(config, order)
        .map_err(|failure| Stop::new(exit::NOT_WELL, failure.to_string()).hint(failure.advice()))
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

#[cfg(test)]
mod tests {
    use super::typed;
    use serde_json::json;

    #[test]
    fn values_are_typed_as_papermill_does_but_padded_text_stays_text() {
        let cases = [
            ("12", json!(12)),
            ("-3", json!(-3)),
            ("1.5", json!(1.5)),
            ("0.5", json!(0.5)),
            ("True", json!(true)),
            ("None", json!(null)),
            ("true", json!("true")),
            ("0123", json!("0123")),
            ("1_000", json!("1_000")),
            (" 7", json!(" 7")),
            ("nan", json!("nan")),
            ("infinity", json!("infinity")),
            ("2026-11-21", json!("2026-11-21")),
        ];
        for (text, value) in cases {
            assert_eq!(typed(text).to_string(), value.to_string(), "{text}");
        }
    }
}
