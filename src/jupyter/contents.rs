//! Creating a file through the contents API, which has no atomic create: upload the exact bytes
//! under a name of the job's own, verify them, rename without replacing.

use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use super::classify::Call;
use super::hub::segment;
use super::swan::{Home, advice};
use super::{Jupyter, join, lock, text};
use crate::auth::Token;
use crate::destination::terms::{Accepted, Found, Wanted, embedded_job, temporary};
use crate::failure::{Code, Failure};
use crate::http::Reply;
use crate::notebook::sha256;

/// Names longer than this fail after the file was written: the server's own checkpoint name is
/// longer (measured with `jupyter_server` 2.21), bytes.
const LONGEST_NAME: usize = 200;

/// A user's root on a running server.
pub struct JupyterPlace<'a> {
    pub(super) jupyter: &'a Jupyter,
    pub(super) token: Token,
    pub(super) memory: Option<Accepted>,
    pub(super) user: String,
    pub(super) server: Url,
    pub(super) home: Home,
    pub(super) is_own: bool,
}

impl JupyterPlace<'_> {
    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    /// Records that a server of nbcourier's own was used until now.
    pub(crate) async fn leave(&self) {
        if self.is_own {
            self.jupyter.used(&self.user).await;
        }
    }

    /// Where a person opens the notebook: on a hub a link that starts the server after the login.
    pub(crate) fn url(&self, path: &str) -> String {
        let path = encode(&self.home.path(path));
        let path = format!("{}/{path}", self.home.interface());
        let base = &self.jupyter.base;
        match &self.jupyter.hub {
            None => format!("{base}{path}"),
            Some(hub) if hub.server_name.is_empty() => {
                format!("{base}hub/user-redirect/{path}")
            }
            Some(hub) => format!(
                "{base}user/{}/{}/{path}",
                segment(&self.user),
                segment(&hub.server_name)
            ),
        }
    }

    pub(crate) async fn look(&self, path: &str, wanted: &Wanted<'_>) -> Result<Found, Failure> {
        let query = "content=0&hash=1";
        let reply = match self
            .ask(Call::Look, Method::GET, path, query, None, &[200, 404])
            .await
        {
            // Asked for a directory's hash, jupyter_server 2.21 breaks with these words.
            Err(failure) if failure.what.contains("Keys unexpectedly None") => {
                return Ok(Found::Taken);
            }
            reply => reply?,
        };
        if reply.status == 404 {
            return Ok(Found::Absent);
        }
        let model = reply.json();
        if !model.is_object() {
            let what = format!(
                "{} answered something else than the contents API",
                reply.url
            );
            return Err(Code::PageInsteadOfApi.failure(what));
        }
        if model["hash"] == wanted.sha256 {
            return Ok(Found::Ours);
        }
        if model["type"] == "directory" {
            return Ok(Found::Taken);
        }
        // Edited meanwhile, or a server before 2.11, which knows no hash: the bytes tell.
        let bytes = self.read(path).await?.unwrap_or_default();
        let ours =
            sha256(&bytes) == wanted.sha256 || embedded_job(&bytes).as_deref() == Some(wanted.job);
        Ok(if ours { Found::Ours } else { Found::Taken })
    }

    pub(crate) async fn place(&self, path: &str, wanted: &Wanted<'_>) -> Result<(), Failure> {
        if path.split('/').any(|name| name.len() > LONGEST_NAME) {
            let what = format!("`{path}` has a name of more than {LONGEST_NAME} bytes");
            return Err(Code::NameUnusable.failure(what));
        }
        let part = temporary(path, wanted.job);
        if let Some((directory, _)) = path.rsplit_once('/') {
            self.make_directories(directory).await?;
        }
        let done = self.upload(&part, path, wanted).await;
        if let Err(failure) = &done
            && failure.code != Code::AnswerLost
        {
            // The first failure is the one to tell; what stays is swept before the next attempt.
            let _ = self.remove(&part).await;
        }
        done
    }

    async fn upload(&self, part: &str, path: &str, wanted: &Wanted<'_>) -> Result<(), Failure> {
        let content = String::from_utf8_lossy(wanted.bytes);
        // As a file: the server then writes exactly these bytes, and faster than a notebook.
        let body = json!({ "type": "file", "format": "text", "content": content });
        self.ask(
            Call::Upload,
            Method::PUT,
            part,
            "",
            Some(&body),
            &[200, 201],
        )
        .await?;
        self.verify(part, wanted.sha256).await?;
        self.ask(
            Call::Rename,
            Method::PATCH,
            part,
            "",
            Some(&json!({ "path": self.home.path(path) })),
            &[200],
        )
        .await?;
        Ok(())
    }

    /// A full disk or a quota can leave a part of the file behind an answer of success.
    async fn verify(&self, part: &str, hash: &str) -> Result<(), Failure> {
        let model = self
            .ask(
                Call::Look,
                Method::GET,
                part,
                "content=0&hash=1",
                None,
                &[200],
            )
            .await?
            .json();
        let stored = match model["hash"].as_str() {
            Some(stored) => stored.to_owned(),
            None => sha256(&self.read(part).await?.unwrap_or_default()),
        };
        if stored == hash {
            return Ok(());
        }
        let what =
            format!("the server stored something else than was sent to {part}: is its disk full?");
        Err(Code::StorageFull.failure(what))
    }

    /// The file's bytes; `None` where there is none, or it isn't text.
    pub(crate) async fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Failure> {
        let query = "type=file&format=text&content=1";
        let reply = self
            .ask(Call::Look, Method::GET, path, query, None, &[200, 400, 404])
            .await?;
        let content = reply.json()["content"]
            .as_str()
            .map(|content| content.as_bytes().to_vec());
        Ok(content.filter(|_| reply.status == 200))
    }

    /// One level after the other: the API makes no parents.
    async fn make_directories(&self, directory: &str) -> Result<(), Failure> {
        let ends = directory
            .match_indices('/')
            .map(|(at, _)| at)
            .chain([directory.len()]);
        for level in ends.map(|end| &directory[..end]) {
            let key = (self.user.clone(), level.to_owned());
            if lock(&self.jupyter.directories).contains(&key) {
                continue;
            }
            self.make_directory(level).await?;
            lock(&self.jupyter.directories).insert(key);
        }
        Ok(())
    }

    async fn make_directory(&self, level: &str) -> Result<(), Failure> {
        let making = self.home.making(level);
        // A person's own would become a project by it, and a project lose what it notes of itself.
        if making.get("is_project").is_some() && self.is_directory(level).await? {
            return Ok(());
        }
        let made = self
            .ask(
                Call::MakeDirectory,
                Method::PUT,
                level,
                "",
                Some(&making),
                &[200, 201],
            )
            .await;
        match made {
            Err(failure) if failure.code != Code::NameTaken => Err(failure),
            _ => Ok(()),
        }
    }

    async fn is_directory(&self, path: &str) -> Result<bool, Failure> {
        let query = "content=0";
        let reply = self.ask(Call::Look, Method::GET, path, query, None, &[200, 404]);
        Ok(reply.await?.json()["type"] == "directory")
    }

    pub(crate) async fn remove(&self, path: &str) -> Result<(), Failure> {
        self.ask(Call::Delete, Method::DELETE, path, "", None, &[204, 404])
            .await?;
        Ok(())
    }

    /// The names in a directory; none if it isn't there.
    pub(crate) async fn list(&self, directory: &str) -> Result<Vec<String>, Failure> {
        let query = "type=directory&content=1";
        let reply = self
            .ask(Call::Look, Method::GET, directory, query, None, &[200, 404])
            .await?;
        let entries = reply.json();
        let entries = entries["content"].as_array().into_iter().flatten();
        Ok(entries
            .map(|entry| text(entry, "name").to_owned())
            .collect())
    }

    async fn ask(
        &self,
        call: Call,
        method: Method,
        path: &str,
        query: &str,
        body: Option<&Value>,
        fine: &[u16],
    ) -> Result<Reply, Failure> {
        let mut url = join(
            &self.server,
            &format!("api/contents/{}", encode(&self.home.path(path))),
        )?;
        url.set_query((!query.is_empty()).then_some(query));
        let token = self.jupyter.newest(&self.token, &self.user).await?;
        let mut request = self.jupyter.request(method, url, Some(&token));
        if let Some(body) = body {
            request = request.json(body);
        }
        let reply = self.jupyter.send(call, request).await;
        let judged = reply.and_then(|reply| {
            // The hub's own page for a server that isn't there is a 404 too.
            let page = reply.kind == crate::http::Kind::Html;
            if fine.contains(&reply.status) && !page {
                Ok(reply)
            } else {
                Err(super::classify(call, &reply))
            }
        });
        match judged {
            Ok(reply) => Ok(reply),
            Err(failure) => Err(self.learn(self.advised(failure, path)).await),
        }
    }

    /// With what is to be done about it on SWAN.
    fn advised(&self, failure: Failure, path: &str) -> Failure {
        match advice::on_space(&failure, &self.user, path) {
            Some(advice) if self.home != Home::Root => failure.advise(advice),
            _ => failure,
        }
    }

    /// After a failure nothing that was remembered of the server is trusted any more.
    async fn learn(&self, failure: Failure) -> Failure {
        let about_file = matches!(
            failure.code,
            Code::NameTaken | Code::NameUnusable | Code::NotebookRejected | Code::StorageFull
        );
        if about_file {
            return failure;
        }
        self.jupyter.gate(&self.user).forget();
        lock(&self.jupyter.directories).retain(|(user, _)| *user != self.user);
        self.jupyter
            .sharpen(failure, &self.user, self.memory.as_ref())
            .await
    }
}

/// A path, each segment percent-encoded.
fn encode(path: &str) -> String {
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}
