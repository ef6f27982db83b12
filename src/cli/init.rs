//! `nbcourier init`.

mod login;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::{Context, Stop, check, exit};
use crate::detect;

/// The template that `init` and `demo` begin with.
pub(super) const TEMPLATE: &str = include_str!("../../config/templates/quicklook.ipynb");

#[derive(Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("destination").multiple(false).args(["hub", "server", "path"]),
    group = clap::ArgGroup::new("runs").required(true).multiple(false).args(["watch", "learn", "login"]),
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
    /// The parent of the run directories
    #[arg(long, value_name = "DIRECTORY", requires = "destination")]
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
    let home = file.parent().unwrap_or(Path::new("/"));
    let watch = watch(context, arguments)?;
    if arguments.hub.is_none() && arguments.server.is_none() && arguments.path.is_none() {
        return add(context, &file, &watch).await;
    }
    let template = match &arguments.template {
        Some(template) => std::path::absolute(template)?,
        None => home.join("templates/quicklook.ipynb"),
    };
    let text = configuration(arguments, home, (&watch.text("data"), &template))?;
    create(&file, &text)?;
    context.output.note(format!("wrote {}", file.display()));
    if arguments.template.is_none() && !template.exists() {
        create(&template, TEMPLATE)?;
        context.output.note(format!("wrote {}", template.display()));
    }
    next_steps(context, arguments, home)?;
    check::run(context, &check::Arguments::default()).await
}

/// A watch table to be written.
struct Watched {
    directory: PathBuf,
    keys: String,
}

impl Watched {
    fn text(&self, name: &str) -> String {
        let (directory, keys) = (quoted(&self.directory), &self.keys);
        format!(
            "[watch.{name}]\ndirectory = {directory}            # the parent of the run directories\n{keys}"
        )
    }
}

/// The watch that the arguments ask for, with the evidence where it was learned.
fn watch(context: &Context, arguments: &Arguments) -> Result<Watched, Stop> {
    let Some(learn) = &arguments.learn else {
        let directory = arguments.watch.clone().unwrap_or_default();
        let keys = "# pattern = 'run[_-]?(?<run>\\d+)'            # named groups become parameters\n\
                    # ready = { marker = \"DONE\" }               # or { quiet = \"30s\" }, \"appears\"\n\
                    # parameters = [\"run.json\"]                 # a metadata file inside the run directory\n";
        return Ok(Watched {
            directory: std::path::absolute(directory)?,
            keys: keys.into(),
        });
    };
    let directory = std::path::absolute(learn)?;
    let learned = detect::learn(&directory).map_err(|why| Stop::new(exit::ARGUMENTS, why))?;
    context
        .output
        .note(format!("learned from {}:", directory.display()));
    for line in &learned.evidence {
        context.output.note(format!("  {line}"));
    }
    Ok(Watched {
        directory,
        keys: learned.table,
    })
}

/// Adds a watch to a configuration that is there.
async fn add(context: &Context, file: &Path, watch: &Watched) -> Result<u8, Stop> {
    if !file.exists() {
        let message = format!(
            "{} is not there, and no destination is named",
            file.display()
        );
        return Err(Stop::new(exit::ARGUMENTS, message)
            .hint("add --hub URL, --server URL or --path DIRECTORY"));
    }
    let name = watch
        .directory
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    let letter = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = name.chars().map(letter).collect();
    let part = file.with_file_name("conf.d").join(format!("{name}.toml"));
    create(&part, &watch.text(&name))?;
    context.output.note(format!(
        "wrote {}; restart nbcourier to take it over",
        part.display()
    ));
    check::run(context, &check::Arguments::default()).await
}

/// Never over something that exists.
fn create(path: &Path, text: &str) -> Result<(), Stop> {
    let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    let written = made
        .and_then(|()| std::fs::File::create_new(path))
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| {
        let stop = Stop::new(exit::CONFIGURATION, format!("{}: {error}", path.display()));
        stop.hint("nothing that exists is overwritten: move it away, or name another file with -c")
    })
}

fn configuration(
    arguments: &Arguments,
    home: &Path,
    (watch, template): (&str, &Path),
) -> Result<String, Stop> {
    let mut text = String::from(
        "# nbcourier: a notebook for every finished run.\n\
         # All keys with their defaults: config/nbcourier.toml in the source, or the README.\n\n",
    );
    if let Some(state) = &arguments.state {
        text += &format!(
            "[daemon]\nstate = {}\n\n",
            quoted(&std::path::absolute(state)?)
        );
    }
    text += &format!(
        "{watch}\n\
         [notebook.quicklook]\n\
         template = {}\n\
         # name = \"{{run_name}}.ipynb\"\n\n",
        quoted(template),
    );
    text += &destination(arguments, home)?;
    Ok(text)
}

fn destination(arguments: &Arguments, home: &Path) -> Result<String, Stop> {
    if let Some(path) = &arguments.path {
        let path = quoted(&std::path::absolute(path)?);
        return Ok(format!(
            "[destination.directory]\npath = {path}\n# directory = \"runs/{{date}}\"\n"
        ));
    }
    let (name, key, url) = match (&arguments.hub, &arguments.server) {
        (Some(url), _) => ("hub", "hub", url),
        (None, Some(url)) => ("server", "server", url),
        (None, None) => return Err(Stop::new(exit::ARGUMENTS, "no destination is named")),
    };
    let user = match &arguments.user {
        Some(user) => format!("user = {}\n", quoted(Path::new(user))),
        None => String::new(),
    };
    // In the usual place the unit hands it over, and a replaced one counts at once.
    let token = match home == Path::new("/etc/nbcourier") {
        true => format!("{{ credential = \"{name}\" }}"),
        false => format!("{{ file = {} }}", quoted(&credential(arguments, home))),
    };
    Ok(format!(
        "[destination.{name}]\n{key} = {}\n{user}# directory = \"runs/{{date}}\"\nauth.token = {token}\n",
        quoted(Path::new(url))
    ))
}

fn credential(arguments: &Arguments, home: &Path) -> PathBuf {
    home.join("credentials").join(if arguments.hub.is_some() {
        "hub"
    } else {
        "server"
    })
}

/// A TOML basic string.
fn quoted(path: &Path) -> String {
    toml::Value::String(path.to_string_lossy().into_owned()).to_string()
}

fn next_steps(context: &Context, arguments: &Arguments, home: &Path) -> Result<(), Stop> {
    if arguments.path.is_some() {
        return Ok(());
    }
    let token = credential(arguments, home);
    let directory = home.join("credentials");
    std::fs::create_dir_all(&directory)?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&directory, mode)?;
    if !token.exists() {
        let source = match &arguments.hub {
            Some(hub) => format!(
                "make one at {}/hub/token with the scopes access:servers!user, read:servers!user and start:servers!user (JupyterHub 3 to 5: access:servers!user and servers!user)",
                hub.trim_end_matches('/')
            ),
            None => "`jupyter server list` shows the server's".into(),
        };
        context
            .output
            .note(format!("a token is needed: {source}; then"));
        context.output.note(format!(
            "  (umask 077; cat > {}) # paste it, end with Ctrl-D",
            token.display()
        ));
    }
    Ok(())
}
