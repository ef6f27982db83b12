//! CERN SWAN on this machine, as `tests/swan` sets it up: its own hub, spawner, authenticator, culler
//! and contents from `PyPI`, behind a Kerberos realm and a stand-in for CERN's single sign-on.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::hub::{environment, request};
use crate::support::{NOBODY, Process, files, lasting_port, token, wait_until};

mod acts;
mod begin;
mod login;
mod rows;
mod spaces;
mod tools;
mod troubles;
mod works;

/// Where each part listens.
struct Ports {
    kdc: u16,
    /// The single sign-on, as browsers see it.
    front: u16,
    idp: u16,
    control: u16,
    /// The hub, as users see it.
    hub: u16,
    internal: u16,
    proxy: u16,
}

impl Ports {
    /// None of them is taken by an outgoing connection before its server listens.
    fn free() -> Self {
        let free: BTreeSet<u16> = (0..30).map(|_| lasting_port()).collect();
        let mut free = free.into_iter();
        let mut next = || free.next().expect("a free port");
        Self {
            kdc: next(),
            front: next(),
            idp: next(),
            control: next(),
            hub: next(),
            internal: next(),
            proxy: next(),
        }
    }
}

/// A running SWAN with its realm `NBC.TEST`.
pub struct Swan {
    pub users: &'static [&'static str],
    /// The hub, at another host than the single sign-on: `http://127.0.0.1:PORT`.
    pub url: String,
    /// The single sign-on: `https://localhost:PORT`; its certificate is by [`Self::authority`].
    pub origin: String,
    /// A service's token that may do everything.
    pub admin: String,
    settings: Vec<(&'static str, String)>,
    culler: String,
    /// Of the hub's client at the identity provider.
    client_secret: String,
    proxy_token: String,
    crypt_key: String,
    ports: Ports,
    hub: Option<Process>,
    proxy: Option<Process>,
    web: Option<Process>,
    idp: Option<Process>,
    kdc: Option<Process>,
    /// Removed after all have ended that write into it.
    pub dir: tempfile::TempDir,
}

impl Swan {
    /// With the users alice and bob, and CERN's settings.
    pub fn start() -> Self {
        Self::with(&["alice", "bob"], &[])
    }

