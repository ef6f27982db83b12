//! A real hub with its proxy, and a real plain server.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{Process, secrets, token, wait_until};

/// Where `tests/run` has installed the Python and npm packages.
pub fn environment() -> PathBuf {
    let set = std::env::var_os("NBC_TEST_ENV");
    PathBuf::from(set.expect("NBC_TEST_ENV is not set: start these tests by `tests/run`"))
}

/// A port that is free now.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// One request by a program that is not ours: status and body.
pub fn request(method: &str, url: &str, token: &str, body: &str) -> (u16, Value) {
    let program = "import sys,urllib.request,urllib.error\nm,u,t,b = sys.argv[1:]\nr = urllib.request.Request(u, method=m, data=b.encode() or None)\nr.add_header('Authorization', 'token ' + t)\nr.add_header('Content-Type', 'application/json')\ntry:\n    a = urllib.request.urlopen(r, timeout=60)\nexcept urllib.error.HTTPError as e:\n    a = e\nexcept OSError as e:\n    print(0); sys.exit()\nprint(a.status); print(a.read().decode())";
    let done = Command::new("python3")
        .args(["-c", program, method, url, token, body])
        .output()
        .expect("python3");
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let (status, body) = text.split_once('\n').unwrap_or((&text, ""));
    (
        status.trim().parse().unwrap_or(0),
        serde_json::from_str(body).unwrap_or(Value::Null),
    )
}

/// A hub with its users and carol; the service `nbcourier` may act for all but carol.
pub struct Hub {
    /// Further lines of its configuration.
    pub snippet: String,
    users: &'static [&'static str],
    pub dir: tempfile::TempDir,
    pub url: String,
    pub token: String,
    pub admin: String,
    pub blind: String,
    proxy_token: String,
    ports: [u16; 3],
    hub: Option<Process>,
    pub proxy: Option<Process>,
}

impl Hub {
    /// With the users alice and bob.
    pub fn start() -> Self {
        Self::of(&["alice", "bob"])
    }

