//! The stand of `tests/idp`: a real provider, a server that takes its tokens, faults on order.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use serde_json::{Value, json};

use crate::hub::{Server, environment};
use crate::support::{Process, secrets, wait_until};

/// The secret of every client that has one: with the characters that need care in a header.
pub const SECRET: &str = "p@ss:w/ord+%&=of-the-client";

/// The server behind the stands that are up, one for all: it takes seconds to start.
static SERVER: Mutex<Weak<Server>> = Mutex::new(Weak::new());

/// A running stand.
pub struct Provider {
    /// The directory of its own at the server.
    pub name: String,
    server: Arc<Server>,
    /// Where clients find the provider; also its issuer.
    pub url: String,
    /// The server, for those who have a token.
    pub api: String,
    /// Another origin; what arrives there is in `strayed` of [`Provider::seen`].
    pub stranger: String,
    control: String,
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    dir: tempfile::TempDir,
    _process: Process,
}

impl Provider {
    pub fn start() -> Self {
        // Another test of this process may have installed it.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let server = server();
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (process, ports) = launch(&server, dir.path());
        let url = |door: &str| format!("http://127.0.0.1:{}", ports[door]);
        secrets::note(SECRET);
        secrets::note(&server.token);
        Self {
            name: format!("stand-{}", ports["front"]),
            url: url("front"),
            api: url("api"),
            stranger: url("stranger"),
            control: url("control"),
            server,
            client: reqwest::Client::builder()
                .pool_max_idle_per_host(0)
                .build()
                .expect("a client"),
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime"),
            dir,
            _process: process,
        }
    }

    /// Where its notebooks arrive.
    pub fn root(&self) -> PathBuf {
        self.server.root().join(&self.name)
    }

    /// Gives an order to the stand; its answer.
    pub fn order(&self, name: &str, with: &Value) -> Value {
        let url = format!("{}/{name}", self.control);
        let sent = self.client.post(url).json(with).send();
        self.runtime
            .block_on(async { sent.await?.json().await })
            .unwrap_or_else(|error: reqwest::Error| panic!("{name} {with}: {error}"))
    }

    /// Plans a fault, as `tests/idp/faults.mjs` describes them.
    pub fn fault(&self, fault: &Value) {
        self.order("fault", fault);
    }

    pub fn calm(&self) {
        self.order("calm", &json!({}));
    }

    /// How long access tokens live that are issued from now on.
    pub fn life(&self, seconds: u32) {
        self.order("life", &json!({ "access": seconds }));
    }

    /// Revokes every access token.
    pub fn revoke(&self) {
        self.order("revoke", &json!({}));
    }

    /// Registers a client with [`SECRET`] for `client_credentials`; `method` as in its metadata.
    pub fn secret_client(&self, id: &str, method: &str) {
        let client = json!({
            "client_id": id, "client_secret": SECRET, "grant_types": ["client_credentials"],
            "redirect_uris": [], "response_types": [], "scope": "deliver",
            "token_endpoint_auth_method": method,
        });
        self.order("client", &client);
    }

    /// Registers a client without a secret for refresh tokens and the device flow.
    pub fn refresh_client(&self, id: &str, rotates: bool) {
        let device = "urn:ietf:params:oauth:grant-type:device_code";
        let client = json!({
            "client_id": id, "grant_types": ["refresh_token", device], "redirect_uris": [],
            "response_types": [], "scope": "openid offline_access", "rotates": rotates,
            "token_endpoint_auth_method": "none",
        });
        self.order("client", &client);
    }

    /// A refresh token of this client.
    pub fn refresh_token(&self, id: &str) -> String {
        let token = self.order("refresh-token", &json!({ "client_id": id }));
        token.as_str().expect("a token").to_owned()
    }

    /// Registers a client by a key made now; the key in each form: `pkcs8`, `pkcs1`, `jwk`, `jwks`,
    /// `sfapi_pem`, `sfapi_json`.
    pub fn key_client(&self, id: &str) -> Value {
        let keys = self.order("key-client", &json!({ "client_id": id }));
        secrets::note(line_of(&keys));
        keys
    }

    pub fn remove_client(&self, id: &str) {
        self.order("remove-client", &json!({ "client_id": id }));
    }

    /// What has arrived: `token` (a list), `most_in_flight`, `api`, `refused`, `schemes`, `faults`
    /// (left), `strayed` (a list).
    pub fn seen(&self) -> Value {
        self.secrets();
        self.order("seen", &json!({}))
    }

    /// How many token requests a client has made.
    pub fn count(&self, client: &str) -> usize {
        let count = self.order("count", &json!({ "client_id": client }));
        serde_json::from_value(count).expect("a count")
    }

    /// The token requests of a client.
    pub fn requests(&self, client: &str) -> Vec<Value> {
        let seen = self.seen()["token"].as_array().cloned();
        let of_client = |request: &Value| request["client"] == client;
        seen.unwrap_or_default()
            .into_iter()
            .filter(of_client)
            .collect()
    }

    /// Every secret that went in or out; each is looked for in what the daemons leave.
    pub fn secrets(&self) -> Vec<String> {
        let all = self.order("secrets", &json!({}));
        let all: Vec<String> = serde_json::from_value(all).expect("words");
        all.iter().for_each(|secret| secrets::note(secret));
        all
    }
}

fn server() -> Arc<Server> {
    let mut shared = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let server = Arc::new(Server::start());
        *shared = Arc::downgrade(&server);
        server
    })
}

/// A line in the middle of a key.
fn line_of(keys: &Value) -> &str {
    let lines = keys["pkcs8"].as_str().map(str::lines);
    lines.and_then(|mut lines| lines.nth(9)).expect("lines")
}

fn launch(server: &Server, dir: &Path) -> (Process, Value) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/idp/stand.mjs");
    let file = |name: &str| File::create(dir.join(name)).expect("a file");
    let mut command = Command::new("node");
    command
        .arg(script)
        .env("NBC_TEST_ENV", environment())
        .env("JUPYTER_PORT", server.url.rsplit(':').next().expect("one"))
        .env("JUPYTER_TOKEN", &server.token)
        .stdout(file("ports"))
        .stderr(file("log"));
    let process = Process::start(&mut command);
    let told = || fs::read_to_string(dir.join("ports")).unwrap_or_default();
    wait_until(30, "the provider answers", || told().ends_with('\n'));
    (process, serde_json::from_str(&told()).expect("ports"))
}

impl Drop for Provider {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            // All of it if it was asked in the last moments, or nothing.
            let wait = Duration::from_secs(2);
            let seen = self.client.post(format!("{}/seen", self.control));
            let asked = async { seen.timeout(wait).send().await?.text().await };
            let seen = self.runtime.block_on(asked).unwrap_or_default();
            eprintln!("--- provider\n{log}\n{seen}");
        }
    }
}