    /// With these users and settings: `NBC_SWAN_AUTO_LOGIN` ("1"), `NBC_SWAN_REFRESH_AGE` (seconds).
    pub fn with(users: &'static [&'static str], settings: &[(&'static str, &str)]) -> Self {
        let ports = Ports::free();
        let own = |(name, value): &(&'static str, &str)| (*name, (*value).to_owned());
        let mut swan = Self {
            users,
            dir: tempfile::tempdir().expect("a temporary directory"),
            url: format!("http://127.0.0.1:{}", ports.hub),
            origin: format!("https://localhost:{}", ports.front),
            admin: token(),
            settings: settings.iter().map(own).collect(),
            culler: token(),
            client_secret: token(),
            proxy_token: token(),
            crypt_key: token() + &token(),
            ports,
            hub: None,
            proxy: None,
            web: None,
            idp: None,
            kdc: None,
        };
        swan.make_realm();
        swan.start_kdc();
        swan.start_idp();
        swan.start_web();
        swan.start_proxy();
        swan.up();
        swan
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    fn here() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/swan")
    }

    /// A program of SWAN's side, or one of the tools for its single sign-on.
    fn program(name: &str) -> Command {
        Command::new(environment().join("swan/hub/bin").join(name))
    }

    fn log(&self, name: &str) -> Stdio {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.path(name));
        log.expect("a log").into()
    }

    fn launch(&self, command: &mut Command, log: &str) -> Option<Process> {
        let command = command.stdout(self.log(log)).stderr(self.log(log));
        Some(Process::start(command))
    }

    fn make_realm(&self) {
        for part in ["script", "caches"] {
            fs::create_dir(self.path(part)).expect("a directory");
        }
        let passwords: String = self.users.iter().map(|_| token() + "\n").collect();
        fs::write(self.path("passwords"), passwords).expect("passwords");
        let made = Command::new(Self::here().join("realm"))
            .arg(self.dir.path())
            .args([self.ports.kdc, self.ports.front].map(|port| port.to_string()))
            .args(self.users)
            .stdin(File::open(self.path("passwords")).expect("passwords"))
            .output()
            .expect("it runs");
        assert!(made.status.success(), "{made:?}");
        let mode = fs::Permissions::from_mode(0o711);
        fs::set_permissions(self.dir.path(), mode).expect("chmod");
        let web = self.path("web");
        fs::copy(Self::here().join("apache.conf"), web.join("apache.conf")).expect("copied");
        // The web server doesn't serve as root.
        if rustix::process::geteuid().is_root() {
            for path in files(&web).iter().chain([&web]) {
                chown(path, Some(NOBODY), Some(NOBODY)).expect("chown");
            }
        }
    }

    /// What Kerberos reads instead of `/etc`.
    fn realm(&self) -> [(&'static str, PathBuf); 2] {
        [
            ("KRB5_CONFIG", self.path("krb5.conf")),
            ("KRB5_KDC_PROFILE", self.path("kdc.conf")),
        ]
    }

    fn start_kdc(&mut self) {
        let mut command = Command::new("/usr/sbin/krb5kdc");
        command.args(["-n", "-r", "NBC.TEST"]).envs(self.realm());
        self.kdc = self.launch(&mut command, "kdc.out");
        await_port("the KDC listens", self.ports.kdc);
    }

    fn start_idp(&mut self) {
        let mut command = Self::program("python");
        let clients = json!({ "swan": self.client_secret });
        command
            .arg("-B")
            .arg(Self::here().join("sso/stand.py"))
            .env("NBC_IDP_ORIGIN", &self.origin)
            .env("NBC_IDP_PORT", self.ports.idp.to_string())
            .env("NBC_IDP_CONTROL", self.ports.control.to_string())
            .env("NBC_IDP_USERS", self.users.join(","))
            .env("NBC_IDP_CLIENTS", clients.to_string());
        self.idp = self.launch(&mut command, "idp.log");
        await_port("the identity provider listens", self.ports.control);
    }

    /// Apache, which asks for tickets in front of the identity provider.
    pub fn start_web(&mut self) {
        let mut command = Command::new("/usr/sbin/apache2");
        command
            .arg("-DFOREGROUND")
            .arg("-f")
            .arg(self.path("web/apache.conf"))
            .env("MODULES", "/usr/lib/apache2/modules")
            .env("WEB", self.path("web"))
            .env("WEB_PORT", self.ports.front.to_string())
            .env("IDP_PORT", self.ports.idp.to_string())
            .env("KRB5_CONFIG", self.path("krb5.conf"))
            .env("KRB5RCACHENAME", "none:");
        if rustix::process::geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        self.web = self.launch(&mut command, "web.out");
        await_port("the web server listens", self.ports.front);
    }

    /// From now on nobody listens at the single sign-on, until [`Self::start_web`].
    pub fn stop_web(&mut self) {
        self.web = None;
    }

    fn start_proxy(&mut self) {
        let internal = format!("http://127.0.0.1:{}", self.ports.internal);
        let mut command =
            Command::new(environment().join("node_modules/.bin/configurable-http-proxy"));
        command
            .args(["--ip", "127.0.0.1", "--port", &self.ports.hub.to_string()])
            .args(["--api-ip", "127.0.0.1"])
            .args(["--api-port", &self.ports.proxy.to_string()])
            .args(["--default-target", &internal])
            .args(["--error-target", &format!("{internal}/hub/error")])
            .env("CONFIGPROXY_AUTH_TOKEN", &self.proxy_token);
        self.proxy = self.launch(&mut command, "log");
    }

    /// Starts the hub (again); its users' servers stay.
    pub fn up(&mut self) {
        let bin = environment().join("swan/user/bin");
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Self::program("swanhub");
        command
            .arg("-f")
            .arg(Self::here().join("hub_config.py"))
            .current_dir(self.dir.path())
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .env("PATH", format!("{}:{path}", bin.display()))
            .env("SWANHUB_ENV", "dev")
            .env("SSL_CERT_FILE", self.authority())
            .env("JUPYTERHUB_CRYPT_KEY", &self.crypt_key)
            .env("CONFIGPROXY_AUTH_TOKEN", &self.proxy_token)
            .env("NBC_SWAN_HERE", Self::here())
            .env("NBC_SWAN_DIR", self.dir.path())
            .env("NBC_SWAN_URL", &self.url)
            .env("NBC_SWAN_INTERNAL_PORT", self.ports.internal.to_string())
            .env("NBC_SWAN_PROXY_PORT", self.ports.proxy.to_string())
            .env(
                "NBC_SWAN_ISSUER",
                format!("{}/auth/realms/cern", self.origin),
            )
            .env("NBC_SWAN_SECRET", &self.client_secret)
            .env("NBC_SWAN_SINGLEUSER", bin.join("jupyterhub-singleuser"))
            .env("NBC_SWAN_TOKEN_STRONG", &self.admin)
            .env("NBC_SWAN_TOKEN_CULLER", &self.culler);
        self.hub = self.launch(&mut command, "log");
        wait_until(60, "the hub answers", || {
            self.api("GET", "", &self.admin, "").0 == 200
        });
        // Until it knows the identity provider, logins are answered 500; afterwards they lead to a
        // host that this program doesn't trust.
        let login = format!("{}/hub/oauth_login", self.url);
        wait_until(20, "the hub takes logins", || {
            request("GET", &login, "", "").0 != 500
        });
    }

    /// Ends the hub, as a site's administrator does.
    pub fn down(&mut self) {
        if let Some(mut hub) = self.hub.take() {
            let pid = rustix::process::Pid::from_child(&hub.0);
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            hub.wait(30);
        }
    }
}

fn await_port(what: &str, port: u16) {
    wait_until(20, what, || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
}

impl Drop for Swan {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for log in [
                "log",
                "idp.log",
                "web/log",
                "web.out",
                "kdc.log",
                "culler.log",
            ] {
                let text = fs::read_to_string(self.path(log)).unwrap_or_default();
                eprintln!("--- {log}\n{text}");
            }
        }
        let stop = |user: &str| {
            let _ = self.api("DELETE", &format!("users/{user}/server"), &self.admin, "");
        };
        std::thread::scope(|scope| {
            for user in self.users {
                scope.spawn(|| stop(user));
            }
        });
    }
}