    /// With these users.
    pub fn of(users: &'static [&'static str]) -> Self {
        Self::with(users, |_| String::new())
    }

    /// With these users and further lines of configuration, which may name the file that holds the
    /// service's token.
    pub fn with(users: &'static [&'static str], snippet: impl FnOnce(&Path) -> String) -> Self {
        let ports = [free_port(), free_port(), free_port()];
        let mut hub = Self {
            snippet: String::new(),
            users,
            dir: tempfile::tempdir().expect("a temporary directory"),
            url: format!("http://127.0.0.1:{}", ports[0]),
            token: token(),
            admin: token(),
            blind: token(),
            proxy_token: token(),
            ports,
            hub: None,
            proxy: None,
        };
        fs::create_dir(hub.dir.path().join("script")).expect("a directory");
        let token = hub.dir.path().join("token");
        fs::write(&token, &hub.token).expect("a token");
        hub.snippet = snippet(&token);
        hub.start_proxy();
        hub.up();
        hub
    }

    pub fn start_proxy(&mut self) {
        let [port, internal, api] = self.ports;
        let mut command =
            Command::new(environment().join("node_modules/.bin/configurable-http-proxy"));
        command
            .args(["--ip", "127.0.0.1", "--port", &port.to_string()])
            .args(["--api-ip", "127.0.0.1", "--api-port", &api.to_string()])
            .args(["--default-target", &format!("http://127.0.0.1:{internal}")])
            .args([
                "--error-target",
                &format!("http://127.0.0.1:{internal}/hub/error"),
            ])
            .env("CONFIGPROXY_AUTH_TOKEN", &self.proxy_token)
            .stdout(self.log())
            .stderr(self.log());
        self.proxy = Some(Process::start(&mut command));
    }

    fn log(&self) -> Stdio {
        let file = File::options()
            .create(true)
            .append(true)
            .open(self.dir.path().join("log"));
        file.expect("a log").into()
    }

    /// Starts the hub (again); its users' servers stay.
    pub fn up(&mut self) {
        let [port, internal, api] = self.ports.map(|port| port.to_string());
        let bin = environment().join("python/bin");
        let path = std::env::var("PATH").unwrap_or_default();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new(bin.join("jupyterhub"));
        command
            .arg("-f")
            .arg(root.join("tests/real/hub_config.py"))
            .current_dir(self.dir.path())
            .env("PATH", format!("{}:{path}", bin.display()))
            .env("NBC_REPOSITORY", root)
            .env("NBC_HUB_DIR", self.dir.path())
            .env("NBC_HUB_SNIPPET", &self.snippet)
            .env("NBC_HUB_USERS", self.users.join(","))
            .env("NBC_HUB_PASSWORD", "test")
            .env("NBC_HUB_PORT", port)
            .env("NBC_HUB_INTERNAL_PORT", internal)
            .env("NBC_HUB_PROXY_PORT", api)
            .env("NBC_HUB_PROXY", "unused")
            .env("CONFIGPROXY_AUTH_TOKEN", &self.proxy_token)
            .env("NBC_HUB_TOKEN", &self.token)
            .env("NBC_TOKEN_STRONG", &self.admin)
            .env("NBC_TOKEN_BLIND", &self.blind)
            .stdout(self.log())
            .stderr(self.log());
        self.hub = Some(Process::start(&mut command));
        wait_until(60, "the hub answers", || {
            self.api("GET", "", &self.admin, "").0 == 200
        });
    }

    pub fn down(&mut self) {
        if let Some(hub) = &mut self.hub {
            let pid = rustix::process::Pid::from_child(&hub.0);
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            hub.wait(30);
        }
    }

    pub fn api(&self, method: &str, path: &str, token: &str, body: &str) -> (u16, Value) {
        request(method, &format!("{}/hub/api/{path}", self.url), token, body)
    }

    /// What the next starts of a user's server do.
    pub fn script(&self, user: &str, text: &str) {
        fs::write(self.dir.path().join("script").join(user), text).expect("a script");
    }

    /// The starts as the hub saw them: what happened, whose server, when (seconds).
    pub fn starts(&self) -> Vec<(String, String, f64)> {
        let text = fs::read_to_string(self.dir.path().join("starts")).unwrap_or_default();
        let line = |line: &str| {
            let mut words = line.split(' ').map(str::to_owned);
            let (what, user) = (words.next()?, words.next()?);
            Some((what, user, words.next()?.parse().ok()?))
        };
        text.lines().filter_map(line).collect()
    }

    pub fn home(&self, user: &str) -> PathBuf {
        self.dir.path().join("home").join(user)
    }

    pub fn stop_server(&self, user: &str) {
        let (status, _) = self.api("DELETE", &format!("users/{user}/server"), &self.admin, "");
        assert!(status == 202 || status == 204, "{status}");
        wait_until(30, "the server is stopped", || {
            self.api("GET", &format!("users/{user}"), &self.admin, "").1["server"].is_null()
        });
    }

    /// The processes of a user's server, with their environments.
    pub fn servers(&self, user: &str) -> Vec<(i32, String)> {
        let processes = fs::read_dir("/proc").expect("proc").flatten();
        let server = |process: fs::DirEntry| {
            let pid = process.file_name().to_str()?.parse().ok()?;
            let environment = fs::read(process.path().join("environ")).ok()?;
            let text = String::from_utf8_lossy(&environment).into_owned();
            let home = self.home(user);
            let ours = text.contains(&format!("JUPYTERHUB_USER={user}\0"))
                && text.contains(home.to_str()?);
            ours.then_some((pid, text))
        };
        processes.filter_map(server).collect()
    }

    /// Signals a user's server behind the hub's back.
    pub fn signal_server(&self, user: &str, signal: rustix::process::Signal) {
        for (pid, _) in self.servers(user) {
            let pid = rustix::process::Pid::from_raw(pid).expect("a pid");
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    /// A token of a user, for so many seconds.
    pub fn user_token(&self, user: &str, seconds: u32) -> String {
        let body = format!("{{\"expires_in\": {seconds}, \"note\": \"test\"}}");
        let (status, made) = self.api("POST", &format!("users/{user}/tokens"), &self.admin, &body);
        assert_eq!(status, 201, "{made}");
        let token = made["token"].as_str().expect("a token").to_owned();
        secrets::note(&token);
        token
    }

    /// The destination table that leads to it, through `url`, with the token in a file of the room.
    pub fn destination(url: &str) -> String {
        format!(
            "[destination.hub]\nhub = \"{url}\"\nuser = \"{{user}}\"\nusers = [\"alice\", \"bob\"]\n\
             directory = \"runs/h4\"\nauth.token = {{ file = \"token\" }}\n"
        )
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "--- hub\n{}",
                fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
            );
        }
        let stop = |user: &str| {
            let _ = self.api("DELETE", &format!("users/{user}/server"), &self.admin, "");
        };
        std::thread::scope(|scope| {
            for user in self.users.iter().chain(&["carol"]) {
                scope.spawn(|| stop(user));
            }
        });
    }
}

/// A plain Jupyter Server.
pub struct Server {
    pub dir: tempfile::TempDir,
    pub url: String,
    pub token: String,
    _process: Process,
}

impl Server {
    pub fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (port, token) = (free_port(), format!("{:0>48}", token()));
        let log = File::create(dir.path().join("log")).expect("a log");
        fs::create_dir(dir.path().join("root")).expect("a root");
        let mut command = Command::new(environment().join("python/bin/jupyter-server"));
        command
            .args([
                "--no-browser",
                "--allow-root",
                "--ip=127.0.0.1",
                &format!("--port={port}"),
            ])
            .arg(format!(
                "--ServerApp.root_dir={}",
                dir.path().join("root").display()
            ))
            .env("JUPYTER_TOKEN", &token)
            .env("JUPYTER_CONFIG_DIR", dir.path().join("jupyter"))
            .env("JUPYTER_RUNTIME_DIR", dir.path().join("runtime"))
            .env("JUPYTER_DATA_DIR", dir.path().join("data"))
            .stdout(log.try_clone().expect("a log"))
            .stderr(log);
        let process = Process::start(&mut command);
        let url = format!("http://127.0.0.1:{port}");
        wait_until(30, "the server answers", || {
            request("GET", &format!("{url}/api"), &token, "").0 == 200
        });
        Self {
            dir,
            url,
            token,
            _process: process,
        }
    }

    pub fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }
}
