//! Where notebooks go, and how it is authenticated to.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::secret::SecretRef;

/// Where notebooks go.
#[derive(Clone, Debug)]
pub struct Destination {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Pattern of the user's name; `None` is the credential's owner.
    pub user: Option<String>,
    /// The only users it may act for besides a `user` without placeholder.
    pub users: Vec<String>,
    /// Pattern of the directory below the user's root.
    pub directory: String,
    /// Deliveries at once.
    pub concurrency: usize,
}

impl Destination {
    /// How it is authenticated to, if it is.
    #[must_use]
    pub fn auth(&self) -> Option<&Auth> {
        match &self.kind {
            Kind::Hub(hub) => Some(&hub.auth),
            Kind::Server(server) => Some(&server.auth),
            Kind::Superfacility(facility) => Some(&facility.auth),
            Kind::Command(command) => command.auth.as_ref(),
            Kind::Path { .. } => None,
        }
    }

    /// How a token is sent there that comes without a word on it.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        match self.kind {
            Kind::Superfacility(_) => Scheme::Bearer,
            _ => Scheme::Token,
        }
    }

    /// Its further certificate authorities, PEM.
    #[must_use]
    pub fn ca_file(&self) -> Option<&std::path::Path> {
        match &self.kind {
            Kind::Hub(hub) => hub.ca_file.as_deref(),
            Kind::Server(server) => server.ca_file.as_deref(),
            Kind::Superfacility(facility) => facility.ca_file.as_deref(),
            Kind::Command(command) => command.ca_file.as_deref(),
            Kind::Path { .. } => None,
        }
    }

    /// The one certificate of it that is trusted, by its SHA-256.
    #[must_use]
    pub fn pin_sha256(&self) -> Option<[u8; 32]> {
        match &self.kind {
            Kind::Hub(hub) => hub.pin_sha256,
            Kind::Server(server) => server.pin_sha256,
            Kind::Path { .. } | Kind::Superfacility(_) | Kind::Command(_) => None,
        }
    }
}

/// How calls to a destination are authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// By a token that is kept somewhere.
    Token(SecretRef),
    /// By tokens that an authorization server issues.
    OAuth(Box<OAuth>),
    /// By the cookies of a single sign-on with a Kerberos ticket.
    Kerberos(Box<Kerberos>),
    /// By what a program prints.
    Command(Vec<String>),
}

/// `auth.kerberos`: how a hub's cookies are had by its site's single sign-on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kerberos {
    /// Whose ticket it is; `None` is the first of the keytab, or the one of the cache.
    pub principal: Option<String>,
    /// What the ticket is had from.
    pub tickets: Tickets,
    /// Where the hub begins a login; `None` is `hub/oauth_login`.
    pub login_url: Option<url::Url>,
    /// A hub's own token is made with the cookies, for so long.
    pub mint: Duration,
}

/// What Kerberos tickets are had from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tickets {
    /// A file of keys, with which tickets are had as needed.
    Keytab(SecretRef),
    /// A cache that somebody else keeps filled, with its type, such as `FILE:/run/ticket`.
    Cache(String),
}

/// `auth.oauth`: how tokens are had from an authorization server (RFC 6749).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuth {
    /// Where they are had.
    pub endpoint: Endpoint,
    /// The client; `None` where the key's file names it, or where there is none.
    pub client_id: Option<String>,
    /// How the client proves to be itself.
    pub proof: Option<Proof>,
    /// What stands for a person's consent; without it the client speaks for itself.
    pub refresh_token: Option<SecretRef>,
    /// The service that the tokens are for.
    pub audience: Option<String>,
    /// What they may be used for, words with blanks between them.
    pub scope: Option<String>,
    /// Further fields of the request.
    pub extra: Vec<(String, String)>,
    /// How a token is sent.
    pub scheme: Scheme,
    /// A hub's own token is made with the issued one, for so long.
    pub mint: Option<Duration>,
}

/// Where tokens are had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// At this URL.
    Token(url::Url),
    /// Where this issuer's metadata say; compared to the letter.
    Issuer(String),
}

