//! A machine of NERSC as a destination, by the Superfacility API.
//!
//! The API uploads, downloads and lists; it makes no directories and can neither rename, nor remove,
//! nor refuse to replace without a client that may run commands, which nbcourier doesn't ask for. So a
//! notebook is sent straight to its recorded name, after that was seen to be free, and compared
//! afterwards. What was measured and read of the API stands in `answers`.

mod answers;
mod clients;
mod files;
mod names;
mod probe;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use reqwest::header::ACCEPT;
use serde_json::Value;

use crate::auth::{Credential, Signed};
use crate::config::checked::{self, Config, Destination};
use crate::failure::{Code, Failure};
use crate::http::{Client, Reply};
use answers::{Call, judge};
pub use files::SuperfacilityPlace;
pub use names::plain;

/// What a user's name doesn't keep in a link.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// One machine.
pub struct Superfacility {
    client: Client,
    table: checked::Superfacility,
    /// The part of the directory that all notebooks share, without the `/` before it.
    root: String,
    credential: Credential,
    /// For how long a machine that was available counts as such.
    trust: Duration,
    known: Mutex<Known>,
}

/// What is remembered between two deliveries.
#[derive(Default)]
struct Known {
    /// The credential's owner.
    user: Option<String>,
    /// When the machine was seen to be available.
    available: Option<Instant>,
}

impl Superfacility {
    /// Prepares a destination; asks nothing yet.
    pub(crate) fn new(
        config: &Config,
        destination: &Destination,
        table: &checked::Superfacility,
    ) -> Result<Self, Failure> {
        let client = Client::new(
            destination.ca_file(),
            config.contact.as_deref(),
            config.paces.answer,
        );
        Ok(Self {
            client: client?.of(&destination.name),
            table: table.clone(),
            root: names::root(&destination.directory),
            credential: Credential::new(config, destination)?,
            trust: config.paces.probe,
            known: Mutex::default(),
        })
    }

    pub(crate) fn credential(&self) -> &Credential {
        &self.credential
    }

    pub(crate) async fn open(&self) -> Result<SuperfacilityPlace<'_>, Failure> {
        let seen = self.known().available;
        if seen.is_none_or(|at| at.elapsed() > self.trust) {
            self.ask_machine().await?;
        }
        let known = self.known().user.clone();
        let user = match known {
            Some(user) => user,
            None => self.ask_user().await?,
        };
        Ok(SuperfacilityPlace {
            facility: self,
            user,
        })
    }

    /// The state of the machine in words; a failure while it is unavailable.
    async fn ask_machine(&self) -> Result<String, Failure> {
        let machine = &self.table.machine;
        self.known().available = None;
        let status = self.ask(Call::Status, &format!("status/{machine}")).await?;
        let state = status["status"].as_str().unwrap_or("in an unknown state");
        let words = answers::notes(&status);
        if state == "unavailable" {
            return Err(unavailable(machine, &words));
        }
        self.known().available = Some(Instant::now());
        Ok(format!("{machine} is {state}{words}"))
    }

    /// Whose the credential is.
    async fn ask_user(&self) -> Result<String, Failure> {
        let account = self.ask(Call::Account, "account/").await?;
        let user = account["name"].as_str().unwrap_or_default().to_owned();
        self.known().user = Some(user.clone());
        Ok(user)
    }

    async fn ask(&self, call: Call, path: &str) -> Result<Value, Failure> {
        self.exchange(call, Method::GET, path, None).await
    }

    /// Sends a call, by the token of now: one that was refused a moment ago is another one already.
    /// `path` is relative to the base and holds no character that needs to be encoded; a body comes
    /// with its type.
    async fn exchange(
        &self,
        call: Call,
        method: Method,
        path: &str,
        body: Option<(String, Vec<u8>)>,
    ) -> Result<Value, Failure> {
        let url = self.table.url.join(path);
        let url = url.map_err(|error| Code::Internal.failure(format!("{path}: {error}")))?;
        let token = match call {
            // Anybody may ask this, also while no tokens are to be had.
            Call::Status => None,
            _ => Some(self.credential.token().await?),
        };
        let request = self
            .client
            .request(method, url)
            .header(ACCEPT, "application/json");
        let mut request = Signed::new(request, token.as_ref());
        if let Some((kind, bytes)) = body {
            request = request.body(&kind, bytes);
        }
        let reply = self.send(call, request).await?;
        judge(call, &reply, token.as_ref())
    }

    async fn send(&self, call: Call, request: Signed<'_>) -> Result<Reply, Failure> {
        let is_refusal = |reply: &Reply| reply.status == 401;
        let sent = request.send(&self.client, call.writes(), is_refusal, &self.credential);
        sent.await.inspect_err(|_| self.known().available = None)
    }

    /// Where a person opens a notebook.
    fn url(&self, user: &str, path: &str) -> String {
        let user = utf8_percent_encode(user, ENCODED).to_string();
        let open = &self.table.open;
        open.replace("{path}", path).replace("{user}", &user)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unavailable(machine: &str, words: &str) -> Failure {
    Code::MachineUnavailable.failure(format!("{machine} is unavailable{words}"))
}
