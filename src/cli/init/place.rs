//! Where notebooks go.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::super::{Context, Stop};
use super::ask::ask;
use super::swan::{self, Swan};
use super::{Arguments, HOME, quoted};

/// A destination to be written.
pub(super) enum Place {
    /// A hub, and the user if it isn't the token's owner.
    Hub(String, Option<String>),
    Server(String),
    Directory(PathBuf),
    Swan(Swan),
}

/// The destination that the arguments name, or the person at the terminal.
pub(super) async fn of(context: &Context, arguments: &Arguments) -> Result<Place, Stop> {
    let named = [
        arguments
            .hub
            .clone()
            .map(|url| Place::Hub(url, arguments.user.clone())),
        arguments.server.clone().map(Place::Server),
        arguments.swan.clone().map(|url| Place::Swan(Swan::at(url))),
        arguments.path.clone().map(Place::Directory),
    ];
    match named.into_iter().flatten().next() {
        Some(place) => Ok(place),
        None => {
            let question = "Where do notebooks go? `swan` (at CERN), the address of a JupyterHub, `server` and that of a plain Jupyter Server, or a directory";
            ask(context, question, read).await
        }
    }
}

fn read(answer: &str) -> Result<Place, String> {
    let is_url = |text: &str| text.starts_with("https://") || text.starts_with("http://");
    match answer {
        "swan" => Ok(Place::Swan(Swan::at(swan::URL.into()))),
        url if is_url(url) => Ok(Place::Hub(url.into(), None)),
        path if path.starts_with(['/', '.']) => Ok(Place::Directory(path.into())),
        other => match other.strip_prefix("server ").map(str::trim) {
            Some(url) if is_url(url) => Ok(Place::Server(url.into())),
            _ => Err("such as `swan`, `https://hub.lab.example`, `server http://localhost:8888` or `/data/notebooks`".into()),
        },
    }
}

impl Place {
    /// What the table is called, and the credential in it.
    fn name(&self) -> &'static str {
        match self {
            Self::Hub(..) => "hub",
            Self::Server(_) => "server",
            Self::Directory(_) => "directory",
            Self::Swan(_) => "swan",
        }
    }

    /// The table. `project` is what the runs are called together.
    pub(super) fn table(&self, home: &Path, project: &str) -> String {
        // In the usual place the unit hands it over, and a replaced one counts at once.
        let token = match home == Path::new(HOME) {
            true => format!("auth.token = {{ credential = \"{}\" }}", self.name()),
            false => format!("auth.token = {{ file = {} }}", quoted(&self.token(home))),
        };
        let directory = "# directory = \"runs/{date}\"\n";
        let table = match self {
            Self::Directory(path) => format!("path = {}\n{directory}", absolute(path)),
            Self::Server(url) => format!("server = {}\n{directory}{token}\n", text(url)),
            Self::Hub(url, user) => {
                let user = user
                    .as_deref()
                    .map(|user| format!("user = {}\n", text(user)));
                let user = user.unwrap_or_default();
                format!("hub = {}\n{user}{directory}{token}\n", text(url))
            }
            Self::Swan(swan) => swan.table(project, &token),
        };
        format!("[destination.{}]\n{table}", self.name())
    }

    /// Where its token is to lie.
    fn token(&self, home: &Path) -> PathBuf {
        home.join("credentials").join(self.name())
    }

    /// Makes the place for its token, and says how one is had.
    pub(super) fn prepare(&self, context: &Context, home: &Path) -> Result<(), Stop> {
        let source = match self {
            Self::Directory(_) => return Ok(()),
            Self::Swan(swan) if !swan.has_token() => return Ok(()),
            Self::Swan(swan) => format!(
                "make one at {}/hub/token (it ends early if you are away from SWAN for hours)",
                swan.url.trim_end_matches('/')
            ),
            Self::Hub(hub, _) => format!(
                "make one at {}/hub/token with the scopes access:servers!user, read:servers!user, start:servers!user and delete:servers!user (JupyterHub 3 to 5: access:servers!user and servers!user)",
                hub.trim_end_matches('/')
            ),
            Self::Server(_) => "`jupyter server list` shows the server's".into(),
        };
        let directory = home.join("credentials");
        // The packages make one from which the service's own group may read.
        if !directory.exists() {
            std::fs::create_dir_all(&directory)?;
            let mode = std::fs::Permissions::from_mode(0o700);
            std::fs::set_permissions(&directory, mode)?;
        }
        let umask = match home == Path::new(HOME) {
            true => "027",
            false => "077",
        };
        let token = self.token(home);
        if !token.exists() {
            let output = &context.output;
            output.note(format!("a token is needed: {source}; then"));
            output.note(format!(
                "  (umask {umask}; cat > {}) # paste it, end with Ctrl-D",
                token.display()
            ));
        }
        Ok(())
    }
}

/// A TOML basic string.
pub(super) fn text(value: &str) -> String {
    quoted(Path::new(value))
}

fn absolute(path: &Path) -> String {
    quoted(&std::path::absolute(path).unwrap_or_else(|_| path.into()))
}
