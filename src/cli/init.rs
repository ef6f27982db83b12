//! `nbcourier init`: by flags, and on a terminal by a question for each that is missing.

mod ask;
mod login;
mod place;
mod swan;
mod watched;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::{Context, Stop, check, exit};
use place::Place;
use watched::Watched;

/// The template that `init` and `demo` begin with.
pub(super) const TEMPLATE: &str = include_str!("../../config/templates/quicklook.ipynb");

/// The configuration's home, where credentials are found by their names.
const HOME: &str = "/etc/nbcourier";

#[derive(Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("destination").multiple(false).args(["hub", "server", "path", "swan"]),
    group = clap::ArgGroup::new("runs").multiple(false).args(["watch", "learn", "login"]),
    group = clap::ArgGroup::new("account").multiple(false).args(["keytab", "token"]).requires("swan"),
)]
pub(super) struct Arguments {
    /// Deliver to a `JupyterHub`
    #[arg(long, value_name = "URL")]
    hub: Option<String>,
    /// Deliver to a plain Jupyter Server
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// Deliver into a directory
    #[arg(long, value_name = "DIRECTORY")]
    path: Option<PathBuf>,
    /// Deliver to CERN SWAN, or to another hub with its software
    #[arg(long, value_name = "URL", num_args = 0..=1, require_equals = true, default_missing_value = swan::URL)]
    swan: Option<String>,
    /// Into the space of this service account in SWAN
    #[arg(long, value_name = "FILE")]
    keytab: Option<PathBuf>,
    /// Into the space of the person who makes a token in SWAN
    #[arg(long)]
    token: bool,
    /// The software in SWAN; without it, what the account chose there last
    #[arg(long, value_name = "RELEASE/PLATFORM", requires = "swan")]
    release: Option<String>,
    /// The parent of the run directories
    #[arg(long, value_name = "DIRECTORY")]
    watch: Option<PathBuf>,
    /// The same, and learn from the runs in it what they are called, what ends them and where
    /// their metadata are; without a destination, add the watch to the configuration that is there
    #[arg(long, value_name = "DIRECTORY")]
    learn: Option<PathBuf>,
    /// The user of the hub; without it, the token's owner
    #[arg(long, value_name = "NAME", requires = "hub")]
    user: Option<String>,
    /// The template; without it a small one is written
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// The state directory
    #[arg(long, value_name = "DIRECTORY")]
    state: Option<PathBuf>,
    /// Log a person in, on a page that may be opened anywhere, and keep the refresh token for this
    /// destination of the configuration that is there
    #[arg(long, value_name = "NAME", conflicts_with_all = ["destination", "user", "template", "state"])]
    login: Option<String>,
}

pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<u8, Stop> {
    if let Some(name) = &arguments.login {
        return login::run(context, name).await;
    }
    let file = std::path::absolute(&context.config)?;
    if let Some(learn) = &arguments.learn
        && !arguments.has_destination()
        && file.exists()
    {
        return add(context, &file, &watched::learned(context, learn)?).await;
    }
    if file.exists() {
        return Err(exists(&file, "it exists"));
    }
    arguments.complete_or_terminal()?;
    let home = file.parent().unwrap_or(Path::new("/"));
    let mut place = place::of(context, arguments).await?;
    let watched = watched::of(context, arguments).await?;
    if let Place::Swan(swan) = &mut place {
        swan.complete(context, arguments).await?;
    }
    write(context, arguments, (&file, home), (&watched, &place))?;
    place.prepare(context, home)?;
    let code = check::run(context, &check::Arguments::default()).await?;
    next(context, &file, code);
    Ok(code)
}

impl Arguments {
    fn has_destination(&self) -> bool {
        let [hub, server, swan] = [&self.hub, &self.server, &self.swan].map(Option::is_some);
        hub || server || swan || self.path.is_some()
    }

    /// Whether all is said, or can be asked for.
    fn complete_or_terminal(&self) -> Result<(), Stop> {
        let has_runs = self.watch.is_some() || self.learn.is_some();
        let has_account = self.swan.is_none() || self.keytab.is_some() || self.token;
        let missing: Vec<&str> = [
            (
                self.has_destination(),
                "--hub URL, --server URL, --swan or --path DIRECTORY",
            ),
            (has_runs, "--watch DIRECTORY or --learn DIRECTORY"),
            (has_account, "--keytab FILE or --token"),
        ]
        .into_iter()
        .filter_map(|(is_there, flags)| (!is_there).then_some(flags))
        .collect();
        if missing.is_empty() || ask::is_possible() {
            return Ok(());
        }
        let message = "not all is said that a configuration needs";
        let hint = format!(
            "add {}; on a terminal init asks for them",
            missing.join("; ")
        );
        Err(Stop::new(exit::ARGUMENTS, message).hint(hint))
    }
}

/// Adds a watch to a configuration that is there.
async fn add(context: &Context, file: &Path, watched: &Watched) -> Result<u8, Stop> {
    let name = watched.name();
    let part = file.with_file_name("conf.d").join(format!("{name}.toml"));
    create(&part, &watched.text(&name))?;
    context.output.note(format!(
        "wrote {}; `nbcourier reload` takes it over",
        part.display()
    ));
    check::run(context, &check::Arguments::default()).await
}

/// Writes the configuration, and the template if none is named.
fn write(
    context: &Context,
    arguments: &Arguments,
    (file, home): (&Path, &Path),
    (watched, place): (&Watched, &Place),
) -> Result<(), Stop> {
    let template = match &arguments.template {
        Some(template) => std::path::absolute(template)?,
        None => home.join("templates/quicklook.ipynb"),
    };
    let mut text = String::from(
        "# nbcourier: a notebook for every finished run.\n\
         # All keys with their defaults: config/nbcourier.toml in the source, or the README.\n\n",
    );
    if let Some(state) = &arguments.state {
        let state = quoted(&std::path::absolute(state)?);
        text += &format!("[daemon]\nstate = {state}\n\n");
    }
    text += &format!(
        "{}\n[notebook.quicklook]\ntemplate = {}\n# name = \"{{run_name}}.ipynb\"\n\n{}",
        watched.text("data"),
        quoted(&template),
        place.table(home, &watched.name())
    );
    create(file, &text)?;
    context.output.note(format!("wrote {}", file.display()));
    if arguments.template.is_none() && !template.exists() {
        create(&template, TEMPLATE)?;
        context.output.note(format!("wrote {}", template.display()));
    }
    Ok(())
}

fn next(context: &Context, file: &Path, code: u8) {
    let own = format!("nbcourier -c {}", file.display());
    let next = match (code, file.parent() == Some(Path::new(HOME))) {
        (exit::DONE, true) => {
            "start it by `systemctl enable --now nbcourier`, and see `nbcourier status`".into()
        }
        (exit::DONE, false) => format!("start it by `{own} daemon`"),
        (_, true) => "when that is mended, `nbcourier check`".into(),
        (_, false) => format!("when that is mended, `{own} check`"),
    };
    context.output.note(format!("next: {next}"));
}

/// Never over something that exists.
fn create(path: &Path, text: &str) -> Result<(), Stop> {
    let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    let written = made
        .and_then(|()| std::fs::File::create_new(path))
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| exists(path, &error.to_string()))
}

fn exists(path: &Path, why: &str) -> Stop {
    let stop = Stop::new(exit::CONFIGURATION, format!("{}: {why}", path.display()));
    stop.hint("nothing that exists is overwritten: move it away, or name another file with -c")
}

/// A TOML basic string.
fn quoted(path: &Path) -> String {
    toml::Value::String(path.to_string_lossy().into_owned()).to_string()
}