/// How a client proves to be itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// By a secret; `None` is as the server's metadata say, else in the body.
    Secret(SecretRef, Option<ClientAuth>),
    /// By an assertion signed with this RSA key (`private_key_jwt`).
    Key(SecretRef),
}

/// How a client's secret is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// In the header.
    Basic,
    /// In the body.
    Post,
}

/// The word before a token in the header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheme {
    /// `Bearer` (RFC 6750).
    #[default]
    Bearer,
    /// `token`, as hubs and Jupyter servers know it.
    Token,
    /// None at all.
    Bare,
}

/// The kinds of destination.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A `JupyterHub`.
    Hub(Hub),
    /// A plain Jupyter Server.
    Server(Server),
    /// A directory.
    Path {
        /// Its root.
        root: PathBuf,
        /// Pattern of the link shown, with `{path}`.
        open: Option<String>,
    },
    /// A machine of NERSC, by the Superfacility API.
    Superfacility(Superfacility),
    /// A program that takes them.
    Command(Command),
}

/// A program that takes notebooks to wherever they shall be.
#[derive(Clone, Debug)]
pub struct Command {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// What it is authenticated by, if nbcourier holds its credential.
    pub auth: Option<Auth>,
    /// Further certificate authorities for that credential, PEM.
    pub ca_file: Option<PathBuf>,
    /// Pattern of the link shown, with `{path}`, where the program tells none.
    pub open: Option<String>,
}

/// A `JupyterHub`.
#[derive(Clone, Debug)]
pub struct Hub {
    /// Base URL with a final `/`, without `hub/`.
    pub url: url::Url,
    /// How it is authenticated to.
    pub auth: Auth,
    /// Name of the user's server; empty is the default server.
    pub server_name: String,
    /// Whether to start the user's server.
    pub spawn: bool,
    /// What kind of hub it is.
    pub profile: Profile,
    /// Sent as they are; `None` sends no body, so that the user's last choice is repeated.
    pub spawn_options: Option<serde_json::Value>,
    /// How long a start may take.
    pub spawn_timeout: Duration,
    /// Starts of servers in any hour, over all users.
    pub max_spawns_per_hour: u32,
    /// So long after its last delivery a server is stopped that nbcourier started and nobody used;
    /// `None` is never.
    pub stop_after: Option<Duration>,
    /// Whether the users whose tokens are held are kept from being forgotten.
    pub keep_alive: bool,
    /// Further certificate authorities, PEM.
    pub ca_file: Option<PathBuf>,
    /// The SHA-256 of the one certificate that is trusted, in their place.
    pub pin_sha256: Option<[u8; 32]>,
}

/// What a hub is known to be beside a hub.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// Nothing.
    #[default]
    None,
    /// CERN SWAN: its options are checked, and its users' home is found.
    Swan,
}

/// A plain Jupyter Server.
#[derive(Clone, Debug)]
pub struct Server {
    /// Base URL with a final `/`.
    pub url: url::Url,
    /// How it is authenticated to.
    pub auth: Auth,
    /// Further certificate authorities, PEM.
    pub ca_file: Option<PathBuf>,
    /// The SHA-256 of the one certificate that is trusted, in their place.
    pub pin_sha256: Option<[u8; 32]>,
}

/// A machine of NERSC, by the Superfacility API.
#[derive(Clone, Debug)]
pub struct Superfacility {
    /// Base URL with a final `/`.
    pub url: url::Url,
    /// How it is authenticated to.
    pub auth: Auth,
    /// The machine whose file system is written to.
    pub machine: String,
    /// Pattern of the link shown, with `{user}` and `{path}`.
    pub open: String,
    /// Larger notebooks are not sent, bytes.
    pub max_bytes: u32,
    /// Further certificate authorities, PEM.
    pub ca_file: Option<PathBuf>,
}

impl Superfacility {
    /// Whether this character may stand in a path there: those only that no shell takes for more
    /// than a letter, since others have a look at these paths by commands.
    #[must_use]
    pub fn takes(c: char) -> bool {
        c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
    }
}
