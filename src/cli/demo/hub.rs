//! The demo's `JupyterHub`: installed into an environment of its own, run beside the daemon.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

use crate::cli::{Stop, exit};

const CONFIG: &str = include_str!("../../../config/demo/jupyterhub_config.py");
const REQUIREMENTS: &str = include_str!("../../../config/demo/requirements.txt");
const PACKAGE: &str = include_str!("../../../config/demo/package.json");
const PACKAGE_LOCK: &str = include_str!("../../../config/demo/package-lock.json");

/// The demo's user.
const USER: &str = "physicist";
const PASSWORD: &str = "demo";

/// How long the hub may take to answer.
const PATIENCE: Duration = Duration::from_secs(90);

/// A running hub.
pub(super) struct Hub {
    child: Child,
    url: String,
}

impl Hub {
    /// The destination table that leads to it.
    pub(super) fn destination(&self) -> String {
        format!(
            "[destination.hub]\nhub = \"{}\"\nuser = \"{USER}\"\nusers = [\"{USER}\"]\n\
             directory = \"runs\"\nauth.token = {{ file = \"hub/token\" }}\n",
            self.url
        )
    }

    /// Where a person looks.
    pub(super) fn link(&self) -> String {
        format!(
            "{}/hub/user-redirect/lab/tree/runs (log in as {USER}, password {PASSWORD})",
            self.url
        )
    }

    /// Ends the hub; it ends its proxy and servers.
    pub(super) async fn stop(mut self) {
        if let Some(pid) = self
            .child
            .id()
            .and_then(|pid| i32::try_from(pid).ok())
            .and_then(rustix::process::Pid::from_raw)
        {
            // It may have ended by itself.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        if tokio::time::timeout(Duration::from_secs(30), self.child.wait())
            .await
            .is_err()
        {
            let _ = self.child.kill().await;
        }
    }
}

/// Installs what is missing, starts the hub, and waits until it answers.
pub(super) async fn start(dir: &Path, say: &impl Fn(String)) -> Result<Hub, Stop> {
    let home = dir.join("hub");
    std::fs::create_dir_all(&home)?;
    let home = std::fs::canonicalize(home)?;
    install(&home, say).await?;
    let token = format!("{:032x}", rand::random::<u128>());
    write_secret(&home.join("token"), &token)?;
    let port = free_port()?;
    let url = format!("http://127.0.0.1:{port}");
    let child = spawn(&home, port, &token)?;
    let mut hub = Hub { child, url };
    say(format!(
        "starting JupyterHub at {} (log: {})",
        hub.url,
        home.join("hub.log").display()
    ));
    await_answer(&mut hub, &home).await?;
    Ok(hub)
}

async fn install(home: &Path, say: &impl Fn(String)) -> Result<(), Stop> {
    let done = home.join("installed");
    let wanted = format!("{REQUIREMENTS}{PACKAGE_LOCK}");
    if std::fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    for (name, text) in [
        ("requirements.txt", REQUIREMENTS),
        ("package.json", PACKAGE),
        ("package-lock.json", PACKAGE_LOCK),
    ] {
        std::fs::write(home.join(name), text)?;
    }
    say(
        "installing JupyterHub (python3) and its proxy (npm); this takes a minute or two, once"
            .into(),
    );
    step(home, "python3", &["-m", "venv", "python"]).await?;
    step(
        home,
        "python/bin/pip",
        &[
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-r",
            "requirements.txt",
        ],
    )
    .await?;
    say("installing the proxy".into());
    step(home, "npm", &["ci", "--silent", "--no-audit", "--no-fund"]).await?;
    std::fs::write(done, wanted)?;
    Ok(())
}

async fn step(home: &Path, program: &str, arguments: &[&str]) -> Result<(), Stop> {
    let path = if program.contains('/') {
        home.join(program)
    } else {
        PathBuf::from(program)
    };
    let status = Command::new(&path)
        .args(arguments)
        .current_dir(home)
        .stdin(Stdio::null())
        .stdout(Stdio::from(log(home)?))
        .stderr(Stdio::from(log(home)?))
        .status()
        .await;
    let hint = format!(
        "see {}; `demo --hub` needs python3 with venv, and node 20 or newer with npm",
        home.join("hub.log").display()
    );
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Stop::new(
            exit::UNREACHABLE,
            format!("{program} {} ended with {status}", arguments.join(" ")),
        )
        .hint(hint)),
        Err(error) => Err(Stop::new(exit::UNREACHABLE, format!("{program}: {error}")).hint(hint)),
    }
}

fn spawn(home: &Path, port: u16, token: &str) -> Result<Child, Stop> {
    std::fs::write(home.join("jupyterhub_config.py"), CONFIG)?;
    let python = home.join("python/bin");
    let proxy = home.join("node_modules/.bin/configurable-http-proxy");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let paths = std::iter::once(python.clone()).chain(std::env::split_paths(&path));
    let path = std::env::join_paths(paths)
        .map_err(|error| Stop::new(exit::UNREACHABLE, error.to_string()))?;
    let child = Command::new(python.join("jupyterhub"))
        .args(["-f", "jupyterhub_config.py"])
        .current_dir(home)
        .env("PATH", path)
        .env("NBC_HUB_DIR", home)
        .env("NBC_HUB_USERS", USER)
        .env("NBC_HUB_PASSWORD", PASSWORD)
        .env("NBC_HUB_TOKEN", token)
        .env("NBC_HUB_PORT", port.to_string())
        .env("NBC_HUB_INTERNAL_PORT", free_port()?.to_string())
        .env("NBC_HUB_PROXY_PORT", free_port()?.to_string())
        .env("NBC_HUB_PROXY", proxy)
        .stdin(Stdio::null())
        .stdout(Stdio::from(log(home)?))
        .stderr(Stdio::from(log(home)?))
        // A Ctrl-C is for the demo, which then ends the hub in order.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    Ok(child)
}

async fn await_answer(hub: &mut Hub, home: &Path) -> Result<(), Stop> {
    let log = home.join("hub.log");
    let hint = format!("see {}", log.display());
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Ok(Some(status)) = hub.child.try_wait() {
            return Err(
                Stop::new(exit::UNREACHABLE, format!("JupyterHub ended with {status}")).hint(hint),
            );
        }
        let answer = reqwest::get(format!("{}/hub/api/", hub.url)).await;
        if answer.is_ok_and(|answer| answer.status().is_success()) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    Err(Stop::new(
        exit::UNREACHABLE,
        format!("JupyterHub did not answer within {} s", PATIENCE.as_secs()),
    )
    .hint(hint))
}

fn log(home: &Path) -> std::io::Result<std::fs::File> {
    std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(home.join("hub.log"))
}

fn write_secret(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
