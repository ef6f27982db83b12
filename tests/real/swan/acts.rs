//! What tests do to a running SWAN, and ask of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::Swan;
use crate::hub::request;
use crate::support::{Ended, Process, secrets, wait_until};

impl Swan {
    /// The authority by which the single sign-on is trusted.
    pub fn authority(&self) -> PathBuf {
        self.path("lab.pem")
    }

    /// The file with a user's key, which takes the place of the password.
    pub fn keytab(&self, user: &str) -> PathBuf {
        self.path(&format!("{user}.keytab"))
    }

    /// What a program needs to log in as this user by the keytab alone.
    pub fn client(&self, user: &str) -> Vec<(&'static str, String)> {
        let text = |path: PathBuf| path.display().to_string();
        vec![
            ("KRB5_CONFIG", text(self.path("krb5.conf"))),
            (
                "KRB5_CLIENT_KTNAME",
                format!("FILE:{}", text(self.keytab(user))),
            ),
            ("KRB5CCNAME", format!("FILE:{}", text(self.cache(user)))),
            ("REQUESTS_CA_BUNDLE", text(self.authority())),
            ("SSL_CERT_FILE", text(self.authority())),
        ]
    }

    /// Where a user's tickets are kept.
    pub fn cache(&self, user: &str) -> PathBuf {
        self.path("caches").join(user)
    }

    /// Does this in the realm's database.
    pub fn kadmin(&self, query: &str) {
        let done = Command::new("/usr/sbin/kadmin.local")
            .args(["-r", "NBC.TEST", "-q", query])
            .envs(self.realm())
            .output()
            .expect("it runs");
        assert!(done.status.success(), "{query}: {done:?}");
    }

    /// Gives a user a new key: the keytab that they have is of no use any more.
    pub fn change_key(&self, user: &str) {
        self.kadmin(&format!("change_password -randkey {user}"));
    }

    /// Writes a user's key of today into the keytab.
    pub fn renew_keytab(&self, user: &str) {
        let keytab = self.keytab(user);
        let _ = fs::remove_file(&keytab);
        self.kadmin(&format!("ktadd -norandkey -k {} {user}", keytab.display()));
    }

    /// Sets switches of the identity provider, which `tests/swan/sso/state.py` lists.
    pub fn switch(&self, switches: &Value) {
        let url = format!("http://127.0.0.1:{}/switch", self.ports.control);
        let (status, answer) = request("POST", &url, "", &switches.to_string());
        assert_eq!(status, 200, "{switches}: {answer}");
    }

    /// How often each has happened at the identity provider, as `tests/swan/sso/state.py` names them.
    pub fn seen(&self, what: &str) -> u64 {
        let url = format!("http://127.0.0.1:{}/seen", self.ports.control);
        let (_, seen) = request("GET", &url, "", "");
        seen[what]
            .as_u64()
            .unwrap_or_else(|| panic!("{what}: {seen}"))
    }

    /// Notes every secret that the identity provider has made.
    pub fn note_secrets(&self) {
        let url = format!("http://127.0.0.1:{}/secrets", self.ports.control);
        let (_, made) = request("GET", &url, "", "");
        let made: Vec<String> = serde_json::from_value(made).expect("words");
        made.iter().for_each(|secret| secrets::note(secret));
    }

    pub fn api(&self, method: &str, path: &str, token: &str, body: &str) -> (u16, Value) {
        request(method, &format!("{}/hub/api/{path}", self.url), token, body)
    }

    /// A user's space, where EOS would be.
    pub fn home(&self, user: &str) -> PathBuf {
        self.path("eos/user").join(&user[..1]).join(user)
    }

    /// What the next starts of a user's server do: `fail N` or `slow SECONDS`.
    pub fn script(&self, user: &str, text: &str) {
        fs::write(self.path("script").join(user), text).expect("a script");
    }

    /// How many starts of a user's server there were that came to this: `begins`, `fails`, `runs`.
    pub fn starts(&self, what: &str, user: &str) -> usize {
        let text = fs::read_to_string(self.path("starts")).unwrap_or_default();
        let line = format!("{what} {user} ");
        text.lines()
            .filter(|known| known.starts_with(&line))
            .count()
    }

    pub fn await_ready(&self, user: &str) {
        wait_until(90, "the server is ready", || {
            let (_, model) = self.api("GET", &format!("users/{user}"), &self.admin, "");
            model["servers"][""]["ready"] == true
        });
    }

    pub fn stop_server(&self, user: &str) {
        let (status, _) = self.api("DELETE", &format!("users/{user}/server"), &self.admin, "");
        assert!(status == 202 || status == 204, "{status}");
        wait_until(30, "the server is stopped", || {
            let (_, model) = self.api("GET", &format!("users/{user}"), &self.admin, "");
            model["server"].is_null()
        });
    }

    /// Lets SWAN's culler remove users, and servers, that did nothing for so many seconds; it looks
    /// each second until it is dropped.
    pub fn cull(&self, idle_seconds: u32) -> Process {
        let mut command = Self::program("swanculler");
        command
            .args(["--cull-every=1", "--cull-users=true"])
            .arg(format!("--timeout={idle_seconds}"))
            .arg(format!("--url={}/hub/api", self.url))
            .args(["--disable-hooks=true", "--auth-check-interval=86400"])
            .env("JUPYTERHUB_API_TOKEN", &self.culler);
        self.launch(&mut command, "culler.log").expect("a culler")
    }

    /// Gets tickets for a user by the keytab, for so long as `kinit -l` takes it.
    pub fn take_tickets(&self, user: &str, life: &str) {
        let mut command = Command::new("kinit");
        command.args(["-l", life, "-k", "-t"]);
        command.arg(self.keytab(user)).arg(user);
        let done = ended(command.envs(self.client(user)));
        assert_eq!(done.code, 0, "{done:?}");
    }

    /// Logs a user in by CERN's own tool, at the hub's address below; the cookies are in the file.
    pub fn sso_cookies(&self, user: &str, below: &str, file: &Path) -> Ended {
        let mut command = Self::program("auth-get-sso-cookie");
        command.args(["-u", &format!("{}{below}", self.url), "-o"]);
        command.arg(file).args(["-s", self.host()]);
        ended(command.envs(self.client(user)))
    }

    /// The single sign-on as the tools are told of it.
    pub fn host(&self) -> &str {
        self.origin.trim_start_matches("https://")
    }

    /// A token of a user that the hub makes by the cookies in this file.
    pub fn mint(&self, user: &str, cookies: &Path) -> Result<String, String> {
        let mut command = Command::new("python3");
        command.arg(Self::here().join("mint.py")).arg(cookies);
        let done = ended(command.args([self.url.as_str(), user]));
        let token = done.out.trim().to_owned();
        if done.code != 0 {
            return Err(done.err.trim().to_owned());
        }
        secrets::note(&token);
        Ok(token)
    }
}

fn ended(command: &mut Command) -> Ended {
    let done = command.output().expect("it runs");
    Ended {
        code: done.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&done.stdout).into_owned(),
        err: String::from_utf8_lossy(&done.stderr).into_owned(),
    }
}
